"""A closed database opens no pool again. A later caller gets an error that counts as an unavailable database."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

import asyncpg
import pytest
from support.postgres import TestDatabase
from support.waiting import until, within
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database

pytestmark = pytest.mark.integration


async def until_no_session(dsn: str) -> None:
    """Waits until the service has no session. PostgreSQL ends a session a moment after its connection is closed."""
    sessions = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tillsync'"
    connection = await asyncpg.connect(dsn)

    async def no_session() -> bool:
        return not await connection.fetch(sessions)

    try:
        await until(no_session, lambda: connection.fetch(sessions))
    finally:
        await connection.close()


async def test_closed_database_gives_no_connection(database: TestDatabase) -> None:
    service_database = Database(database.dsn)
    async with service_database.acquire() as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await service_database.close()
    for get in (service_database.open, service_database.connect):
        with pytest.raises(asyncpg.InterfaceError, match="this process is stopping"):
            await get()
    with pytest.raises(DATABASE_GONE):
        async with service_database.acquire():
            pytest.fail("a closed database gave a connection")
    await service_database.close()
    await until_no_session(database.dsn)


async def test_database_closed_before_its_first_use_stays_closed(database: TestDatabase) -> None:
    service_database = Database(database.dsn)
    await service_database.close()
    with pytest.raises(asyncpg.InterfaceError):
        async with service_database.acquire():
            pytest.fail("a closed database gave a connection")


async def test_pool_created_during_the_close_is_closed(database: TestDatabase) -> None:
    service_database = Database(database.dsn)
    creating, may_create = asyncio.Event(), asyncio.Event()
    create_pool = asyncpg.create_pool

    async def create_slowly(*args: Any, **options: Any) -> object:
        creating.set()
        await may_create.wait()
        return await create_pool(*args, **options)

    with patch.object(asyncpg, "create_pool", create_slowly):
        opening = asyncio.create_task(service_database.open())
        await within(creating.wait())
        await service_database.close()
        may_create.set()
        with pytest.raises(asyncpg.InterfaceError):
            await within(opening)
    await until_no_session(database.dsn)


async def test_close_waits_for_the_connections_in_use(database: TestDatabase) -> None:
    service_database = Database(database.dsn)
    async with service_database.acquire() as connection:
        closing = asyncio.create_task(service_database.close())
        await asyncio.sleep(0)
        assert await connection.fetchval("SELECT 1") == 1
        with pytest.raises(asyncpg.InterfaceError):
            async with service_database.acquire():
                pytest.fail("a closed database gave a connection")
    await within(closing)
    await until_no_session(database.dsn)
