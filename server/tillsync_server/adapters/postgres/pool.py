"""The connection pool: one schema through search_path, custom plans, renewed after a failover."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
import structlog

_LOG = structlog.get_logger(__name__)

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]"

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


async def _leaves_nothing_behind(_connection: object) -> None:
    """Instead of asyncpg's own reset (UNLISTEN, RESET ALL, advisory locks: a round trip at each release): no statement of ours changes
    a pooled connection's session. An open transaction is rolled back before this is called."""


class Database:
    """One schema of one PostgreSQL. Session pooling or direct connections only (prepared statements, LISTEN).

    ``dsn`` may name several hosts with ``target_session_attrs=read-write``. Custom plans are forced: array parameters would otherwise be
    planned as sequential scans at ten thousand lanes.
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
            "plan_cache_mode": "force_custom_plan",
            "lock_timeout": str(lock_timeout_ms),
            "idle_in_transaction_session_timeout": str(_IDLE_IN_TRANSACTION_MS),
            "application_name": application_name,
            "timezone": "UTC",
        }
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Make the pool; raises what connecting raises."""
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self.dsn,
                    min_size=self._min_size,
                    max_size=self._max_size,
                    server_settings=self._server_settings,
                    command_timeout=30,
                    timeout=self._acquire_timeout,
                    max_inactive_connection_lifetime=300,
                    reset=_leaves_nothing_behind,
                )

    async def close(self) -> None:
        """Bounded in time, even if the database never answers."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await asyncio.wait_for(pool.close(), timeout=5)
            except (TimeoutError, *DATABASE_GONE):
                pool.terminate()

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        """A connection outside the pool (LISTEN)."""
        return await asyncpg.connect(self.dsn, server_settings=self._server_settings, timeout=self._acquire_timeout)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy[asyncpg.Record]]:
        """A pooled connection. After a failover error every idle connection of the pool is renewed."""
        if self._pool is None:
            await self.open()
        pool = self._pool
        if pool is None:
            raise asyncpg.InterfaceError("the pool is closed")
        try:
            async with pool.acquire(timeout=self._acquire_timeout) as connection:
                yield connection
        except _FAILOVER_ERRORS as error:
            _LOG.warning("database_failover", sqlstate=error.sqlstate)
            await pool.expire_connections()
            raise
