"""Real `tillsync` processes that tests stop in the middle of a step.

A process is caught at a step by a wait: for an answer of a sandbox (a scripted fault that hangs), or for a database row that the test
has locked. The statement of a stopped process runs once the row is unlocked. Its answer waits until the process continues.
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
"""Tables that a worker without its lane must not change."""


def process_environment(dsn: str, directory: Path) -> dict[str, str]:
    """Settings for ``support.service.child``: short times, a known admin token, and permission for the sandboxes' address, which a worker
    needs."""
    return environment(dsn, TILLSYNC_DATA_DIR=str(directory / "data"), TILLSYNC_ALLOWED_HOSTS="127.0.0.1", **SHORT_TIMES)


async def suspend(pid: int, database: asyncpg.Connection[asyncpg.Record]) -> None:
    """Sends SIGSTOP. Returns when the process is stopped and each session of the database is idle or waits for a lock.

    A session that waits for its client inside a transaction keeps its locks until the process continues. PostgreSQL ends such a session
    after 10 s (`idle_in_transaction_session_timeout`), but not between the preparation and the execution of a statement. A process may
    be stopped just after it sent a preparation. pg_stat_activity shows that session as idle until its backend has run, so the backends
    are checked first.
    """
    seen = psutil.Process(pid)

    async def is_between_statements() -> bool:
        seen.suspend()
        await until(lambda: seen.status() == psutil.STATUS_STOPPED, seen.status)
        if await _backends_sleep(database) and not await database.fetchval(_IS_BETWEEN_STEPS):
            return True
        seen.resume()
        return False

    await until(is_between_statements, lambda: sessions(database))


async def _backends_sleep(database: asyncpg.Connection[asyncpg.Record]) -> bool:
    """Whether no backend of the database has a message to read. A backend with a message is not asleep for the kernel."""
    await database.execute("SELECT pg_stat_clear_snapshot()")  # within a transaction the view keeps its first snapshot
    for backend in await database.fetch(_BACKENDS):
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(backend["pid"]).status() != psutil.STATUS_SLEEPING:
                return False
    await database.execute("SELECT pg_stat_clear_snapshot()")
    return True


def go_on(process: Child) -> None:
    process.process.send_signal(signal.SIGCONT)


async def kill(process: Child) -> None:
    """Sends SIGKILL. Returns when the process has ended."""
    process.process.kill()
    await asyncio.to_thread(process.process.wait, HANG_SECONDS)


async def until_logged(process: Child, event: str) -> None:
    """Waits until the process's log has this event."""

    await until(lambda: f'"{event}"' in process.errors, lambda: process.errors)


async def lease_token(database: asyncpg.Connection[asyncpg.Record], shop: Shop) -> int:
    """The token of the account's lane. Every lease raises it."""
    token: int = await database.fetchval("SELECT lease_token FROM lane WHERE account_id = $1", shop.account_id)
    return token


async def taken_over(database: asyncpg.Connection[asyncpg.Record], shop: Shop, token: int) -> None:
    """Waits until the lane has a later lease than that of this token."""

    async def has_later_lease() -> bool:
        return await lease_token(database, shop) > token

    await until(has_later_lease, lambda: lanes(database))


async def lanes(database: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """Leases and waiting entries, for the message of a failure."""
    leases = await database.fetch("SELECT account_id, lease_owner, lease_token, lease_expires_at, lapses, now() FROM lane ORDER BY 1")
    waiting = await database.fetch("SELECT account_id, kind, subject_id, due_at, attempt_count, notes FROM entry WHERE state = 1 LIMIT 20")
    return [repr(row) for row in (*leases, *waiting)] + await sessions(database)


async def is_quiet(database: asyncpg.Connection[asyncpg.Record]) -> bool:
    """Whether no lane is leased and no entry waits."""
    return not await database.fetchval(
        "SELECT EXISTS (SELECT FROM lane WHERE lease_owner IS NOT NULL) OR EXISTS (SELECT FROM entry WHERE state = 1)"
    )


async def everything(database: asyncpg.Connection[asyncpg.Record]) -> dict[str, list[str]]:
    """All rows written by work, as text. Equal texts before and after mean that nothing changed."""
    async with database.transaction(isolation="repeatable_read", readonly=True):
        return {table: [row[0] for row in await database.fetch(f"SELECT t::text FROM {table} AS t ORDER BY 1")] for table in _QUIET_TABLES}


async def until_blocked_session(database: asyncpg.Connection[asyncpg.Record]) -> None:
    """Waits until a statement of another session waits for a lock of this connection, for at most a second (its lock_timeout)."""
    blocked = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
    await until(lambda: database.fetchval(blocked), lambda: sessions(database))


async def sessions(database: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """The state of each session of this database, for the message of a failure."""
    await database.execute("SELECT pg_stat_clear_snapshot()")  # within a transaction the view keeps its first snapshot
    rows = await database.fetch(
        "SELECT pid, state, wait_event_type, wait_event, left(query, 80) AS query FROM pg_stat_activity WHERE datname = current_database()"
    )
    return [repr(row) for row in rows]


@asynccontextmanager
async def caught_before_the_create(database: asyncpg.Connection[asyncpg.Record], shop: Shop, email: str) -> AsyncIterator[None]:
    """Inside the block, the worker of ``email`` has committed its intent and waits for the till's allowance, which the create needs.

    One search for the email must be the last step before the intent, so the till's search must be proven already and ``email`` in its
    normal form. The worker waits for a second only, so stop or kill it at once. Leaving the block lets its statement run.
    """
    search = shop.till.sandbox.faults.script(method="GET", where=lambda request: email in request.query.values(), hang="after")
    await search.arrived()
    async with database.transaction():
        await database.execute("SELECT FROM till WHERE till_id = $1 FOR NO KEY UPDATE", shop.till_id)
        search.release()
        await until_blocked_session(database)
        assert await database.fetchval("SELECT EXISTS (SELECT FROM intent WHERE till_id = $1 AND email = $2)", shop.till_id, email)
        yield


@asynccontextmanager
async def caught_at_the_intent(database: asyncpg.Connection[asyncpg.Record], shop: Shop, email: str) -> AsyncIterator[None]:
    """Inside the block, the row of the intent is locked."""
    async with database.transaction():
        await database.execute("SELECT FROM intent WHERE till_id = $1 AND email = $2 FOR UPDATE", shop.till_id, email)
        yield
