"""One PostgreSQL per run and version, migrated once into a template database; each test gets a database of its own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from support.database_pool import DatabasePool
from tillsync_server.adapters.postgres.embedded import EmbeddedPostgres
from tillsync_server.adapters.postgres.embedded.identity import run_as
from tillsync_server.adapters.postgres.migrations import migrate

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
FETCHED = Path(__file__).resolve().parents[2] / ".tillsync" / "postgres"
"""Where scripts/fetch_postgres.py puts each major version."""


def installed_versions() -> dict[str, Path]:
    """The folder of the programs by ``postgresql15``, ``postgresql16`` and ``postgresql17``: those at hand, beside the embedded 18."""
    folders = {15: DEBIAN_15 if DEBIAN_15.exists() else FETCHED / "15" / "bin", 16: FETCHED / "16" / "bin", 17: FETCHED / "17" / "bin"}
    return {f"postgresql{major}": folder for major, folder in folders.items() if (folder / "postgres").exists()}


@dataclass(frozen=True)
class TestDatabase:
    """``dsn`` of a database of this test's own, with the schema `tillsync` migrated."""

    __test__ = False
    dsn: str
    name: str


@dataclass(frozen=True)
class Cluster:
    server: EmbeddedPostgres
    pool: DatabasePool

    @asynccontextmanager
    async def database(self) -> AsyncIterator[TestDatabase]:
        name = await self.pool.take()
        try:
            yield TestDatabase(self.server.dsn(name), name)
        finally:
            await self.pool.give_back(name)


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
        if bin_dir is not None and not run_as().can_reach(bin_dir):  # a clone in root's home, which is closed to the user of PostgreSQL
            bin_dir = shutil.copytree(bin_dir.parent, directory / "programs", symlinks=True) / "bin"
        server = EmbeddedPostgres(directory, bin_dir=bin_dir, durable=False, settings={"max_connections": "200", "shared_buffers": "256MB"})
        runner.run(server.start())
        try:
            runner.run(_make_template(server, "tillsync_template"))
            pool = DatabasePool(server.dsn(), "tillsync_template")
            runner.run(pool.prepare())
            yield Cluster(server, pool)
        finally:
            runner.run(server.stop())


async def _make_template(server: EmbeddedPostgres, name: str) -> None:
    connection = await asyncpg.connect(server.dsn())
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    await migrate(server.dsn(name))
