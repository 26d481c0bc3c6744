"""One sender at a time leases the events of an account. Answers and new secrets change what waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.engine import EngineWorld
from support.events import FINISHED, MATCHED, QUICK, SHOP, EventWorld
from support.links import complete_all, facts_of, held_orders, put_order
from support.waiting import until
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.ids import OrderId
from tillsync_server.ports.events import AcknowledgedEvent, EventType

pytestmark = pytest.mark.integration


async def test_only_one_sender_leases_an_account(events: EventWorld) -> None:
    await put_order(events.engine, facts_of(1042))
    await complete_all(events.engine, MATCHED)
    claims = await asyncio.gather(*(events.outbox.claim(limit=10, lease_seconds=60) for _ in range(8)))
    [lease] = [lease for claimed in claims for lease in claimed]
    await events.outbox.release(replace(lease, token=lease.token + 1), failures=0, delay_seconds=0)  # another token releases nothing
    assert await events.outbox.claim(limit=10, lease_seconds=60) == []
    await events.outbox.release(lease, failures=0, delay_seconds=0)
    assert len(await events.outbox.claim(limit=10, lease_seconds=0)) == 1
    assert len(await events.outbox.claim(limit=10, lease_seconds=60)) == 1  # the lease of 0 s has expired


async def test_event_recorded_while_an_older_one_is_sent_still_waits(events: EventWorld) -> None:
    await held_orders(events.engine, [facts_of(1042)])
    waiting = await events.outbox.waiting(SHOP, 500)
    await put_order(events.engine, facts_of(1042, email="grace@example.test"))
    await events.outbox.acknowledge(SHOP, [AcknowledgedEvent(event.order_id, event.sequence) for event in waiting.events])
    [event] = (await events.outbox.waiting(SHOP, 500)).events
    assert (event.sequence, event.type) == (2, EventType.DECISION_CLOSED)


async def test_stale_answer_to_an_older_event_raises_no_sequence(events: EventWorld) -> None:
    await held_orders(events.engine, [facts_of(1042)])
    await put_order(events.engine, facts_of(1042, email="grace@example.test"))
    await events.outbox.acknowledge(SHOP, [AcknowledgedEvent(OrderId(1042), 2)])
    await events.outbox.acknowledge(SHOP, [AcknowledgedEvent(OrderId(1042), 1, held_sequence=2)])
    assert (await events.outbox.waiting(SHOP, 500)).events == ()


async def test_events_of_a_disconnected_shop_are_not_sent_to_the_next_shop(events: EventWorld) -> None:
    await put_order(events.engine, facts_of(1042))
    await complete_all(events.engine, MATCHED)
    await events.accounts.update(SHOP, lambda account: replace(account, shop=replace(account.shop, bridge_secret="")))
    assert await events.outbox.claim(limit=10, lease_seconds=60) == []
    secret = events.shop.switches.bridge_secret
    await events.accounts.update(SHOP, lambda account: replace(account, shop=replace(account.shop, bridge_secret=secret)))
    assert await events.outbox.claim(limit=10, lease_seconds=60) == []
    assert await events.kinds() == [(1042, 1, FINISHED)]  # the next event continues this sequence


async def test_new_secret_makes_events_due_at_once(events: EventWorld) -> None:
    await put_order(events.engine, facts_of(1042))
    await complete_all(events.engine, MATCHED)
    old_secret, events.shop.switches.bridge_secret = events.shop.switches.bridge_secret, "x" * 43
    async with events.sending(replace(QUICK, first_delay_seconds=3600, max_delay_seconds=3600)):
        # the new secret must follow the release of the failed send, because that release postpones the next try
        postponed = "SELECT 1 FROM event_delivery WHERE next_try_at > now() + interval '30 minutes'"
        await until(lambda: events.engine.fetch(postponed), events.rows)
        await events.accounts.update(SHOP, lambda account: replace(account, shop=replace(account.shop, bridge_secret="x" * 43)))
        await events.until(lambda: events.received(1042))
    assert old_secret != events.shop.switches.bridge_secret


async def test_new_secret_takes_the_lease_of_a_sender_with_the_old_one(events: EventWorld) -> None:
    """The release of the failed request would postpone the next try."""
    await put_order(events.engine, facts_of(1042))
    await complete_all(events.engine, MATCHED)
    [lease] = await events.outbox.claim(limit=10, lease_seconds=60)
    await events.accounts.update(SHOP, lambda account: replace(account, shop=replace(account.shop, bridge_secret="x" * 43)))
    await events.outbox.release(lease, failures=9, delay_seconds=900)
    [again] = await events.outbox.claim(limit=10, lease_seconds=60)
    assert (again.account_id, again.failures) == (SHOP, 0)


async def test_statements_use_their_indexes_at_fifty_thousand_events(events: EventWorld) -> None:
    engine = events.engine
    await engine.fill(
        "INSERT INTO account (account_id, till_id, epos_base_url, shop_bridge_secret) "
        "SELECT 'shop-' || n, 't', 'https://till.example.test', '\\x01' FROM generate_series(1, 500) AS n",
        "INSERT INTO order_event (account_id, order_id, sequence, delivered, type, entry_id, state, outcome, event_time) "
        "SELECT 'shop-' || (n % 500 + 1), n, 5, CASE WHEN n % 500 < 20 THEN 4 ELSE 5 END, 1, gen_random_uuid(), 2, 12, now() "
        "FROM generate_series(1, 50000) AS n",
    )
    for statement, parameters, most in (
        ("events/seconds_until_due", (), 200),
        ("events/claim", (16, 60.0), 200),
        ("events/waiting", ("shop-3", 500, 10_000), 500),
        ("events/acknowledge", ("shop-3", [502, 1002], [5, 5], [None, None]), 20),
        ("events/discard", ("shop-3",), 500),
    ):
        assert await rows_read(engine, statement, parameters) <= most, statement


async def rows_read(engine: EngineWorld, statement: str, parameters: Sequence[Any]) -> int:
    """The rows of ``order_event`` that all scans of the statement read, including the rows they filter out."""
    async with engine.database.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        raw = await connection.fetchval("EXPLAIN (ANALYZE, FORMAT JSON) " + load(statement), *parameters)
        await transaction.rollback()

    def total(plan: dict[str, Any]) -> int:
        own = 0
        if plan.get("Relation Name") == "order_event" and "Scan" in plan["Node Type"]:
            assert plan["Node Type"] != "Seq Scan", statement
            own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
        return int(own) + sum(total(child) for child in plan.get("Plans", ()))

    return total(json.loads(raw)[0]["Plan"])
