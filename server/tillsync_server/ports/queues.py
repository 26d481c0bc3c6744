"""Reading the queues, and what a person does with entries. Implemented by ``adapters/postgres``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Protocol

from tillsync_server.domain.account import Problem
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryState, Outcome, Queue
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId, WooCustomerId

COUNT_CAP = 10_000
TEXT_SEARCH_ENTRIES = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilter:
    """The filters of ListQueue; an entry must satisfy every one that is set. Which index serves which: ``ListQueueRequest``."""

    account_id: AccountId
    queue: Queue
    states: frozenset[EntryState] = frozenset()
    outcomes: frozenset[Outcome] = frozenset()
    """As outcome or among causes."""
    epos_customer_id: EposCustomerId | None = None
    woo_customer_id: WooCustomerId | None = None
    order_id: OrderId | None = None
    email: str = ""
    """Normalised."""
    text: str = ""
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class QueueSlice:
    """Newest first. ``next_before``: where the next slice begins; None at the end. A slice may be shorter than its limit."""

    entries: tuple[Entry, ...]
    next_before: EntryId | None


class QueueReader(Protocol):
    async def list_entries(self, wanted: QueueFilter, *, before: EntryId | None, limit: int, with_attempts: bool) -> QueueSlice:
        """Live and finished entries together, keyset on the entry id. An entry that moves from the hot table to the history while
        it is listed appears exactly once."""
        ...

    async def get(self, account_id: AccountId, entry_ids: Sequence[EntryId], *, with_attempts: bool) -> dict[EntryId, Entry]:
        """Those that exist in this account. ``facts`` is filled for orders."""
        ...

    async def state_counts(self, account_id: AccountId, queue: Queue) -> dict[EntryState, int]:
        """Every state; each at most COUNT_CAP + 1 (then there are more)."""
        ...

    async def problems(self, account_id: AccountId) -> tuple[Problem, ...]:
        """NotFound for an unknown account: how the use cases tell one from an empty queue."""
        ...

    async def entries_of_subject(
        self, account_id: AccountId, *, epos_customer_id: EposCustomerId | None = None, order_id: OrderId | None = None, limit: int = 20
    ) -> list[Entry]: ...


class ActionOutcome(Enum):
    DONE = auto()
    COALESCED = auto()
    """A finished entry whose subject has a live entry already: the hint joined that one (``entry_id`` names it)."""
    UNCHANGED = auto()
    """Its state does not allow it, such as a PROCESSED order."""
    MISSING = auto()


@dataclass(frozen=True, slots=True)
class ActionResult:
    outcome: ActionOutcome
    entry_id: EntryId
    """The entry that stands for it now: itself, its successor, or the live one it joined."""
    previous_state: EntryState | None


class QueueActions(Protocol):
    """One chunk (at most 500 entries of one account) each: a transaction under the lane's lock. NotFound for an unknown account."""

    async def requeue(self, account_id: AccountId, entry_ids: Sequence[EntryId], *, dry_run: bool = False) -> list[ActionResult]:
        """By position. Live: runs again now with fresh attempts (not before a pause or Retry-After). Finished: joins the live entry
        of its subject or gets a successor (``retried_from``). PROCESSED orders: UNCHANGED (see ``order_match``)."""
        ...

    async def dismiss(
        self, account_id: AccountId, entry_ids: Sequence[EntryId], reason: str, *, dry_run: bool = False
    ) -> list[ActionResult]:
        """PENDING, HELD and FAILED become DISMISSED with ``reason`` as first note; an attempt under way cannot bring them back."""
        ...


class WaitingCounter(Protocol):
    async def waiting_entries(self, account_id: AccountId, cap: int) -> int:
        """PENDING entries of the account, at most ``cap``. NotFound for an unknown account."""
        ...
