"""Each change of an order records its event in the transaction of the change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.events import CLOSED, FAILED, FINISHED, KEYS, MATCHED, NEEDED, OTHER, SHOP, EventWorld
from support.links import HELD_DUPLICATE, claim, complete_all, completion, epos, facts_of, held_orders, lease_of, put_order, woo
from tillsync_sandbox.shop.stored import ShopEvent
from tillsync_server.adapters.postgres.links.link_writer import PostgresLinkWriter
from tillsync_server.adapters.postgres.queues.queue_actions import PostgresQueueActions
from tillsync_server.adapters.postgres.queues.requeue import PostgresRequeue
from tillsync_server.domain.enums import Outcome
from tillsync_server.domain.ids import EntryId
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import CompletionResult

pytestmark = pytest.mark.integration


async def test_finished_order_is_sent_once_with_its_outcome(events: EventWorld) -> None:
    entry_id = await put_order(events.engine, facts_of(1042))
    assert await events.rows() == []  # a pending order has no event
    await complete_all(events.engine, MATCHED)
    async with events.sending():
        await events.until(lambda: events.received(1042))
        await events.until_delivered()
    [event] = events.received(1042)
    assert event == ShopEvent(
        event_id="order:1042:1",
        subject="order:1042",
        sequence=1,
        type="order.finished",
        entry_id=str(entry_id),
        state="PROCESSED",
        outcome="MATCHED_EMAIL",
        held_count=0,
    )
    assert events.shop.log.count(method="POST", path="*/wc-tillsync/v1/events") == 1


async def test_held_order_records_a_decision_needed_and_its_requeue_closes_it(events: EventWorld) -> None:
    [entry_id] = await held_orders(events.engine, [facts_of(1042, woo_customer_id=12, account_email="ada@example.test")])
    assert await events.kinds() == [(1042, 1, NEEDED)]
    await PostgresLinkWriter(events.engine.database, events.engine.notifications).create(SHOP, epos(90001), woo(12))
    assert await events.kinds() == [(1042, 2, CLOSED)]
    await complete_all(events.engine, MATCHED)
    [row] = await events.rows()
    assert (row["sequence"], row["type"], row["entry_id"]) == (3, FINISHED, entry_id)


@pytest.mark.parametrize("exit_by", ["requeued", "new facts", "resolved", "settings", "dismissed"])
async def test_each_end_of_a_hold_records_an_event(events: EventWorld, exit_by: str) -> None:
    engine = events.engine
    [entry_id] = await held_orders(engine, [facts_of(1042)])
    actions = PostgresQueueActions(engine.database, engine.notifications)
    expected = CLOSED
    match exit_by:
        case "requeued":
            await actions.requeue(SHOP, [entry_id])
        case "new facts":
            await put_order(engine, facts_of(1042, email="grace@example.test"))
        case "resolved":
            writer = PostgresLinkWriter(engine.database, engine.notifications)
            await writer.resolve_order(SHOP, entry_id, epos(90001), create_link=False)
        case "settings":
            await events.accounts.update(SHOP, lambda account: replace(account, default_epos_customer_id=epos(7)))
            assert await PostgresRequeue(engine.database, engine.notifications).run_chunk()
        case "dismissed":
            await actions.dismiss(SHOP, [entry_id], "asked twice")
            expected = FINISHED
    assert await events.kinds() == [(1042, 2, expected)]


async def test_retry_and_requeue_of_a_pending_entry_record_no_event(events: EventWorld) -> None:
    engine = events.engine
    await put_order(engine, facts_of(1042))
    await complete_all(engine, Verdict.retry(Outcome.CUSTOMER_NOT_MATCHED, "not reached"))
    await engine.hint(SHOP, 9001)
    await complete_all(engine, Verdict.finished(Outcome.UPDATED))  # a customer has no events
    [entry_id] = [EntryId(row["entry_id"]) for row in await engine.fetch("SELECT entry_id FROM entry WHERE kind = 3")]
    await PostgresQueueActions(engine.database, engine.notifications).requeue(SHOP, [entry_id])
    assert await events.rows() == []


async def test_dropped_completion_records_no_event(events: EventWorld) -> None:
    engine = events.engine
    await put_order(engine, facts_of(1042))
    lease = await lease_of(engine)
    [entry] = await claim(engine, lease)
    stale = completion(replace(lease, token=lease.token - 1), entry, MATCHED)
    assert await engine.lanes.complete([stale]) == [CompletionResult.DROPPED]
    await put_order(engine, facts_of(1042, email="grace@example.test"))  # new facts raise the revision, so the entry stays PENDING
    assert await engine.lanes.complete([completion(lease, entry, MATCHED)]) == [CompletionResult.MOVED_ON]
    assert await events.rows() == []


async def test_failure_and_dismissal_of_an_order_record_events(events: EventWorld) -> None:
    engine = events.engine
    entry_id = await put_order(engine, facts_of(1042))
    await complete_all(engine, FAILED)
    assert await events.kinds() == [(1042, 1, FINISHED)]
    await PostgresQueueActions(engine.database, engine.notifications).dismiss(SHOP, [entry_id], "known")
    assert [(row["sequence"], row["state"]) for row in await events.rows()] == [(2, 6)]


async def test_account_without_a_bridge_records_no_events(events: EventWorld) -> None:
    engine = events.engine
    await engine.add_accounts(KEYS)
    await put_order(engine, facts_of(1), KEYS)
    await complete_all(engine, HELD_DUPLICATE, KEYS)
    assert await events.rows() == []


async def test_accounts_of_one_batch_have_their_own_sequences(events: EventWorld) -> None:
    engine = events.engine
    await events.add(OTHER, events.shop.origin, events.shop.switches.bridge_secret)
    for account in (SHOP, OTHER):
        for order in (2, 1):
            await put_order(engine, facts_of(order), account)
    leases = {
        lease.account_id: lease
        for lease in (await engine.lanes.lease("one", limit=10, bulk_limit=10, probe_limit=10, lease_seconds=600)).leases
    }
    claimed = [entry for lease in leases.values() for entry in await claim(engine, lease)]
    assert all(await engine.lanes.complete([completion(leases[entry.account_id], entry, MATCHED) for entry in claimed]))
    rows = [(row["account_id"], row["order_id"], row["sequence"]) for row in await events.rows()]
    assert rows == [(SHOP, 1, 1), (SHOP, 2, 1), (OTHER, 1, 1), (OTHER, 2, 1)]
