"""Enqueues the subjects that a change of settings or links concerns (table ``requeue``), one chunk at a time under the lane's lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import shuffle

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Connection, Database
from tillsync_server.adapters.postgres.engine.hints import enqueue_in_transaction
from tillsync_server.adapters.postgres.events.event_log import record_events_of_entries
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import EntryKind, Priority
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.settings_change import Requeue
from tillsync_server.ports.lanes import NewHint
from tillsync_server.ports.wakeups import Notifier

_LOCK_LANE = load("engine/lock_lane")
_WAKE_LANE = load("engine/wake_lane")
_WAITING = load("queues/requeue_waiting")
_LOCK = load("queues/requeue_lock")
_MOVE = load("queues/requeue_move")
_DELETE = load("queues/requeue_delete")
_LINKED_CUSTOMERS = load("queues/requeue_linked_customers")
_KNOWN_TYPES = load("queues/requeue_known_types")
_PENDING_REMOVALS = load("queues/requeue_pending_removals")
_REQUEUE_HELD_ORDERS = load("queues/requeue_held_orders")

CHUNK = 500
_CANDIDATES = 16
_BUSY_LANE_SECONDS = 1.0
"""Delay before the next try if other sessions lock the lanes of all waiting requeues."""

_SUBJECTS = {
    Requeue.LINKED_CUSTOMERS: (_LINKED_CUSTOMERS, EntryKind.CUSTOMER),
    Requeue.KNOWN_TYPES: (_KNOWN_TYPES, EntryKind.CUSTOMER_TYPE),
    Requeue.PENDING_REMOVALS: (_PENDING_REMOVALS, EntryKind.CUSTOMER),
}


class PostgresRequeue:
    """Runs waiting requeues. Any number of processes may run it at once."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier

    async def run_chunk(self) -> bool:
        """Runs one chunk as :meth:`run`. Returns False if no chunk could run now."""
        return await self.run() == 0.0

    async def run(self) -> float | None:
        """Runs one chunk of at most 500 rows. Returns the seconds until the next try: 0 after a chunk, None if no requeue waits."""
        async with self._database.acquire() as connection:
            waiting = [(AccountId(row["account_id"]), Requeue(row["what"])) for row in await connection.fetch(_WAITING, _CANDIDATES)]
            shuffle(waiting)  # several processes rarely choose the same lane
            for account_id, what in waiting:
                try:
                    async with connection.transaction():
                        leased = await self._run_chunk_of(connection, account_id, what)
                except asyncpg.LockNotAvailableError:
                    continue  # a locked lane delays no other account
                if leased:
                    self._notifier.live_work(account_id)
                elif leased is not None:
                    self._notifier.lanes_ready()
                if what is Requeue.HELD_ORDERS:
                    self._notifier.order_events()
                return 0.0
        return _BUSY_LANE_SECONDS if waiting else None

    async def _run_chunk_of(self, connection: Connection, account_id: AccountId, what: Requeue) -> bool | None:
        """Returns whether the lane is leased. None: another process has finished this requeue."""
        lane = await connection.fetchrow(_LOCK_LANE, account_id)
        cursor = await connection.fetchrow(_LOCK, account_id, int(what))
        if lane is None or cursor is None:
            return None
        if what is Requeue.HELD_ORDERS:
            done = await self._requeue_held_orders(connection, account_id, cursor, lane["at"])
        else:
            done = await self._enqueue_subjects(connection, account_id, what, cursor)
        if done < CHUNK:
            await connection.execute(_DELETE, account_id, int(what))
        return lane["lease_expires_at"] is not None

    async def _enqueue_subjects(self, connection: Connection, account_id: AccountId, what: Requeue, cursor: asyncpg.Record) -> int:
        statement, kind = _SUBJECTS[what]
        subjects = [row["subject_id"] for row in await connection.fetch(statement, account_id, cursor["after_id"], CHUNK)]
        if subjects:
            await enqueue_in_transaction(connection, [NewHint(account_id, kind, subject, Priority.BULK) for subject in subjects])
            await connection.execute(_MOVE, account_id, int(what), subjects[-1], None)
        return len(subjects)

    async def _requeue_held_orders(self, connection: Connection, account_id: AccountId, cursor: asyncpg.Record, at: datetime) -> int:
        requeued: Sequence[asyncpg.Record] = await connection.fetch(_REQUEUE_HELD_ORDERS, account_id, cursor["after_entry_id"], CHUNK, at)
        if requeued:
            await record_events_of_entries(connection, account_id, [row["entry_id"] for row in requeued], at)
            await connection.execute(_MOVE, account_id, int(Requeue.HELD_ORDERS), 0, max(row["entry_id"] for row in requeued))
            await connection.execute(_WAKE_LANE, account_id, min(row["due_at"] for row in requeued), True)
        return len(requeued)
