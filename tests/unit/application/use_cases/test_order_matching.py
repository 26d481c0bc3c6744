"""Waiting for an order's answer. The call registers, reads and waits: never past its deadline, never for a later attempt."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from fakes.orders import FakeOrders
from fakes.queues import SHOP, FakeQueues, an_entry
from fakes.wakeups import FakeWakeUps
from support.waiting import NEVER_SECONDS, until, within
from tillsync_server.application.concurrency import entry_waiters
from tillsync_server.application.use_cases import order_matching
from tillsync_server.application.use_cases.admission import Admission, AdmissionSettings
from tillsync_server.application.use_cases.order_matching import OrderAnswer, OrderMatching
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryState, Outcome
from tillsync_server.domain.errors import InvalidArgument, NotFound, RequestError, ResourceExhausted, Unavailable
from tillsync_server.domain.ids import EntryId, OrderId
from tillsync_server.domain.order import OrderFacts
from tillsync_server.ports.orders import NewOrder, OrderMatch


def order(order_id: int = 1042) -> NewOrder:
    return NewOrder(
        account_id=SHOP, facts=OrderFacts(order_id=OrderId(order_id), order_key="k", create_time=datetime(2026, 3, 1, tzinfo=UTC))
    )


def pending(order_id: int = 1042, due_in: float | None = None) -> Entry:
    due = None if due_in is None else datetime.now(UTC) + timedelta(seconds=due_in)
    return replace(an_entry(state=EntryState.PENDING, subject_id=order_id, outcome=None), next_attempt_time=due)


def ended(entry: Entry) -> Entry:
    return replace(entry, state=EntryState.PROCESSED, outcome=Outcome.MATCHED_EMAIL, next_attempt_time=None)


@dataclass
class Harness:
    queues: FakeQueues = field(default_factory=FakeQueues)
    wakeups: FakeWakeUps = field(default_factory=FakeWakeUps)

    def __post_init__(self) -> None:
        self.orders = FakeOrders(self.queues)

    def matching(self, max_waiters: int = 200) -> OrderMatching:
        admission = Admission(self.queues, AdmissionSettings(max_waiting_entries=0, entries_per_second=0))
        return OrderMatching(self.orders, self.orders, self.queues, admission, self.wakeups, max_waiters_per_account=max_waiters)

    def add_order(self, entry: Entry) -> Entry:
        self.queues.add(entry)
        self.orders.order_entries[SHOP, OrderId(entry.subject_id)] = (order(entry.subject_id).facts, entry.entry_id)
        return entry

    def finish(self, entry: Entry) -> None:
        self.queues.add(entry)
        self.wakeups.entry_finished(entry.entry_id)


def kept_match(order_id: int, entry_id: EntryId) -> OrderMatch:
    return OrderMatch(
        account_id=SHOP,
        order_id=OrderId(order_id),
        order_key="k",
        facts_hash=b"",
        entry_id=entry_id,
        state=EntryState.PROCESSED,
        outcome=Outcome.MATCHED_LINK,
        cause=None,
        comment="Matched to the linked customer",
        notes=(),
        epos_customer_id=None,
        candidate_ids=(),
        update_time=datetime(2026, 3, 1, tzinfo=UTC),
    )


async def test_entry_that_ends_between_read_and_wait_is_not_missed() -> None:
    harness = Harness()
    entry = harness.add_order(pending())
    matching = harness.matching()
    reads = []

    def end_right_after_the_first_read() -> None:
        reads.append(1)
        if len(reads) == 1:
            harness.finish(ended(entry))

    harness.queues.on_read = end_right_after_the_first_read
    answer = await within(matching.match(order(), remaining_seconds=60))
    assert answer.entry is not None
    assert answer.entry.state is EntryState.PROCESSED
    assert not harness.orders.polls, "notified, not polled"
    await matching.close()


async def test_existing_answer_is_returned_without_a_waiter() -> None:
    harness = Harness()
    harness.add_order(ended(pending()))
    matching = harness.matching(max_waiters=0)
    answer = await matching.match(order())
    assert answer.entry is not None
    assert answer.entry.outcome is Outcome.MATCHED_EMAIL
    await matching.close()


@pytest.mark.parametrize("remaining", [0.0, 0.2, 0.3, -1.0])
async def test_short_deadline_stores_the_order_and_returns_at_once(remaining: float) -> None:
    harness = Harness()
    harness.add_order(pending())
    matching = harness.matching(max_waiters=0)
    answer = await matching.match(order(), remaining_seconds=remaining)
    assert answer.entry is not None
    assert answer.entry.state is EntryState.PENDING
    assert len(harness.orders.received) == 1
    await matching.close()


async def test_call_does_not_wait_for_an_attempt_after_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_matching, "MAX_WAIT_SECONDS", NEVER_SECONDS)
    harness = Harness()
    harness.add_order(pending(due_in=NEVER_SECONDS + 60))
    matching = harness.matching()
    answer = await within(matching.match(order(), remaining_seconds=2 * NEVER_SECONDS))
    assert answer.entry is not None
    assert answer.entry.state is EntryState.PENDING
    await matching.close()


async def test_call_waits_for_an_attempt_before_its_deadline() -> None:
    harness = Harness()
    entry = harness.add_order(pending(due_in=3))
    matching = harness.matching()
    call = asyncio.create_task(matching.match(order(), remaining_seconds=60))
    await until(lambda: harness.queues.calls)
    await asyncio.sleep(0)
    assert not call.done()
    harness.finish(ended(entry))
    answer = await call
    assert answer.entry is not None
    assert answer.entry.state is EntryState.PROCESSED
    await matching.close()


async def test_one_poll_covers_all_waiters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_waiters, "POLL_SECONDS", 0.01)
    harness = Harness()
    entries = [harness.add_order(pending(number)) for number in (1, 2, 3)]
    matching = harness.matching()
    calls = [asyncio.create_task(matching.match(order(number), remaining_seconds=60)) for number in (1, 2, 3)]
    await until(lambda: 3 in harness.orders.polls, lambda: harness.orders.polls)
    for entry in entries:
        harness.queues.add(ended(entry))  # no notification arrives
    answers = await within(asyncio.gather(*calls))
    assert [answer.order_id for answer in answers] == [1, 2, 3]
    assert all(answer.entry is not None and answer.entry.state is EntryState.PROCESSED for answer in answers)
    await matching.close()


async def test_waiters_of_one_account_are_capped() -> None:
    harness = Harness()
    first = harness.add_order(pending(1))
    harness.add_order(pending(2))
    matching = harness.matching(max_waiters=1)
    waiting = asyncio.create_task(matching.match(order(1), remaining_seconds=60))
    await until(lambda: harness.queues.calls)
    with pytest.raises(ResourceExhausted) as refused:
        await matching.match(order(2), remaining_seconds=60)
    assert (refused.value.reason, refused.value.retry_after_seconds) == ("TOO_MANY_WAITERS", 1.0)
    harness.finish(ended(first))
    await waiting
    await matching.close()


async def test_entry_without_history_returns_the_stored_match() -> None:
    harness = Harness()
    entry = pending()
    harness.orders.order_entries[SHOP, OrderId(1042)] = (order().facts, entry.entry_id)
    harness.orders.stored_answers[SHOP, OrderId(1042)] = kept_match(1042, entry.entry_id)
    matching = harness.matching()
    answer = await matching.match(order())
    assert answer.entry is None
    assert answer.match is not None
    assert answer.match.comment == "Matched to the linked customer"
    await matching.close()


async def test_batch_keeps_positions_with_failed_items() -> None:
    harness = Harness()
    harness.add_order(pending(1))
    harness.add_order(pending(4))
    harness.orders.faults[OrderId(3)] = Unavailable("busy", reason="ACCOUNT_BUSY")
    matching = harness.matching()
    bad = InvalidArgument.of("orders[1].order.order_key", "must be 64 hex digits")
    results = await matching.match_many(SHOP, [order(1), bad, order(3), order(4)])
    kinds = [result.order_id if isinstance(result, OrderAnswer) else type(result).__name__ for result in results]
    assert kinds == [1, "InvalidArgument", "Unavailable", 4]
    assert [each.facts.order_id for each in harness.orders.received] == [1, 3, 4]
    await matching.close()


async def test_an_unknown_account_fails_the_whole_batch() -> None:
    harness = Harness()
    harness.orders.faults[OrderId(1)] = NotFound("account shop-a does not exist")
    matching = harness.matching()
    with pytest.raises(NotFound):
        await matching.match_many(SHOP, [order(1)])
    await matching.close()


@pytest.mark.parametrize("count", [0, 101])
async def test_batch_size_is_limited(count: int) -> None:
    matching = Harness().matching()
    with pytest.raises(InvalidArgument):
        await matching.match_many(SHOP, [order(number + 1) for number in range(count)])
    await matching.close()


async def test_get_many_answers_by_position() -> None:
    harness = Harness()
    harness.orders.stored_answers[SHOP, OrderId(5)] = kept_match(5, pending().entry_id)
    matching = harness.matching()
    results = await matching.get_many(SHOP, [9, 5, -1, 5])
    assert [type(result) for result in results] == [NotFound, OrderMatch, InvalidArgument, OrderMatch]
    assert all(isinstance(result, RequestError | OrderMatch) for result in results)
    with pytest.raises(InvalidArgument):
        await matching.get_many(SHOP, range(1, 502))
    await matching.close()
