"""A line to the database that is cut without a word: nobody hangs on it, and it is found out also where nothing is asked."""

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
PATIENCE = 0.4
ENOUGH_SECONDS = 20.0
"""Far less than the minute that asyncpg itself has patience for; far more than a busy machine needs for the patience twice over."""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_ANSWER_SECONDS", PATIENCE)
    monkeypatch.setattr(pool, "_RELEASE_SECONDS", PATIENCE)
    monkeypatch.setattr(pool, "_RECENT_ANSWER_SECONDS", PATIENCE / 2)
    monkeypatch.setattr(pool, "_SILENT_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(watched_connection, "_ANSWER_SECONDS", PATIENCE)
    monkeypatch.setattr(watched_connection, "_CHECK_INTERVAL_SECONDS", PATIENCE)


@pytest_asyncio.fixture
async def relay(database: TestDatabase) -> AsyncIterator[Relay]:
    async with relay_to(database.dsn) as made:
        yield made


@pytest_asyncio.fixture
async def cut_off(relay: Relay) -> AsyncIterator[Database]:
    database = Database(relay.dsn, acquire_timeout_seconds=PATIENCE)
    try:
        yield database
    finally:
        await database.close()


async def ask(database: Database, *, in_transaction: bool) -> int:
    async with database.acquire() as connection:
        if not in_transaction:
            return int(await connection.fetchval("SELECT 1"))
        async with connection.transaction():
            return int(await connection.fetchval("SELECT 1"))


@pytest.mark.parametrize("in_transaction", [False, True])
async def test_a_statement_on_a_cut_line_is_given_up_in_time_and_the_next_one_gets_a_new_line(
    relay: Relay, cut_off: Database, in_transaction: bool
) -> None:
    assert await ask(cut_off, in_transaction=in_transaction) == 1
    relay.cut()
    for _ in range(2):  # on the line that was there, and on one that cannot be had
        async with hang_limit("the statement", seconds=ENOUGH_SECONDS):
            with pytest.raises(DATABASE_GONE):
                await ask(cut_off, in_transaction=in_transaction)
    relay.restore()
    assert await ask(cut_off, in_transaction=in_transaction) == 1


async def test_idle_lines_are_not_each_found_out_by_a_caller(relay: Relay, cut_off: Database) -> None:
    async def hold(both: asyncio.Barrier) -> None:
        async with cut_off.acquire() as connection:
            await connection.fetchval("SELECT 1")
            await both.wait()

    both = asyncio.Barrier(2)
    await asyncio.gather(hold(both), hold(both))
    assert relay.opened == 2
    relay.cut()
    with pytest.raises(DATABASE_GONE):
        await ask(cut_off, in_transaction=False)
    relay.restore()
    assert await ask(cut_off, in_transaction=False) == 1, "not on the other line of before"


async def test_who_asks_right_after_a_silence_is_told_at_once(relay: Relay, cut_off: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that wait for a batch in which others waited already do not wait twice as long."""
    ahead = 0.0
    monkeypatch.setattr(pool, "_SILENT_PAUSE_SECONDS", NEVER_SECONDS)
    monkeypatch.setattr(pool, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + ahead))
    await ask(cut_off, in_transaction=False)
    relay.cut()
    with pytest.raises(DATABASE_GONE):
        await ask(cut_off, in_transaction=False)
    lines = relay.opened
    for _ in range(20):
        with pytest.raises(TimeoutError, match="a moment ago"):  # and not after its patience with the line
            await ask(cut_off, in_transaction=False)
    assert relay.opened == lines
    relay.restore()
    ahead = NEVER_SECONDS
    assert await ask(cut_off, in_transaction=False) == 1


async def test_one_long_statement_is_given_up_alone(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database answers others, it is not gone: nobody else is refused, and their connections stay."""
    monkeypatch.setattr(pool, "_RECENT_ANSWER_SECONDS", NEVER_SECONDS)  # however slow this machine is, others were answered
    working = Database(database.dsn, max_size=5)
    try:
        async with working.acquire() as connection:
            steady = connection.get_server_pid()

            async def long() -> None:
                async with working.acquire() as other:
                    await other.fetchval("SELECT 1 FROM pg_sleep(600)")

            waiting = asyncio.create_task(long())

            async def others_are_answered_until_it_ends() -> bool:
                assert await connection.fetchval("SELECT 1") == 1
                return waiting.done()

            await until(others_are_answered_until_it_ends)
            assert isinstance(waiting.exception(), TimeoutError)
        async with working.acquire() as connection:
            assert connection.get_server_pid() == steady
    finally:
        await working.close()


async def test_a_caller_who_leaves_a_cut_line_is_not_kept(relay: Relay, cut_off: Database) -> None:
    await ask(cut_off, in_transaction=True)
    relay.cut()
    leaving = asyncio.create_task(ask(cut_off, in_transaction=False))
    await until(lambda: relay.lost, lambda: "nothing was sent on the line that is cut")
    leaving.cancel()
    async with hang_limit("the caller's leaving", seconds=ENOUGH_SECONDS):
        with pytest.raises(asyncio.CancelledError):
            await leaving


async def test_a_listener_on_a_cut_line_finds_out_and_listens_again(relay: Relay, cut_off: Database, database: TestDatabase) -> None:
    notifications = PostgresNotifications(cut_off)
    woken = asyncio.Event()
    notifications.on_lanes_ready(woken.set)
    notifications.start()
    try:
        await within(notifications.listening.wait())
        relay.cut()
        await until(lambda: not notifications.listening.is_set(), seconds=ENOUGH_SECONDS)
        relay.restore()
        await within(notifications.listening.wait())
        woken.clear()
        other = await asyncpg.connect(database.dsn)
        await other.execute('SELECT pg_notify(\'tillsync_tillsync\', \'{"w": 1, "s": "another"}\')')
        await other.close()
        await within(woken.wait())
    finally:
        await notifications.stop()


async def test_a_notify_on_a_cut_line_does_not_hang(relay: Relay, cut_off: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_connection, "_CHECK_INTERVAL_SECONDS", NEVER_SECONDS)
    listening = await cut_off.connect()
    lost = asyncio.Event()
    listening.add_termination_listener(lambda _: lost.set())
    assert await listening.execute("SELECT 1") == "SELECT 1"
    relay.cut()
    async with hang_limit("the statement", seconds=ENOUGH_SECONDS):
        with pytest.raises(TimeoutError):
            await listening.execute("SELECT 1")
    await within(lost.wait())
    assert listening.is_closed()
