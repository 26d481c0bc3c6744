"""Environment of every row: the sizes, one durable PostgreSQL with its databases, and the console."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from benchmarks.machine import memory_share
from benchmarks.plan import Plan
from rich.console import Console
from tillsync_server.adapters.postgres.embedded import WHEEL, EmbeddedPostgres
from tillsync_server.adapters.postgres.migrations import migrate


@dataclass
class Bench:
    plan: Plan
    server: EmbeddedPostgres
    directory: Path
    console: Console
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def show_progress(self, line: str) -> None:
        self.console.print(f"  {line}", style="dim", highlight=False, soft_wrap=True)

    async def make_database(self, name: str, template: str | None = None) -> str:
        """Makes a database, replaces one of the same name, and returns its DSN. A template must have no open connection."""
        connection = await asyncpg.connect(self.server.dsn())
        try:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            await connection.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template} STRATEGY file_copy" if template else ""))
        finally:
            await connection.close()
        return self.server.dsn(name)

    async def drop_database(self, name: str) -> None:
        connection = await asyncpg.connect(self.server.dsn())
        try:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        finally:
            await connection.close()

    @asynccontextmanager
    async def database(self, template: str) -> AsyncIterator[str]:
        """Yields the DSN of a copy of ``template`` for one round. A checkpoint comes first, so that no round pays for earlier writes."""
        name = f"round_{next(self._numbers)}"
        dsn = await self.make_database(name, template)
        connection = await asyncpg.connect(dsn)
        await connection.execute("CHECKPOINT")
        await connection.close()
        try:
            yield dsn
        finally:
            await self.drop_database(name)

    async def make_ours(self, name: str) -> str:
        """Makes a database with our schema. Returns its DSN."""
        dsn = await self.make_database(name)
        await migrate(dsn)
        return dsn


def new_server(directory: Path) -> EmbeddedPostgres:
    """Makes a server as the service starts it, with synchronous_commit on and a quarter of the memory, at most 4 GB."""
    settings = {"max_connections": "200", "shared_buffers": f"{memory_share()}MB", "max_wal_size": "8GB", "synchronous_commit": "on"}
    return EmbeddedPostgres(directory, bin_dir=WHEEL, settings=settings)


async def our_connection(dsn: str) -> asyncpg.Connection[asyncpg.Record]:
    """Connects to our schema. The timeout allows long fills."""
    return await asyncpg.connect(dsn, server_settings={"search_path": "tillsync", "jit": "off"}, command_timeout=1800)
