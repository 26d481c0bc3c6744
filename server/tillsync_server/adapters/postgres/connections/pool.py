"""The connection pool: one schema through search_path, plans that follow the tables, new connections after a failover."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import structlog
from asyncpg.connection import LoggedQuery

from tillsync_server.adapters.postgres.connections.cell import has_citus
from tillsync_server.adapters.postgres.connections.citus_connection import CitusConnection
from tillsync_server.adapters.postgres.connections.hosts import Hosts
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
    asyncpg.InternalClientError,  # the driver cannot follow the answers, such as those of a transaction pooler
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,  # class 53: connections, memory, disk
    asyncpg.LockNotAvailableError,  # lock_timeout
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,  # statement_timeout, set by the operator
    asyncpg.IdleInTransactionSessionTimeoutError,  # this process was stopped in a transaction
    *_FAILOVER_ERRORS,
)
"""Errors of a database that cannot serve now. Requests get UNAVAILABLE, workers wait, and accepted work is kept."""

_IDLE_IN_TRANSACTION_MS = 10_000
"""A process that freezes inside a transaction (paused machine, broken network path) keeps its lane locked whatever the lease says. No
process could take the lane over or enqueue on it. Our transactions wait only for the database."""
_ANSWER_SECONDS = 7.0
"""A statement without an answer in this time is given up: the network path may be broken, or the server frozen. Our statements take at most
a second or two. Callers wait ten seconds by default, and must get UNAVAILABLE before that."""
_RECENT_ANSWER_SECONDS = 3.0
"""A database that has answered any statement within this time counts as reachable."""
_SILENT_PAUSE_SECONDS = 1.0
"""How long no statement is sent after the database did not answer. A caller whose statement was given up does not wait as long again."""
_RELEASE_SECONDS = 1.0
"""How long the database may take to confirm that the statement of a cancelled caller has ended. After that its connection is ended."""

_CHECKED_SETTINGS = ("search_path", "lock_timeout", "idle_in_transaction_session_timeout", "timezone")
"""Settings that the service's guarantees need. The others (plans, application name) may be dropped without harm."""
_CLOSED = "the database is closed: this process is stopping"


class _CitusFoundError(Exception):
    """The server has Citus, and the pool was opened with connections for plain PostgreSQL."""


async def _skip_reset(_connection: object) -> None:
    """Replaces asyncpg's reset (UNLISTEN, RESET ALL, advisory locks), which costs a round trip at each release. Our statements leave
    the session of a pooled connection unchanged. ``history_partitions`` takes an advisory lock and releases it by itself. An open
    transaction is rolled back before this call."""


class Database:
    """One schema of one PostgreSQL. It needs session pooling or direct connections (prepared statements, LISTEN).

    ``dsn`` may name several hosts, of which the pool uses the primary (``hosts``). PostgreSQL chooses between one plan for all parameters
    and a new plan for each call: planning the engine's statements costs two to three times as much as running them for one entry. A plan
    that was made while a table was small lasts until the table is analyzed, and five minutes at most, when asyncpg prepares the statement
    again.
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
        self._hosts = Hosts(dsn)
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
        self._connection_class: type[asyncpg.Connection[asyncpg.Record]] = asyncpg.Connection
        self._knows_server = False
        """The first connection of the pool looks whether the server has Citus."""
        self._pool: _Pool | None = None
        self._opening = asyncio.Lock()
        self._tasks = BackgroundTasks()
        self._silent_until = self._answered_at = 0.0
        self._closed = False

    async def open(self) -> None:
        """Opens the pool. Raises connection errors, and InterfaceError after :meth:`close`."""
        async with self._opening:
            self._require_open()
            if self._pool is None:
                try:
                    self._pool = await self._make_pool()
                except _CitusFoundError:
                    self._use_citus()
                    self._pool = await self._make_pool()
                if self._closed:  # closed while the pool was made
                    await self._close_pool()
                    self._require_open()

    async def _make_pool(self) -> _Pool:
        return await asyncpg.create_pool(
            self.dsn,
            min_size=min(self._min_size, self._max_size),
            max_size=self._max_size,
            server_settings=self._server_settings,
            command_timeout=_ANSWER_SECONDS,
            timeout=self._acquire_timeout,
            max_inactive_connection_lifetime=300,
            reset=_skip_reset,
            init=self._prepare,
            connect=self._connect,
            connection_class=self._connection_class,
        )

    def _use_citus(self) -> None:
        """Citus plans no statement of ours without the values of its parameters."""
        self._connection_class = CitusConnection
        self._server_settings["plan_cache_mode"] = "force_custom_plan"
        self._knows_server = True

    async def require_own_sessions(self) -> None:
        """Checks the connections before anything is stored. Raises UnusableDatabaseError with the remedy, or connection errors."""
        await require_own_sessions(self._hosts, self._server_settings, self._required_settings, seconds=self._acquire_timeout)

    async def close(self) -> None:
        """Closes the pool for good: later callers of :meth:`acquire` get InterfaceError. It ends in bounded time even without an answer."""
        self._closed = True
        await self._tasks.stop()
        await self._close_pool()

    async def _close_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await _close(pool)

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        """Opens a connection outside the pool (LISTEN), which ends when the database no longer answers."""
        self._require_open()
        connection: WatchedConnection = await self._hosts.connect(
            server_settings=self._server_settings, timeout=self._acquire_timeout, connection_class=WatchedConnection
        )
        connection.watch()
        try:
            await require_settings(connection, self._required_settings)
        except BaseException:
            connection.terminate()
            raise
        return connection

    @property
    def _required_settings(self) -> dict[str, str]:
        return {name: self._server_settings[name] for name in _CHECKED_SETTINGS}

    async def _connect(self, *_dsn: Any, **options: Any) -> Any:
        """Opens a connection for the pool, with the options of ``asyncpg.connect``."""
        return await self._hosts.connect(**options)

    async def _prepare(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Prepares each new connection."""
        if not self._knows_server:
            if await has_citus(connection):
                raise _CitusFoundError
            self._knows_server = True
        self._end_when_unanswered(connection)
        await require_settings(connection, self._required_settings)

    def _end_when_unanswered(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Ends the connection after a statement without an answer. Otherwise the end of its transaction would wait as long again."""

        def ended(statement: LoggedQuery) -> None:
            if isinstance(statement.exception, TimeoutError):
                connection.terminate()
                self._record_no_answer(statement.elapsed)
            elif statement.exception is None or isinstance(statement.exception, asyncpg.PostgresError):
                self._answered_at = time.monotonic()

        connection.add_query_logger(ended)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy[asyncpg.Record]]:
        """Borrows a pooled connection. After a failover error every idle connection of the pool is renewed."""
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
            await self._renew_idle_connections()
            raise

    def _require_open(self) -> None:
        if self._closed:
            raise asyncpg.InterfaceError(_CLOSED)

    def _record_no_answer(self, seconds: float) -> None:
        """Handles a statement without an answer after ``seconds``. If other statements get answers, it was a long statement or no
        connection was free. Otherwise the database does not answer at all: idle connections are renewed, and nothing is sent for 1 s."""
        now = time.monotonic()
        if now - self._answered_at < _RECENT_ANSWER_SECONDS:
            _LOG.warning("statement_given_up", seconds=seconds)
            return
        _LOG.warning("database_silent", seconds=seconds)
        self._silent_until = now + _SILENT_PAUSE_SECONDS
        self._tasks.start(self._renew_idle_connections(), name="expire-connections")

    @asynccontextmanager
    async def _borrowed(self, pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy[asyncpg.Record]]:
        if time.monotonic() < self._silent_until:
            raise TimeoutError("the database did not answer a moment ago")
        try:
            connection = await pool.acquire(timeout=self._acquire_timeout)
        except TimeoutError:
            self._record_no_answer(self._acquire_timeout)
            raise
        try:
            yield connection
        except TimeoutError:
            connection.terminate()
            await asyncio.sleep(0)  # runs the scheduled `ended` callback before the next statement
            raise
        finally:
            # The caller keeps its result or error. A connection that cannot be returned in order has ended, or the pool ends it.
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                await pool.release(connection, timeout=_RELEASE_SECONDS)

    async def _renew_idle_connections(self) -> None:
        """Renews every connection that is idle now."""
        if self._pool is not None:
            await self._pool.expire_connections()


async def _close(pool: _Pool) -> None:
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except (TimeoutError, *DATABASE_GONE):
        pool.terminate()
