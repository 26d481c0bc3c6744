"""The order intake enqueues an order, adds it to its live entry, or keeps the answer that the order has.

tests/contracts/test_queues_contract.py tests the rest of the port.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.engine import EngineWorld, RecordingHandler, engine_world
from support.waiting import HANG_SECONDS, within
from tillsync_server.adapters.postgres.queues.queue_reader import PostgresQueueReader
from tillsync_server.application.use_cases.admission import Admission, AdmissionSettings
from tillsync_server.application.use_cases.order_matching import OrderMatching
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome
from tillsync_server.domain.ids import AccountId, EposCustomerId, OrderId, WooCustomerId
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.order_arrival import ORDER_ID_REUSED_NOTE
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.orders import NewOrder, OrderEnqueued, OrderMatch

pytestmark = [pytest.mark.integration, pytest.mark.every_version]

FACTS = OrderFacts(
    order_id=OrderId(1042),
    order_key="ab" * 32,
    order_number="1042",
    create_time=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
    woo_customer_id=WooCustomerId(12),
    account_email=" Ada@Example.test ",
    billing_email="home@example.test",
    first_name="Ada",
    last_name="Byron",
    phone="01200000000",
)
SHOP = AccountId("shop-a")
HELD = Verdict.held(Outcome.CUSTOMER_NOT_MATCHED, "the order has no account email")


async def enqueue_order(world: EngineWorld, facts: OrderFacts, *, rerun: bool = False) -> OrderEnqueued:
    [result] = await world.orders.enqueue([NewOrder(account_id=SHOP, facts=facts, rerun=rerun)])
    assert isinstance(result, OrderEnqueued), result
    return result


async def match_of(world: EngineWorld) -> OrderMatch:
    return (await world.orders.get(SHOP, [FACTS.order_id]))[FACTS.order_id]


async def run_with_verdict(world: EngineWorld, verdict: Verdict) -> None:
    handler = RecordingHandler(lambda entry: verdict)
    async with world.running(handler):
        await handler.wait_for(lambda: len(handler.runs) == 1)
        await world.until_idle()


async def test_new_order_is_enqueued_live_with_its_facts(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    enqueued = await enqueue_order(world, FACTS)
    row = await world.live("shop-a", 1042, EntryKind.ORDER_CUSTOMER)
    assert row is not None
    assert enqueued == OrderEnqueued(row["entry_id"], queued=True)
    assert (row["queue"], row["priority"], row["subject_label"]) == (2, 1, "Ada B., order 1042")
    assert (row["account_email"], row["billing_email"], row["woo_customer_id"]) == ("ada@example.test", "home@example.test", 12)
    match = await match_of(world)
    assert (match.state, match.outcome, match.comment) == (EntryState.PENDING, None, "")


async def test_processed_order_is_not_enqueued_again_and_keeps_its_answer(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    first = await enqueue_order(world, FACTS)
    await run_with_verdict(world, replace(Verdict.finished(Outcome.MATCHED_EMAIL, "linked"), epos_customer_id=EposCustomerId(90001)))
    match = await match_of(world)
    assert (match.state, match.outcome, match.epos_customer_id, match.notes) == (
        EntryState.PROCESSED,
        Outcome.MATCHED_EMAIL,
        90001,
        ("linked",),
    )
    assert (await enqueue_order(world, FACTS)) == OrderEnqueued(first.entry_id, queued=False)
    assert (await enqueue_order(world, replace(FACTS, account_email="new@example.test"))) == OrderEnqueued(first.entry_id, queued=False)
    row = await world.finished_entry(first.entry_id)
    assert '"phone": ""' in row["facts"]
    assert "01200000000" not in row["facts"]


async def test_rerun_of_a_processed_order_enqueues_a_successor(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    first = await enqueue_order(world, FACTS)
    await run_with_verdict(world, replace(Verdict.finished(Outcome.MATCHED_EMAIL), epos_customer_id=EposCustomerId(90001)))
    second = await enqueue_order(world, FACTS, rerun=True)
    assert second.queued
    assert second.entry_id != first.entry_id
    row = await world.live("shop-a", 1042, EntryKind.ORDER_CUSTOMER)
    assert row is not None
    assert row["retried_from"] == first.entry_id
    match = await match_of(world)
    assert (match.state, match.outcome, match.epos_customer_id) == (EntryState.PENDING, Outcome.MATCHED_EMAIL, 90001)


async def test_order_with_a_reused_id_gets_a_new_entry_without_an_answer(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    first = await enqueue_order(world, FACTS)
    await run_with_verdict(world, replace(Verdict.finished(Outcome.MATCHED_EMAIL), epos_customer_id=EposCustomerId(90001)))
    reused = await enqueue_order(world, replace(FACTS, order_key="cd" * 32))
    assert reused.queued
    assert reused.entry_id != first.entry_id
    row = await world.live("shop-a", 1042, EntryKind.ORDER_CUSTOMER)
    assert row is not None
    assert row["notes"] == ORDER_ID_REUSED_NOTE
    assert row["retried_from"] is None
    match = await match_of(world)
    assert (match.outcome, match.epos_customer_id) == (None, None)


async def test_orders_of_one_email_run_one_after_another(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    gate = handler.gate(1)
    async with world.running(handler):
        same_email = [replace(FACTS, order_id=OrderId(number), woo_customer_id=None, order_key=f"{number}") for number in (1, 2, 3)]
        await world.orders.enqueue([NewOrder(account_id=SHOP, facts=facts) for facts in same_email])
        await handler.wait_for(lambda: len(handler.runs) == 1)
        other_email = replace(same_email[0], order_id=OrderId(9), account_email="", billing_email="other@example.test")
        await world.orders.enqueue([NewOrder(account_id=SHOP, facts=other_email)])
        await handler.wait_for(lambda: handler.count(9) == 1)
        assert [entry.subject_id for entry in handler.runs] == [1, 9]
        gate.set()
        await handler.wait_for(lambda: len(handler.runs) == 4)
        await world.until_idle()
    assert [entry.subject_id for entry in handler.runs] == [1, 9, 2, 3]


async def test_verdict_of_a_replaced_order_is_not_the_answer_of_the_new_order(world: EngineWorld) -> None:
    """Another order with the same id arrives while the first one runs. Its caller must never read the first order's customer."""
    await world.add_accounts("shop-a")
    await enqueue_order(world, FACTS)
    verdicts = iter([replace(Verdict.finished(Outcome.MATCHED_EMAIL), epos_customer_id=EposCustomerId(90001)), HELD])
    handler = RecordingHandler(lambda entry: next(verdicts))
    gate = handler.gate(1042)
    async with world.running(handler):
        await handler.wait_for(lambda: len(handler.runs) == 1)
        await enqueue_order(world, replace(FACTS, order_key="cd" * 32))
        del handler.gates[1042]
        next_gate = handler.gate(1042)
        gate.set()
        await handler.wait_for(lambda: len(handler.runs) == 2)
        match = await match_of(world)
        assert (match.state, match.outcome, match.epos_customer_id) == (EntryState.PENDING, None, None)
        next_gate.set()
        await world.until_idle()
    row = await world.live("shop-a", 1042, EntryKind.ORDER_CUSTOMER)
    assert row is not None
    assert (row["state"], row["epos_customer_id"]) == (EntryState.HELD, None)


async def test_held_order_drops_the_customer_of_an_earlier_run(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await enqueue_order(world, FACTS)
    await run_with_verdict(
        world,
        replace(Verdict.held(Outcome.PRODUCT_NOT_MATCHED, candidate_ids=(EposCustomerId(7),)), epos_customer_id=EposCustomerId(90001)),
    )
    await enqueue_order(world, replace(FACTS, account_email="corrected@example.test"))
    await run_with_verdict(world, HELD)
    row = await world.live("shop-a", 1042, EntryKind.ORDER_CUSTOMER)
    assert row is not None
    assert (row["epos_customer_id"], row["candidate_ids"]) == (None, None)


async def test_live_entry_drops_the_result_of_the_previous_order_of_its_id(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await enqueue_order(world, FACTS)
    await run_with_verdict(
        world,
        replace(Verdict.held(Outcome.PRODUCT_NOT_MATCHED, candidate_ids=(EposCustomerId(7),)), epos_customer_id=EposCustomerId(90001)),
    )
    await enqueue_order(world, replace(FACTS, order_key="cd" * 32))
    row = await world.live("shop-a", 1042, EntryKind.ORDER_CUSTOMER)
    assert row is not None
    assert (row["outcome"], row["comment"], row["epos_customer_id"], row["candidate_ids"]) == (None, "", None, None)


async def test_claimed_order_has_the_mark_of_a_reused_id(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await enqueue_order(world, FACTS)
    await run_with_verdict(world, Verdict.finished(Outcome.MATCHED_LINK))
    await enqueue_order(world, replace(FACTS, order_key="cd" * 32))
    handler = RecordingHandler()
    async with world.running(handler):
        await handler.wait_for(lambda: len(handler.runs) == 1)
        await world.until_idle()
    [entry] = handler.runs
    assert entry.facts is not None
    assert entry.facts.is_of_reused_id
    assert entry.facts.facts_hash() == replace(FACTS, order_key="cd" * 32).facts_hash()


@pytest.mark.catches("a-locked-lane-delays-no-other-accounts-orders")
async def test_locked_lane_delays_no_order_of_another_account(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    # the first order waits for the lock as long as `within` waits for the second order
    async with engine_world(world.database.dsn, lock_timeout_seconds=HANG_SECONDS) as long_timeout, world.database.acquire() as connection:
        reader = PostgresQueueReader(long_timeout.database)
        admission = Admission(reader, AdmissionSettings(max_waiting_entries=0, entries_per_second=0))
        matching = OrderMatching(long_timeout.orders, long_timeout.orders, reader, admission, long_timeout.notifications)
        lock = connection.transaction()
        await lock.start()
        await connection.execute("SELECT FROM lane WHERE account_id = 'shop-a' FOR UPDATE")
        waiting = asyncio.create_task(matching.match(NewOrder(account_id=SHOP, facts=FACTS), remaining_seconds=0.0))
        await world.until_lock_wait()
        other = await within(matching.match(NewOrder(account_id=AccountId("shop-b"), facts=FACTS), remaining_seconds=0.0))
        assert other.entry is not None
        assert not waiting.done()
        await lock.rollback()
        assert (await waiting).entry is not None
        await matching.close()
