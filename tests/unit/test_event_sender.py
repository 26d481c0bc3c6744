"""The sender of order events: what becomes of each result, and of a try that fails as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from support.waiting import within
from tillsync_server.adapters.woo.bridge_events import event_item, event_results
from tillsync_server.application.events.sender import EventSender, EventSettings
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.errors import LeaseTooShort, Unreachable, Unreadable
from tillsync_server.domain.ids import AccountId, EntryId, OrderId, TillId, new_entry_id
from tillsync_server.domain.vocabulary import EntryState, Outcome, Side
from tillsync_server.ports.events import (
    EventLease,
    EventReceiver,
    EventResult,
    EventStatus,
    EventType,
    OrderEvent,
    ToldEvent,
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


@dataclass(repr=False)
class Desk:
    """The outbox, its accounts, the shop and the wake-ups in one. ``answer`` is what the shop says."""

    events: list[OrderEvent]
    answer: Answer = lambda waiting, permit: [OK] * len(waiting.events)
    has_bridge: bool = True
    released: list[tuple[int, float]] = field(default_factory=list)
    told: list[ToldEvent] = field(default_factory=list)
    asked: int = 0
    listeners: list[Callable[[EntryId], None]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _leased: bool = False

    async def claim(self, *, limit: int, lease_seconds: float) -> list[EventLease]:
        if self._leased or not self.events or self.released:
            return []
        self._leased = True
        return [EventLease(SHOP, 1, 2)]

    async def waiting(self, account_id: AccountId, limit: int) -> WaitingEvents:
        return WaitingEvents(tuple(self.events[:limit]), 3)

    async def settle(self, account_id: AccountId, told: Sequence[ToldEvent]) -> None:
        self.told += told
        done = {(one.order_id, one.sequence) for one in told}
        self.events = [event for event in self.events if (event.order_id, event.sequence) not in done]

    async def release(self, lease: EventLease, *, failures: int, delay_seconds: float) -> None:
        self.released.append((failures, delay_seconds))
        self._leased = False
        self.changed.set()

    async def get(self, account_id: AccountId) -> Account:
        shop = ShopSettings(base_url="https://shop.example.test", bridge_secret="x" * 43 if self.has_bridge else "")
        return Account(account_id=account_id, till_id=TillId("till"), shop=shop)

    def event_receiver(self, account: Account) -> EventReceiver:
        return self

    async def tell(self, waiting: WaitingEvents, permit: WritePermit) -> list[EventResult]:
        self.asked += 1
        return self.answer(waiting, permit)

    def on_lanes_ready(self, listener: Callable[[], None]) -> None: ...

    def on_live_work(self, listener: Callable[[AccountId], None]) -> None: ...

    def on_tokens_changed(self, listener: Callable[[], None]) -> None: ...

    def on_entry_finished(self, listener: Callable[[EntryId], None]) -> None:
        self.listeners.append(listener)


@asynccontextmanager
async def released(desk: Desk, clock: Callable[[], float] | None = None) -> AsyncIterator[EventSender]:
    """Until the sender has given the account back once."""
    sender = EventSender(desk, desk, desk, desk, QUICK) if clock is None else EventSender(desk, desk, desk, desk, QUICK, clock=clock)
    sender.start()
    try:
        await within(desk.changed.wait())
        yield sender
    finally:
        await sender.stop()


async def test_updated_unchanged_and_stale_are_delivered_and_invalid_is_dropped() -> None:
    desk = Desk([an_event(order) for order in (1, 2, 3, 4)])
    desk.answer = lambda waiting, permit: [
        OK,
        EventResult(status=EventStatus.UNCHANGED),
        EventResult(status=EventStatus.STALE, held_sequence=9),
        EventResult(status=EventStatus.INVALID, field="outcome"),
    ]
    async with released(desk) as sender:
        assert [(one.order_id, one.held_sequence) for one in desk.told] == [(1, None), (2, None), (3, 9), (4, None)]
        assert (sender.counters.delivered, sender.counters.refused) == (3, 1)
        assert desk.released == [(0, 0.0)]


async def test_what_the_shop_did_not_get_to_is_sent_again_at_once_as_long_as_it_gets_on() -> None:
    desk = Desk([an_event(order) for order in (1, 2, 3)])
    desk.answer = lambda waiting, permit: [OK] + [NOT_DONE] * (len(waiting.events) - 1)
    async with released(desk):
        assert desk.asked == 3
        assert desk.events == []


async def test_a_shop_that_does_none_is_left_alone_for_a_while() -> None:
    desk = Desk([an_event(1)])
    desk.answer = lambda waiting, permit: [NOT_DONE]
    async with released(desk) as sender:
        assert desk.asked == 1
        [(failures, delay)] = desk.released
        assert (failures, sender.counters.failed_tries) == (3, 1)
        assert 20 <= delay <= 25  # five seconds, doubled twice


async def test_a_failed_try_keeps_every_event() -> None:
    desk = Desk([an_event(1), an_event(2)])

    def away(waiting: WaitingEvents, permit: WritePermit) -> list[EventResult]:
        raise Unreachable(Side.SHOP, "not reached: DNS", retry_after_seconds=600.0)

    desk.answer = away
    async with released(desk):
        assert len(desk.events) == 2
        assert desk.released == [(3, 600.0)]


async def test_a_fault_of_ours_waits_like_a_failed_try() -> None:
    desk = Desk([an_event(1)])

    def faulty(waiting: WaitingEvents, permit: WritePermit) -> list[EventResult]:
        raise KeyError("a fault")

    desk.answer = faulty
    async with released(desk):
        [(failures, delay)] = desk.released
        assert failures == 3
        assert delay >= 20


async def test_nothing_is_sent_with_the_lease_nearly_over() -> None:
    now = 0.0
    desk = Desk([an_event(1)])

    def late(waiting: WaitingEvents, permit: WritePermit) -> list[EventResult]:
        nonlocal now
        assert permit.seconds_allowed(20.0) == 20.0
        now = QUICK.lease_seconds - 10
        assert permit.seconds_allowed(20.0) == 8.0
        now = QUICK.lease_seconds - 4
        with pytest.raises(LeaseTooShort):
            permit.seconds_allowed(20.0)
        return [OK]

    desk.answer = late
    async with released(desk, lambda: now):
        assert desk.asked == 1


async def test_an_account_that_left_meanwhile_is_not_asked_for() -> None:
    desk = Desk([an_event(1)], has_bridge=False)
    async with released(desk):
        assert (desk.asked, desk.released) == (0, [(0, 0.0)])


def test_an_event_on_the_wire() -> None:
    entry_id = new_entry_id()
    assert event_item(an_event(1042, 7, entry_id), 3) == {
        "event_id": "order:1042:7",
        "subject": "order:1042",
        "sequence": "7",
        "type": "order.finished",
        "entry_id": str(entry_id),
        "state": "PROCESSED",
        "outcome": "MATCHED_EMAIL",
        "held_count": 3,
    }


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
def test_an_answer_that_does_not_fit_is_unreadable(answer: object) -> None:
    with pytest.raises(Unreadable):
        event_results(answer, [an_event(1)])


@pytest.mark.parametrize(
    ("version", "held"), [("40", 40), (40, None), ("0", None), ("-1", None), ("9" * 19, None), ("x", None), (None, None)]
)
def test_what_a_shop_says_it_holds_is_believed_within_reason(version: object, held: int | None) -> None:
    [result] = event_results({"results": [{"event_id": "order:1:1", "status": "stale", "version": version}]}, [an_event(1)])
    assert result == EventResult(status=EventStatus.STALE, held_sequence=held)
