"""Requeue and dismiss lock the lane, change entries, and change the answers of their orders.

tests/contracts/test_queues_contract.py tests the rest of the port.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from support.engine import EngineWorld, claim_limits, entries_of
from support.links import complete_all, facts_of, put_order
from support.queues import FAILED, HELD, PROCESSED, Finish, add_finished, finish, order_facts, take_order
from support.waiting import within
from tillsync_server.adapters.postgres.queues.queue_actions import PostgresQueueActions
from tillsync_server.adapters.postgres.queues.queue_reader import PostgresQueueReader
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.entry_decision import decide_entry
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome, Priority, Side
from tillsync_server.domain.errors import NotFound, Unavailable
from tillsync_server.domain.ids import AccountId, EntryId, OrderId, new_entry_id
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimRequest, Completion, CompletionResult
from tillsync_server.ports.orders import OrderMatch
from tillsync_server.ports.queues import ActionOutcome, ActionResult

pytestmark = pytest.mark.integration
SHOP = AccountId("shop-a")
SKIPPED = Finish(EntryState.SKIPPED, Outcome.SYNC_DISABLED, "Customer sync is not enabled")
DISMISSED = replace(FAILED, state=EntryState.DISMISSED)


def actions(world: EngineWorld) -> PostgresQueueActions:
    return PostgresQueueActions(world.database, world.notifications)


async def entry(world: EngineWorld, entry_id: EntryId) -> Entry:
    return (await PostgresQueueReader(world.database).get(SHOP, [entry_id], with_attempts=True))[entry_id]


async def answer(world: EngineWorld, order_id: int) -> OrderMatch:
    return (await world.orders.get(SHOP, [OrderId(order_id)]))[OrderId(order_id)]


async def lane(world: EngineWorld) -> asyncpg.Record:
    [row] = await world.fetch(
        "SELECT *, next_run_at <= now() AS ready, next_live_at <= now() AS live_ready FROM lane WHERE account_id = 'shop-a'"
    )
    return row


async def finished_hint(world: EngineWorld, subject_id: int, how: Finish, *, priority: Priority = Priority.LIVE) -> EntryId:
    entry_id = (await world.hint("shop-a", subject_id, priority=priority)).entry_id
    await finish(world, entry_id, how)
    return entry_id


async def finished_order(world: EngineWorld, order_id: int, how: Finish) -> EntryId:
    entry_id = await take_order(world, "shop-a", order_facts(order_id))
    await finish(world, entry_id, how)
    return entry_id


async def clear_due_bounds(world: EngineWorld) -> None:
    await world.fetch("UPDATE lane SET next_run_at = 'infinity', next_live_at = 'infinity' RETURNING 1")


@pytest.fixture
async def shop(world: EngineWorld) -> EngineWorld:
    await world.add_accounts("shop-a", "shop-b")
    return world


async def test_requeue_makes_a_pending_entry_due_with_fresh_attempts(shop: EngineWorld) -> None:
    entry_id = (await shop.hint("shop-a", 1, priority=Priority.BULK)).entry_id
    await shop.fetch("UPDATE entry SET attempt_count = 5, due_at = now() + interval '3 hours' RETURNING 1")
    await clear_due_bounds(shop)
    assert await actions(shop).requeue(SHOP, [entry_id]) == [ActionResult(ActionOutcome.DONE, entry_id, EntryState.PENDING)]
    now = await entry(shop, entry_id)
    assert (now.attempt_count, now.entry_revision, now.next_attempt_time, now.coalesced_count) == (0, 2, None, 0)
    due_lane = await lane(shop)
    assert (due_lane["ready"], due_lane["live_ready"]) == (True, False)


async def test_requeued_entry_waits_for_retry_after_and_for_a_paused_side(shop: EngineWorld) -> None:
    entry_id = (await shop.hint("shop-a", 1)).entry_id
    await shop.fetch("UPDATE entry SET due_at = now() + interval '2 hours', not_before = now() + interval '1 hour' RETURNING 1")
    await clear_due_bounds(shop)
    await actions(shop).requeue(SHOP, [entry_id])
    [row] = await shop.fetch(
        "SELECT due_at = not_before AS entry_waits, l.next_run_at = e.not_before AS lane_waits FROM entry e JOIN lane l USING (account_id)"
    )
    assert (row["entry_waits"], row["lane_waits"]) == (True, True)
    await shop.fetch("UPDATE entry SET not_before = NULL RETURNING 1")
    await shop.open_problem("shop-a", Side.TILL, probe_in=timedelta(hours=5))
    await actions(shop).requeue(SHOP, [entry_id])
    [lease] = (await shop.lanes.lease("worker", limit=1, bulk_limit=1, probe_limit=0, lease_seconds=30)).leases
    await shop.lanes.release([lease], clean=[True])
    assert (
        await shop.fetch(
            "SELECT next_run_at = 'infinity' AND next_probe_at = till_probe_at AS waits_for_probe FROM lane WHERE account_id = 'shop-a'"
        )
    )[0]["waits_for_probe"]


@pytest.mark.parametrize("due_at_once", [True, False], ids=["search not proven", "create not answered"])
async def test_requeue_ends_a_wait_for_a_search_but_not_for_the_settle_time(shop: EngineWorld, due_at_once: bool) -> None:
    entry_id = await put_order(shop, facts_of(1))
    settled_at = datetime.now(UTC) + timedelta(seconds=105)
    search_not_proven = Verdict.postponed(Outcome.CUSTOMER_NOT_MATCHED, "the search is not proven", wait_seconds=300)
    create_unanswered = Verdict.postponed(Outcome.CUSTOMER_NOT_MATCHED, "a create was not answered", not_before=settled_at)
    await complete_all(shop, search_not_proven if due_at_once else create_unanswered)
    waiting = await entry(shop, entry_id)
    assert waiting.next_attempt_time is not None
    expected = 300 if due_at_once else 105
    assert expected - 10 < (waiting.next_attempt_time - datetime.now(UTC)).total_seconds() <= expected + 1
    [acted] = await actions(shop).requeue(SHOP, [entry_id])
    assert acted.outcome is ActionOutcome.DONE
    now = (await entry(shop, entry_id)).next_attempt_time
    assert now == (None if due_at_once else settled_at)


async def test_requeue_makes_a_held_order_pending(shop: EngineWorld) -> None:
    entry_id = await finished_order(shop, 1, HELD)
    assert (await answer(shop, 1)).state is EntryState.HELD
    assert await actions(shop).requeue(SHOP, [entry_id]) == [ActionResult(ActionOutcome.DONE, entry_id, EntryState.HELD)]
    assert (await entry(shop, entry_id)).state is EntryState.PENDING
    now = await answer(shop, 1)
    assert (now.state, now.entry_id, now.outcome) == (EntryState.PENDING, entry_id, Outcome.DUPLICATE_EMAIL)


async def test_entry_requeued_during_its_run_stays_pending(shop: EngineWorld) -> None:
    entry_id = (await shop.hint("shop-a", 1)).entry_id
    [lease] = (await shop.lanes.lease("worker", limit=1, bulk_limit=1, probe_limit=1, lease_seconds=30)).leases
    [[claimed]] = entries_of(await shop.lanes.claim([ClaimRequest(lease, claim_limits(10))]))
    await actions(shop).requeue(SHOP, [entry_id])
    decision = decide_entry(Verdict.finished(Outcome.UPDATED), attempts_before=0, policy=RetryPolicy())
    assert await shop.lanes.complete([Completion(lease, claimed, decision, 0.1)]) == [CompletionResult.MOVED_ON]
    now = await entry(shop, entry_id)
    assert (now.state, now.outcome, len(now.attempts)) == (EntryState.PENDING, Outcome.UPDATED, 1)


@pytest.mark.parametrize("how", [PROCESSED, SKIPPED, FAILED, DISMISSED], ids=lambda how: how.state.name)
@pytest.mark.parametrize("kind", [EntryKind.CUSTOMER, EntryKind.CUSTOMER_TYPE])
async def test_requeue_of_a_finished_customer_or_type_enqueues_a_successor(shop: EngineWorld, how: Finish, kind: EntryKind) -> None:
    first = (await shop.hint("shop-a", 1, kind=kind, priority=Priority.BULK)).entry_id
    await finish(shop, first, how)
    [done] = await actions(shop).requeue(SHOP, [first])
    assert (done.outcome, done.previous_state) == (ActionOutcome.DONE, how.state)
    assert done.entry_id != first
    now = await entry(shop, done.entry_id)
    assert (now.retried_from, now.kind, now.subject_id, now.priority, now.state) == (first, kind, 1, Priority.BULK, EntryState.PENDING)
    assert (await entry(shop, first)).state is how.state


async def test_finished_entries_of_one_customer_get_one_successor(shop: EngineWorld) -> None:
    first, second = await finished_hint(shop, 1, FAILED), await finished_hint(shop, 1, FAILED)
    done, coalesced = await actions(shop).requeue(SHOP, [second, first])
    assert (done.outcome, coalesced.outcome, coalesced.entry_id) == (ActionOutcome.DONE, ActionOutcome.COALESCED, done.entry_id)
    assert (await entry(shop, done.entry_id)).retried_from == second


@pytest.mark.parametrize("how", [FAILED, DISMISSED, SKIPPED], ids=lambda how: how.state.name)
async def test_answer_of_a_requeued_order_names_the_successor(shop: EngineWorld, how: Finish) -> None:
    first = await finished_order(shop, 7, how)
    await clear_due_bounds(shop)
    [done] = await actions(shop).requeue(SHOP, [first])
    assert (done.outcome, done.previous_state) == (ActionOutcome.DONE, how.state)
    now, named = await entry(shop, done.entry_id), await answer(shop, 7)
    assert (now.retried_from, now.facts, now.account_email, now.woo_customer_id) == (first, order_facts(7), "ada@example.test", 12)
    assert (named.entry_id, named.state, named.outcome) == (done.entry_id, EntryState.PENDING, how.outcome)
    assert (await lane(shop))["live_ready"]
    assert await take_order(shop, "shop-a", order_facts(7)) == done.entry_id, "an order with the same facts coalesces with the successor"


async def test_requeue_of_a_finished_order_requeues_its_live_entry(shop: EngineWorld) -> None:
    first = await finished_order(shop, 7, FAILED)
    second = await take_order(shop, "shop-a", order_facts(7, email="other@example.test"))
    assert second != first
    await finish(shop, second, HELD)
    assert await actions(shop).requeue(SHOP, [first]) == [ActionResult(ActionOutcome.COALESCED, second, EntryState.FAILED)]
    assert (await entry(shop, second)).state is EntryState.PENDING
    assert (await answer(shop, 7)).state is EntryState.PENDING


async def test_requeue_does_not_change_a_processed_order(shop: EngineWorld) -> None:
    failed = await finished_order(shop, 7, FAILED)
    processed = await take_order(shop, "shop-a", order_facts(7), rerun=True)
    await finish(shop, processed, PROCESSED)
    assert await actions(shop).requeue(SHOP, [processed, failed]) == [
        ActionResult(ActionOutcome.UNCHANGED, processed, EntryState.PROCESSED),
        ActionResult(ActionOutcome.UNCHANGED, failed, EntryState.FAILED),
    ]
    assert (await answer(shop, 7)).entry_id == processed
    assert not await shop.fetch("SELECT 1 FROM entry")


async def test_requeue_of_an_older_entry_uses_the_orders_current_facts(shop: EngineWorld) -> None:
    old = await finished_order(shop, 7, FAILED)
    new = await take_order(shop, "shop-a", order_facts(7, email="corrected@example.test"))
    await finish(shop, new, FAILED)
    done, coalesced = await actions(shop).requeue(SHOP, [old, new])
    assert (done.outcome, coalesced.outcome, coalesced.entry_id) == (ActionOutcome.DONE, ActionOutcome.COALESCED, done.entry_id)
    now = await entry(shop, done.entry_id)
    assert now.facts is not None
    assert (now.facts.account_email, now.retried_from) == ("corrected@example.test", old)


async def test_dry_run_returns_the_same_results_and_changes_nothing(shop: EngineWorld) -> None:
    live = (await shop.hint("shop-a", 1)).entry_id
    requested = [
        live,
        await finished_hint(shop, 2, FAILED),
        await add_finished(shop, "shop-a", 1, state=EntryState.FAILED),
        await finished_order(shop, 7, FAILED),
        await finished_order(shop, 8, PROCESSED),
        new_entry_id(),
    ]
    before = await all_rows(shop)
    planned = await actions(shop).requeue(SHOP, requested, dry_run=True)
    dismissals = await actions(shop).dismiss(SHOP, requested, "closed by hand", dry_run=True)
    assert await all_rows(shop) == before
    assert [one.outcome for one in planned] == [
        ActionOutcome.DONE,
        ActionOutcome.DONE,
        ActionOutcome.COALESCED,
        ActionOutcome.DONE,
        ActionOutcome.UNCHANGED,
        ActionOutcome.MISSING,
    ]
    assert [one.entry_id for one in planned] == [live, requested[1], live, requested[3], requested[4], requested[5]]
    assert [one.outcome for one in dismissals] == [
        ActionOutcome.DONE,
        ActionOutcome.DONE,
        ActionOutcome.DONE,
        ActionOutcome.DONE,
        ActionOutcome.UNCHANGED,
        ActionOutcome.MISSING,
    ]
    done = await actions(shop).requeue(SHOP, requested)
    assert [(one.outcome, one.previous_state) for one in done] == [(one.outcome, one.previous_state) for one in planned]


async def all_rows(world: EngineWorld) -> list[list[asyncpg.Record]]:
    return [await world.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in ("entry", "entry_history", "order_match", "lane")]


async def test_dismissal_finishes_entries_answers_their_orders_and_notifies_callers(shop: EngineWorld) -> None:
    """`tests/contracts/test_queues_contract.py` tests which entries are dismissed, and their notes."""
    waiting = (await shop.hint("shop-a", 1)).entry_id
    held, failed = await finished_order(shop, 2, HELD), await finished_order(shop, 3, FAILED)
    processed = await finished_order(shop, 4, PROCESSED)
    notified: list[UUID] = []
    all_notified = asyncio.Event()

    def record(entry_id: EntryId) -> None:
        notified.append(entry_id)
        if {held, failed} <= set(notified):
            all_notified.set()

    shop.notifications.on_entry_finished(record)
    await actions(shop).dismiss(SHOP, [waiting, held, failed, processed], "asked by the shop")
    for entry_id in (waiting, held, failed):
        assert (await entry(shop, entry_id)).finish_time is not None
    for order_id, entry_id in ((2, held), (3, failed)):
        match = await answer(shop, order_id)
        assert (match.state, match.entry_id, match.notes[0]) == (EntryState.DISMISSED, entry_id, "asked by the shop")
    assert (await answer(shop, 4)).state is EntryState.PROCESSED
    assert not await shop.fetch("SELECT 1 FROM entry")
    await within(all_notified.wait())


async def test_completion_of_a_dismissed_entry_is_dropped(shop: EngineWorld) -> None:
    entry_id = await take_order(shop, "shop-a", order_facts(1))
    [lease] = (await shop.lanes.lease("worker", limit=1, bulk_limit=1, probe_limit=1, lease_seconds=30)).leases
    [[claimed]] = entries_of(await shop.lanes.claim([ClaimRequest(lease, claim_limits(10))]))
    await actions(shop).dismiss(SHOP, [entry_id], "no")
    for verdict in (Verdict.finished(Outcome.MATCHED_EMAIL), Verdict.held(Outcome.DUPLICATE_EMAIL)):
        await shop.lanes.complete([Completion(lease, claimed, decide_entry(verdict, attempts_before=0, policy=RetryPolicy()), 0.1)])
    assert (await entry(shop, entry_id)).state is EntryState.DISMISSED
    assert (await answer(shop, 1)).state is EntryState.DISMISSED
    assert not await shop.fetch("SELECT 1 FROM entry")


async def test_dismissal_of_an_older_entry_keeps_the_current_answer(shop: EngineWorld) -> None:
    old = await finished_order(shop, 7, FAILED)
    new = await take_order(shop, "shop-a", order_facts(7, email="corrected@example.test"))
    await actions(shop).dismiss(SHOP, [old], "no")
    match = await answer(shop, 7)
    assert (match.entry_id, match.state) == (new, EntryState.PENDING)


async def test_dismissal_of_a_failed_entry_keeps_its_finish_time(shop: EngineWorld) -> None:
    create_time = datetime.now(UTC) - timedelta(days=50)
    finish_time = create_time + timedelta(days=20)
    old = await add_finished(shop, "shop-a", 1, state=EntryState.FAILED, create_time=create_time, finish_time=finish_time)
    [done] = await actions(shop).dismiss(SHOP, [old], "no")
    assert done.outcome is ActionOutcome.DONE
    assert (await entry(shop, old)).finish_time == finish_time


async def test_entries_of_another_account_are_missing(shop: EngineWorld) -> None:
    foreign = await add_finished(shop, "shop-b", 1, state=EntryState.FAILED)
    live = (await shop.hint("shop-b", 2)).entry_id
    for acted in (await actions(shop).requeue(SHOP, [foreign, live]), await actions(shop).dismiss(SHOP, [foreign, live], "no")):
        assert [one.outcome for one in acted] == [ActionOutcome.MISSING, ActionOutcome.MISSING]
    assert (await shop.fetch("SELECT state FROM entry"))[0]["state"] == EntryState.PENDING


async def test_unknown_account_locked_lane_and_too_many_entries_are_refused(shop: EngineWorld) -> None:
    for dry_run in (True, False):
        with pytest.raises(NotFound):
            await actions(shop).requeue(AccountId("nowhere"), [new_entry_id()], dry_run=dry_run)
        with pytest.raises(NotFound):
            await actions(shop).dismiss(AccountId("nowhere"), [new_entry_id()], "no", dry_run=dry_run)
    with pytest.raises(ValueError, match="501 entries"):
        await actions(shop).requeue(SHOP, [new_entry_id()] * 501)
    async with shop.database.acquire() as other, other.transaction():
        await other.execute("SELECT 1 FROM lane WHERE account_id = 'shop-a' FOR UPDATE")
        with pytest.raises(Unavailable):
            await actions(shop).requeue(SHOP, [new_entry_id()])
        assert await actions(shop).requeue(AccountId("shop-b"), [new_entry_id()])


async def test_requeue_notifies_the_owner_of_a_leased_lane(shop: EngineWorld) -> None:
    entry_id = await finished_order(shop, 1, HELD)
    await shop.fetch("UPDATE lane SET lease_owner = 'w', lease_token = 1, lease_expires_at = now() + interval '1 minute' RETURNING 1")
    notified = asyncio.Event()
    shop.notifications.on_live_work(lambda account_id: notified.set() if account_id == SHOP else None)
    await actions(shop).requeue(SHOP, [entry_id])
    await within(notified.wait())


async def test_chunk_of_500_entries_is_dismissed_and_requeued(shop: EngineWorld) -> None:
    await shop.hint_many("shop-a", range(1, 501))
    rows = [EntryId(row["entry_id"]) for row in await shop.fetch("SELECT entry_id FROM entry ORDER BY entry_id")]
    dismissed = await actions(shop).dismiss(SHOP, rows, "no")
    assert {one.outcome for one in dismissed} == {ActionOutcome.DONE}
    requeued = await actions(shop).requeue(SHOP, rows)
    assert {one.outcome for one in requeued} == {ActionOutcome.DONE}
    successors = await shop.fetch(
        "SELECT count(*) AS n FROM entry e JOIN entry_history h ON h.entry_id = e.retried_from AND h.subject_id = e.subject_id"
    )
    assert successors[0]["n"] == 500
