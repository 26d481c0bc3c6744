"""Checks of a cell: a schema that Citus keeps on one node of its cluster. On a server without Citus there is nothing to check."""

from __future__ import annotations

from typing import TypeAlias

import asyncpg

from tillsync_server.adapters.postgres.connections.session_settings import UnusableDatabaseError
from tillsync_server.adapters.postgres.statements import load

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_HAS_CITUS = load("connections/has_citus")
_DISTRIBUTE_NEW_SCHEMAS = load("connections/distribute_new_schemas")
_CELL = load("connections/cell")
_LOCK_TIMEOUT_OF_NODE = load("connections/lock_timeout_of_node")
_NODE = load("connections/node")
_DELEGATE = load("connections/delegate")
_VERSIONS = load("connections/versions")
_COORDINATOR_SETTINGS = load("connections/coordinator_settings")
_RECOVERY_MS = 10_000
"""A node that dies in a commit over several nodes leaves a lane locked for up to this time."""


class UnusableCellError(UnusableDatabaseError):
    """A cell lacks a setting of the operator's. The message names each one with its command."""


async def has_citus(connection: Connection) -> bool:
    return bool(await connection.fetchval(_HAS_CITUS))


async def distribute_new_schemas(connection: Connection) -> None:
    """Makes the schemas that this session creates cells."""
    await connection.execute(_DISTRIBUTE_NEW_SCHEMAS)


async def require_distributed(connection: Connection, schema: str) -> None:
    """Raises UnusableCellError for a schema that exists and is no cell, before anything is made in it."""
    cell = await connection.fetchrow(_CELL)
    if cell is None or not cell["is_distributed"]:
        raise UnusableCellError(_not_distributed(schema))


async def finish_cell(connection: Connection) -> str:
    """Makes Citus run the cell's functions on the cell's node. Returns the node. ``migrate`` calls it after the revisions."""
    cell = await connection.fetchrow(_CELL)
    assert cell is not None
    for function in cell["undelegated"]:
        await connection.execute(_DELEGATE, function)
    return str(await node_of_cell(connection))


async def require_usable_cell(connection: Connection, schema: str) -> None:
    """Raises UnusableCellError with all remedies. ``connection`` is opened with the settings of the service."""
    if not await has_citus(connection):
        return
    missing = await cell_problems(connection, schema)
    if missing:
        raise UnusableCellError("Citus needs settings of the operator: " + "; ".join(missing))


async def cell_problems(connection: Connection, schema: str) -> list[str]:
    """Returns a sentence with the remedy for each thing that the operator must set."""
    cell = await connection.fetchrow(_CELL)
    assert cell is not None
    if not cell["is_distributed"]:
        return [_not_distributed(schema)]
    problems = []
    if cell["shown_to"] != "*":
        problems.append("the driver's look-ups of types take seconds: ALTER DATABASE … SET citus.show_shards_for_app_name_prefixes = '*'")
    if await connection.fetchval(_LOCK_TIMEOUT_OF_NODE) in ("0", None):
        problems.append("the role has no lock_timeout on the cell's node: ALTER ROLE … SET lock_timeout = '1s' on the coordinator")
    if cell["undelegated"]:
        problems.append("functions of the cell do not run on its node: run `tillsync migrate`")
    return problems


async def cell_advice(connection: Connection) -> list[str]:
    """Returns a sentence with the remedy for each setting of the coordinator that the service can start without."""
    present = {row["name"]: row["setting"] for row in await connection.fetch(_COORDINATOR_SETTINGS)}
    advice = []
    if int(present["citus.recover_2pc_interval"]) > _RECOVERY_MS:
        advice.append(
            "a node that dies in a commit leaves an account locked for up to a minute: "
            "ALTER SYSTEM SET citus.recover_2pc_interval = '5s' on the coordinator"
        )
    if int(present["max_prepared_transactions"]) == 0:
        advice.append("statements over several nodes fail: set max_prepared_transactions on every node to its max_connections")
    if present["wal_level"] != "logical":
        advice.append("a cell cannot be moved while it is written to: set wal_level = logical on every node")
    return advice


async def node_of_cell(connection: Connection) -> str | None:
    """Returns host and port of the node that has the cell. None: there is no cell."""
    node: str | None = await connection.fetchval(_NODE)
    return node


async def server_versions(connection: Connection) -> str:
    """Returns the names and versions of PostgreSQL and of Citus."""
    row = await connection.fetchrow(_VERSIONS)
    assert row is not None
    return f"PostgreSQL {row['postgresql']}" + ("" if row["citus"] is None else f" with Citus {row['citus']}")


def _not_distributed(schema: str) -> str:
    return f"the schema {schema} is not distributed: call citus_schema_distribute('{schema}') as its owner, and run `tillsync migrate`"
