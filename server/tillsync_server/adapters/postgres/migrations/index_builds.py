"""Builds indexes on filled tables with CREATE INDEX CONCURRENTLY, while the service reads and writes.

A build that ends early (a crash, a cancel, a deadlock) leaves an INVALID index behind. The next run drops it and builds it again, and it
keeps an index that is valid already. On a partitioned table the index is built partition by partition and then attached, because
PostgreSQL does not build concurrently on the parent (CREATE INDEX, "Building Indexes Concurrently").
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import asyncpg

from tillsync_server.adapters.postgres.migrations.dropped_partitions import partitions_of, unless_dropped
from tillsync_server.adapters.postgres.migrations.lock_tries import LOCK_TIMEOUT, NO_LOCK_TIMEOUT, try_for_locks
from tillsync_server.adapters.postgres.migrations.steps import Progress
from tillsync_server.adapters.postgres.statements import load

_DEADLOCK_TRIES = 5
_STATEMENT = re.compile(
    r"CREATE (?P<unique>UNIQUE )?INDEX CONCURRENTLY (?P<name>[a-z0-9_]+) ON (?P<table>[a-z0-9_]+) (?P<definition>.+)", re.DOTALL
)
_LONGEST_NAME = 63
"""Bytes of an identifier (PostgreSQL, NAMEDATALEN - 1)."""

_INDEX_IS_VALID = load("migrations/index_is_valid")
_IS_PARTITIONED = load("migrations/is_partitioned")
_IS_ATTACHED = load("migrations/is_attached")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True, slots=True)
class IndexBuild:
    """``definition``: what follows the table's name, for example ``(account_id) WHERE state = 1``."""

    name: str
    table: str
    definition: str
    unique: bool = False

    def statement(self) -> str:
        return f"CREATE {'UNIQUE ' if self.unique else ''}INDEX CONCURRENTLY {self.name} ON {self.table} {self.definition}"

    def statement_on_parent(self) -> str:
        """Makes the index of a partitioned table invalid, until each partition's index is attached."""
        return f"CREATE {'UNIQUE ' if self.unique else ''}INDEX IF NOT EXISTS {self.name} ON ONLY {self.table} {self.definition}"


def index_builds(sql: str, file_name: str) -> tuple[IndexBuild, ...]:
    """The builds of an SQL file. Raises ValueError for any other statement: a transaction of its own would not be resumable."""
    text = "\n".join(line for line in sql.splitlines() if not line.lstrip().startswith("--"))
    builds = []
    for statement in filter(None, (part.strip() for part in text.split(";"))):
        match = _STATEMENT.fullmatch(statement)
        if match is None:
            raise ValueError(f"{file_name} may hold `CREATE INDEX CONCURRENTLY name ON table …` alone, not: {statement[:80]}")
        builds.append(IndexBuild(match["name"], match["table"], match["definition"], unique=bool(match["unique"])))
    if not builds:
        raise ValueError(f"{file_name} holds no CREATE INDEX CONCURRENTLY")
    return tuple(builds)


async def build_index(connection: Connection, build: IndexBuild, report: Progress) -> None:
    """Leaves a valid index. ``connection`` has no transaction open.

    Raises what PostgreSQL says where the index cannot be built, for example UniqueViolationError, and MigrationBlockedError.
    """
    if not await connection.fetchval(_IS_PARTITIONED, build.table):
        await _build_on_table(connection, build, report)
        return
    if await connection.fetchval(_INDEX_IS_VALID, build.name):
        return
    await try_for_locks(connection, partial(connection.execute, build.statement_on_parent()), report)
    for partition in await partitions_of(connection, build.table):
        own = replace(build, table=partition, name=f"{partition}_{build.name}"[:_LONGEST_NAME])
        async with unless_dropped(connection, partition, build.table, report):
            await _build_on_partition(connection, build, own, report)


async def _build_on_partition(connection: Connection, build: IndexBuild, own: IndexBuild, report: Progress) -> None:
    if not await connection.fetchval(_IS_ATTACHED, own.name, build.name):
        await build_index(connection, own, report)
        await try_for_locks(connection, partial(connection.execute, f"ALTER INDEX {build.name} ATTACH PARTITION {own.name}"), report)


async def _build_on_table(connection: Connection, build: IndexBuild, report: Progress) -> None:
    for tries_left in reversed(range(_DEADLOCK_TRIES)):
        is_valid: bool | None = await connection.fetchval(_INDEX_IS_VALID, build.name)
        if is_valid:
            return
        # invariant: invalid-indexes-are-built-again
        if is_valid is not None:
            report(f"drops the invalid index {build.name} of a build that ended early")
            await _run_concurrently(connection, f"DROP INDEX CONCURRENTLY {build.name}")
        report(f"builds the index {build.name} on {build.table}")
        try:
            await _run_concurrently(connection, build.statement())
            return
        except asyncpg.DeadlockDetectedError:
            if not tries_left:
                raise
            await asyncio.sleep(1.0)


async def _run_concurrently(connection: Connection, statement: str) -> None:
    """Runs the statement without lock_timeout. It waits for older transactions, a backup's too, and delays no other session meanwhile."""
    await connection.execute(NO_LOCK_TIMEOUT)
    try:
        await connection.execute(statement)
    finally:
        if not connection.is_closed():
            await connection.execute(LOCK_TIMEOUT)
