"""Each named statement on a server with Citus and on plain PostgreSQL, with the same rows and values: the same answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg
import pytest
from support.citus import CITUS
from support.made_up_rows import SEED, parameter
from support.postgres import OLDEST, Cluster, Clusters
from tillsync_server.adapters.postgres.statements import CITUS_STATEMENTS, STATEMENTS

pytestmark = [pytest.mark.citus]

ROOMS = ("backups/", "connections/", "migrations/")
"""Statements about servers and schemas."""
OTHERWISE = {
    "accounts/insert": "needs values of its own",
    "accounts/update": "needs values of its own",
    "engine/complete": "needs values of its own; the worker's tests run it",
    "maintenance/detach_command": "another command",
    "maintenance/entry_estimate": "an estimate",
    "maintenance/make_weeks": "needs values of its own",
    "restores/keep_creates": "Citus refuses it: no `after-restore` in a cell yet",
    "restores/raise_sequences": "Citus refuses it: no `after-restore` in a cell yet",
    "orders/store": "needs values of its own; the orders' tests run it",
}


async def answer(connection: asyncpg.Connection[asyncpg.Record], statement: str) -> list[tuple[Any, ...]]:
    transaction = connection.transaction()
    await transaction.start()
    try:
        prepared = await connection.prepare(statement)
        rows = await prepared.fetch(*(parameter(each.name) for each in prepared.get_parameters()))
        return [tuple("a time" if isinstance(value, datetime | float) else value for value in row) for row in rows]
    finally:
        await transaction.rollback()


@pytest.fixture
def servers(clusters: Clusters) -> tuple[Cluster, Cluster]:
    return clusters.running(OLDEST), clusters.running(CITUS)


async def test_every_statement_answers_as_on_plain_postgresql(servers: tuple[Cluster, Cluster]) -> None:
    differ: dict[str, object] = {}
    refused = set[str]()
    async with servers[0].database() as plain, servers[1].database() as cell:
        settings = {"search_path": "tillsync", "plan_cache_mode": "force_custom_plan"}
        first, second = [await asyncpg.connect(each.dsn, server_settings=settings) for each in (plain, cell)]
        for connection in (first, second):
            for statement, values in SEED:
                await connection.execute(statement, *values)
        for name, statement in STATEMENTS.items():
            if name.startswith(ROOMS) or name in OTHERWISE:
                continue
            try:
                wanted = await answer(first, statement)
            except asyncpg.IntegrityConstraintViolationError:
                refused.add(name)
                continue
            try:
                found = await answer(second, CITUS_STATEMENTS.get(name, statement))
            except asyncpg.PostgresError as error:
                differ[name] = error
                continue
            if found != wanted and not (name in CITUS_STATEMENTS and found == [(None,)] and not wanted):
                differ[name] = (wanted, found)
        await first.close()
        await second.close()
    assert not differ
    assert len(refused) <= 3, f"made-up values that the tables refuse: {refused}"
