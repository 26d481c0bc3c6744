"""A pooler may drop start-up parameters. The service reports this in one sentence, and reads and writes nothing in another schema."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
import pytest_asyncio
from support.postgres import TestDatabase
from support.relay import relay_to
from support.service import environment
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database
from tillsync_server.adapters.postgres.connections.session_settings import SettingsDroppedError
from tillsync_server.adapters.postgres.migrations import migrate
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.service import Service
from tillsync_server.composition.settings import load_settings
from tillsync_server.composition.storage import migrate_database

pytestmark = pytest.mark.integration
SEARCH_PATH = r"""search_path is '"\$user", public' instead of 'tillsync'"""
REMEDY = "Let it pass start-up parameters on, with session pooling, or set DATABASE_URL to PostgreSQL itself"


@pytest_asyncio.fixture
async def pooled(database: TestDatabase) -> AsyncIterator[str]:
    """The address of a pooler that passes only user and database to PostgreSQL."""
    async with relay_to(database.dsn) as relay:
        relay.drop_parameters()
        yield relay.dsn


async def test_migrate_changes_no_other_schema(pooled: str, database: TestDatabase) -> None:
    connection = await asyncpg.connect(database.dsn)
    tables = "SELECT schemaname, tablename FROM pg_tables ORDER BY 1, 2"
    before = await connection.fetch(tables)
    with pytest.raises(SettingsDroppedError, match=SEARCH_PATH):
        await migrate(pooled)
    assert await connection.fetch(tables) == before
    await connection.close()


@pytest.mark.parametrize("connect", [Database.open, Database.connect])
async def test_connection_without_its_settings_is_refused(pooled: str, connect: Callable[[Database], Awaitable[object]]) -> None:
    database = Database(pooled)
    with pytest.raises(SettingsDroppedError, match="lock_timeout is '0' instead of '1000'"):
        await connect(database)
    await database.close()


async def test_settings_dropped_at_runtime_count_as_an_unavailable_database(database: TestDatabase) -> None:
    """Workers then wait, and callers get UNAVAILABLE. No attempt is charged, and no accepted entry is lost."""
    async with relay_to(database.dsn) as relay:
        pooled_database = Database(relay.dsn)
        async with pooled_database.acquire() as connection:
            assert await connection.fetchval("SHOW search_path") == "tillsync"
            relay.drop_parameters()
            with pytest.raises(DATABASE_GONE) as caught:
                async with pooled_database.acquire():
                    pytest.fail("the second session has no settings")
        assert isinstance(caught.value, SettingsDroppedError)
        await pooled_database.close()


def test_answers_that_the_driver_cannot_follow_count_as_an_unavailable_database() -> None:
    """Behind a transaction pooler, a statement may get the answer to another session's statement."""
    assert issubclass(asyncpg.InternalClientError, DATABASE_GONE)


async def test_serve_and_migrate_name_the_remedy(pooled: str) -> None:
    settings = load_settings(environment(pooled))
    for start in (Service(settings).start, lambda: migrate_database(settings)):
        with pytest.raises(StartError, match=SEARCH_PATH) as caught:
            await start()
        assert str(caught.value).endswith(REMEDY)
