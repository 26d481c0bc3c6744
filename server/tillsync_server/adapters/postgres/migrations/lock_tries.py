"""Runs a change that needs locks on tables, again and again for a short time each, so that the service never waits long behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, LiteralString, TypeAlias

import asyncpg

from tillsync_server.adapters.postgres.migrations.steps import Progress
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.foreign_transactions import ForeignTransaction

LOCK_TIMEOUT = "SET lock_timeout = '2s'"
"""Sessions that ask for a locked table wait behind the change. They wait no longer than this."""
NO_LOCK_TIMEOUT = "SET lock_timeout = 0"
_TRIES = 15
_OLDEST_LOCK_ON_TABLES = load("migrations/oldest_lock_on_tables")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class MigrationBlockedError(RuntimeError):
    """Another transaction kept a table locked for all tries. The change is not applied."""


async def try_for_locks(connection: Connection, change: Callable[[], Awaitable[object]], report: Progress) -> None:
    """Runs ``change`` until it gets its locks, fifteen times at most. Raises MigrationBlockedError, which names who holds them."""
    for tries_left in reversed(range(_TRIES)):
        try:
            await change()
            return
        except asyncpg.LockNotAvailableError as error:
            blocker = await session_of(connection, _OLDEST_LOCK_ON_TABLES)
            holder = "another transaction" if blocker is None else blocker.described()
            if not tries_left:
                raise MigrationBlockedError(
                    f"a table stays locked by {holder}. What was not finished is not applied: let that transaction end, or end it, and run "
                    "`tillsync migrate` again"
                ) from error
            report(f"waits for a lock held by {holder}")
            await asyncio.sleep(1.0)  # sessions that wait behind our lock go first


async def session_of(connection: Connection, statement: LiteralString, *arguments: Any) -> ForeignTransaction | None:
    """The session that ``statement`` finds, if there is one."""
    row = await connection.fetchrow(statement, *arguments)
    return None if row is None else ForeignTransaction(**row)
