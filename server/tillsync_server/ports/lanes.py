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
    """A side with an open problem. Entries that need it wait for ``seconds_until_probe`` (negative: the probe is due)."""

    failures: int
    """Consecutive failures."""
    seconds_until_probe: float


@dataclass(frozen=True, slots=True)
class LaneLease:
    """A lane that this process holds until the lease expires. Each lease has another ``token``, which every fenced write must match."""

    account_id: AccountId
    owner: str
    token: int
    lapses: int
    """How many consecutive leases of the lane expired instead of being released."""
    paused_sides: Mapping[Side, PausedSide] = field(default_factory=dict)
    """The paused sides at the time of the lease."""


@dataclass(slots=True)
class ClaimedEntry:
    """An entry at the time of its claim. A claim writes nothing, so ``entry_revision`` is compared at completion.

    No code changes an instance. The class is not frozen, because every entry needs one and a frozen one takes five times as long to make.
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
    """Orders only: the till customer that a person chose (ResolveOrderCustomer)."""

    work_class: WorkClass = field(init=False)

    def __post_init__(self) -> None:
        self.work_class = WorkClass.of(self.kind, self.priority)


@dataclass(slots=True)
class Completion:
    """The values to write for one finished run. ``run_seconds``: its duration. The attempt's start is the time of the write minus it."""

    lease: LaneLease
    entry: ClaimedEntry
    decision: EntryDecision
    run_seconds: float
    pause_seconds: float = 0.0
    """With ``decision.problem``: the delay until the next probe of its side."""
    recovered: frozenset[Side] = frozenset()
    """Paused sides that worked in this run. Their problems close."""


class CompletionResult(IntEnum):
    """The result of a completion. It is false if the store wrote nothing."""

    DROPPED = 0
    """The process lost the lane, or the settings changed meanwhile. The entry stays unchanged and runs again."""
    DONE = 1
    """The entry is finished, held or postponed, as decided."""
    MOVED_ON = 2
    """The attempt is stored, but a hint or a person changed the entry during the run, and that change stays."""


@dataclass(frozen=True, slots=True)
class NewHint:
    """A request to read one subject again. It is enqueued on the Customers Queue."""

    account_id: AccountId
    kind: EntryKind
    subject_id: int
    priority: Priority
    force: bool = False


@dataclass(frozen=True, slots=True)
class EnqueueResult:
    """``entry``: the live entry as it is now, without attempts and facts."""

    entry: Entry
    coalesced: bool
    """The hint was added to an entry that was already live."""

    @property
    def entry_id(self) -> EntryId:
        return self.entry.entry_id


@dataclass(frozen=True, slots=True)
class LaneOffer:
    """Lets a store lease a sleeping lane for a worker of this process, in the commit that makes work due there.

    ``leased`` is called after the commit with each lease and with all due entries of the lane. Without entries the worker claims them.
    ``unanswered`` is called with the accounts if it is unknown whether the commit succeeded. ``owner`` is unique to this offer.
    """

    owner: str
    lease_seconds: float
    leased: Callable[[LaneLease, Sequence[ClaimedEntry]], None]
    unanswered: Callable[[Sequence[AccountId]], None]


class HintStore(Protocol):
    async def enqueue(self, hints: Sequence[NewHint]) -> list[EnqueueResult | Exception]:
        """Commits the hints. Returns one result for each hint, in the same order: NotFound for an unknown account, Unavailable if another
        session locks its lane for long."""
        ...


@dataclass(frozen=True, slots=True)
class LeaseResult:
    leases: list[LaneLease]
    seconds_until_due: float | None
    """Seconds until a lane that was not leased is ready, or its lease expires (negative: this has happened). None: there is no such
    lane."""


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """``limits``: the most entries of each class. A class without a limit gets no entry.

    ``in_flight``: entries of this lane that run or wait for their completion. The claim leaves them out.
    """

    lease: LaneLease
    limits: Mapping[WorkClass, int]
    in_flight: tuple[EntryId, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """``paused_sides``: the account's paused sides now. A person may have resumed one meanwhile. None: the process lost the lane."""

    entries: list[ClaimedEntry]
    paused_sides: Mapping[Side, PausedSide] | None


class LaneStore(Protocol):
    """The engine's statements. Owner and token fence every statement that completes or reschedules entries."""

    async def lease(self, owner: str, *, limit: int, bulk_limit: int, probe_limit: int, lease_seconds: float) -> LeaseResult:
        """Leases up to ``limit`` lanes that are ready or whose lease expired, of which at most ``bulk_limit`` have no live work. Also
        leases up to ``probe_limit`` lanes whose work waits for a due probe."""
        ...

    async def renew(self, leases: Sequence[LaneLease], *, lease_seconds: float) -> list[bool | None]:
        """Renews the leases for ``lease_seconds``. Returns one answer for each lease, in the same order. True: renewed. False: the process
        lost the lane. None: another session locks the lane for long, so try again."""
        ...

    async def claim(self, requests: Sequence[ClaimRequest]) -> list[ClaimResult]:
        """Returns the due entries for each request, in the same order, sorted by class. Writes nothing."""
        ...

    async def charge_first(self, lease: LaneLease, entry: ClaimedEntry, *, delay_seconds: float) -> bool:
        """Charges the attempt before the run of an entry that may kill the process. The entry is due again after ``delay_seconds``.

        Returns False if the process lost the lane, or the entry changed meanwhile.
        """
        ...

    async def complete(self, completions: Sequence[Completion]) -> list[CompletionResult | Exception]:
        """Stores the completions. Returns one result for each, in the same order. Unavailable: another session locks the lane for long. The
        other completions are stored all the same."""
        ...

    async def release(self, leases: Sequence[LaneLease], *, clean: Sequence[bool]) -> None:
        """Releases the lanes: locks them, then reads when they next have work, and stores that time. ``clean`` resets the lapse count."""
        ...

    async def leases_of(self, owners: Sequence[tuple[AccountId, str]]) -> list[LaneLease]:
        """The present leases of these owners on these accounts."""
        ...

    async def repair_lost_wakeups(self) -> int:
        """Wakes lanes that sleep past their earliest pending entry, and returns their number. It should always be 0. A metric shows it."""
        ...


class SideHistory(Protocol):
    async def times_opened(self, entry: ClaimedEntry, side: Side) -> int:
        """How many consecutive times the entry opened the problem of this side, which is not paused now. 0: another entry opened the last
        one, or the side is paused."""
        ...
