"""Tells the operator how far an index build is, from PostgreSQL's own view of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tillsync_server.adapters.postgres.connections.hosts import CONNECT_SECONDS, Hosts
from tillsync_server.adapters.postgres.migrations.steps import Progress
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.foreign_transactions import ForeignTransaction

_INDEX_PROGRESS = load("migrations/index_progress")
_REPORT_SECONDS = 5.0


@asynccontextmanager
async def index_progress(dsn: str, builder: asyncpg.Connection[asyncpg.Record], report: Progress) -> AsyncIterator[None]:
    """Inside, a connection of its own asks every five seconds what ``builder`` builds, and tells a line."""
    pid = builder.get_server_pid()
    polling = asyncio.create_task(_poll(dsn, pid, report), name="index-progress")
    try:
        yield
    finally:
        polling.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError, asyncpg.PostgresError):  # a line less spoils no build
            await polling


async def _poll(dsn: str, pid: int, report: Progress) -> None:
    connection: asyncpg.Connection[asyncpg.Record] = await Hosts(dsn).connect(
        timeout=CONNECT_SECONDS, server_settings={"application_name": "tillsync migrate"}
    )
    try:
        while True:
            await asyncio.sleep(_REPORT_SECONDS)
            row = await connection.fetchrow(_INDEX_PROGRESS, pid)
            if row is not None:
                report(_line(row))
    finally:
        await connection.close()


def _line(row: asyncpg.Record) -> str:
    share = f", {100 * row['blocks_done'] // row['blocks_total']} %" if row["blocks_total"] else ""
    if not row["pid"]:
        return f"{row['phase']}{share}"
    locker = ForeignTransaction(row["pid"], row["name"], row["role"], row["state"], row["seconds"])
    return f"{row['phase']}: waits for {locker.described()}"
