"""One PostgreSQL per run and version, migrated once into a template database; each test gets its own copy."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from tillsync_server.adapters.postgres.embedded import EmbeddedPostgres
from tillsync_server.adapters.postgres.migrations import migrate

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class TestDatabase:
    """``dsn`` of a database of this test's own, with the schema `tillsync` migrated."""

    __test__ = False
    dsn: str
    name: str


@dataclass(frozen=True)
class Cluster:
    server: EmbeddedPostgres
    template: str

    @asynccontextmanager
    async def database(self) -> AsyncIterator[TestDatabase]:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        connection = await asyncpg.connect(self.server.dsn())
        try:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {self.template} STRATEGY file_copy")
            yield TestDatabase(self.server.dsn(name), name)
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        finally:
            await connection.close()


@contextmanager
def reachable_directory(prefix: str = "tillsync-test-") -> Iterator[Path]:
    """A short-lived directory that the user PostgreSQL runs as can pass through (root's own temporary ones are closed to it)."""
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir="/var/tmp"))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def running_cluster(bin_dir: Path | None) -> Iterator[Cluster]:
    with reachable_directory() as directory, asyncio.Runner() as runner:
        server = EmbeddedPostgres(directory, bin_dir=bin_dir, durable=False, settings={"max_connections": "200", "shared_buffers": "256MB"})
        runner.run(server.start())
        try:
            runner.run(_make_template(server, "tillsync_template"))
            yield Cluster(server, "tillsync_template")
        finally:
            runner.run(server.stop())


async def _make_template(server: EmbeddedPostgres, name: str) -> None:
    connection = await asyncpg.connect(server.dsn())
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    await migrate(server.dsn(name))
