"""Order events in memory: the outbox, and the shop that receives them."""

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
    """Implements ports.events.EventOutbox. ``acknowledged`` and ``releases`` record the calls. Each release sets ``lease_released``.

    ``accounts``: a claim takes only accounts with a bridge. ``after_claim`` is called right before a claim returns.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    accounts: FakeAccounts = field(default_factory=FakeAccounts)
    after_claim: Callable[[], None] = lambda: None
    events: dict[AccountId, list[OrderEvent]] = field(default_factory=dict)
    """Waiting events, the longest waiting first."""
    held_counts: dict[AccountId, int] = field(default_factory=dict)
    acknowledged: list[AcknowledgedEvent] = field(default_factory=list)
    releases: list[tuple[int, float]] = field(default_factory=list)
    """Failures in a row, and seconds until the next try."""
    lease_released: asyncio.Event = field(default_factory=asyncio.Event)
    refused: dict[AccountId, dict[OrderId, tuple[OrderEvent, str, float]]] = field(default_factory=dict)
    """Refused events, each with the field that the shop named, and the time of the last send."""
    _deliveries: dict[AccountId, _Delivery] = field(default_factory=dict)

    def add(self, account_id: AccountId, *events: OrderEvent) -> None:
        """Adds waiting events. A newer event of an order replaces the waiting one."""
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
            refused = self.refused.get(account_id, {})
            if one.order_id in refused and refused[one.order_id][0].sequence <= one.sequence:
                del refused[one.order_id]
            self._remove_acknowledged(account_id, one)

    async def refuse(self, account_id: AccountId, refused: Sequence[RefusedEvent]) -> None:
        for one in refused:
            for event in [each for each in self.waiting_of(account_id) if each.order_id == one.order_id]:
                self.refused.setdefault(account_id, {})[one.order_id] = (replace(event, sequence=one.sequence), one.field, self.clock())
            self._remove_acknowledged(account_id, AcknowledgedEvent(one.order_id, one.sequence))

    def _remove_acknowledged(self, account_id: AccountId, acknowledged: AcknowledgedEvent) -> None:
        updated = [_unsent_part(event, acknowledged) for event in self.waiting_of(account_id)]
        self.events[account_id] = [event for event in updated if event is not None]

    async def resend(self, *, sent_before_seconds: float, limit: int) -> int:
        until = self.clock() - sent_before_seconds
        due = [
            (account_id, order_id) for account_id, refused in self.refused.items() for order_id in refused if refused[order_id][2] <= until
        ]
        for account_id, order_id in due[:limit]:
            event, field_name, _ = self.refused[account_id][order_id]
            self.refused[account_id][order_id] = (event, field_name, self.clock())
            if order_id not in {waiting.order_id for waiting in self.waiting_of(account_id)}:
                self.events[account_id] = [event, *self.waiting_of(account_id)]
        return len(due[:limit])

    async def release(self, lease: EventLease, *, failures: int, delay_seconds: float) -> None:
        delivery = self._delivery(lease.account_id)
        if delivery.token == lease.token:
            delivery.leased_until, delivery.failures = self.clock(), failures
            delivery.next_try_at = self.clock() + delay_seconds
            self.releases.append((failures, delay_seconds))
            self.lease_released.set()


def _unsent_part(event: OrderEvent, acknowledged: AcknowledgedEvent) -> OrderEvent | None:
    """Returns the event that must still be sent after the acknowledgement, or None."""
    if event.order_id != acknowledged.order_id:
        return event
    if acknowledged.held_sequence is not None and acknowledged.held_sequence > event.sequence:
        return replace(event, sequence=acknowledged.held_sequence + 1)
    return None if event.sequence <= acknowledged.sequence else event


@dataclass
class FakeEventReceiver:
    """Implements ports.events.EventReceiver and EventReceivers. All accounts share it. ``answer`` may raise, or return the results."""

    answer: Callable[[WaitingEvents, WritePermit], list[EventResult] | None] = lambda waiting, permit: None
    sequences: dict[str, int] = field(default_factory=dict)
    """Newest sequence number of each subject."""
    held_count: int = 0
    sends: int = 0

    def event_receiver(self, account: Account) -> FakeEventReceiver:
        return self

    async def send(self, waiting: WaitingEvents, permit: WritePermit) -> list[EventResult]:
        self.sends += 1
        answered = self.answer(waiting, permit)
        if answered is not None:
            return answered
        permit.seconds_allowed(SHOP_TIMEOUT_SECONDS)
        self.held_count = waiting.held_count
        return [self._store(event) for event in waiting.events]

    def _store(self, event: OrderEvent) -> EventResult:
        held = self.sequences.get(event.subject, 0)
        if event.sequence < held:
            return EventResult(status=EventStatus.STALE, held_sequence=held)
        self.sequences[event.subject] = event.sequence
        return EventResult(status=EventStatus.UNCHANGED if event.sequence == held else EventStatus.UPDATED)
