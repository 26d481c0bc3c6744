"""A pooler that drops start-up parameters: told in one clear sentence before anything is read or written in another schema."""

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
    """The address of a pooler that passes on user and database only."""
    async with relay_to(database.dsn) as relay:
        relay.drop_parameters()
        yield relay.dsn


async def test_nothing_is_migrated_into_another_schema(pooled: str, database: TestDatabase) -> None:
    connection = await asyncpg.connect(database.dsn)
    tables = "SELECT schemaname, tablename FROM pg_tables ORDER BY 1, 2"
    before = await connection.fetch(tables)
    with pytest.raises(SettingsDroppedError, match=SEARCH_PATH):
        await migrate(pooled)
    assert await connection.fetch(tables) == before
    await connection.close()


@pytest.mark.parametrize("connect", [Database.open, Database.connect])
async def test_a_connection_without_its_settings_is_not_used(pooled: str, connect: Callable[[Database], Awaitable[object]]) -> None:
    database = Database(pooled)
    with pytest.raises(SettingsDroppedError, match="lock_timeout is '0' instead of '1000'"):
        await connect(database)
    await database.close()


async def test_a_pooler_that_comes_later_is_a_database_that_cannot_be_asked(database: TestDatabase) -> None:
    """Workers wait then, and callers are told UNAVAILABLE: nothing is charged, and nothing accepted is lost."""
    async with relay_to(database.dsn) as line:
        through = Database(line.dsn)
        async with through.acquire() as connection:
            assert await connection.fetchval("SHOW search_path") == "tillsync"
            line.drop_parameters()
            with pytest.raises(DATABASE_GONE) as caught:
                async with through.acquire():
                    pytest.fail("the second session has lost its settings")
        assert isinstance(caught.value, SettingsDroppedError)
        await through.close()


def test_so_is_one_whose_answers_the_driver_cannot_follow() -> None:
    """As behind a transaction pooler: a statement's answer belongs to another session's question."""
    assert issubclass(asyncpg.InternalClientError, DATABASE_GONE)


async def test_serve_and_migrate_say_so_in_one_sentence(pooled: str) -> None:
    settings = load_settings(environment(pooled))
    for start in (Service(settings).start, lambda: migrate_database(settings)):
        with pytest.raises(StartError, match=SEARCH_PATH) as caught:
            await start()
        assert str(caught.value).endswith(REMEDY)
