"""A service whose database forgot the shop's orders and links asks the real plugin for them (`tillsync after-restore`)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
from support.postgres import TestDatabase
from support.waiting import until
from tillsync.v1 import vocabulary_pb2
from tillsync_server.composition.after_restore import RestoreRun, after_restore
from wordpress.harness.bridge import BridgedShop

FORGOTTEN = ("entry", "entry_history", "order_match", "order_event", "link")
DRAIN = "Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Drain::class )->run();"


async def test_plugin_gives_a_restored_service_its_answers_links_and_open_orders(bridged: BridgedShop, database: TestDatabase) -> None:
    site, client, since = bridged.site, bridged.service.client, datetime.now(UTC) - timedelta(minutes=1)
    ada = bridged.till.add_customer(forename="Ada", surname="Byron", email="ada@example.test", points=12)
    for surname in ("One", "Two"):
        bridged.till.add_customer(forename="Dup", surname=surname, email="dup@example.test")
    users = [await site.add_user(email) for email in ("ada@example.test", "dup@example.test")]
    decided, held = [
        await site.add_order(customer_id=user, email=email, first_name="Ada", last_name="Byron")
        for user, email in zip(users, ("ada@example.test", "dup@example.test"), strict=True)
    ]
    await bridged.drain()

    async def answers() -> list[str]:
        await site.php(DRAIN)
        return [str((await site.order_meta(order))["_tillsync_answer"]["outcome"]) for order in (decided, held)]

    async def are_answered() -> bool:
        return await answers() == ["OUTCOME_MATCHED_EMAIL", "OUTCOME_DUPLICATE_EMAIL"]

    await site.until(are_answered)
    await site.until(lambda: site.rows("SELECT * FROM {prefix}tillsync_customer WHERE epos_customer_id IS NOT NULL"))
    connection = await asyncpg.connect(database.dsn, server_settings={"search_path": "tillsync"})
    await connection.execute(f"TRUNCATE {', '.join(FORGOTTEN)}")
    await connection.close()
    report = await after_restore(bridged.service.service.settings, RestoreRun(since=since), lambda _line: None)
    [account] = report.accounts
    assert (account.reason, account.orders.kept, account.orders.asked_again, account.links.restored) == ("", 1, 1, 1)
    assert (account.has_unknown_token, account.other_settings, account.tokens, report.is_ended) == (False, (), (), True)

    kept, lost = await client.sync.get_order_matches(bridged.account_id, [decided, held])
    assert not isinstance(kept, Exception)
    assert (kept.state, kept.outcome, kept.epos_customer_id) == (
        vocabulary_pb2.ENTRY_STATE_PROCESSED,
        vocabulary_pb2.OUTCOME_MATCHED_EMAIL,
        ada,
    )
    assert isinstance(lost, Exception), "the database does not know the order before the plugin sends it again"
    link = await client.links.get_link(bridged.account_id, woo_customer_id=users[0])
    assert link.epos_customer_id == ada

    async def is_held_again() -> bool:
        await bridged.drain()
        [match] = await client.sync.get_order_matches(bridged.account_id, [held])
        return not isinstance(match, Exception) and match.state == vocabulary_pb2.ENTRY_STATE_HELD

    await until(is_held_again)
