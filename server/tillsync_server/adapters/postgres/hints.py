"""Enqueueing hints: the Customers Queue's way in. Folding, the one statement, and the fall-back to one account at a time."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from tillsync_server.adapters.postgres.pool import Connection, Database
from tillsync_server.adapters.postgres.sql_files import load
from tillsync_server.domain.errors import NotFound, Unavailable
from tillsync_server.domain.ids import AccountId, EntryId, new_entry_id
from tillsync_server.domain.vocabulary import Priority
from tillsync_server.ports.lanes import EnqueueResult, NewHint
from tillsync_server.ports.wakeups import Notifier

_ENQUEUE_HINTS = load("engine/enqueue_hints")
_SubjectKey = tuple[AccountId, int, int]


class PostgresHintStore:
    """Implements :class:`tillsync_server.ports.lanes.HintStore`."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier

    async def enqueue(self, hints: Sequence[NewHint]) -> list[EnqueueResult | Exception]:
        """One statement for all; where a lane stays locked, account by account, so that one never delays another."""
        try:
            async with self._database.acquire() as connection:
                return await enqueue_in_transaction(connection, hints, self._notifier)
        except asyncpg.LockNotAvailableError:
            return await self._enqueue_by_account(hints)

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
    """Enqueue on ``connection``, in its transaction if it has one (then without ``notifier``: the caller tells after the commit).

    Locks the lanes in account order; the caller may hold them already. By position; NotFound for unknown accounts.
    """
    folded: dict[_SubjectKey, list[int]] = {}
    for position, hint in enumerate(hints):
        folded.setdefault((hint.account_id, int(hint.kind), hint.subject_id), []).append(position)
    first = [hints[positions[0]] for positions in folded.values()]
    rows = await connection.fetch(
        _ENQUEUE_HINTS,
        [hint.account_id for hint in first],
        [int(hint.kind) for hint in first],
        [hint.subject_id for hint in first],
        [min(int(hints[position].priority) for position in positions) for positions in folded.values()],
        [any(hints[position].force for position in positions) for positions in folded.values()],
        [new_entry_id() for _ in first],
        [len(positions) - 1 for positions in folded.values()],
        sorted({hint.account_id for hint in first}),
    )
    results: list[EnqueueResult | Exception] = [
        NotFound(f"account {hint.account_id} does not exist", reason="ACCOUNT_NOT_FOUND") for hint in hints
    ]
    for row in rows:
        positions = folded[AccountId(row[0]), row[1], row[2]]
        for rank, position in enumerate(positions):
            results[position] = EnqueueResult(EntryId(row[3]), coalesced=row[4] or rank > 0)
    if notifier is not None:
        if any(row[6] for row in rows):
            notifier.lanes_ready()
        for account_id in {AccountId(row[0]) for row in rows if row[5]}:
            notifier.live_work(account_id)
    return results


def live_hint_accounts(hints: Sequence[NewHint]) -> set[AccountId]:
    """The accounts whose lane owner wants to be told after the commit."""
    return {hint.account_id for hint in hints if hint.priority is Priority.LIVE}
