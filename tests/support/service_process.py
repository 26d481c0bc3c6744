"""Real `tillsync` processes that are stopped in the middle of a step, and how to catch them there.

A step of a process is caught by what it waits for: an answer of a sandbox (scripted faults that hang), or a row of the database that the
test holds locked. The statement of a process that was stopped goes through once the row is let go; its answer waits until the process
goes on.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import psutil
from support.create_race_environment import SHORT_TIMES, Shop
from support.service import Child, environment
from support.waiting import HANG_SECONDS, until

_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_IS_BETWEEN_STEPS = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND state <> 'idle' AND wait_event_type IS DISTINCT FROM 'Lock')
"""
_QUIET_TABLES = ("entry", "entry_history", "order_match", "link", "intent", "shop_version", "shop_removal", "customer_type", "lane")
"""What a worker that has lost its lane must leave alone."""


def process_environment(dsn: str, directory: Path) -> dict[str, str]:
    """For ``support.service.child``: the short times, a known admin token, and the sandboxes' address, which a worker is not allowed
    to ask unless it is named."""
    return environment(dsn, TILLSYNC_DATA_DIR=str(directory / "data"), TILLSYNC_ALLOWED_HOSTS="127.0.0.1", **SHORT_TIMES)


async def stop_still(pid: int, database: asyncpg.Connection[asyncpg.Record]) -> None:
    """SIGSTOP; returns when the process stands still, and each session of the database is idle or waits for a lock.

    A session that waits for its client inside a transaction keeps its locks until the process goes on: PostgreSQL ends it after 10 s
    (`idle_in_transaction_session_timeout`), but not between the preparation of a statement and its execution. A process may be stopped
    just after it sent a preparation: pg_stat_activity calls that session idle until its backend has run, so the backends are asked first.
    """
    seen = psutil.Process(pid)

    async def stands_between_statements() -> bool:
        seen.suspend()
        await until(lambda: seen.status() == psutil.STATUS_STOPPED, seen.status)
        if await _backends_sleep(database) and not await database.fetchval(_IS_BETWEEN_STEPS):
            return True
        seen.resume()
        return False

    await until(stands_between_statements, lambda: sessions(database))


async def _backends_sleep(database: asyncpg.Connection[asyncpg.Record]) -> bool:
    """Whether no backend of the database has a message to read: one that was sent a message is no longer asleep for the kernel."""
    await database.execute("SELECT pg_stat_clear_snapshot()")  # in a transaction, the view shows what the first look saw
    for backend in await database.fetch(_BACKENDS):
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(backend["pid"]).status() != psutil.STATUS_SLEEPING:
                return False
    await database.execute("SELECT pg_stat_clear_snapshot()")
    return True


def go_on(process: Child) -> None:
    process.process.send_signal(signal.SIGCONT)


async def kill(process: Child) -> None:
    """SIGKILL; returns when it is gone."""
    process.process.kill()
    await asyncio.to_thread(process.process.wait, HANG_SECONDS)


async def has_noticed(process: Child, event: str) -> None:
    """Returns when its log has this event."""

    await until(lambda: f'"{event}"' in process.errors, lambda: process.errors)


async def lease_token(database: asyncpg.Connection[asyncpg.Record], shop: Shop) -> int:
    """Raised with every lease of the account's lane."""
    token: int = await database.fetchval("SELECT lease_token FROM lane WHERE account_id = $1", shop.account_id)
    return token


async def taken_over(database: asyncpg.Connection[asyncpg.Record], shop: Shop, token: int) -> None:
    """Returns once somebody has leased the lane after the lease of this token."""

    async def is_leased_anew() -> bool:
        return await lease_token(database, shop) > token

    await until(is_leased_anew, lambda: lanes(database))


async def lanes(database: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """The lanes' leases and the entries that wait, for the message of a failure."""
    leases = await database.fetch("SELECT account_id, lease_owner, lease_token, lease_expires_at, lapses, now() FROM lane ORDER BY 1")
    waiting = await database.fetch("SELECT account_id, kind, subject_id, due_at, attempt_count, notes FROM entry WHERE state = 1 LIMIT 20")
    return [repr(row) for row in (*leases, *waiting)] + await sessions(database)


async def is_quiet(database: asyncpg.Connection[asyncpg.Record]) -> bool:
    """No lease, and nothing waits."""
    return not await database.fetchval(
        "SELECT EXISTS (SELECT FROM lane WHERE lease_owner IS NOT NULL) OR EXISTS (SELECT FROM entry WHERE state = 1)"
    )


async def everything(database: asyncpg.Connection[asyncpg.Record]) -> dict[str, list[str]]:
    """All rows that work leaves behind, as text: equal before and after means nothing was changed."""
    async with database.transaction(isolation="repeatable_read", readonly=True):
        return {table: [row[0] for row in await database.fetch(f"SELECT t::text FROM {table} AS t ORDER BY 1")] for table in _QUIET_TABLES}


async def somebody_waits_for(database: asyncpg.Connection[asyncpg.Record]) -> None:
    """Returns once a statement of another session waits for a lock of this connection. It waits for a second (lock_timeout)."""
    blocked = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
    await until(lambda: database.fetchval(blocked), lambda: sessions(database))


async def sessions(database: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """What each session of this database does, for the message of a failure."""
    await database.execute("SELECT pg_stat_clear_snapshot()")  # in a transaction, the view shows what the first look saw
    rows = await database.fetch(
        "SELECT pid, state, wait_event_type, wait_event, left(query, 80) AS query FROM pg_stat_activity WHERE datname = current_database()"
    )
    return [repr(row) for row in rows]


@asynccontextmanager
async def caught_before_the_create(database: asyncpg.Connection[asyncpg.Record], shop: Shop, email: str) -> AsyncIterator[None]:
    """Inside: whoever was asked for ``email`` has committed its intent and waits for the till's allowance, which the create needs.

    One search for it must be the last step before the intent: the till's search is proven already, and ``email`` is in its normal form.
    It waits for a second only: stop or kill it at once. Leaving lets its statement through.
    """
    search = shop.till.sandbox.faults.script(method="GET", where=lambda request: email in request.query.values(), hang="after")
    await search.arrived()
    async with database.transaction():
        await database.execute("SELECT FROM till WHERE till_id = $1 FOR NO KEY UPDATE", shop.till_id)
        search.release()
        await somebody_waits_for(database)
        assert await database.fetchval("SELECT EXISTS (SELECT FROM intent WHERE till_id = $1 AND email = $2)", shop.till_id, email)
        yield


@asynccontextmanager
async def caught_at_the_intent(database: asyncpg.Connection[asyncpg.Record], shop: Shop, email: str) -> AsyncIterator[None]:
    """Inside: nobody can write to the intent."""
    async with database.transaction():
        await database.execute("SELECT FROM intent WHERE till_id = $1 AND email = $2 FOR UPDATE", shop.till_id, email)
        yield
