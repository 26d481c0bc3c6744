"""The database health names the oldest transaction of another program, the transaction's state and the remedy."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest
from support.engine import EngineWorld
from support.waiting import until
from tillsync_server.adapters.postgres.maintenance.db_health import DatabaseHealth, oldest_foreign_transaction
from tillsync_server.domain.foreign_transactions import OLD_SECONDS

pytestmark = pytest.mark.integration


@asynccontextmanager
async def open_snapshot(world: EngineWorld, name: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A session of another program, in a transaction that holds a snapshot."""
    connection = await asyncpg.connect(world.database.dsn, server_settings={"application_name": name})
    try:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await connection.fetchval("SELECT count(*) FROM tillsync.lane")
        yield connection
    finally:
        await connection.close()


async def test_oldest_transaction_of_another_program_is_described(world: EngineWorld) -> None:
    health = DatabaseHealth(world.database)
    assert (await health.sample()).oldest_foreign is None
    async with open_snapshot(world, "pg_dump") as snapshot:

        async def has_age() -> bool:
            sampled = (await health.sample()).oldest_foreign
            return sampled is not None and sampled.seconds >= 0.01

        await until(has_age)
        async with open_snapshot(world, "report"):
            found = (await health.sample()).oldest_foreign
            assert found is not None
            assert (found.pid, found.name, found.state) == (snapshot.get_server_pid(), "pg_dump", "idle in transaction")
            assert 0.01 <= found.seconds < 60
            assert found.role == await snapshot.fetchval("SELECT current_user")
            assert not found.is_old
            old = replace(found, seconds=OLD_SECONDS)
            assert old.is_old
            assert old.described() == (
                f"session {found.pid} of role {found.role!r}, application 'pg_dump', idle in transaction, transaction begun 5 min ago"
            )
            assert f"pg_terminate_backend({found.pid})" in old.remedy()


async def test_own_transaction_is_not_foreign(world: EngineWorld) -> None:
    async with world.database.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        await connection.fetchval("SELECT count(*) FROM lane")
        assert (await DatabaseHealth(world.database).sample()).oldest_foreign is None


async def test_session_without_a_snapshot_is_not_foreign(world: EngineWorld) -> None:
    async with open_snapshot(world, "idle") as connection:
        await connection.execute("ROLLBACK")
        await connection.execute("BEGIN")
        assert (await DatabaseHealth(world.database).sample()).oldest_foreign is None


@pytest.mark.own_server
async def test_role_without_pg_read_all_stats_reports_that_it_does_not_see_all_sessions(world: EngineWorld) -> None:
    role = f"plain_{secrets.token_hex(4)}"
    async with open_snapshot(world, "pg_dump") as snapshot:
        plain = await asyncpg.connect(world.database.dsn, server_settings={"application_name": "tillsync"})
        await plain.execute(f"CREATE ROLE {role}")
        try:
            seen, sees_all = await oldest_foreign_transaction(plain)
            assert seen is not None
            assert (seen.pid, sees_all) == (snapshot.get_server_pid(), True)
            await plain.execute(f"SET ROLE {role}")
            assert await oldest_foreign_transaction(plain) == (None, False)
            await plain.execute("RESET ROLE")
            await plain.execute(f"GRANT pg_read_all_stats TO {role}")
            await plain.execute(f"SET ROLE {role}")
            granted, sees_all = await oldest_foreign_transaction(plain)
            assert granted is not None
            assert (granted.pid, sees_all) == (snapshot.get_server_pid(), True)
        finally:
            await plain.execute("RESET ROLE")
            await plain.execute(f"DROP ROLE {role}")
            await plain.close()
