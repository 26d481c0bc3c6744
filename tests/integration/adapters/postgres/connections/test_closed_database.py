"""Closing is final: nothing that is late opens a pool again, and what it meets counts as a database that is away."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

import asyncpg
import pytest
from support.postgres import TestDatabase
from support.waiting import within
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database

pytestmark = pytest.mark.integration


async def sessions(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tillsync'"
            )
        )
    finally:
        await connection.close()


async def test_a_closed_database_gives_no_connection(database: TestDatabase) -> None:
    made = Database(database.dsn)
    async with made.acquire() as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await made.close()
    for ask in (made.open, made.connect):
        with pytest.raises(asyncpg.InterfaceError, match="this process is stopping"):
            await ask()
    with pytest.raises(DATABASE_GONE):
        async with made.acquire():
            pytest.fail("there is no connection")
    await made.close()
    assert await sessions(database.dsn) == 0


async def test_one_that_was_never_opened_stays_closed(database: TestDatabase) -> None:
    made = Database(database.dsn)
    await made.close()
    with pytest.raises(asyncpg.InterfaceError):
        async with made.acquire():
            pytest.fail("there is no connection")


async def test_a_pool_that_is_being_made_while_it_closes_is_closed_too(database: TestDatabase) -> None:
    made = Database(database.dsn)
    making, go_on = asyncio.Event(), asyncio.Event()
    create_pool = asyncpg.create_pool

    async def slow(*args: Any, **named: Any) -> object:
        making.set()
        await go_on.wait()
        return await create_pool(*args, **named)

    with patch.object(asyncpg, "create_pool", slow):
        opening = asyncio.create_task(made.open())
        await within(making.wait())
        await made.close()
        go_on.set()
        with pytest.raises(asyncpg.InterfaceError):
            await within(opening)
    assert await sessions(database.dsn) == 0


async def test_what_is_under_way_ends_before_it_is_closed(database: TestDatabase) -> None:
    made = Database(database.dsn)
    async with made.acquire() as connection:
        closing = asyncio.create_task(made.close())
        await asyncio.sleep(0)
        assert await connection.fetchval("SELECT 1") == 1
        with pytest.raises(asyncpg.InterfaceError):
            async with made.acquire():
                pytest.fail("there is no connection")
    await within(closing)
    assert await sessions(database.dsn) == 0
