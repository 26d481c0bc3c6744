"""What a shop with a bridge is told of its orders: a durable outbox, and the shop's way in.

Each order has one subject (``order:1042``) and at most one event waiting: a newer one takes the place of an older. Texts are not part of
an event: whoever hears of one asks for the order's answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import EntryState, Outcome
from tillsync_server.domain.ids import AccountId, EntryId, OrderId
from tillsync_server.ports.till import WritePermit

MAX_EVENTS = 500
"""Of one request (docs/bridge/wire.md#routes)."""


class EventType(Enum):
    ORDER_FINISHED = "order.finished"
    """The entry ended; a decision that was asked for is no longer needed."""
    DECISION_NEEDED = "decision.needed"
    DECISION_CLOSED = "decision.closed"
    """The order was held, and runs again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """``sequence``: per account and subject, never reset. ``entry_id`` None: the person was erased meanwhile."""

    order_id: OrderId
    sequence: int
    type: EventType
    entry_id: EntryId | None
    state: EntryState
    outcome: Outcome | None

    @property
    def subject(self) -> str:
        return f"order:{self.order_id}"

    @property
    def event_id(self) -> str:
        """The same each time this event is sent."""
        return f"{self.subject}:{self.sequence}"


@dataclass(frozen=True, slots=True)
class WaitingEvents:
    """Longest waiting first. ``held_count``: orders of the account that wait for a person, at most 10,000 are counted."""

    events: tuple[OrderEvent, ...]
    held_count: int


@dataclass(frozen=True, slots=True)
class EventLease:
    """The right to send one account's events. ``failures``: tries in a row that did not reach the shop."""

    account_id: AccountId
    token: int
    failures: int


@dataclass(frozen=True, slots=True)
class AcknowledgedEvent:
    """``held_sequence``: the newer one that the shop holds already."""

    order_id: OrderId
    sequence: int
    held_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """``field``: what the shop's bridge could not read of it."""

    order_id: OrderId
    sequence: int
    field: str


class EventOutbox(Protocol):
    """Written by the stores in the transactions that end, hold or release orders of accounts with a bridge."""

    async def claim(self, *, limit: int, lease_seconds: float) -> list[EventLease]:
        """Accounts with a bridge, events waiting and a try due; nobody else sends their events for so long."""
        ...

    async def seconds_until_due(self) -> float | None:
        """Until :meth:`claim` may return something; 0 or less: now. None: no account's events wait. The one statement of an
        idle loop."""
        ...

    async def waiting(self, account_id: AccountId, limit: int) -> WaitingEvents: ...

    async def acknowledge(self, account_id: AccountId, acknowledged: Sequence[AcknowledgedEvent]) -> None:
        """These need not be sent again. Where a shop holds a sequence that was never given, the event is given one above and waits."""
        ...

    async def refuse(self, account_id: AccountId, refused: Sequence[RefusedEvent]) -> None:
        """The shop's bridge cannot read these: they are passed over, and kept until :meth:`resend`, or until a newer event of their
        order is taken."""
        ...

    async def resend(self, *, sent_before_seconds: float, limit: int) -> int:
        """Refused events of all accounts wait again, unless they were told in the last so many seconds. How many."""
        ...

    async def release(self, lease: EventLease, *, failures: int, delay_seconds: float) -> None: ...


class EventStatus(Enum):
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    STALE = "stale"
    """The shop holds a newer one (``held_sequence``)."""
    INVALID = "invalid"
    """The bridge cannot read it; ``field`` names what. An updated one may."""
    NOT_DONE = "not_done"
    """Not reached in the shop's time: send again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventResult:
    status: EventStatus
    held_sequence: int | None = None
    field: str = ""


class EventReceiver(Protocol):
    async def send(self, waiting: WaitingEvents, permit: WritePermit) -> list[EventResult]:
        """By position; at most MAX_EVENTS. Raises UpstreamError when the request as a whole failed, and what the permit raises."""
        ...


class EventReceivers(Protocol):
    def event_receiver(self, account: Account) -> EventReceiver:
        """Of an account with a bridge."""
        ...
