"""The oldest transaction of another program is named, with what it does and how to end it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.maintenance.db_health import DatabaseHealth, oldest_foreign_transaction
from tillsync_server.domain.foreign_transactions import OLD_SECONDS

pytestmark = pytest.mark.integration


@asynccontextmanager
async def reader(world: EngineWorld, name: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A session of another program, in a transaction that holds a snapshot."""
    connection = await asyncpg.connect(world.database.dsn, server_settings={"application_name": name})
    try:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await connection.fetchval("SELECT count(*) FROM tillsync.lane")
        yield connection
    finally:
        await connection.close()


async def test_the_oldest_transaction_of_another_program_is_named(world: EngineWorld) -> None:
    health = DatabaseHealth(world.database)
    assert (await health.sample()).oldest_foreign is None
    async with reader(world, "pg_dump") as first:
        await asyncio.sleep(0.01)
        async with reader(world, "report"):
            found = (await health.sample()).oldest_foreign
            assert found is not None
            assert (found.pid, found.name, found.state) == (first.get_server_pid(), "pg_dump", "idle in transaction")
            assert 0.01 <= found.seconds < 60
            assert found.role == await first.fetchval("SELECT current_user")
            assert not found.is_old
            old = replace(found, seconds=OLD_SECONDS)
            assert old.is_old
            assert old.described() == (
                f"session {found.pid} of role {found.role!r}, application 'pg_dump', idle in transaction, transaction begun 5 min ago"
            )
            assert f"pg_terminate_backend({found.pid})" in old.remedy()


async def test_our_own_transactions_are_not_foreign(world: EngineWorld) -> None:
    async with world.database.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        await connection.fetchval("SELECT count(*) FROM lane")
        assert (await DatabaseHealth(world.database).sample()).oldest_foreign is None


async def test_a_session_without_a_snapshot_keeps_nothing(world: EngineWorld) -> None:
    async with reader(world, "idle") as connection:
        await connection.execute("ROLLBACK")
        await connection.execute("BEGIN")
        assert (await DatabaseHealth(world.database).sample()).oldest_foreign is None


@pytest.mark.own_server
async def test_a_role_that_may_not_see_other_sessions_says_so(world: EngineWorld) -> None:
    role = f"plain_{secrets.token_hex(4)}"
    async with reader(world, "pg_dump") as holder:
        plain = await asyncpg.connect(world.database.dsn, server_settings={"application_name": "tillsync"})
        await plain.execute(f"CREATE ROLE {role}")
        try:
            seen, sees_all = await oldest_foreign_transaction(plain)
            assert seen is not None
            assert (seen.pid, sees_all) == (holder.get_server_pid(), True)
            await plain.execute(f"SET ROLE {role}")
            assert await oldest_foreign_transaction(plain) == (None, False)
            await plain.execute("RESET ROLE")
            await plain.execute(f"GRANT pg_read_all_stats TO {role}")
            await plain.execute(f"SET ROLE {role}")
            granted, sees_all = await oldest_foreign_transaction(plain)
            assert granted is not None
            assert (granted.pid, sees_all) == (holder.get_server_pid(), True)
        finally:
            await plain.execute("RESET ROLE")
            await plain.execute(f"DROP ROLE {role}")
            await plain.close()
