"""Measures the database for readiness probe, metrics and status: whether it answers, queue depth, and transactions that keep dead rows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Connection, Database
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.foreign_transactions import ForeignTransaction

_ANSWERS = load("maintenance/answers")
_LANES = load("maintenance/lane_gauges")
_ENTRIES = load("maintenance/entry_estimate")
_WEEKS_AHEAD = load("maintenance/weeks_ahead")
_FOREIGN = load("maintenance/oldest_foreign_transaction")
_ANSWER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class QueueSample:
    """A measurement of the queues. ``live_entries`` is an estimate; lanes are counted."""

    live_entries: int
    lanes: int
    leased: int
    ready: int
    paused: int
    with_problem: int
    oldest_ready_seconds: float
    """How long the most overdue lane has waited for a worker. This is the figure to alert on."""
    oldest_foreign: ForeignTransaction | None = None
    history_weeks_ahead: int = 0
    """Weeks after this one that have a partition of their own. Maintenance keeps five to nine."""
    sees_all_sessions: bool = True
    """False: the role cannot see transactions of other roles, so one may be open."""


class DatabaseHealth:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def answers(self) -> bool:
        """Returns whether the database answers as a primary within two seconds."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), self._database.acquire() as connection:
                return bool(await connection.fetchval(_ANSWERS))
        except (asyncpg.PostgresError, *DATABASE_GONE):
            return False

    async def sample(self) -> QueueSample:
        """Raises the errors of the database."""
        async with self._database.acquire() as connection:
            lanes = await connection.fetchrow(_LANES)
            entries = await connection.fetchval(_ENTRIES)
            weeks_ahead = await connection.fetchval(_WEEKS_AHEAD)
            oldest_foreign, sees_all_sessions = await oldest_foreign_transaction(connection)
        assert lanes is not None
        return QueueSample(
            live_entries=int(entries),
            lanes=lanes["lanes"],
            leased=lanes["leased"],
            ready=lanes["ready"],
            paused=lanes["paused"],
            with_problem=lanes["with_problem"],
            oldest_ready_seconds=float(lanes["oldest_ready_seconds"]),
            oldest_foreign=oldest_foreign,
            history_weeks_ahead=weeks_ahead,
            sees_all_sessions=sees_all_sessions,
        )


async def oldest_foreign_transaction(connection: Connection) -> tuple[ForeignTransaction | None, bool]:
    """Returns the oldest foreign transaction, and whether the connection's role sees the sessions of other roles."""
    row = await connection.fetchrow(_FOREIGN)
    assert row is not None
    if row["kind"] is None:
        return None, row["sees_all"]
    return ForeignTransaction(row["pid"], row["name"], row["role"], row["state"] or "", row["seconds"]), row["sees_all"]
