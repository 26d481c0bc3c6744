"""Reads the queues, and carries out a person's actions on entries. Implemented by ``adapters/postgres``."""

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
    """The filters of ListQueue. An entry must match every filter that is set. ``ListQueueRequest`` says which index serves which filter."""

    account_id: AccountId
    queue: Queue
    states: frozenset[EntryState] = frozenset()
    outcomes: frozenset[Outcome] = frozenset()
    """Matches the outcome or a cause."""
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
    """Entries, newest first. The next slice begins before ``next_before``. None: there is no next slice. A slice may be shorter than its
    limit."""

    entries: tuple[Entry, ...]
    next_before: EntryId | None


class QueueReader(Protocol):
    async def list_entries(self, wanted: QueueFilter, *, before: EntryId | None, limit: int, with_attempts: bool) -> QueueSlice:
        """Live and finished entries together, by keyset on the entry id. An entry that moves from the hot table to the history during the
        listing appears exactly once."""
        ...

    async def get(self, account_id: AccountId, entry_ids: Sequence[EntryId], *, with_attempts: bool) -> dict[EntryId, Entry]:
        """The entries of ``entry_ids`` that exist in this account. ``facts`` is filled for orders."""
        ...

    async def state_counts(self, account_id: AccountId, queue: Queue) -> dict[EntryState, int]:
        """The number of entries in every state, at most COUNT_CAP + 1, which means more than COUNT_CAP."""
        ...

    async def problems(self, account_id: AccountId) -> tuple[Problem, ...]:
        """The account's problems. Raises NotFound for an unknown account, which tells it apart from an empty queue."""
        ...

    async def entries_of_subject(
        self, account_id: AccountId, *, epos_customer_id: EposCustomerId | None = None, order_id: OrderId | None = None, limit: int = 20
    ) -> list[Entry]: ...


class ActionOutcome(Enum):
    DONE = auto()
    COALESCED = auto()
    """The subject of the finished entry already has a live entry (``entry_id``), and the hint was added to it."""
    UNCHANGED = auto()
    """The entry's state does not allow the action, for example PROCESSED of an order."""
    MISSING = auto()


@dataclass(frozen=True, slots=True)
class ActionResult:
    outcome: ActionOutcome
    entry_id: EntryId
    """The entry itself, its successor, or the live entry of its subject."""
    previous_state: EntryState | None


class QueueActions(Protocol):
    """Each call acts on one chunk, at most 500 entries of one account, in one transaction under the lane's lock. Raises NotFound for an
    unknown account."""

    async def requeue(self, account_id: AccountId, entry_ids: Sequence[EntryId], *, dry_run: bool = False) -> list[ActionResult]:
        """Requeues the entries. Returns one result for each, in the same order.

        A live entry is due now with fresh attempts, but not before the end of a pause or Retry-After. A finished entry is added to the live
        entry of its subject, or gets a successor (``retried_from``). A PROCESSED order is UNCHANGED (see ``order_match``).
        """
        ...

    async def dismiss(
        self, account_id: AccountId, entry_ids: Sequence[EntryId], reason: str, *, dry_run: bool = False
    ) -> list[ActionResult]:
        """Makes PENDING, HELD and FAILED entries DISMISSED, with ``reason`` as first note. A running attempt does not change them any
        more."""
        ...


class WaitingCounter(Protocol):
    async def waiting_entries(self, account_id: AccountId, cap: int) -> int:
        """The number of PENDING entries of the account, at most ``cap``. Raises NotFound for an unknown account."""
        ...
