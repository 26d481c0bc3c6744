"""Lanes, entries and leases as the engine stores them. Implemented by ``adapters/postgres``.

Lock order everywhere: lanes in account order, then till, then intents, then entries. No HTTP inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from tillsync_server.domain.entry import Entry
from tillsync_server.domain.entry_decision import EntryDecision
from tillsync_server.domain.enums import EntryKind, Priority, Side
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, WooCustomerId
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.work_class import WorkClass


@dataclass(frozen=True, slots=True)
class PausedSide:
    """A side with an open problem. The entries that need it wait until ``seconds_until_probe`` are over (negative: they are)."""

    failures: int
    """In a row."""
    seconds_until_probe: float


@dataclass(frozen=True, slots=True)
class LaneLease:
    """A lane held by this process until its expiry; ``token`` changes at each lease, and every fenced write must match it."""

    account_id: AccountId
    owner: str
    token: int
    lapses: int
    """How often in a row a lease ran out instead of being released."""
    paused_sides: Mapping[Side, PausedSide] = field(default_factory=dict)
    """As it was when the lane was leased."""


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

    work_class: WorkClass = field(init=False)

    def __post_init__(self) -> None:
        self.work_class = WorkClass.of(self.kind, self.priority)


@dataclass(slots=True)
class Completion:
    """What to write for one finished run. ``run_seconds``: how long it took (the attempt's start, told back from the write)."""

    lease: LaneLease
    entry: ClaimedEntry
    decision: EntryDecision
    run_seconds: float
    pause_seconds: float = 0.0
    """With ``decision.problem``: how long its side waits for the next probe."""
    recovered: frozenset[Side] = frozenset()
    """Sides that were ill and did what was asked: their problems close."""


class CompletionResult(IntEnum):
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


@dataclass(frozen=True, slots=True)
class LaneOffer:
    """A worker of this process leases lanes that sleep, in the commit of what is due there now. ``leased`` is told each after the commit,
    with its entries where they are known, which is all that is due; without them it claims. ``unanswered`` is told the accounts when it is
    not known whether the commit succeeded. ``owner`` names this offer and no other."""

    owner: str
    lease_seconds: float
    leased: Callable[[LaneLease, Sequence[ClaimedEntry]], None]
    unanswered: Callable[[Sequence[AccountId]], None]


class HintStore(Protocol):
    async def enqueue(self, hints: Sequence[NewHint]) -> list[EnqueueResult | Exception]:
        """Durable when it returns, by position. NotFound for an unknown account, Unavailable where its lane is locked for long."""
        ...


@dataclass(frozen=True, slots=True)
class LeaseResult:
    leases: list[LaneLease]
    seconds_until_due: float | None
    """Until the next lane that was left is ready, or its lease runs out (negative: it is). None: there is none."""


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """``limits``: the most entries of each class; none of a class that is not named.

    ``in_flight``: entries of this lane that run or wait to be stored; the claim leaves them out.
    """

    lease: LaneLease
    limits: Mapping[WorkClass, int]
    in_flight: tuple[EntryId, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """``paused_sides``: the account's sides as they are now; a person may have mended one. None: the lane is not ours any more."""

    entries: list[ClaimedEntry]
    paused_sides: Mapping[Side, PausedSide] | None


class LaneStore(Protocol):
    """The engine's statements. Everything that ends, fails or reschedules entries is fenced by owner and token."""

    async def lease(self, owner: str, *, limit: int, bulk_limit: int, probe_limit: int, lease_seconds: float) -> LeaseResult:
        """Up to ``limit`` ready lanes or run-out leases, of which at most ``bulk_limit`` without live work; and up to ``probe_limit`` lanes
        whose work waits for a side that is to be probed."""
        ...

    async def renew(self, leases: Sequence[LaneLease], *, lease_seconds: float) -> list[bool | None]:
        """By position: still ours, and now for ``lease_seconds`` more. None: somebody has the lane locked for long; ask again."""
        ...

    async def claim(self, requests: Sequence[ClaimRequest]) -> list[ClaimResult]:
        """By position: due entries, in order of their classes. Writes nothing."""
        ...

    async def charge_first(self, lease: LaneLease, entry: ClaimedEntry, *, delay_seconds: float) -> bool:
        """Charge the attempt before the run (an entry that may kill the process), due again after ``delay_seconds``.

        False when lane or entry moved on meanwhile."""
        ...

    async def complete(self, completions: Sequence[Completion]) -> list[CompletionResult | Exception]:
        """By position. Unavailable: somebody has the lane locked for long; the others are written all the same."""
        ...

    async def release(self, leases: Sequence[LaneLease], *, clean: Sequence[bool]) -> None:
        """Locks the lanes, looks again after that, and stores when they next have work. ``clean`` resets the lapses."""
        ...

    async def leases_of(self, owners: Sequence[tuple[AccountId, str]]) -> list[LaneLease]:
        """The leases that are there now, of these owners on these accounts."""
        ...

    async def repair_lost_wakeups(self) -> int:
        """The slow sweep: lanes that sleep past their earliest pending entry. Must find none, ever; the metric shows it."""
        ...


class SideHistory(Protocol):
    async def times_opened(self, entry: ClaimedEntry, side: Side) -> int:
        """How often in a row the entry has opened the problem of this side, which is well now. 0: another entry did, or the side is ill."""
        ...
