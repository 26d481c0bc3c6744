"""Applies the pending revisions of a schema, one process at a time, while the service runs.

The advisory lock is tried again and again instead of waited for: a session that waits in a statement holds a snapshot, and CREATE INDEX
CONCURRENTLY of the other session waits for that snapshot, so PostgreSQL ends one of them with "deadlock detected".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import asyncpg

from tillsync_server.adapters.postgres.connections.cell import distribute_new_schemas, finish_cell, has_citus, require_distributed
from tillsync_server.adapters.postgres.connections.hosts import CONNECT_SECONDS, Hosts
from tillsync_server.adapters.postgres.connections.session_settings import require_settings
from tillsync_server.adapters.postgres.migrations.index_builds import build_index
from tillsync_server.adapters.postgres.migrations.index_progress import index_progress
from tillsync_server.adapters.postgres.migrations.lock_tries import LOCK_TIMEOUT, session_of, try_for_locks
from tillsync_server.adapters.postgres.migrations.revisions import VERSIONS, Revision, revisions
from tillsync_server.adapters.postgres.migrations.schema_state import require_allowed, schema_state, stamp
from tillsync_server.adapters.postgres.migrations.scripts import statements_of
from tillsync_server.adapters.postgres.migrations.steps import Progress, Step
from tillsync_server.adapters.postgres.statements import load

_ADVISORY_LOCK = 0x7411_5C0D
_LOCK_POLL_SECONDS = 0.5
_TELL_SECONDS = 10.0

_TRY_LOCK = load("migrations/try_lock")
_LOCK_HOLDER = load("migrations/lock_holder")
_SCHEMA_EXISTS = load("migrations/schema_exists")
_CREATE_SCHEMA_COMMAND = load("migrations/create_schema_command")
_CREATE_REVISION_TABLE = load("migrations/create_revision_table")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def migrate(dsn: str, *, schema: str = "tillsync", directory: Path = VERSIONS, progress: Progress = lambda _line: None) -> list[str]:
    """Brings ``schema`` to the newest revision. Returns the numbers applied now. Several hosts may call it at once.

    ``progress`` receives lines for the operator. Raises SchemaError (the schema is of a newer release that does not allow this one),
    MigrationBlockedError, and what PostgreSQL says.
    """
    connection: Connection = await Hosts(dsn).connect(
        timeout=CONNECT_SECONDS, server_settings={"search_path": schema, "application_name": "tillsync migrate"}
    )
    try:
        await require_settings(connection, {"search_path": schema})
        await _wait_for_lock(connection, progress)
        return await _apply_pending(connection, schema, revisions(directory), progress, dsn)
    finally:
        await connection.close()


async def _wait_for_lock(connection: Connection, progress: Progress) -> None:
    """Takes the advisory lock, so that one process migrates at a time. The end of the connection releases it."""
    tell_at = 0.0
    while not await connection.fetchval(_TRY_LOCK, _ADVISORY_LOCK):
        if time.monotonic() >= tell_at:
            holder = await session_of(connection, _LOCK_HOLDER, _ADVISORY_LOCK)
            progress(f"waits for another migration{'' if holder is None else ': ' + holder.described()}")
            tell_at = time.monotonic() + _TELL_SECONDS
        await asyncio.sleep(_LOCK_POLL_SECONDS)


async def _apply_pending(connection: Connection, schema: str, known: Sequence[Revision], progress: Progress, dsn: str) -> list[str]:
    await connection.execute(LOCK_TIMEOUT)
    is_on_citus = await has_citus(connection)
    if not await connection.fetchval(_SCHEMA_EXISTS, schema):
        if is_on_citus:
            await distribute_new_schemas(connection)
        await connection.execute(await connection.fetchval(_CREATE_SCHEMA_COMMAND, schema))
    if is_on_citus:
        await require_distributed(connection, schema)
    await connection.execute(_CREATE_REVISION_TABLE)
    state = await schema_state(connection)
    if state.is_newer_than(known[-1].number):
        require_allowed(state)
    pending = [revision for revision in known if state.revision is None or revision.number > state.revision]
    for position, revision in enumerate(pending, start=1):
        progress(f"revision {revision.number}: begins ({position} of {len(pending)})")
        await _apply(connection, revision, progress, dsn)
    if is_on_citus:
        progress(f"the cell {schema} lies on {await finish_cell(connection)}")
    return [revision.number for revision in pending]


async def _apply(connection: Connection, revision: Revision, progress: Progress, dsn: str) -> None:
    step = Step(revision.number, connection, progress)
    if revision.indexes:
        async with index_progress(dsn, connection, step.report):
            for build in revision.indexes:
                await build_index(connection, build, step.report)
    if revision.upgrade is not None:
        await revision.upgrade(step)

    async def run_and_record() -> None:
        async with connection.transaction():
            for statement in statements_of(revision.sql):
                await connection.execute(statement)
            await stamp(connection, revision)

    await try_for_locks(connection, run_and_record, step.report)
