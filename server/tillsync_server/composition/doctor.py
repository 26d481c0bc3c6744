"""`tillsync doctor`: examines the database with the settings of the service, and names what an operator must set."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from tillsync_server.adapters.postgres.connections.cell import cell_advice, cell_problems, has_citus, node_of_cell, server_versions
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database
from tillsync_server.adapters.postgres.migrations import SchemaError, require_current
from tillsync_server.adapters.postgres.migrations.schema_state import schema_state
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.maintenance import running_dsn
from tillsync_server.composition.settings import ServiceSettings
from tillsync_server.composition.storage import database_problem


@dataclass(frozen=True, slots=True)
class DatabaseReport:
    """``node``: host and port of the node with the cell, on Citus. The service does not start with ``problems``. Texts have a remedy."""

    server: str
    node: str | None = None
    problems: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()


async def examine_database(settings: ServiceSettings) -> DatabaseReport:
    """Changes nothing. Raises StartError for a database that cannot be read."""
    database = Database(running_dsn(settings), schema=settings.db_schema, max_size=1)
    try:
        if not settings.is_embedded:
            await database.require_own_sessions()
        connection = await database.connect()
        try:
            return await _report(connection, settings.db_schema)
        finally:
            await connection.close(timeout=2)
    except (asyncpg.PostgresError, ValueError, *DATABASE_GONE) as error:
        raise StartError(f"the database cannot be used: {database_problem(error)}") from error
    finally:
        await database.close()


async def _report(connection: asyncpg.Connection[asyncpg.Record], schema: str) -> DatabaseReport:
    server, problems = await server_versions(connection), list[str]()
    try:
        await require_current(connection)
    except SchemaError as error:
        problems.append(str(error))
    if not await has_citus(connection):
        return DatabaseReport(server, problems=tuple(problems))
    if (await schema_state(connection)).revision is not None:
        problems += await cell_problems(connection, schema)
    return DatabaseReport(server, await node_of_cell(connection), tuple(problems), tuple(await cell_advice(connection)))
