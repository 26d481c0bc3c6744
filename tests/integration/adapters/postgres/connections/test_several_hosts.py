"""DATABASE_URL names several hosts. One of them is silent, closed, or a standby that accepts no writes."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio
from support.postgres import TestDatabase
from support.relay import Relay, relay_to
from support.waiting import until, within
from tillsync_server.adapters.postgres.connections.notifications import PostgresNotifications
from tillsync_server.adapters.postgres.connections.own_sessions import ReadOnlyDatabaseError
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database
from tillsync_server.adapters.postgres.migrations import migrate

pytestmark = pytest.mark.integration
TIMEOUT_SECONDS = 2.0


@pytest_asyncio.fixture
async def first(database: TestDatabase) -> AsyncIterator[Relay]:
    async with relay_to(database.dsn) as relay:
        yield relay


@pytest_asyncio.fixture
async def second(database: TestDatabase) -> AsyncIterator[Relay]:
    async with relay_to(database.dsn) as relay:
        yield relay


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as bound:  # the port is bound without a listener, so it refuses connections
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


def dsn_of_hosts(*dsns: str) -> str:
    """A DSN with the hosts of all ``dsns``."""
    hosts = ",".join(urlsplit(dsn).netloc.rpartition("@")[2] for dsn in dsns)
    user = urlsplit(dsns[0]).netloc.rpartition("@")[0]
    return urlunsplit(urlsplit(dsns[0])._replace(netloc=f"{user}@{hosts}"))


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[Database]:
    database = Database(dsn, acquire_timeout_seconds=TIMEOUT_SECONDS)
    try:
        yield database
    finally:
        await database.close()


async def select_one(database: Database) -> int:
    async with database.acquire() as connection:
        return int(await connection.fetchval("SELECT 1"))


async def test_silent_host_takes_its_share_of_the_time_and_is_tried_last_afterwards(first: Relay, second: Relay) -> None:
    first.cut()
    async with opened(dsn_of_hosts(first.dsn, second.dsn)) as database:
        assert await select_one(database) == 1
        assert (first.opened, second.opened) == (1, 1)
        listening = await database.connect()
        assert (first.opened, second.opened) == (1, 2)
        listening.terminate()


async def test_closed_host_is_skipped(closed_port: int, first: Relay) -> None:
    dsn = dsn_of_hosts(first.dsn.replace(str(urlsplit(first.dsn).port), str(closed_port)), first.dsn)
    assert await migrate(dsn) == []
    async with opened(dsn) as database:
        await database.require_own_sessions()
        assert await select_one(database) == 1


async def test_second_host_serves_when_the_first_is_silent(first: Relay, second: Relay) -> None:
    async with opened(dsn_of_hosts(first.dsn, second.dsn)) as database:
        assert await select_one(database) == 1
        assert (first.opened, second.opened) == (1, 0)
        first.cut()
        async with database.acquire() as connection:
            connection.terminate()
        assert await select_one(database) == 1
        assert second.opened >= 1  # the pool also renews its minimum of connections


@asynccontextmanager
async def read_only(database: TestDatabase) -> AsyncIterator[None]:
    """New sessions of the database accept no writes, as those of a standby. Existing sessions end."""
    connection = await asyncpg.connect(database.dsn)
    role = await connection.fetchval("SELECT current_user")
    setting = f'ALTER ROLE "{role}" IN DATABASE "{database.name}"'
    await connection.execute(f"{setting} SET default_transaction_read_only = on")
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    try:
        yield
    finally:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(f"{setting} RESET default_transaction_read_only")
        await connection.close()


async def test_hosts_that_accept_no_writes_count_as_unavailable_and_listening_resumes(
    database: TestDatabase, first: Relay, second: Relay
) -> None:
    async with opened(dsn_of_hosts(first.dsn, second.dsn)) as opened_database:
        notifications = PostgresNotifications(opened_database)
        notifications.start()
        try:
            await within(notifications.listening.wait())
            async with read_only(database):
                opened_before = second.opened
                # waits until the listener has tried all hosts twice
                await until(lambda: second.opened >= opened_before + 2 and not notifications.listening.is_set())
                with pytest.raises(DATABASE_GONE) as raised:
                    await select_one(opened_database)
                assert isinstance(raised.value, asyncpg.TargetServerAttributeNotMatched | asyncpg.PostgresConnectionError)
                notifications.lanes_ready()  # a failed notification ends no task
            await within(notifications.listening.wait())
            assert await select_one(opened_database) == 1
        finally:
            await notifications.stop()


async def test_error_about_a_standby_names_the_remedy(database: TestDatabase, first: Relay) -> None:
    async with read_only(database), opened(first.dsn) as opened_database:
        with pytest.raises(ReadOnlyDatabaseError, match="target_session_attrs=read-write"):
            await opened_database.require_own_sessions()
