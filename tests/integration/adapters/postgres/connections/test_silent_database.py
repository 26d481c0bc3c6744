"""A connection to the database may be cut without a reset. No statement hangs on the connection, and an idle listener notices the cut."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import asyncpg
import pytest
import pytest_asyncio
from support.postgres import TestDatabase
from support.relay import Relay, relay_to
from support.waiting import NEVER_SECONDS, hang_limit, until, within
from tillsync_server.adapters.postgres.connections import pool, watched_connection
from tillsync_server.adapters.postgres.connections.notifications import PostgresNotifications
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database

pytestmark = pytest.mark.integration
TIMEOUT_SECONDS = 0.4
BOUND_SECONDS = 20.0
"""Much less than asyncpg's own timeout of 60 s, and much more than a busy machine needs for two timeouts."""


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_ANSWER_SECONDS", TIMEOUT_SECONDS)
    monkeypatch.setattr(pool, "_RELEASE_SECONDS", TIMEOUT_SECONDS)
    monkeypatch.setattr(pool, "_RECENT_ANSWER_SECONDS", TIMEOUT_SECONDS / 2)
    monkeypatch.setattr(pool, "_SILENT_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(watched_connection, "_ANSWER_SECONDS", TIMEOUT_SECONDS)
    monkeypatch.setattr(watched_connection, "_CHECK_INTERVAL_SECONDS", TIMEOUT_SECONDS)


@pytest_asyncio.fixture
async def relay(database: TestDatabase) -> AsyncIterator[Relay]:
    async with relay_to(database.dsn) as relay:
        yield relay


@pytest_asyncio.fixture
async def relayed(relay: Relay) -> AsyncIterator[Database]:
    database = Database(relay.dsn, acquire_timeout_seconds=TIMEOUT_SECONDS)
    try:
        yield database
    finally:
        await database.close()


async def select_one(database: Database, *, in_transaction: bool) -> int:
    async with database.acquire() as connection:
        if not in_transaction:
            return int(await connection.fetchval("SELECT 1"))
        async with connection.transaction():
            return int(await connection.fetchval("SELECT 1"))


@pytest.mark.parametrize("in_transaction", [False, True], ids=["statement", "transaction"])
async def test_statement_on_a_cut_connection_fails_in_time_and_a_later_one_reconnects(
    relay: Relay, relayed: Database, in_transaction: bool
) -> None:
    assert await select_one(relayed, in_transaction=in_transaction) == 1
    relay.cut()
    for _ in range(2):  # on the open connection, then on a new one
        async with hang_limit("the statement", seconds=BOUND_SECONDS):
            with pytest.raises(DATABASE_GONE):
                await select_one(relayed, in_transaction=in_transaction)
    relay.restore()
    assert await select_one(relayed, in_transaction=in_transaction) == 1


async def test_one_failed_statement_drops_all_idle_connections(relay: Relay, relayed: Database) -> None:
    async def hold(both: asyncio.Barrier) -> None:
        async with relayed.acquire() as connection:
            await connection.fetchval("SELECT 1")
            await both.wait()

    both = asyncio.Barrier(2)
    await asyncio.gather(hold(both), hold(both))
    assert relay.opened == 2
    relay.cut()
    with pytest.raises(DATABASE_GONE):
        await select_one(relayed, in_transaction=False)
    relay.restore()
    assert await select_one(relayed, in_transaction=False) == 1, "the other idle connection is dropped too"


async def test_statement_after_an_unanswered_one_fails_at_once(relay: Relay, relayed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call may have waited for a batch whose statement got no answer. The call does not wait for a second timeout."""
    elapsed = 0.0
    monkeypatch.setattr(pool, "_SILENT_PAUSE_SECONDS", NEVER_SECONDS)
    monkeypatch.setattr(pool, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + elapsed))
    await select_one(relayed, in_transaction=False)
    relay.cut()
    with pytest.raises(DATABASE_GONE):
        await select_one(relayed, in_transaction=False)
    connections = relay.opened
    for _ in range(20):
        with pytest.raises(TimeoutError, match="a moment ago"):  # without another timeout
            await select_one(relayed, in_transaction=False)
    assert relay.opened == connections
    relay.restore()
    elapsed = NEVER_SECONDS
    assert await select_one(relayed, in_transaction=False) == 1


async def test_timeout_of_a_long_statement_affects_no_other_connection(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database answers other statements, so it counts as reachable. Other callers are not refused, and their connections stay."""
    monkeypatch.setattr(pool, "_RECENT_ANSWER_SECONDS", NEVER_SECONDS)  # also on a slow machine, the last answer counts as recent
    database_of_test = Database(database.dsn, max_size=5)
    try:
        async with database_of_test.acquire() as connection:
            first_pid = connection.get_server_pid()

            async def run_long_statement() -> None:
                async with database_of_test.acquire() as second:
                    await second.fetchval("SELECT 1 FROM pg_sleep(600)")

            long_statement = asyncio.create_task(run_long_statement())

            async def long_statement_has_ended() -> bool:
                assert await connection.fetchval("SELECT 1") == 1
                return long_statement.done()

            await until(long_statement_has_ended)
            assert isinstance(long_statement.exception(), TimeoutError)
        async with database_of_test.acquire() as connection:
            assert connection.get_server_pid() == first_pid
    finally:
        await database_of_test.close()


async def test_cancelled_statement_on_a_cut_connection_ends_in_time(relay: Relay, relayed: Database) -> None:
    await select_one(relayed, in_transaction=True)
    relay.cut()
    cancelled = asyncio.create_task(select_one(relayed, in_transaction=False))
    await until(lambda: relay.lost, lambda: "no statement was sent on the cut connection")
    cancelled.cancel()
    async with hang_limit("the cancellation", seconds=BOUND_SECONDS):
        with pytest.raises(asyncio.CancelledError):
            await cancelled


async def test_listener_on_a_cut_connection_listens_again(relay: Relay, relayed: Database, database: TestDatabase) -> None:
    notifications = PostgresNotifications(relayed)
    notified = asyncio.Event()
    notifications.on_lanes_ready(notified.set)
    notifications.start()
    try:
        await within(notifications.listening.wait())
        relay.cut()
        await until(lambda: not notifications.listening.is_set(), seconds=BOUND_SECONDS)
        relay.restore()
        await within(notifications.listening.wait())
        notified.clear()
        connection = await asyncpg.connect(database.dsn)
        await connection.execute('SELECT pg_notify(\'tillsync_tillsync\', \'{"w": 1, "s": "another"}\')')
        await connection.close()
        await within(notified.wait())
    finally:
        await notifications.stop()


async def test_statement_on_a_cut_listener_fails_in_time(relay: Relay, relayed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_connection, "_CHECK_INTERVAL_SECONDS", NEVER_SECONDS)
    listening = await relayed.connect()
    closed = asyncio.Event()
    listening.add_termination_listener(lambda _: closed.set())
    assert await listening.execute("SELECT 1") == "SELECT 1"
    relay.cut()
    async with hang_limit("the statement", seconds=BOUND_SECONDS):
        with pytest.raises(TimeoutError):
            await listening.execute("SELECT 1")
    await within(closed.wait())
    assert listening.is_closed()
