"""Each named statement on a server with Citus and on plain PostgreSQL, with the same rows and values: the same answer and the same rows."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from pprint import pformat
from typing import Any, TypeAlias

import asyncpg
import pytest
import pytest_asyncio
from support.citus import CITUS
from support.made_up_rows import OWN_VALUES, SEED, parameter
from support.postgres import OLDEST, Cluster, Clusters
from tillsync_server.adapters.postgres.statements import CITUS_STATEMENTS, STATEMENTS

pytestmark = [pytest.mark.citus]

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

ROOMS = ("backups/", "connections/", "migrations/")
"""Statements about servers and schemas."""
OTHERWISE = {
    "maintenance/detach_command": "another command",
    "maintenance/entry_estimate": "an estimate",
}
_HAS_WRITTEN = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL"
_TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'tillsync'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
"""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+\+00:00")
Answer: TypeAlias = "list[tuple[Any, ...]]"


def without_times(rows: list[asyncpg.Record]) -> Answer:
    return sorted((tuple(without_time(value) for value in row) for row in rows), key=repr)


def without_time(value: Any) -> Any:
    return "a time" if isinstance(value, datetime | float) else _TIME.sub("a time", value) if isinstance(value, str) else value


async def answer(connection: Connection, statement: str, own: Mapping[int, Any], tables: list[str]) -> tuple[Answer, dict[str, Answer]]:
    """Runs a statement in a transaction that is rolled back. Returns its answer, and the rows of ``tables`` if it has written."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        prepared = await connection.prepare(statement)
        values = (own.get(number, parameter(each.name)) for number, each in enumerate(prepared.get_parameters(), start=1))
        rows = without_times(await prepared.fetch(*values))
        if not await connection.fetchval(_HAS_WRITTEN):
            return rows, {}
        return rows, {table: without_times(await connection.fetch(f"SELECT * FROM {table}")) for table in tables}
    finally:
        await transaction.rollback()


@pytest.fixture
def servers(clusters: Clusters) -> list[Cluster]:
    return [clusters.running(OLDEST), clusters.running(CITUS)]


@pytest_asyncio.fixture
async def connections(servers: list[Cluster]) -> AsyncIterator[tuple[Connection, Connection]]:
    """Connections to plain PostgreSQL and to a cell with the same rows."""
    async with AsyncExitStack() as stack:
        opened = []
        for server in servers:
            database = await stack.enter_async_context(server.database())
            settings = {"search_path": "tillsync", "plan_cache_mode": "force_custom_plan"}
            connection = await asyncpg.connect(database.dsn, server_settings=settings)
            stack.push_async_callback(connection.close)
            for statement, values in SEED:
                await connection.execute(statement, *values)
            opened.append(connection)
        yield opened[0], opened[1]


async def test_every_statement_answers_and_writes_as_on_plain_postgresql(connections: tuple[Connection, Connection]) -> None:
    plain, cell = connections
    tables = [row["relname"] for row in await plain.fetch(_TABLES)]
    differ: dict[str, object] = {}
    for name, statement in STATEMENTS.items():
        if name.startswith(ROOMS) or name in OTHERWISE:
            continue
        for own in OWN_VALUES.get(name, ({},)):
            wanted, written = await answer(plain, statement, own, tables)
            try:
                found, stored = await answer(cell, CITUS_STATEMENTS.get(name, statement), own, tables)
            except asyncpg.PostgresError as error:
                differ[name] = error
                continue
            if found != wanted and not (name in CITUS_STATEMENTS and found == [(None,)] and not wanted):
                differ[name] = (wanted, found)
            for table, rows in written.items():
                only_one = [row for row in rows if row not in stored[table]], [row for row in stored[table] if row not in rows]
                if any(only_one):
                    differ[f"{name}, rows of {table}"] = only_one
    if differ:
        pytest.fail(f"on plain PostgreSQL and on Citus:\n{pformat(differ, width=140)}", pytrace=False)


def test_statements_that_are_not_compared_exist() -> None:
    assert set(OTHERWISE) | set(OWN_VALUES) <= set(STATEMENTS)
