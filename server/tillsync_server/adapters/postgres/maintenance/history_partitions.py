"""The weekly partitions of ``entry_history``: made a month ahead, dropped after their retention, beside readers and writers.

A week leaves by DETACH CONCURRENTLY before its table is dropped. A result that finishes after the last week goes into the partition for
later, ``entry_history_short_later`` or ``entry_history_long_later``, so that no result is refused. That is no DEFAULT partition, because
PostgreSQL detaches no week concurrently beside one. New weeks are attached in one transaction that also moves the lower bound of the
partition for later (function make_history_weeks of revision 0015). It locks the parent for milliseconds, once a month, and gives up
where readers and writers would wait behind it for longer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncpg
import structlog

from tillsync_server.adapters.postgres.connections.pool import Connection, Database
from tillsync_server.adapters.postgres.statements import load

_TRY_LOCK = load("maintenance/try_history_lock")
_RELEASE_LOCK = load("maintenance/release_history_lock")
_WEEKS = load("maintenance/history_weeks")
_MAKE_WEEKS = load("maintenance/make_weeks")

WEEKS_AHEAD = 5
"""Fewer weeks ahead make the next ones."""
_WEEKS_MADE = 9
"""Weeks ahead after the next ones were made. The partition for later is moved once a month, not once a week."""
_PARENTS = ("entry_history_short", "entry_history_long")
_LOCK_KEY = 0x7411_5C0E
_SECONDS = 120.0
"""Per statement. A detach waits for the transactions that read the partition."""
_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Week:
    """A week that is not attached was left by a process that ended before it dropped the table."""

    parent: str
    name: str
    is_attached: bool
    is_detaching: bool
    is_over: bool


class HistoryPartitions:
    """Any number of processes may call it at once: one works, the others leave it to that one."""

    def __init__(self, database: Database, *, short_days: int, long_days: int) -> None:
        self._database = database
        self._keep_days = (short_days, long_days)

    async def maintain(self) -> None:
        """Makes the weeks ahead, then drops what is past its retention. A lock that it does not get postpones the rest to the next call."""
        async with self._alone() as connection:
            if connection is not None:
                made = await _each_parent(connection, _make_weeks)
                dropped = await _each_parent(connection, partial(_drop_weeks, keep_days=self._keep_days))
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


async def _each_parent(connection: Connection, work: Callable[[Connection, str], AsyncIterator[str]]) -> list[str]:
    """Returns the names of the weeks that ``work`` changed. A locked parent, or a week that the previous release dropped at this moment,
    postpones the rest of that parent to the next call.
    """
    changed: list[str] = []
    for parent in _PARENTS:
        try:
            async for name in work(connection, parent):
                changed.append(name)
        except (asyncpg.LockNotAvailableError, asyncpg.UndefinedTableError):
            _LOG.warning("history_partitions_postponed", what=parent)
    return changed


async def _make_weeks(connection: Connection, parent: str) -> AsyncIterator[str]:
    for row in await connection.fetch(_MAKE_WEEKS, parent, WEEKS_AHEAD, _WEEKS_MADE, timeout=_SECONDS):
        yield row["name"]


async def _drop_weeks(connection: Connection, parent: str, *, keep_days: tuple[int, int]) -> AsyncIterator[str]:
    for row in await connection.fetch(_WEEKS, *keep_days):
        week = _Week(**row)
        if week.parent == parent and week.is_over:
            await _drop(connection, week)
            yield week.name


async def _drop(connection: Connection, week: _Week) -> None:
    if week.is_attached:
        how = "FINALIZE" if week.is_detaching else "CONCURRENTLY"
        await _run(connection, f"ALTER TABLE {week.parent} DETACH PARTITION {week.name} {how}")
    await _run(connection, f"DROP TABLE {week.name}")


async def _run(connection: Connection, command: str) -> None:
    """The names of tables are our own. No part of a request gets into the text."""
    await connection.execute(command, timeout=_SECONDS)
