"""Applies migrations: plain `.sql` files in the order of Alembic's revision graph, run by asyncpg's `execute`.

Alembic's asyncpg dialect supports neither files of several statements nor several hosts. So only its script directory (order, heads,
branches) and its `alembic_version` table are used. Migrations are numbered and expand before they contract: the previous release's code
must run on the new schema.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from tillsync_server.adapters.postgres.connections.session_settings import require_settings

if TYPE_CHECKING:
    from alembic.script import Script

_HERE = Path(__file__).parent
_LOCK_TIMEOUT_RETRIES = 15
_ADVISORY_LOCK = 0x7411_5C0D


class SchemaOutdatedError(RuntimeError):
    """The database schema is older than this release: run `tillsync migrate` first."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One migration. ``in_transaction`` is false for a single statement such as CREATE INDEX CONCURRENTLY."""

    name: str
    sql: str
    in_transaction: bool


def revisions() -> list[Revision]:
    """Returns all revisions, oldest first."""
    return [_revision_of(script) for script in reversed(list(_scripts()))]


def revision_names() -> list[str]:
    """Returns the revision numbers, oldest first, from the file names alone: `versions/r0001_….py`."""
    return sorted(path.stem[1:5] for path in (_HERE / "versions").glob("r*.py"))


def _scripts() -> Iterator[Script]:
    # Imported only if a revision is to be applied: Alembic would stay in every server's memory (20 MB).
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(_HERE), version_locations=[str(_HERE / "versions")]).walk_revisions()


def _revision_of(script: Script) -> Revision:
    sql = (_HERE / "versions" / script.module.sql_file).read_text(encoding="utf-8")
    return Revision(name=script.revision, sql=sql, in_transaction=script.module.in_transaction)


async def applied_revision(connection: asyncpg.Connection[asyncpg.Record]) -> str | None:
    """Returns the revision of the connection's schema, or None before the first."""
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    stored: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return stored


async def require_current(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Raises SchemaOutdatedError with the remedy if a revision of this release is not applied.

    A newer schema is accepted. Migrations expand before they contract, so this release runs on the next one's schema.
    """
    applied = await applied_revision(connection)
    known = revision_names()
    if applied is None or (applied in known and applied != known[-1]):
        raise SchemaOutdatedError(
            f"the database schema stands at revision {applied or 'none'}, this release needs {known[-1]}: run `tillsync migrate` first"
        )


async def migrate(dsn: str, *, schema: str = "tillsync") -> list[str]:
    """Migrates ``schema`` to the newest revision and returns the applied revisions. Several hosts may run it at once."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": schema})
    try:
        await require_settings(connection, {"search_path": schema})
        await connection.execute("SELECT pg_advisory_lock($1)", _ADVISORY_LOCK)
        await connection.execute("SET lock_timeout = '2s'")
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", schema):
            # %I quotes the name; CREATE SCHEMA takes no parameters
            await connection.execute(await connection.fetchval("SELECT format('CREATE SCHEMA %I', $1::text)", schema))
        await connection.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num varchar(32) PRIMARY KEY)")
        applied = await applied_revision(connection)
        names = revision_names()
        if applied is not None and (applied == names[-1] or applied not in names):
            return []  # up to date, or already migrated by a newer release
        pending = [revision for revision in revisions() if applied is None or names.index(revision.name) > names.index(applied)]
        for revision in pending:
            await _apply_with_retries(connection, revision)
        return [revision.name for revision in pending]
    finally:
        await connection.close()


async def _apply_with_retries(connection: asyncpg.Connection[asyncpg.Record], revision: Revision) -> None:
    for remaining in reversed(range(_LOCK_TIMEOUT_RETRIES)):
        try:
            if revision.in_transaction:
                async with connection.transaction():
                    await connection.execute(revision.sql)
                    await _stamp(connection, revision)
            else:
                await connection.execute(revision.sql)
                await _stamp(connection, revision)
            return
        except asyncpg.LockNotAvailableError:
            if not remaining:
                raise
            await asyncio.sleep(1.0)  # lets the sessions that wait behind our lock finish before the next try


async def _stamp(connection: asyncpg.Connection[asyncpg.Record], revision: Revision) -> None:
    await connection.execute("DELETE FROM alembic_version")
    await connection.execute("INSERT INTO alembic_version VALUES ($1)", revision.name)
