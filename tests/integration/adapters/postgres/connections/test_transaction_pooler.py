"""The service refuses a pooler that gives each transaction another session. The refusal is one sentence, and creates nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest
from support.pgbouncer import pgbouncer_to
from support.postgres import TestDatabase
from support.service import environment
from support.transaction_pooler import FIRST_USED, LAST_USED, Choice, at_random, transaction_pooler_to
from support.waiting import until
from tillsync_server.adapters.postgres.connections.own_sessions import SharedSessionError
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.maintenance import reencrypt_credentials
from tillsync_server.composition.service import Service
from tillsync_server.composition.settings import load_settings
from tillsync_server.composition.storage import migrate_database

pytestmark = pytest.mark.integration

REFUSAL = (
    "it is reached through a pooler that gives each transaction another session (PgBouncer with pool_mode=transaction?): "
    "tillsync needs session pooling or a direct connection"
)
SET_SETTINGS = (
    "SET search_path = tillsync; SET plan_cache_mode = auto; SET lock_timeout = 1000; "
    "SET idle_in_transaction_session_timeout = 10000; SET timezone = UTC"
)
"""Sets the settings in every session, as PgBouncer's track_extra_parameters or ALTER ROLE … SET does."""
OBJECTS = "SELECT nspname, relname FROM pg_namespace LEFT JOIN pg_class ON pg_namespace.oid = relnamespace ORDER BY 1, 2"

NO_ADVISORY_LOCK = """
SELECT NOT EXISTS (SELECT FROM pg_locks JOIN pg_database ON oid = database WHERE locktype = 'advisory' AND datname = current_database())
"""
"""pg_locks lists the locks of the whole server, including those of other tests' databases."""


@pytest.mark.parametrize("kept_ready", [1, 2, 5])
@pytest.mark.parametrize("choice", [LAST_USED, FIRST_USED], ids=["last used", "first used"])
async def test_transaction_pooler_is_refused(database: TestDatabase, choice: Choice, kept_ready: int) -> None:
    for _ in range(3):
        async with transaction_pooler_to(database.dsn, choice, kept_ready=kept_ready) as address:
            with pytest.raises(SharedSessionError) as caught:
                await Database(address).require_own_sessions()
    assert str(caught.value) == REFUSAL
    assert isinstance(caught.value, DATABASE_GONE)


async def test_transaction_pooler_that_chooses_sessions_at_random_is_nearly_always_refused(database: TestDatabase) -> None:
    recognised = 0
    for seed in range(20):
        async with transaction_pooler_to(database.dsn, at_random(seed), kept_ready=3) as address:
            try:
                await Database(address).require_own_sessions()
            except SharedSessionError:
                recognised += 1
    assert recognised >= 19


@pytest.mark.own_server
@pytest.mark.pgbouncer
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"default_pool_size": "1"},
        {"server_round_robin": "1"},
        {"server_round_robin": "1", "min_pool_size": "5"},
        {"min_pool_size": "5"},
    ],
    ids=str,
)
async def test_pgbouncer_in_transaction_mode_is_refused(database: TestDatabase, options: dict[str, str]) -> None:
    async with pgbouncer_to(database.dsn, pool_mode="transaction", connect_query=SET_SETTINGS, **options) as address:
        with pytest.raises(SharedSessionError) as caught:
            await Database(address).require_own_sessions()
    assert str(caught.value) == REFUSAL
    assert isinstance(caught.value, DATABASE_GONE)


@pytest.mark.own_server
@pytest.mark.pgbouncer
async def test_pgbouncer_in_statement_mode_is_refused(database: TestDatabase) -> None:
    async with pgbouncer_to(database.dsn, pool_mode="statement", connect_query=SET_SETTINGS) as address:
        with pytest.raises(SharedSessionError):
            await Database(address).require_own_sessions()


@pytest.mark.own_server
@pytest.mark.pgbouncer
async def test_pgbouncer_in_transaction_mode_with_other_clients_is_refused(database: TestDatabase) -> None:
    async with (
        pgbouncer_to(database.dsn, pool_mode="transaction", connect_query=SET_SETTINGS, min_pool_size="3") as address,
        other_clients(address),
    ):
        with pytest.raises(SharedSessionError):
            await Database(address).require_own_sessions()


@pytest.mark.own_server
@pytest.mark.pgbouncer
async def test_pgbouncer_in_session_mode_is_accepted(database: TestDatabase) -> None:
    async with pgbouncer_to(database.dsn, pool_mode="session", server_reset_query="", connect_query=SET_SETTINGS) as address:
        for _ in range(3):
            await Database(address).require_own_sessions()
        pooled_database = Database(address)
        async with pooled_database.acquire() as connection:
            assert await connection.fetchval("SELECT current_setting('tillsync.session', true)") in (None, "")
        await pooled_database.close()


@pytest.mark.own_server
@pytest.mark.pgbouncer
async def test_pgbouncer_with_one_session_gets_its_own_error(database: TestDatabase) -> None:
    async with pgbouncer_to(
        database.dsn,
        pool_mode="session",
        server_reset_query="",
        connect_query=SET_SETTINGS,
        default_pool_size="1",
    ) as address:
        pooled_database = Database(address, acquire_timeout_seconds=1.0)
        with pytest.raises(asyncpg.InterfaceError, match="it gives one session at a time: tillsync needs TILLSYNC_DB_POOL_SIZE sessions"):
            await pooled_database.require_own_sessions()


@pytest.mark.parametrize(
    "start",
    [
        pytest.param("serve", marks=pytest.mark.catches("serve-needs-own-sessions")),
        "worker",
        pytest.param("migrate", marks=pytest.mark.catches("migrate-needs-own-sessions")),
        "reencrypt",
    ],
)
async def test_commands_refuse_a_transaction_pooler_and_create_nothing(database: TestDatabase, start: str) -> None:
    connection = await asyncpg.connect(database.dsn)
    await connection.execute("DROP SCHEMA tillsync CASCADE")
    before = await connection.fetch(OBJECTS)
    async with transaction_pooler_to(database.dsn) as address:
        settings = load_settings(environment(address))
        starts: dict[str, Callable[[], Awaitable[object]]] = {
            "serve": Service(settings).start,
            "worker": Service(settings, serves=False).start,
            "migrate": lambda: migrate_database(settings),
            "reencrypt": lambda: reencrypt_credentials(settings),
        }
        with pytest.raises(StartError) as caught:
            await starts[start]()
    assert str(caught.value) == f"the database cannot be {'migrated' if start == 'migrate' else 'used'}: {REFUSAL}"
    assert await connection.fetch(OBJECTS) == before
    # PostgreSQL ends a session a moment after its connection is closed
    await until(lambda: connection.fetchval(NO_ADVISORY_LOCK))
    await connection.close()


@pytest.mark.own_server
@pytest.mark.pgbouncer
async def test_error_about_refused_start_up_parameters_names_the_remedy(database: TestDatabase) -> None:
    async with pgbouncer_to(database.dsn, pool_mode="session", ignore_startup_parameters="") as address:
        with pytest.raises(
            StartError, match=r"refuses the settings that a session is opened with, .* or set DATABASE_URL to PostgreSQL itself"
        ):
            await migrate_database(load_settings(environment(address)))


async def test_direct_connection_is_accepted_and_creates_nothing(database: TestDatabase) -> None:
    connection = await asyncpg.connect(database.dsn)
    before = await connection.fetch(OBJECTS)
    await Database(database.dsn).require_own_sessions()
    assert await connection.fetch(OBJECTS) == before
    await connection.close()


async def test_error_about_a_read_only_database_names_the_remedy(database: TestDatabase) -> None:
    connection = await asyncpg.connect(database.dsn)
    role, name = await connection.fetchval("SELECT current_user"), database.name
    await connection.execute(f'ALTER ROLE "{role}" IN DATABASE "{name}" SET default_transaction_read_only = on')
    try:
        settings = load_settings(environment(database.dsn))
        for start in (lambda: migrate_database(settings), Service(settings).start):
            with pytest.raises(
                StartError, match=r"it takes no writes: DATABASE_URL leads to a standby, or .* target_session_attrs=read-write"
            ):
                await start()
    finally:
        await connection.execute(f'ALTER ROLE "{role}" IN DATABASE "{name}" RESET default_transaction_read_only')
        await connection.close()


@asynccontextmanager
async def other_clients(address: str) -> AsyncIterator[None]:
    """Two other clients of the pooler keep transactions open, as a report does."""
    others = [await asyncpg.connect(address, statement_cache_size=0) for _ in range(2)]
    for other in others:
        await other.execute("BEGIN")
    yield
    for other in others:
        await other.close()
