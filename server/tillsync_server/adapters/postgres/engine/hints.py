"""Enqueues hints on the Customers Queue. One statement stores a batch; if a lane stays locked, the batch is stored account by account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Connection, Database
from tillsync_server.adapters.postgres.engine.lane_offers import report_if_unanswered
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.application.concurrency.in_slices import in_slices
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome, Priority
from tillsync_server.domain.errors import NotFound, Unavailable
from tillsync_server.domain.ids import AccountId, new_entry_id
from tillsync_server.domain.waiting import WAITING_NOTE, next_attempt, shown_notes, waiting_note
from tillsync_server.ports.lanes import ClaimedEntry, EnqueueResult, LaneLease, LaneOffer, NewHint
from tillsync_server.ports.wakeups import Notifier

_ENQUEUE_HINTS = load("engine/enqueue_hints")
_ROWS_AT_A_TIME = 50
_SubjectKey = tuple[AccountId, int, int]


class PostgresHintStore:
    """Implements :class:`tillsync_server.ports.lanes.HintStore`.

    ``offer`` is called before each statement with the largest number of lanes that the statement can lease.
    """

    def __init__(self, database: Database, notifier: Notifier, offer: Callable[[int], LaneOffer | None] | None = None) -> None:
        self._database = database
        self._notifier = notifier
        self._offer = offer

    async def enqueue(self, hints: Sequence[NewHint]) -> list[EnqueueResult | Exception]:
        """Stores all hints in one statement. If a lane stays locked, stores them account by account, so that no account delays another."""
        offer = None if self._offer is None else self._offer(len(hints))
        try:
            # invariant: accepted-hints-are-committed
            async with self._database.acquire() as connection:
                with report_if_unanswered(offer, {hint.account_id for hint in hints}):
                    stored = await _store(connection, hints, self._notifier, offer)
        except asyncpg.LockNotAvailableError:
            # invariant: locked-lanes-delay-no-other-account
            return await self._enqueue_by_account(hints)
        return await stored.results()

    async def _enqueue_by_account(self, hints: Sequence[NewHint]) -> list[EnqueueResult | Exception]:
        results: list[EnqueueResult | Exception] = [Unavailable("not tried")] * len(hints)
        for account_id in sorted({hint.account_id for hint in hints}):
            positions = [position for position, hint in enumerate(hints) if hint.account_id == account_id]
            try:
                async with self._database.acquire() as connection:
                    own = await enqueue_in_transaction(connection, [hints[position] for position in positions], self._notifier)
            except asyncpg.LockNotAvailableError:
                busy = Unavailable(f"account {account_id} is busy; try again", reason="ACCOUNT_BUSY")
                own = [busy for _ in positions]
            for position, result in zip(positions, own, strict=True):
                results[position] = result
        return results


async def enqueue_in_transaction(
    connection: Connection, hints: Sequence[NewHint], notifier: Notifier | None = None
) -> list[EnqueueResult | Exception]:
    """Enqueues hints on ``connection``, in its transaction if it has one. Returns one result per hint, in the same order.

    Inside a transaction, pass no ``notifier``: the caller notifies after the commit. Locks the lanes in account order; the caller may hold
    them already. An unknown account gives NotFound as its result.
    """
    return await (await _store(connection, hints, notifier)).results()


@dataclass(frozen=True, slots=True)
class _Stored:
    """Hints and the rows that the statement returned for them."""

    hints: Sequence[NewHint]
    positions_by_subject: Mapping[_SubjectKey, Sequence[int]]
    """Positions of the hints of each subject."""
    rows: Sequence[asyncpg.Record]

    async def results(self) -> list[EnqueueResult | Exception]:
        """Returns one result per hint, in the same order."""
        results: list[EnqueueResult | Exception] = [
            NotFound(f"account {hint.account_id} does not exist", reason="ACCOUNT_NOT_FOUND") for hint in self.hints
        ]
        async for row in in_slices(self.rows, _ROWS_AT_A_TIME):
            positions = self.positions_by_subject[AccountId(row[0]), row[1], row[2]]
            entry, coalesced = _entry(row), row[4] > 1
            for rank, position in enumerate(positions):
                results[position] = EnqueueResult(entry, coalesced or rank > 0)
        return results


async def _store(connection: Connection, hints: Sequence[NewHint], notifier: Notifier | None, offer: LaneOffer | None = None) -> _Stored:
    positions_by_subject: dict[_SubjectKey, list[int]] = {}
    for position, hint in enumerate(hints):
        positions_by_subject.setdefault((hint.account_id, int(hint.kind), hint.subject_id), []).append(position)
    first = [hints[positions[0]] for positions in positions_by_subject.values()]
    rows = await connection.fetch(
        _ENQUEUE_HINTS,
        [hint.account_id for hint in first],
        [int(hint.kind) for hint in first],
        [hint.subject_id for hint in first],
        [min(int(hints[position].priority) for position in positions) for positions in positions_by_subject.values()],
        [any(hints[position].force for position in positions) for positions in positions_by_subject.values()],
        [new_entry_id() for _ in first],
        [len(positions) - 1 for positions in positions_by_subject.values()],
        sorted({hint.account_id for hint in first}),
        *((None, 0.0) if offer is None else (offer.owner, offer.lease_seconds)),
    )
    if offer is not None:
        for lease, entries in _leased(offer.owner, rows):
            offer.leased(lease, entries)
    if notifier is not None:
        if any(row[6] for row in rows):
            notifier.lanes_ready()
        for account_id in {AccountId(row[0]) for row in rows if row[5]}:
            # invariant: live-work-is-told-to-the-owner
            notifier.live_work(account_id)
    return _Stored(hints, positions_by_subject, rows)


def _leased(owner: str, rows: Sequence[asyncpg.Record]) -> Iterator[tuple[LaneLease, list[ClaimedEntry]]]:
    leased = sorted((row for row in rows if row["lease_token"] is not None), key=itemgetter(0))
    for account_id, of_lane in groupby(leased, key=itemgetter(0)):
        own = list(of_lane)
        lease = LaneLease(AccountId(account_id), owner, own[0]["lease_token"], own[0]["lapses"])
        yield lease, [_claimed(row) for row in own if row["due_at"] <= row["update_time"]]


def _claimed(row: asyncpg.Record) -> ClaimedEntry:
    return ClaimedEntry(
        account_id=AccountId(row["account_id"]),
        entry_id=row["entry_id"],
        kind=EntryKind(row["kind"]),
        subject_id=row["subject_id"],
        priority=Priority(row["priority"]),
        entry_revision=row["entry_revision"],
        config_version=row["config_version"],
        attempt_count=0,
        coalesced_count=row["coalesced_count"],
        force=row["force"],
        account_email="",
        billing_email="",
        woo_customer_id=row["woo_customer_id"],
        epos_customer_id=row["epos_customer_id"],
        facts=None,
    )


def _entry(row: asyncpg.Record) -> Entry:
    # Columns are read by position, in the order of the statement enqueue_hints. This runs for every hint, and names cost a third of it.
    at, paused_until = row[11], row[12]
    kind = EntryKind.CUSTOMER if row[1] == 1 else EntryKind.CUSTOMER_TYPE
    note = WAITING_NOTE if paused_until is None else waiting_note(paused_until, row[13] or "", at)
    outcome = None if row[14] is None else Outcome(row[14])
    stored = tuple(row[17].split("\n")) if row[17] else ()
    next_time = next_attempt(EntryState.PENDING, row[9], paused_until, at)
    return Entry(
        account_id=row[0],
        entry_id=row[3],
        kind=kind,
        subject_id=row[2],
        state=EntryState.PENDING,
        priority=Priority.LIVE if row[7] == 1 else Priority.BULK,
        entry_revision=row[4],
        outcome=outcome,
        comment=row[16],
        causes=() if row[15] is None else (Outcome(row[15]),),
        notes=shown_notes(EntryState.PENDING, outcome, stored, note, next_time, at),
        attempt_count=0,
        coalesced_count=row[8],
        next_attempt_time=next_time,
        create_time=row[10],
        update_time=at,
        retried_from=row[21],
        epos_customer_id=row[18],
        woo_customer_id=row[19],
        subject_label=row[20],
    )
