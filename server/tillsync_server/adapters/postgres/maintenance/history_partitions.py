"""The weekly partitions of ``entry_history``: made a month ahead, dropped after their retention, beside readers and writers.

A week leaves by DETACH CONCURRENTLY before its table is dropped. A result that finishes after the last week goes into the partition for
later, ``entry_history_short_later`` or ``entry_history_long_later``, so that no result is refused. That is no DEFAULT partition, because
PostgreSQL detaches no week concurrently beside one. New weeks are attached in one transaction that also moves the lower bound of the
partition for later (function make_history_weeks of revision 0017). It locks the table for milliseconds, once a month, and gives up
where readers and writers would wait behind it for longer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import asyncpg
import structlog

from tillsync_server.adapters.postgres.connections.pool import Connection, Database
from tillsync_server.adapters.postgres.statements import load

_TRY_LOCK = load("maintenance/try_history_lock")
_RELEASE_LOCK = load("maintenance/release_history_lock")
_OUTDATED_WEEKS = load("maintenance/outdated_weeks")
_DETACH_COMMAND = load("maintenance/detach_command")
_MAKE_WEEKS = load("maintenance/make_weeks")

WEEKS_AHEAD = 5
"""Fewer weeks ahead make the next ones."""
_WEEKS_MADE = 9
"""Weeks ahead after the next ones were made. The partition for later is moved once a month, not once a week."""
_LOCK_KEY = 0x7411_5C0E
_SECONDS = 120.0
"""Per statement. A detach waits for the transactions that read the partition."""
_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Week:
    """A week that is not attached was left by a process that ended before it dropped the table."""

    name: str
    is_attached: bool
    is_detaching: bool


class HistoryPartitions:
    """Any number of processes may call it at once: one works, the others leave it to that one."""

    def __init__(self, database: Database, *, short_days: int, long_days: int) -> None:
        self._database = database
        self._keep_days = {"entry_history_short": short_days, "entry_history_long": long_days}

    async def maintain(self) -> None:
        """Makes the weeks ahead, then drops what is past its retention. A lock that it does not get postpones the rest to the next call."""
        async with self._alone() as connection:
            if connection is None:
                return
            made: list[str] = []
            dropped: list[str] = []
            for kind in self._keep_days:
                with _postponed(kind):
                    rows = await connection.fetch(_MAKE_WEEKS, kind, WEEKS_AHEAD, _WEEKS_MADE, timeout=_SECONDS)
                    made += [row["name"] for row in rows]
            for kind, days in self._keep_days.items():
                with _postponed(kind):
                    for row in await connection.fetch(_OUTDATED_WEEKS, kind, days):
                        await _drop(connection, _Week(**row))
                        dropped.append(row["name"])
            if made or dropped:
                _LOG.info("history_partitions", made=len(made), partitions=dropped)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Connection | None]:
        async with self._database.acquire() as connection:
            if not await connection.fetchval(_TRY_LOCK, _LOCK_KEY):
                yield None
                return
            try:
                yield connection
            except asyncio.CancelledError:
                connection.terminate()  # a stop does not wait for the database; the end of the session releases the lock
                raise
            except Exception:
                await _release(connection)
                raise
            else:
                await _release(connection)


async def _release(connection: Connection) -> None:
    with contextlib.suppress(asyncpg.InterfaceError, OSError):  # the end of the connection releases the lock too
        await connection.execute(_RELEASE_LOCK, _LOCK_KEY)


@contextmanager
def _postponed(kind: str) -> Iterator[None]:
    """A locked table, or a week that the previous release dropped at this moment, postpones the rest of the block to the next call."""
    try:
        yield
    except (asyncpg.LockNotAvailableError, asyncpg.UndefinedTableError):
        _LOG.warning("history_partitions_postponed", what=kind)


async def _drop(connection: Connection, week: _Week) -> None:
    if week.is_attached:
        await _run(connection, await connection.fetchval(_DETACH_COMMAND, week.name, week.is_detaching))
    await _run(connection, f"DROP TABLE {week.name}")


async def _run(connection: Connection, command: str) -> None:
    """The names of tables are our own. No part of a request gets into the text."""
    await connection.execute(command, timeout=_SECONDS)
