"""The sender of order events: each result of an event, and tries that fail as a whole."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from fakes.accounts import FakeAccounts
from fakes.events import FakeEventOutbox, FakeEventReceiver
from fakes.wakeups import FakeWakeUps
from support.waiting import within
from tillsync_server.adapters.woo.bridge_events import event_item, event_results
from tillsync_server.application.events.sender import EventSender, EventSettings
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.enums import EntryState, Outcome, Side
from tillsync_server.domain.errors import LeaseTooShort, Unreachable, Unreadable
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId, TillId, new_entry_id
from tillsync_server.ports.events import (
    EventAnswer,
    EventResult,
    EventStatus,
    EventType,
    OrderEvent,
    WaitingEvents,
)
from tillsync_server.ports.till import WritePermit

SHOP = AccountId("shop-a")
QUICK = EventSettings(poll_seconds=0.01, gather_seconds=0.001)
OK = EventResult(status=EventStatus.UPDATED)
NOT_DONE = EventResult(status=EventStatus.NOT_DONE)
Answer = Callable[[WaitingEvents, WritePermit], list[EventResult]]


def an_event(order_id: int, sequence: int = 1, entry_id: EntryId | None = None) -> OrderEvent:
    return OrderEvent(
        order_id=OrderId(order_id),
        sequence=sequence,
        type=EventType.ORDER_FINISHED,
        entry_id=entry_id,
        state=EntryState.PROCESSED,
        outcome=Outcome.MATCHED_EMAIL,
    )


class Harness:
    """One account with these events, its shop's event receiver, and two failed tries in a row before the test."""

    def __init__(self, events: list[OrderEvent]) -> None:
        shop = ShopSettings(base_url="https://shop.example.test", bridge_secret="x" * 43)
        self.account = Account(account_id=SHOP, till_id=TillId("till"), shop=shop)
        self.accounts, self.receiver = FakeAccounts(), FakeEventReceiver()
        self.accounts.add(self.account)
        self.outbox = FakeEventOutbox(accounts=self.accounts)
        self.outbox.add(SHOP, *events)
        self.outbox.set_failures(SHOP, 2)
        self.outbox.held_counts[SHOP] = 3

    def sender(self, clock: Callable[[], float] | None = None) -> EventSender:
        return EventSender(self.outbox, self.accounts, self.receiver, FakeWakeUps(), QUICK, clock=clock or time.monotonic)

    def bridge_leaves(self) -> None:
        self.accounts.add(replace(self.account, shop=replace(self.account.shop, bridge_secret="")))


@asynccontextmanager
async def released(harness: Harness, clock: Callable[[], float] | None = None) -> AsyncIterator[EventSender]:
    """Runs the sender until it has released the account once."""
    sender = harness.sender(clock)
    sender.start()
    try:
        await within(harness.outbox.lease_released.wait())
        yield sender
    finally:
        await sender.stop()


@pytest.mark.catches("refused-events-are-kept")
async def test_updated_unchanged_and_stale_events_are_acknowledged_and_refused_ones_are_kept() -> None:
    harness = Harness([an_event(order) for order in (1, 2, 3, 4)])
    first = [
        OK,
        EventResult(status=EventStatus.UNCHANGED),
        EventResult(status=EventStatus.STALE, held_sequence=9),
        EventResult(status=EventStatus.INVALID, field="outcome"),
    ]
    harness.receiver.answer = lambda waiting, permit: first if harness.receiver.sends == 1 else None
    async with released(harness) as sender:
        acknowledged = [(one.order_id, one.sequence, one.held_sequence) for one in harness.outbox.acknowledged]
        assert acknowledged[:3] == [(1, 1, None), (2, 1, None), (3, 1, 9)]
        assert acknowledged[3:] == [(3, 10, None)], "a shop that is ahead gets the event again, above what it holds"
        assert [(order_id, named) for order_id, (_, named, _) in harness.outbox.refused[SHOP].items()] == [(4, "outcome")]
        assert harness.outbox.waiting_of(SHOP) == [], "it does not stop the others, nor is it sent over and over"
        assert (sender.counters.delivered, sender.counters.refused) == (3 + 1, 1)
        assert harness.outbox.releases == [(0, 0.0)]


async def test_refused_event_is_resent_after_its_delay() -> None:
    harness = Harness([an_event(1)])
    harness.receiver.answer = lambda waiting, permit: (
        [EventResult(status=EventStatus.INVALID, field="type")] if harness.receiver.sends == 1 else None
    )
    async with released(harness) as sender:
        assert (await sender.resend_refused(), harness.receiver.sends) == (False, 1)
        harness.outbox.clock.advance(EventSettings().resend_refused_seconds)
        harness.outbox.lease_released.clear()
        await sender.resend_refused()
        await within(harness.outbox.lease_released.wait())
        assert (harness.receiver.sends, harness.outbox.waiting_of(SHOP), harness.outbox.refused[SHOP]) == (2, [], {})


async def test_unprocessed_events_are_resent_at_once_while_the_shop_makes_progress() -> None:
    harness = Harness([an_event(order) for order in (1, 2, 3)])
    harness.receiver.answer = lambda waiting, permit: [OK] + [NOT_DONE] * (len(waiting.events) - 1)
    async with released(harness):
        assert harness.receiver.sends == 3
        assert harness.outbox.waiting_of(SHOP) == []


async def test_shop_without_progress_is_backed_off() -> None:
    harness = Harness([an_event(1)])
    harness.receiver.answer = lambda waiting, permit: [NOT_DONE]
    async with released(harness) as sender:
        assert harness.receiver.sends == 1
        [(failures, delay)] = harness.outbox.releases
        assert (failures, sender.counters.failed_tries) == (3, 1)
        assert 20 <= delay <= 25  # five seconds, doubled twice


async def test_a_failed_try_keeps_every_event() -> None:
    harness = Harness([an_event(1), an_event(2)])

    def away(waiting: WaitingEvents, permit: WritePermit) -> list[EventResult]:
        raise Unreachable(Side.SHOP, "not reached: DNS", retry_after_seconds=600.0)

    harness.receiver.answer = away
    async with released(harness):
        assert len(harness.outbox.waiting_of(SHOP)) == 2
        assert harness.outbox.releases == [(3, 600.0)]


async def test_internal_fault_backs_off_like_a_failed_try() -> None:
    harness = Harness([an_event(1)])

    def faulty(waiting: WaitingEvents, permit: WritePermit) -> list[EventResult]:
        raise KeyError("a fault")

    harness.receiver.answer = faulty
    async with released(harness):
        [(failures, delay)] = harness.outbox.releases
        assert failures == 3
        assert delay >= 20


async def test_nearly_expired_lease_sends_nothing() -> None:
    now = 0.0
    harness = Harness([an_event(1)])

    def late(waiting: WaitingEvents, permit: WritePermit) -> list[EventResult]:
        nonlocal now
        assert permit.seconds_allowed(20.0) == 20.0
        now = QUICK.lease_seconds - 10
        assert permit.seconds_allowed(20.0) == 8.0
        now = QUICK.lease_seconds - 4
        with pytest.raises(LeaseTooShort):
            permit.seconds_allowed(20.0)
        return [OK]

    harness.receiver.answer = late
    async with released(harness, lambda: now):
        assert harness.receiver.sends == 1


async def test_account_deleted_meanwhile_is_released_without_a_request() -> None:
    harness = Harness([an_event(1)])
    harness.outbox.after_claim = harness.bridge_leaves
    async with released(harness):
        assert (harness.receiver.sends, harness.outbox.releases) == (0, [(0, 0.0)])


def test_event_item_has_the_fields_of_the_wire_format() -> None:
    entry_id = new_entry_id()
    answer = EventAnswer(comment="Matched  by email", cause=Outcome.MATCHED_LINK, epos_customer_id=EposCustomerId(501), note_count=2)
    event = replace(an_event(1042, 7, entry_id), answer=answer)
    fields = {
        "event_id": "order:1042:7",
        "subject": "order:1042",
        "sequence": "7",
        "type": "order.finished",
        "entry_id": str(entry_id),
        "state": "PROCESSED",
        "outcome": "MATCHED_EMAIL",
        "held_count": 3,
    }
    assert event_item(event, 3, takes_answers=False) == fields
    answer_fields = {"comment": "Matched by email", "causes": ["MATCHED_LINK"], "epos_customer_id": "501", "note_count": 2}
    assert event_item(event, 3, takes_answers=True) == {**fields, "answer": answer_fields}


def test_event_item_has_no_code_and_no_answer_of_a_later_release() -> None:
    event = replace(an_event(1042, 7), outcome=Outcome(9_999), answer=EventAnswer(comment="A later text"))
    item = event_item(event, 3, takes_answers=True)
    assert (item["outcome"], "answer" in item) == ("", False)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"results": {}},
        {"results": []},
        {"results": [{"event_id": "order:1:1", "status": "applied"}]},
        {"results": [{"event_id": "order:1:1", "status": ["updated"]}]},
        {"results": [{"event_id": "order:2:1", "status": "updated"}]},
        {"results": ["updated"]},
        {"results": [{"event_id": "order:1:1", "status": "updated"}] * 2},
    ],
)
def test_answer_that_does_not_fit_the_events_is_unreadable(answer: object) -> None:
    with pytest.raises(Unreadable):
        event_results(answer, [an_event(1)])


@pytest.mark.parametrize(
    ("version", "held"), [("40", 40), (40, None), ("0", None), ("-1", None), ("9" * 19, None), ("x", None), (None, None)]
)
def test_held_sequence_of_a_shop_is_bounded(version: object, held: int | None) -> None:
    [result] = event_results({"results": [{"event_id": "order:1:1", "status": "stale", "version": version}]}, [an_event(1)])
    assert result == EventResult(status=EventStatus.STALE, held_sequence=held)


def test_refused_field_name_is_cleaned_for_the_database() -> None:
    """The name is stored with the event and shown to people. NUL is legal in JSON and not in PostgreSQL. Other text may name a person."""
    [result] = event_results({"results": [{"status": "invalid", "field": "ty\x00pe<b>\ud800" + "x" * 500}]}, [an_event(1)])
    assert result.field == "…"


@pytest.mark.parametrize(("named", "field"), [("type", "type"), ("held_count", "held_count"), ("Ada", "…"), ("ada_byron", "…"), ("", "…")])
def test_refused_field_must_be_one_that_was_sent(named: str, field: str) -> None:
    """The field name is logged, and a shop could send a person's name there."""
    [result] = event_results({"results": [{"status": "invalid", "field": named}]}, [an_event(1)])
    assert result.field == field
