"""The connection pool: one schema through search_path, plans that follow the tables, renewed after a failover."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
import structlog
from asyncpg.connection import LoggedQuery

from tillsync_server.adapters.postgres.connections.own_sessions import require_own_sessions
from tillsync_server.adapters.postgres.connections.session_settings import require_settings
from tillsync_server.adapters.postgres.connections.watched_connection import WatchedConnection
from tillsync_server.application.concurrency.background import BackgroundTasks

_LOG = structlog.get_logger(__name__)

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]"
_Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_FAILOVER_ERRORS = (
    asyncpg.ReadOnlySQLTransactionError,  # 25006: the primary became a standby
    asyncpg.AdminShutdownError,  # 57P01
    asyncpg.CrashShutdownError,  # 57P02
    asyncpg.CannotConnectNowError,  # 57P03
)
DATABASE_GONE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # answers that the driver cannot follow, such as those of a transaction pooler
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,  # class 53: connections, memory, disk
    asyncpg.LockNotAvailableError,  # lock_timeout
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,  # a statement_timeout of the operator's
    asyncpg.IdleInTransactionSessionTimeoutError,  # this process was stopped in a transaction
    *_FAILOVER_ERRORS,
)
"""The database cannot be asked this now: requests get UNAVAILABLE, workers wait; nothing accepted is lost."""

_IDLE_IN_TRANSACTION_MS = 10_000
"""A process that stands still inside a transaction (a paused machine, a line cut without a word) keeps its lane locked, whatever the lease
says: nobody can take it over, nobody can enqueue. Our transactions never wait for anything but the database."""
_ANSWER_SECONDS = 7.0
"""A statement that is not answered by then is given up: the line may be cut without a word, or the server stand still. Ours take a second
or two at most; callers wait ten seconds by default, and are to be told UNAVAILABLE before."""
_HEARD_SECONDS = 3.0
"""A database that has answered anybody within so long is there."""
_SILENCE_SECONDS = 1.0
"""So long after it did not answer nobody asks it again: who waited for one that was given up does not wait as long once more."""
_RELEASE_SECONDS = 1.0
"""For the database to confirm that the statement of a caller who left has ended; then its connection is ended instead."""

_READ_BACK = ("search_path", "lock_timeout", "idle_in_transaction_session_timeout", "timezone")
"""Without these the service would not be what it says; a plan or a name in a list harms nobody."""
_CLOSED = "the database is closed: this process is stopping"


async def _leaves_nothing_behind(_connection: object) -> None:
    """Instead of asyncpg's own reset (UNLISTEN, RESET ALL, advisory locks: a round trip at each release): no statement of ours changes
    a pooled connection's session. An open transaction is rolled back before this is called."""


class Database:
    """One schema of one PostgreSQL. Session pooling or direct connections only (prepared statements, LISTEN).

    ``dsn`` may name several hosts with ``target_session_attrs=read-write``. PostgreSQL chooses between one plan for all parameters and a
    new one for each call: to plan the engine's statements costs two to three times what it costs to run them for one entry. A plan that was
    made while a table was small lasts until the table is analyzed, and five minutes at most: asyncpg prepares a statement anew then.
    """

    def __init__(
        self,
        dsn: str,
        *,
        schema: str = "tillsync",
        min_size: int = 1,
        max_size: int = 10,
        lock_timeout_ms: int = 1000,
        acquire_timeout_seconds: float = 5.0,
        application_name: str = "tillsync",
    ) -> None:
        self.dsn = dsn
        self.schema = schema
        self._min_size, self._max_size = min_size, max_size
        self._acquire_timeout = acquire_timeout_seconds
        self._server_settings = {
            "search_path": schema,
            "plan_cache_mode": "auto",
            "lock_timeout": str(lock_timeout_ms),
            "idle_in_transaction_session_timeout": str(_IDLE_IN_TRANSACTION_MS),
            "application_name": application_name,
            "timezone": "UTC",
        }
        self._pool: _Pool | None = None
        self._opening = asyncio.Lock()
        self._tasks = BackgroundTasks()
        self._silent_until = self._answered_at = 0.0
        self._closed = False

    async def open(self) -> None:
        """Make the pool; raises what connecting raises, and InterfaceError after :meth:`close`."""
        async with self._opening:
            self._require_open()
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self.dsn,
                    min_size=min(self._min_size, self._max_size),
                    max_size=self._max_size,
                    server_settings=self._server_settings,
                    command_timeout=_ANSWER_SECONDS,
                    timeout=self._acquire_timeout,
                    max_inactive_connection_lifetime=300,
                    reset=_leaves_nothing_behind,
                    init=self._prepare,
                )
                if self._closed:  # while the pool was made
                    await self._close_pool()
                    self._require_open()

    async def require_own_sessions(self) -> None:
        """Before anything is stored. Raises UnusableDatabaseError with the remedy, or what connecting raises."""
        await require_own_sessions(self.dsn, self._server_settings, self._wanted, seconds=self._acquire_timeout)

    async def close(self) -> None:
        """Final: whoever asks for a connection afterwards gets an InterfaceError. Bounded in time, even if the database never answers."""
        self._closed = True
        await self._tasks.stop()
        await self._close_pool()

    async def _close_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await _close(pool)

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        """A connection outside the pool (LISTEN), which ends when the database does not answer any more."""
        self._require_open()
        connection: WatchedConnection = await asyncpg.connect(
            self.dsn, server_settings=self._server_settings, timeout=self._acquire_timeout, connection_class=WatchedConnection
        )
        connection.watch()
        try:
            await require_settings(connection, self._wanted)
        except BaseException:
            connection.terminate()
            raise
        return connection

    @property
    def _wanted(self) -> dict[str, str]:
        return {name: self._server_settings[name] for name in _READ_BACK}

    async def _prepare(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Of each connection as it is made."""
        self._end_when_silent(connection)
        await require_settings(connection, self._wanted)

    def _end_when_silent(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Without it the end of a transaction would wait as long again for what was given up."""

        def ended(statement: LoggedQuery) -> None:
            if isinstance(statement.exception, TimeoutError):
                connection.terminate()
                self._not_answered(statement.elapsed)
            elif statement.exception is None or isinstance(statement.exception, asyncpg.PostgresError):
                self._answered_at = time.monotonic()

        connection.add_query_logger(ended)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy[asyncpg.Record]]:
        """A pooled connection. After a failover error every idle connection of the pool is renewed."""
        if self._pool is None:
            await self.open()
        pool = self._pool
        if pool is None:
            raise asyncpg.InterfaceError(_CLOSED)
        try:
            async with self._borrowed(pool) as connection:
                yield connection
        except _FAILOVER_ERRORS as error:
            _LOG.warning("database_failover", sqlstate=error.sqlstate)
            await self._expire()
            raise

    def _require_open(self) -> None:
        if self._closed:
            raise asyncpg.InterfaceError(_CLOSED)

    def _not_answered(self, seconds: float) -> None:
        """After ``seconds``. Where others get their answers it was a long statement, or no connection was free; else nobody is there: every
        other connection leads to the same silence, and asking on is in vain for a moment."""
        now = time.monotonic()
        if now - self._answered_at < _HEARD_SECONDS:
            _LOG.warning("statement_given_up", seconds=seconds)
            return
        _LOG.warning("database_silent", seconds=seconds)
        self._silent_until = now + _SILENCE_SECONDS
        self._tasks.start(self._expire(), name="expire-connections")

    @asynccontextmanager
    async def _borrowed(self, pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy[asyncpg.Record]]:
        if time.monotonic() < self._silent_until:
            raise TimeoutError("the database did not answer a moment ago")
        try:
            connection = await pool.acquire(timeout=self._acquire_timeout)
        except TimeoutError:
            self._not_answered(self._acquire_timeout)
            raise
        try:
            yield connection
        except TimeoutError:
            connection.terminate()
            await asyncio.sleep(0)  # `ended` has been called for, and is to be over before anybody asks again
            raise
        finally:
            # what the caller got, or was told, stands; a connection that cannot be given back in order is ended by the pool, or was before
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                await pool.release(connection, timeout=_RELEASE_SECONDS)

    async def _expire(self) -> None:
        """Every connection that is idle now is made anew."""
        if self._pool is not None:
            await self._pool.expire_connections()


async def _close(pool: _Pool) -> None:
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except (TimeoutError, *DATABASE_GONE):
        pool.terminate()
