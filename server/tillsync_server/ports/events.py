"""Order events for shops with a bridge: a durable outbox, and the receiver in the shop.

Each order has one subject (``order:1042``) and at most one waiting event, because a newer event replaces an older one. An event carries the
order's answer as far as the answer names no person. Its receiver asks for the notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import EntryState, Outcome
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId
from tillsync_server.ports.till import WritePermit

MAX_EVENTS = 500
"""Most events of one request (docs/bridge/wire.md#routes)."""


class EventType(Enum):
    ORDER_FINISHED = "order.finished"
    """The order's entry finished. A requested decision is no longer needed."""
    DECISION_NEEDED = "decision.needed"
    DECISION_CLOSED = "decision.closed"
    """The order was held and runs again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAnswer:
    """The order's answer without its notes, because a note may name a person. ``cause``: the further code under a headline."""

    comment: str
    cause: Outcome | None = None
    epos_customer_id: EposCustomerId | None = None
    note_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """``sequence`` rises for each account and subject, and is never reset. ``entry_id`` None: the person was erased meanwhile.

    ``answer`` None: the order runs again, or its answer is no longer that of the event.
    """

    order_id: OrderId
    sequence: int
    type: EventType
    entry_id: EntryId | None
    state: EntryState
    outcome: Outcome | None
    answer: EventAnswer | None = None

    @property
    def subject(self) -> str:
        return f"order:{self.order_id}"

    @property
    def event_id(self) -> str:
        """The same id each time this event is sent."""
        return f"{self.subject}:{self.sequence}"


@dataclass(frozen=True, slots=True)
class WaitingEvents:
    """The waiting events, oldest first. ``held_count``: the account's orders that wait for a person, counted up to 10,000."""

    events: tuple[OrderEvent, ...]
    held_count: int


@dataclass(frozen=True, slots=True)
class EventLease:
    """The right to send one account's events. ``failures``: consecutive attempts that did not reach the shop."""

    account_id: AccountId
    token: int
    failures: int


@dataclass(frozen=True, slots=True)
class AcknowledgedEvent:
    """An event that the shop accepted. ``held_sequence``: the newer sequence that the shop already has."""

    order_id: OrderId
    sequence: int
    held_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event that the shop's bridge rejected. ``field``: the field that the bridge could not read."""

    order_id: OrderId
    sequence: int
    field: str


class EventOutbox(Protocol):
    """The order events of accounts with a bridge. Stores write them in the transactions that finish, hold or requeue orders."""

    async def claim(self, *, limit: int, lease_seconds: float) -> list[EventLease]:
        """Leases accounts with a bridge, waiting events and a due attempt. No other process sends their events for ``lease_seconds``."""
        ...

    async def seconds_until_due(self) -> float | None:
        """Seconds until :meth:`claim` may return a lease. 0 or less: now. None: no event waits. An idle loop runs only this statement."""
        ...

    async def waiting(self, account_id: AccountId, limit: int) -> WaitingEvents: ...

    async def acknowledge(self, account_id: AccountId, acknowledged: Sequence[AcknowledgedEvent]) -> None:
        """Records that the shop has these events. If the shop has a sequence that the service never used, the event gets a higher one and
        waits again."""
        ...

    async def refuse(self, account_id: AccountId, refused: Sequence[RefusedEvent]) -> None:
        """Records that the shop's bridge cannot read these events. They are not sent until :meth:`resend`. A newer event of the same order
        replaces them once the shop has it."""
        ...

    async def resend(self, *, sent_before_seconds: float, limit: int) -> int:
        """Makes refused events of all accounts wait again, if they were last sent at least ``sent_before_seconds`` ago. Returns their
        number."""
        ...

    async def release(self, lease: EventLease, *, failures: int, delay_seconds: float) -> None: ...


class EventStatus(Enum):
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    STALE = "stale"
    """The shop has a newer event (``held_sequence``)."""
    INVALID = "invalid"
    """The bridge cannot read ``field``. An updated bridge may."""
    NOT_DONE = "not_done"
    """The shop did not reach the event in its time. Send it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventResult:
    status: EventStatus
    held_sequence: int | None = None
    field: str = ""


class EventReceiver(Protocol):
    async def send(self, waiting: WaitingEvents, permit: WritePermit) -> list[EventResult]:
        """Sends at most MAX_EVENTS events. Returns one result for each, in the same order. Raises UpstreamError if the whole request
        failed, and the permit's errors."""
        ...


class EventReceivers(Protocol):
    def event_receiver(self, account: Account) -> EventReceiver:
        """The receiver of an account with a bridge."""
        ...
