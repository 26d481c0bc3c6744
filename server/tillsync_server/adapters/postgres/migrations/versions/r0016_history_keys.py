"""Prepares the weeks of a filled history of two levels for one level with a primary key, which 0017 makes in milliseconds.

Each week gets the key's index, built concurrently, and a validated CHECK of its bounds, so that 0017 attaches it without reading it. A
history of one level has no parents below ``entry_history``, and nothing to prepare.
"""

from __future__ import annotations

from functools import partial

import asyncpg

from tillsync_server.adapters.postgres.migrations.dropped_partitions import partitions_of, unless_dropped
from tillsync_server.adapters.postgres.migrations.index_builds import IndexBuild, build_index
from tillsync_server.adapters.postgres.migrations.lock_tries import LOCK_TIMEOUT, NO_LOCK_TIMEOUT, try_for_locks
from tillsync_server.adapters.postgres.migrations.steps import Step
from tillsync_server.adapters.postgres.statements import load

_BOUNDS = load("migrations/partition_bounds")
_INDEX_IS_VALID = load("migrations/index_is_valid")
_CONSTRAINT_IS_VALID = load("migrations/constraint_is_valid")
_PARENTS = ("entry_history_short", "entry_history_long")
_KEY = "(account_id, entry_id, retention, finish_time)"


async def upgrade(step: Step) -> None:
    for parent in _PARENTS:
        for week in await partitions_of(step.connection, parent):
            async with unless_dropped(step.connection, week, parent, step.report):
                await _add_key(step, week)
                await _add_bounds(step, week)


async def _add_key(step: Step, week: str) -> None:
    connection = step.connection
    if await connection.fetchval(_INDEX_IS_VALID, f"{week}_pkey"):
        return
    await build_index(connection, IndexBuild(f"{week}_key", week, _KEY, unique=True), step.report)
    change = f"ALTER TABLE {week} ADD CONSTRAINT {week}_pkey PRIMARY KEY USING INDEX {week}_key"
    await try_for_locks(connection, partial(connection.execute, change), step.report)


async def _add_bounds(step: Step, week: str) -> None:
    connection, name = step.connection, f"{week}_bounds"
    is_valid: bool | None = await connection.fetchval(_CONSTRAINT_IS_VALID, week, name)
    if is_valid is None:

        async def add() -> None:
            bounds: str | None = await connection.fetchval(_BOUNDS, week)
            if bounds is None:
                raise asyncpg.UndefinedTableError(f"{week} is no partition any more")
            await connection.execute(f"ALTER TABLE {week} ADD CONSTRAINT {name} CHECK ({bounds}) NOT VALID")

        await try_for_locks(connection, add, step.report)
    if not is_valid:
        await connection.execute(NO_LOCK_TIMEOUT)
        try:
            await connection.execute(f"ALTER TABLE {week} VALIDATE CONSTRAINT {name}")
        finally:
            if not connection.is_closed():
                await connection.execute(LOCK_TIMEOUT)
