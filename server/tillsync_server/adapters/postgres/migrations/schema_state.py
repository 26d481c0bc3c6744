"""The state of a schema: the newest applied revision, the release that applied it, the oldest release that may use it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import TypeAlias

import asyncpg

from tillsync_server.adapters.postgres.migrations.revisions import Revision, revision_numbers
from tillsync_server.adapters.postgres.statements import load

_TABLE_EXISTS = load("migrations/table_exists")
_APPLIED_REVISION = load("migrations/applied_revision")
_FORGET_REVISION = load("migrations/forget_revision")
_RECORD_REVISION = load("migrations/record_revision")
_SCHEMA_RELEASE = load("migrations/schema_release")
_RECORD_RELEASE = load("migrations/record_release")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class SchemaError(RuntimeError):
    """This release cannot work with the schema. The text names both and the remedy."""


@dataclass(frozen=True, slots=True)
class SchemaState:
    """``revision`` None: nothing was applied yet. The releases are None before revision 0015."""

    revision: str | None
    least_release: str | None = None
    migrated_by: str | None = None

    def is_newer_than(self, newest: str) -> bool:
        return self.revision is not None and self.revision > newest


async def schema_state(connection: Connection) -> SchemaState:
    """Reads the state of the connection's schema."""
    if not await connection.fetchval(_TABLE_EXISTS, "alembic_version"):
        return SchemaState(None)
    revision: str | None = await connection.fetchval(_APPLIED_REVISION)
    if not await connection.fetchval(_TABLE_EXISTS, "schema_release"):
        return SchemaState(revision)
    row = await connection.fetchrow(_SCHEMA_RELEASE)
    return SchemaState(revision) if row is None else SchemaState(revision, row["least_release"], row["migrated_by"])


async def require_current(connection: Connection) -> None:
    """Raises SchemaError unless this release can work with the schema.

    A newer schema is fine as long as it allows this release: revisions expand before they contract.
    """
    state, newest, ours = await schema_state(connection), revision_numbers()[-1], this_release()
    if state.is_newer_than(newest):
        require_allowed(state)
    elif state.revision != newest:
        raise SchemaError(
            f"the database schema stands at revision {state.revision or 'none'}, and release {ours} needs {newest}: "
            "run `tillsync migrate` of this release first"
        )


def require_allowed(state: SchemaState) -> None:
    """Raises SchemaError where the schema asks for a newer release than this one."""
    ours = this_release()
    # invariant: old-releases-refuse-new-schemas
    if state.least_release is not None and release_order(ours) < release_order(state.least_release):
        raise SchemaError(
            f"the database schema stands at revision {state.revision} of release {state.migrated_by} and needs release "
            f"{state.least_release} or newer, this is {ours}: install a newer release, or restore a backup from before the migration"
        )


async def stamp(connection: Connection, revision: Revision) -> None:
    """Records that ``revision`` is applied, in the connection's transaction."""
    await connection.execute(_FORGET_REVISION)
    await connection.execute(_RECORD_REVISION, revision.number)
    if not await connection.fetchval(_TABLE_EXISTS, "schema_release"):
        return
    stored: str | None = await connection.fetchval(_SCHEMA_RELEASE)
    least = max(filter(None, (stored, revision.least_release)), key=release_order, default="0")
    await connection.execute(_RECORD_RELEASE, least, this_release())


def this_release() -> str:
    """The version of the installed package, for example ``0.1.0``."""
    return version("tillsync-server")


def release_order(release: str) -> tuple[int, ...]:
    """Orders releases of three numbers (CONTRIBUTING.md, versions)."""
    return tuple(int(number) for number in re.findall(r"\d+", release)[:3])
