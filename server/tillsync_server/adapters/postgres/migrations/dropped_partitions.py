"""Lets a migration go on beside the service, which drops the weeks of the history that are out of date."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

from tillsync_server.adapters.postgres.migrations.steps import Progress
from tillsync_server.adapters.postgres.statements import load

_PARTITIONS = load("migrations/partitions")
_ERRORS_OF_A_DROP = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedObjectError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # an index of a detached partition is attached
    asyncpg.InternalServerError,  # a function waited for the lock of the drop: "could not open relation with OID"
)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def partitions_of(connection: Connection, parent: str) -> list[str]:
    return [row["relname"] for row in await connection.fetch(_PARTITIONS, parent)]


@asynccontextmanager
async def unless_dropped(connection: Connection, partition: str, parent: str, report: Progress) -> AsyncIterator[None]:
    """Ends the block without an error if another session has dropped or detached ``partition``. ``connection`` has no transaction open."""
    try:
        yield
    except _ERRORS_OF_A_DROP:
        if partition in await partitions_of(connection, parent):
            raise
        report(f"leaves {partition} out: another session has dropped it")
