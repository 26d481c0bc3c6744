"""Reads of the queues, actions on them, and the intake of orders, over one set of entries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest
import pytest_asyncio
from fakes.orders import FakeOrders
from fakes.queues import FakeQueues
from support.engine import EngineWorld
from support.queues import FAILED, HELD, PROCESSED, Finish, finish, order_facts
from tillsync_server.adapters.postgres.queues.queue_actions import PostgresQueueActions
from tillsync_server.adapters.postgres.queues.queue_reader import PostgresQueueReader
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome, Queue
from tillsync_server.domain.errors import NotFound
from tillsync_server.domain.ids import AccountId, EntryId, OrderId, WooCustomerId, new_entry_id
from tillsync_server.domain.order import OrderFacts, UnlinkedProduct
from tillsync_server.ports.orders import NewOrder, OrderEnqueued, OrderIntake, OrderMatch, OrderMatchReader
from tillsync_server.ports.queues import ActionOutcome, ActionResult, QueueActions, QueueFilter, QueueReader, WaitingCounter

SHOP, OTHER, UNKNOWN = AccountId("shop-a"), AccountId("shop-b"), AccountId("nobody")
SKIPPED = Finish(EntryState.SKIPPED, Outcome.SYNC_DISABLED, "Customer sync is not enabled")
ORDERS = QueueFilter(account_id=SHOP, queue=Queue.ORDERS)


class ReaderAndCounter(QueueReader, WaitingCounter, Protocol): ...


class IntakeAndMatches(OrderIntake, OrderMatchReader, Protocol): ...


class Bench(Protocol):
    """The accounts ``shop-a`` (SHOP) and ``shop-b``."""

    @property
    def reader(self) -> ReaderAndCounter: ...

    @property
    def actions(self) -> QueueActions: ...

    @property
    def orders(self) -> IntakeAndMatches: ...

    async def hint(self, subject_id: int, account_id: AccountId = SHOP) -> EntryId:
        """Queues a customer entry."""
        ...

    async def end(self, entry_id: EntryId, how: Finish) -> None: ...

    async def put_off(self, entry_id: EntryId, seconds: float) -> None:
        """Makes the entry due in so many seconds."""
        ...


async def take(bench: Bench, facts: OrderFacts, *, rerun: bool = False, account_id: AccountId = SHOP) -> OrderEnqueued:
    [taken] = await bench.orders.enqueue([NewOrder(account_id=account_id, facts=facts, rerun=rerun)])
    assert isinstance(taken, OrderEnqueued), taken
    return taken


async def ended_order(bench: Bench, order_id: int, how: Finish) -> EntryId:
    entry_id = (await take(bench, order_facts(order_id))).entry_id
    await bench.end(entry_id, how)
    return entry_id


async def ended_hint(bench: Bench, subject_id: int, how: Finish) -> EntryId:
    entry_id = await bench.hint(subject_id)
    await bench.end(entry_id, how)
    return entry_id


async def entry_of(bench: Bench, entry_id: EntryId) -> Entry:
    return (await bench.reader.get(SHOP, [entry_id], with_attempts=True))[entry_id]


async def match_of(bench: Bench, order_id: int) -> OrderMatch:
    return (await bench.orders.get(SHOP, [OrderId(order_id)]))[OrderId(order_id)]


class QueueReaderContract:
    async def test_slices_list_every_entry_once_newest_first(self, bench: Bench) -> None:
        made = [(await take(bench, order_facts(number))).entry_id for number in range(1, 6)]
        await bench.end(made[1], FAILED)
        await bench.hint(90001)
        await take(bench, order_facts(1), account_id=OTHER)
        seen: list[EntryId] = []
        before: EntryId | None = None
        while True:
            found = await bench.reader.list_entries(ORDERS, before=before, limit=2, with_attempts=False)
            seen += [entry.entry_id for entry in found.entries]
            before = found.next_before
            if before is None:
                break
        assert seen == sorted(made, reverse=True)

    async def test_filters_find_matching_entries(self, bench: Bench) -> None:
        held, failed = await ended_order(bench, 1, HELD), await ended_order(bench, 2, FAILED)
        guest = (await take(bench, order_facts(3, woo=None, email="bea@example.test"))).entry_id

        async def found(**wanted: object) -> set[EntryId]:
            requested = replace(ORDERS, **wanted)  # type: ignore[arg-type]
            listed = await bench.reader.list_entries(requested, before=None, limit=50, with_attempts=False)
            return {entry.entry_id for entry in listed.entries}

        assert await found() == {held, failed, guest}
        assert await found(states=frozenset({EntryState.HELD, EntryState.FAILED})) == {held, failed}
        assert await found(outcomes=frozenset({Outcome.DUPLICATE_EMAIL})) == {held}
        assert await found(woo_customer_id=WooCustomerId(12)) == {held, failed}
        assert await found(order_id=OrderId(3)) == {guest}
        assert await found(email="bea@example.test") == {guest}
        assert await found(email="bea@example.test", states=frozenset({EntryState.HELD})) == set()

    async def test_get_finds_only_entries_of_the_account(self, bench: Bench) -> None:
        mine, theirs = await bench.hint(1), await bench.hint(1, OTHER)
        ended = await ended_order(bench, 7, PROCESSED)
        found = await bench.reader.get(SHOP, [mine, theirs, ended, new_entry_id()], with_attempts=False)
        assert set(found) == {mine, ended}
        assert (found[ended].state, found[ended].facts) == (EntryState.PROCESSED, order_facts(7))

    async def test_counts_have_every_state(self, bench: Bench) -> None:
        await ended_order(bench, 1, HELD)
        await ended_order(bench, 2, FAILED)
        await ended_order(bench, 3, FAILED)
        await bench.hint(1)
        counts = await bench.reader.state_counts(SHOP, Queue.ORDERS)
        assert counts == dict.fromkeys(EntryState, 0) | {EntryState.HELD: 1, EntryState.FAILED: 2}

    async def test_waiting_entries_are_counted_up_to_a_cap(self, bench: Bench) -> None:
        for number in range(1, 4):
            await bench.hint(number)
        await ended_order(bench, 1, HELD)
        assert await bench.reader.waiting_entries(SHOP, 100) == 3
        assert await bench.reader.waiting_entries(SHOP, 2) == 2

    async def test_queues_of_an_unknown_account_raise_not_found(self, bench: Bench) -> None:
        assert await bench.reader.problems(SHOP) == ()
        for ask in (bench.reader.problems(UNKNOWN), bench.reader.waiting_entries(UNKNOWN, 5)):
            with pytest.raises(NotFound) as missing:
                await ask
            assert missing.value.reason == "ACCOUNT_NOT_FOUND"


class QueueActionsContract:
    async def test_requeued_live_entry_is_due_now(self, bench: Bench) -> None:
        waiting, held = await bench.hint(1), await ended_order(bench, 1, HELD)
        assert await bench.actions.requeue(SHOP, [waiting, held]) == [
            ActionResult(ActionOutcome.DONE, waiting, EntryState.PENDING),
            ActionResult(ActionOutcome.DONE, held, EntryState.HELD),
        ]
        for entry_id in (waiting, held):
            now = await entry_of(bench, entry_id)
            assert (now.state, now.attempt_count, now.entry_revision) == (EntryState.PENDING, 0, 2)
        assert (await match_of(bench, 1)).state is EntryState.PENDING

    @pytest.mark.parametrize("how", [PROCESSED, SKIPPED, FAILED])
    async def test_requeued_finished_customer_gets_a_successor(self, bench: Bench, how: Finish) -> None:
        first = await ended_hint(bench, 1, how)
        [done] = await bench.actions.requeue(SHOP, [first])
        assert (done.outcome, done.previous_state) == (ActionOutcome.DONE, how.state)
        now = await entry_of(bench, done.entry_id)
        assert (now.retried_from, now.kind, now.subject_id, now.state) == (first, EntryKind.CUSTOMER, 1, EntryState.PENDING)
        assert (await entry_of(bench, first)).state is how.state

    async def test_requeued_finished_customer_coalesces_into_its_live_entry(self, bench: Bench) -> None:
        first, second = await ended_hint(bench, 1, FAILED), await bench.hint(1)
        assert await bench.actions.requeue(SHOP, [first]) == [ActionResult(ActionOutcome.COALESCED, second, EntryState.FAILED)]
        now = await entry_of(bench, second)
        assert (now.coalesced_count, now.entry_revision, now.retried_from) == (1, 2, None)

    async def test_requeued_finished_order_gets_a_successor_named_by_its_answer(self, bench: Bench) -> None:
        first = await ended_order(bench, 7, FAILED)
        [done] = await bench.actions.requeue(SHOP, [first])
        assert (done.outcome, done.previous_state) == (ActionOutcome.DONE, EntryState.FAILED)
        now = await entry_of(bench, done.entry_id)
        assert (now.retried_from, now.facts, now.woo_customer_id) == (first, order_facts(7), 12)
        named = await match_of(bench, 7)
        assert (named.entry_id, named.state, named.outcome) == (done.entry_id, EntryState.PENDING, FAILED.outcome)
        again = await take(bench, order_facts(7))
        assert again == OrderEnqueued(done.entry_id, queued=False), "the same facts asked again join the successor"

    async def test_requeued_finished_order_requeues_its_live_entry(self, bench: Bench) -> None:
        first = await ended_order(bench, 7, FAILED)
        second = (await take(bench, order_facts(7, email="other@example.test"))).entry_id
        assert second != first
        await bench.end(second, HELD)
        assert await bench.actions.requeue(SHOP, [first]) == [ActionResult(ActionOutcome.COALESCED, second, EntryState.FAILED)]
        assert (await entry_of(bench, second)).state is EntryState.PENDING

    async def test_requeue_does_not_change_a_processed_order(self, bench: Bench) -> None:
        failed = await ended_order(bench, 7, FAILED)
        processed = (await take(bench, order_facts(7), rerun=True)).entry_id
        await bench.end(processed, PROCESSED)
        assert await bench.actions.requeue(SHOP, [processed, failed]) == [
            ActionResult(ActionOutcome.UNCHANGED, processed, EntryState.PROCESSED),
            ActionResult(ActionOutcome.UNCHANGED, failed, EntryState.FAILED),
        ]
        assert (await match_of(bench, 7)).entry_id == processed

    async def test_dry_run_returns_the_same_results_and_changes_nothing(self, bench: Bench) -> None:
        requested = [await bench.hint(1), await ended_hint(bench, 2, FAILED), await ended_order(bench, 7, FAILED), new_entry_id()]
        before = await bench.reader.get(SHOP, requested, with_attempts=True)
        tried = await bench.actions.requeue(SHOP, requested, dry_run=True)
        closing = await bench.actions.dismiss(SHOP, requested, "closed by hand", dry_run=True)
        assert [one.outcome for one in tried] == [one.outcome for one in closing] == [ActionOutcome.DONE] * 3 + [ActionOutcome.MISSING]
        assert [one.entry_id for one in tried] == requested
        assert await bench.reader.get(SHOP, requested, with_attempts=True) == before
        assert await bench.reader.waiting_entries(SHOP, 100) == 1
        done = await bench.actions.requeue(SHOP, requested)
        assert [(one.outcome, one.previous_state) for one in done] == [(one.outcome, one.previous_state) for one in tried]

    async def test_dismiss_closes_unfinished_entries_with_the_reason_as_first_note(self, bench: Bench) -> None:
        waiting, held, failed = await bench.hint(1), await ended_order(bench, 2, HELD), await ended_order(bench, 3, FAILED)
        processed, skipped = await ended_order(bench, 4, PROCESSED), await ended_hint(bench, 5, SKIPPED)
        requested = [waiting, held, failed, processed, skipped, new_entry_id()]
        acted = await bench.actions.dismiss(SHOP, requested, "asked by the shop")
        assert [(one.outcome, one.previous_state) for one in acted] == [
            (ActionOutcome.DONE, EntryState.PENDING),
            (ActionOutcome.DONE, EntryState.HELD),
            (ActionOutcome.DONE, EntryState.FAILED),
            (ActionOutcome.UNCHANGED, EntryState.PROCESSED),
            (ActionOutcome.UNCHANGED, EntryState.SKIPPED),
            (ActionOutcome.MISSING, None),
        ]
        assert [one.entry_id for one in acted] == requested
        for entry_id in (waiting, held, failed):
            now = await entry_of(bench, entry_id)
            assert (now.state, now.notes[0]) == (EntryState.DISMISSED, "asked by the shop")
        assert (await entry_of(bench, failed)).notes == ("asked by the shop", "not reached: DNS")

    async def test_entries_of_another_account_are_missing(self, bench: Bench) -> None:
        theirs = await bench.hint(1, OTHER)
        missing = [ActionResult(ActionOutcome.MISSING, theirs, None)]
        assert await bench.actions.requeue(SHOP, [theirs]) == missing
        assert await bench.actions.dismiss(SHOP, [theirs], "no") == missing

    async def test_actions_on_an_unknown_account_raise_not_found(self, bench: Bench) -> None:
        for act in (bench.actions.requeue(UNKNOWN, [new_entry_id()]), bench.actions.dismiss(UNKNOWN, [new_entry_id()], "no")):
            with pytest.raises(NotFound):
                await act


class OrdersContract:
    async def test_a_new_order_is_queued_with_its_facts(self, bench: Bench) -> None:
        taken = await take(bench, order_facts(1042, email=" Ada@Example.test "))
        assert taken.queued
        entry = await entry_of(bench, taken.entry_id)
        assert (entry.kind, entry.subject_id, entry.state, entry.subject_label) == (
            EntryKind.ORDER_CUSTOMER,
            1042,
            EntryState.PENDING,
            "Ada B., order 1042",
        )
        assert (entry.account_email, entry.billing_email, entry.woo_customer_id) == ("ada@example.test", "ada@example.test", 12)
        match = await match_of(bench, 1042)
        assert (match.entry_id, match.state, match.outcome, match.comment) == (taken.entry_id, EntryState.PENDING, None, "")

    async def test_same_facts_join_the_pending_order(self, bench: Bench) -> None:
        first = await take(bench, order_facts(1042))
        assert await take(bench, replace(order_facts(1042), phone="other", order_number="WEB-1042")) == OrderEnqueued(
            first.entry_id, queued=False
        )
        assert (await entry_of(bench, first.entry_id)).entry_revision == 1

    async def test_processed_order_returns_its_answer_again(self, bench: Bench) -> None:
        first = await ended_order(bench, 1042, PROCESSED)
        for facts in (order_facts(1042), order_facts(1042, email="new@example.test")):
            assert await take(bench, facts) == OrderEnqueued(first, queued=False)
        match = await match_of(bench, 1042)
        assert (match.entry_id, match.state, match.outcome, match.comment) == (
            first,
            EntryState.PROCESSED,
            PROCESSED.outcome,
            PROCESSED.comment,
        )

    async def test_forced_run_of_a_processed_order_is_a_successor(self, bench: Bench) -> None:
        first = await ended_order(bench, 1042, PROCESSED)
        second = await take(bench, order_facts(1042), rerun=True)
        assert second.queued
        assert (await entry_of(bench, second.entry_id)).retried_from == first
        match = await match_of(bench, 1042)
        assert (match.entry_id, match.state, match.outcome) == (second.entry_id, EntryState.PENDING, PROCESSED.outcome)

    async def test_changed_facts_requeue_a_held_order(self, bench: Bench) -> None:
        first = await ended_order(bench, 1042, HELD)
        again = await take(bench, order_facts(1042, email="corrected@example.test"))
        assert again == OrderEnqueued(first, queued=True)
        entry = await entry_of(bench, first)
        assert (entry.state, entry.entry_revision, entry.account_email) == (EntryState.PENDING, 2, "corrected@example.test")

    async def test_changed_facts_make_a_successor_of_a_failed_order(self, bench: Bench) -> None:
        first = await ended_order(bench, 1042, FAILED)
        assert await take(bench, order_facts(1042)) == OrderEnqueued(first, queued=False)
        again = await take(bench, replace(order_facts(1042), unlinked_products=(UnlinkedProduct(product_id=5),)))
        assert again.queued
        assert again.entry_id != first

    async def test_other_order_with_the_same_id_is_a_new_order(self, bench: Bench) -> None:
        first = await ended_order(bench, 1042, PROCESSED)
        again = await take(bench, order_facts(1042, key="another"))
        assert again.queued
        assert again.entry_id != first
        assert (await entry_of(bench, again.entry_id)).retried_from is None
        match = await match_of(bench, 1042)
        assert (match.entry_id, match.outcome, match.order_key) == (again.entry_id, None, "another")

    async def test_orders_are_enqueued_by_position(self, bench: Bench) -> None:
        facts = order_facts(1)
        unknown, known = await bench.orders.enqueue([NewOrder(account_id=account_id, facts=facts) for account_id in (UNKNOWN, SHOP)])
        assert isinstance(unknown, NotFound)
        assert isinstance(known, OrderEnqueued)
        assert set(await bench.orders.get(SHOP, [OrderId(1), OrderId(2)])) == {1}
        assert await bench.orders.get(OTHER, [OrderId(1)]) == {}

    async def test_entries_not_due_soon_are_answerable(self, bench: Bench) -> None:
        due = (await take(bench, order_facts(1))).entry_id
        soon = (await take(bench, order_facts(2, email="2@example.test"))).entry_id
        later = (await take(bench, order_facts(3, email="3@example.test"))).entry_id
        await bench.put_off(soon, 2)
        await bench.put_off(later, 60)
        held, ended = await ended_order(bench, 4, HELD), await ended_order(bench, 5, PROCESSED)
        requested = [(SHOP, each) for each in (due, soon, later, held, ended)]
        assert await bench.orders.answerable(requested, beyond_seconds=5.0) == {later, held, ended}


class InMemory:
    def __init__(self) -> None:
        self.reader = self.actions = self._queues = FakeQueues(accounts={SHOP, OTHER})
        self.orders = FakeOrders(self._queues)

    async def hint(self, subject_id: int, account_id: AccountId = SHOP) -> EntryId:
        return self._queues.hint(account_id, EntryKind.CUSTOMER, subject_id)

    async def end(self, entry_id: EntryId, how: Finish) -> None:
        notes = (how.notes,) if how.notes else ()
        ended = replace(self._queues.entries[entry_id], state=how.state, outcome=how.outcome, comment=how.comment, notes=notes)
        self._queues.add(ended)

    async def put_off(self, entry_id: EntryId, seconds: float) -> None:
        due = datetime.now(UTC) + timedelta(seconds=seconds)
        self._queues.add(replace(self._queues.entries[entry_id], next_attempt_time=due))


@dataclass
class OnPostgres:
    world: EngineWorld

    @property
    def reader(self) -> PostgresQueueReader:
        return PostgresQueueReader(self.world.database)

    @property
    def actions(self) -> PostgresQueueActions:
        return PostgresQueueActions(self.world.database, self.world.notifications)

    @property
    def orders(self) -> IntakeAndMatches:
        return self.world.orders

    async def hint(self, subject_id: int, account_id: AccountId = SHOP) -> EntryId:
        return (await self.world.hint(account_id, subject_id)).entry_id

    async def end(self, entry_id: EntryId, how: Finish) -> None:
        await finish(self.world, entry_id, how)

    async def put_off(self, entry_id: EntryId, seconds: float) -> None:
        await self.world.fetch("UPDATE entry SET due_at = now() + $2 WHERE entry_id = $1 RETURNING 1", entry_id, timedelta(seconds=seconds))


class TestFakeQueues(QueueReaderContract, QueueActionsContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return InMemory()


class TestFakeOrders(OrdersContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return InMemory()


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresQueues(QueueReaderContract, QueueActionsContract):
    @pytest_asyncio.fixture
    async def bench(self, world: EngineWorld) -> Bench:
        await world.add_accounts(SHOP, OTHER)
        return OnPostgres(world)


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresOrderIntake(OrdersContract):
    @pytest_asyncio.fixture
    async def bench(self, world: EngineWorld) -> Bench:
        await world.add_accounts(SHOP, OTHER)
        return OnPostgres(world)
