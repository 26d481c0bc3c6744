"""Order events in memory: the outbox, and the shop that is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from fakes.accounts import FakeAccounts
from fakes.clock import FakeClock
from tillsync_server.domain.account import Account
from tillsync_server.domain.ids import AccountId, OrderId
from tillsync_server.ports.events import AcknowledgedEvent, EventLease, EventResult, EventStatus, OrderEvent, RefusedEvent, WaitingEvents
from tillsync_server.ports.till import WritePermit

SHOP_TIMEOUT_SECONDS = 20.0


@dataclass
class _Delivery:
    token: int = 0
    failures: int = 0
    leased_until: float = 0.0
    next_try_at: float = 0.0


@dataclass
class FakeEventOutbox:
    """Implements ports.events.EventOutbox. ``acknowledged`` and ``released`` record the calls; ``given_back`` is set with each release.

    ``accounts``: only those with a bridge are claimed. ``after_claim`` is done right before a claim is answered.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    accounts: FakeAccounts = field(default_factory=FakeAccounts)
    after_claim: Callable[[], None] = lambda: None
    events: dict[AccountId, list[OrderEvent]] = field(default_factory=dict)
    """Those that wait, longest first."""
    held_counts: dict[AccountId, int] = field(default_factory=dict)
    acknowledged: list[AcknowledgedEvent] = field(default_factory=list)
    released: list[tuple[int, float]] = field(default_factory=list)
    """Failures in a row, and seconds until the next try."""
    given_back: asyncio.Event = field(default_factory=asyncio.Event)
    refused: dict[AccountId, dict[OrderId, tuple[OrderEvent, str, float]]] = field(default_factory=dict)
    """Kept: the event, the field that the shop named, and when it was told last."""
    _deliveries: dict[AccountId, _Delivery] = field(default_factory=dict)

    def add(self, account_id: AccountId, *events: OrderEvent) -> None:
        """A newer event of an order takes the place of the one that waits."""
        for event in events:
            waiting = [each for each in self.events.get(account_id, []) if each.order_id != event.order_id]
            self.events[account_id] = [*waiting, event]

    def waiting_of(self, account_id: AccountId) -> list[OrderEvent]:
        return self.events.get(account_id, [])

    def set_failures(self, account_id: AccountId, failures: int) -> None:
        self._delivery(account_id).failures = failures

    def _delivery(self, account_id: AccountId) -> _Delivery:
        return self._deliveries.setdefault(account_id, _Delivery())

    async def seconds_until_due(self) -> float | None:
        due = [
            max(self._delivery(account_id).leased_until, self._delivery(account_id).next_try_at)
            for account_id, events in self.events.items()
            if events and self.accounts.accounts[account_id].shop.has_bridge
        ]
        return min(due) - self.clock() if due else None

    async def claim(self, *, limit: int, lease_seconds: float) -> list[EventLease]:
        leases: list[EventLease] = []
        for account_id in sorted(account_id for account_id, events in self.events.items() if events):
            delivery, now = self._delivery(account_id), self.clock()
            has_bridge = self.accounts.accounts[account_id].shop.has_bridge
            if has_bridge and len(leases) < limit and delivery.leased_until <= now and delivery.next_try_at <= now:
                delivery.token += 1
                delivery.leased_until = now + lease_seconds
                leases.append(EventLease(account_id, delivery.token, delivery.failures))
        self.after_claim()
        return leases

    async def waiting(self, account_id: AccountId, limit: int) -> WaitingEvents:
        events = tuple(self.waiting_of(account_id)[:limit])
        return WaitingEvents(events, self.held_counts.get(account_id, 0) if events else 0)

    async def acknowledge(self, account_id: AccountId, acknowledged: Sequence[AcknowledgedEvent]) -> None:
        self.acknowledged += acknowledged
        for one in acknowledged:
            kept = self.refused.get(account_id, {})
            if one.order_id in kept and kept[one.order_id][0].sequence <= one.sequence:
                del kept[one.order_id]
            self.events[account_id] = [left for event in self.waiting_of(account_id) if (left := _after(event, one)) is not None]

    async def refuse(self, account_id: AccountId, refused: Sequence[RefusedEvent]) -> None:
        for one in refused:
            for event in [each for each in self.waiting_of(account_id) if each.order_id == one.order_id]:
                self.refused.setdefault(account_id, {})[one.order_id] = (replace(event, sequence=one.sequence), one.field, self.clock())
            passed = AcknowledgedEvent(one.order_id, one.sequence)
            self.events[account_id] = [left for event in self.waiting_of(account_id) if (left := _after(event, passed)) is not None]

    async def resend(self, *, sent_before_seconds: float, limit: int) -> int:
        until = self.clock() - sent_before_seconds
        due = [(account_id, order_id) for account_id, kept in self.refused.items() for order_id in kept if kept[order_id][2] <= until]
        for account_id, order_id in due[:limit]:
            event, named, _ = self.refused[account_id][order_id]
            self.refused[account_id][order_id] = (event, named, self.clock())
            if order_id not in {waiting.order_id for waiting in self.waiting_of(account_id)}:
                self.events[account_id] = [event, *self.waiting_of(account_id)]
        return len(due[:limit])

    async def release(self, lease: EventLease, *, failures: int, delay_seconds: float) -> None:
        delivery = self._delivery(lease.account_id)
        if delivery.token == lease.token:
            delivery.leased_until, delivery.failures = self.clock(), failures
            delivery.next_try_at = self.clock() + delay_seconds
            self.released.append((failures, delay_seconds))
            self.given_back.set()


def _after(event: OrderEvent, acknowledged: AcknowledgedEvent) -> OrderEvent | None:
    """What is left to be sent of an event once the shop has answered."""
    if event.order_id != acknowledged.order_id:
        return event
    if acknowledged.held_sequence is not None and acknowledged.held_sequence > event.sequence:
        return replace(event, sequence=acknowledged.held_sequence + 1)
    return None if event.sequence <= acknowledged.sequence else event


@dataclass
class FakeEventReceiver:
    """Implements ports.events.EventReceiver and, of every account, EventReceivers. ``answer`` may raise, or give the results."""

    answer: Callable[[WaitingEvents, WritePermit], list[EventResult] | None] = lambda waiting, permit: None
    sequences: dict[str, int] = field(default_factory=dict)
    """The newest of each subject."""
    held_count: int = 0
    asked: int = 0

    def event_receiver(self, account: Account) -> FakeEventReceiver:
        return self

    async def send(self, waiting: WaitingEvents, permit: WritePermit) -> list[EventResult]:
        self.asked += 1
        answered = self.answer(waiting, permit)
        if answered is not None:
            return answered
        permit.seconds_allowed(SHOP_TIMEOUT_SECONDS)
        self.held_count = waiting.held_count
        return [self._take(event) for event in waiting.events]

    def _take(self, event: OrderEvent) -> EventResult:
        held = self.sequences.get(event.subject, 0)
        if event.sequence < held:
            return EventResult(status=EventStatus.STALE, held_sequence=held)
        self.sequences[event.subject] = event.sequence
        return EventResult(status=EventStatus.UNCHANGED if event.sequence == held else EventStatus.UPDATED)
