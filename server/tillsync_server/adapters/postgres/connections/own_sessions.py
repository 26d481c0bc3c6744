"""Checks at start that each connection has its own session of PostgreSQL, and that the database takes writes.

A pooler may give each transaction any free session. Then prepared statements vanish, LISTEN receives nothing, and advisory locks stay in
sessions of other clients. A single client sees none of this, so the check alternates between two connections.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeAlias

import asyncpg

from tillsync_server.adapters.postgres.connections.hosts import Hosts
from tillsync_server.adapters.postgres.connections.session_settings import UnusableDatabaseError, require_settings

_Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_MARK = "SELECT set_config('tillsync.session', $1, false)"
_SESSION_IDENTITY = "SELECT pg_backend_pid() AS pid, current_setting('tillsync.session', true) AS marker"
_READ_ONLY = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"
_ROUNDS = 2
"""One round is enough for PgBouncer, with server_round_robin or without. A pooler that chooses at random may need more."""
_SHARED_SESSION_ERRORS = (
    asyncpg.InvalidSQLStatementNameError,  # 26000: prepared in another session
    asyncpg.DuplicatePreparedStatementError,  # 42P05: prepared by another client
    asyncpg.InternalClientError,
)


class SharedSessionError(UnusableDatabaseError):
    """The transactions of a connection run in sessions that other connections use too."""

    def __init__(self) -> None:
        super().__init__(
            "it is reached through a pooler that gives each transaction another session (PgBouncer with pool_mode=transaction?): "
            "tillsync needs session pooling or a direct connection"
        )


class SingleSessionError(UnusableDatabaseError):
    """A second connection waits until the first one ends."""

    def __init__(self) -> None:
        super().__init__("it gives one session at a time: tillsync needs TILLSYNC_DB_POOL_SIZE sessions and one more in each process")


class ReadOnlyDatabaseError(UnusableDatabaseError):
    def __init__(self) -> None:
        super().__init__(
            "it takes no writes: DATABASE_URL leads to a standby, or default_transaction_read_only is on there. "
            "Name the primary, or all hosts with target_session_attrs=read-write"
        )


class _SessionIdentity(NamedTuple):
    pid: int
    marker: str


async def require_own_sessions(hosts: Hosts, opened_with: Mapping[str, str], wanted: Mapping[str, str], *, seconds: float) -> None:
    """Checks the sessions of two connections. Raises UnusableDatabaseError with the remedy, or connection errors. Creates nothing.

    ``opened_with``: the settings of a session. ``wanted``: those that must be present. ``seconds``: timeout of each connection and
    statement. It takes about thirty round trips on two connections.
    """
    async with _connected(hosts, opened_with, seconds) as first, _connected(hosts, opened_with, seconds) as second:
        try:
            await _require_usable(first, second, wanted)
        except _SHARED_SESSION_ERRORS as error:
            raise SharedSessionError from error


@asynccontextmanager
async def _connected(hosts: Hosts, opened_with: Mapping[str, str], seconds: float) -> AsyncIterator[_Connection]:
    """Opens a connection without named prepared statements, which would fail behind a pooler before the check can report."""
    connection: _Connection = await hosts.connect(
        server_settings=dict(opened_with), timeout=seconds, command_timeout=seconds, statement_cache_size=0
    )
    try:
        yield connection
    finally:
        connection.terminate()


async def _require_usable(first: _Connection, second: _Connection, wanted: Mapping[str, str]) -> None:
    await _begin(first)
    async with first.transaction():
        await require_settings(first, wanted)
        if await first.fetchval(_READ_ONLY):
            raise ReadOnlyDatabaseError
        marker = secrets.token_hex(8)
        await first.fetchval(_MARK, marker)
        own = await _session_identity(first)
    for _ in range(_ROUNDS):
        await _require_same(first, own)
        try:
            # with a single session for all, this is the session that the first connection has just released
            await _require_apart(second, first, own)
        except TimeoutError as error:
            raise SingleSessionError from error
    await first.fetchval(_MARK, "")  # a pooler may keep the session and give it to another client unchanged


async def _begin(connection: _Connection) -> None:
    """Begins a transaction. PgBouncer with pool_mode=statement ends a connection at its first BEGIN."""
    transaction = connection.transaction()
    try:
        await transaction.start()
    except asyncpg.PostgresConnectionError as error:
        raise SharedSessionError from error
    await transaction.rollback()


async def _require_apart(second: _Connection, first: _Connection, own: _SessionIdentity) -> None:
    """Checks that ``first`` keeps its session while ``second`` holds its own in a transaction."""
    async with second.transaction():
        other = await _session_identity(second)
        if other.pid == own.pid or other.marker == own.marker:
            raise SharedSessionError
        await _require_same(first, own)


async def _require_same(connection: _Connection, own: _SessionIdentity) -> None:
    async with connection.transaction():
        if await _session_identity(connection) != own:
            raise SharedSessionError


async def _session_identity(connection: _Connection) -> _SessionIdentity:
    row = await connection.fetchrow(_SESSION_IDENTITY)
    assert row is not None
    return _SessionIdentity(row["pid"], row["marker"] or "")
