"""Lanes, entries and leases as the engine stores them. Implemented by ``adapters/postgres``.

Lock order everywhere: lanes in account order, then till, then intents, then entries. No HTTP inside a transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from tillsync_server.domain.entry import Entry
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, WooCustomerId
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.settlement import Settlement
from tillsync_server.domain.vocabulary import EntryKind, Priority, Side


@dataclass(frozen=True, slots=True)
class LaneLease:
    """A lane held by this process until its expiry; ``token`` changes at each lease, and every fenced write must match it."""

    account_id: AccountId
    owner: str
    token: int
    lapses: int
    """How often in a row a lease ran out instead of being released."""
    problem_side: Side | None
    """An account problem is open on this side: the lane runs one entry at a time until it is closed."""
    pause_count: int


@dataclass(slots=True)
class ClaimedEntry:
    """An entry as it was when it was claimed. The claim wrote nothing: ``entry_revision`` decides at completion.

    Not changed once made; not frozen either: one is made for every entry, five times as fast.
    """

    account_id: AccountId
    entry_id: EntryId
    kind: EntryKind
    subject_id: int
    priority: Priority
    entry_revision: int
    config_version: int
    attempt_count: int
    coalesced_count: int
    force: bool
    account_email: str
    billing_email: str
    woo_customer_id: WooCustomerId | None
    epos_customer_id: EposCustomerId | None
    facts: OrderFacts | None
    chosen_epos_customer_id: EposCustomerId | None = None
    """Of an order: the till customer a person chose (ResolveOrderCustomer)."""


@dataclass(slots=True)
class Completion:
    """What to write for one finished run. ``run_seconds``: how long it took (the attempt's start, told back from the write)."""

    lease: LaneLease
    entry: ClaimedEntry
    settlement: Settlement
    run_seconds: float
    pause_seconds: float = 0.0
    """With ``settlement.problem``: how long the lane waits."""


class Written(IntEnum):
    """What became of a completion. Not true: nothing was written."""

    DROPPED = 0
    """The lane is not ours, or its settings changed meanwhile; the entry stays as it was and runs again."""
    DONE = 1
    """Ended, held or put off, as it was decided."""
    MOVED_ON = 2
    """What happened is kept, but a hint came while it ran: the entry is as the hint left it (or a person has closed it)."""


@dataclass(frozen=True, slots=True)
class NewHint:
    """Look at this subject again: one row to enqueue on the Customers Queue."""

    account_id: AccountId
    kind: EntryKind
    subject_id: int
    priority: Priority
    force: bool = False


@dataclass(frozen=True, slots=True)
class EnqueueResult:
    """``entry``: the live entry as it is now, without attempts and facts; known without another query."""

    entry: Entry
    coalesced: bool
    """The hint joined an entry that was live already."""

    @property
    def entry_id(self) -> EntryId:
        return self.entry.entry_id


class HintStore(Protocol):
    async def enqueue(self, hints: Sequence[NewHint]) -> list[EnqueueResult | Exception]:
        """Durable when it returns, by position. NotFound for an unknown account, Unavailable where its lane is locked for long."""
        ...


@dataclass(frozen=True, slots=True)
class Leased:
    leases: list[LaneLease]
    seconds_until_due: float | None
    """Until the next lane that was left is ready, or its lease runs out (negative: it is). None: there is none."""


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """``in_flight``: entries of this lane that run or wait to be written; the claim leaves them out."""

    lease: LaneLease
    live_limit: int
    bulk_limit: int
    in_flight: tuple[EntryId, ...] = ()


class LaneStore(Protocol):
    """The engine's statements. Everything that ends, fails or reschedules entries is fenced by owner and token."""

    async def lease(self, owner: str, *, limit: int, bulk_limit: int, lease_seconds: float) -> Leased:
        """Up to ``limit`` ready lanes or run-out leases, of which at most ``bulk_limit`` without live work."""
        ...

    async def renew(self, leases: Sequence[LaneLease], *, lease_seconds: float) -> list[bool | None]:
        """By position: still ours, and now for ``lease_seconds`` more. None: somebody has the lane locked for long; ask again."""
        ...

    async def claim(self, requests: Sequence[ClaimRequest]) -> list[list[ClaimedEntry]]:
        """By position: due entries, live ones first. Writes nothing."""
        ...

    async def charge_first(self, lease: LaneLease, entry: ClaimedEntry, *, delay_seconds: float) -> bool:
        """Charge the attempt before the run (an entry that may kill the process), due again after ``delay_seconds``.

        False when lane or entry moved on meanwhile."""
        ...

    async def complete(self, completions: Sequence[Completion]) -> list[Written | Exception]:
        """By position. Unavailable: somebody has the lane locked for long; the others are written all the same."""
        ...

    async def release(self, leases: Sequence[LaneLease], *, clean: Sequence[bool]) -> None:
        """Locks the lanes, looks again after that, and stores when they next have work. ``clean`` resets the lapses."""
        ...

    async def repair_lost_wakeups(self) -> int:
        """The slow sweep: lanes that sleep past their earliest pending entry. Must find none, ever; the metric shows it."""
        ...
