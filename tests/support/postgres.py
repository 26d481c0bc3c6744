"""PostgreSQL servers for tests. Each test process starts one server per version, and each test gets its own database.

TILLSYNC_TEST_DATABASE_URL names a running server, for example a managed service, on which the tests run instead. Its role needs
CREATEDB, nothing more. Tests marked `own_server` are skipped there.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import pytest
from support import citus
from support.database_pool import DatabasePool
from support.directories import REPOSITORY, reachable_directory
from support.soak import SOAK
from tillsync_server.adapters.postgres.embedded import WHEEL, EmbeddedPostgres
from tillsync_server.adapters.postgres.embedded.identity import run_as
from tillsync_server.adapters.postgres.migrations import migrate

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
FETCHED = REPOSITORY / ".tillsync" / "postgres"
"""Folder in which scripts/fetch_postgres.py stores each major version."""
EMBEDDED, OLDEST, MIDDLE, GIVEN = "postgresql18", "postgresql15", ("postgresql16", "postgresql17"), "given"
GIVEN_URL_VARIABLE = "TILLSYNC_TEST_DATABASE_URL"
_SETTINGS = {"max_connections": "200", "shared_buffers": "256MB", "max_wal_size": "256MB"}


def given_url() -> str | None:
    """The server that the developer configured, or None."""
    return os.environ.get(GIVEN_URL_VARIABLE) or None


def installed_versions() -> dict[str, Path]:
    """The program folders by ``postgresql15``, ``postgresql16`` and ``postgresql17``, if installed. The embedded 18 is not included."""
    folders = {15: DEBIAN_15 if DEBIAN_15.exists() else FETCHED / "15" / "bin", 16: FETCHED / "16" / "bin", 17: FETCHED / "17" / "bin"}
    return {f"postgresql{major}": folder for major, folder in folders.items() if (folder / "postgres").exists()}


def versions_of(item: pytest.Item) -> list[str]:
    """The servers on which a test with a database runs, installed or not.

    An `integration` test runs on the newest and the oldest version, one marked `every_version` (and with TILLSYNC_TEST_SOAK each) also on
    those between, any other test on the newest.
    """
    if given_url() is not None:
        return [GIVEN]
    if citus.runs_on_citus():
        return [citus.CITUS]
    if item.get_closest_marker("integration") is None:
        return [EMBEDDED]
    return [EMBEDDED, OLDEST, *(MIDDLE if SOAK or item.get_closest_marker("every_version") else ())]


@dataclass(frozen=True)
class TestDatabase:
    """``dsn`` of the test's own database, with the migrated schema `tillsync`."""

    __test__ = False
    dsn: str
    name: str


class Server(Protocol):
    def dsn(self, database: str = "postgres") -> str: ...


@dataclass(frozen=True)
class GivenServer:
    """The server of ``url``. Its options, such as `?sslmode=require`, apply to each database.

    Sessions use the planner settings of the embedded server, so that the plan guards hold on every storage.
    """

    url: str

    def dsn(self, database: str = "") -> str:
        """The DSN of the database, by default of the URL's own one."""
        parts = urlsplit(self.url)
        query = "&".join(part for part in (parts.query, "random_page_cost=1.1", "jit=off") if part)
        return urlunsplit(parts._replace(path=f"/{quote(database)}" if database else parts.path, query=query))


class Pool(Protocol):
    async def take(self) -> str: ...

    async def give_back(self, name: str) -> None: ...


@dataclass(frozen=True)
class Cluster:
    server: Server
    pool: Pool

    @asynccontextmanager
    async def database(self) -> AsyncIterator[TestDatabase]:
        name = await self.pool.take()
        try:
            yield TestDatabase(self.server.dsn(name), name)
        finally:
            await self.pool.give_back(name)


@dataclass
class Clusters:
    """The servers of this process. Each starts when a test first needs it, and stops with ``stack``."""

    stack: ExitStack
    _running: dict[str, Cluster] = field(default_factory=dict)

    def running(self, version: str) -> Cluster:
        """The running server of ``version``, which is one of `versions_of` a test."""
        if version not in self._running:
            url = given_url()
            if version == citus.CITUS:
                made = citus_cluster()
            else:
                made = given_cluster(url) if url is not None else running_cluster(installed_versions().get(version))
            self._running[version] = self.stack.enter_context(made)
        return self._running[version]


@contextmanager
def running_cluster(bin_dir: Path | None) -> Iterator[Cluster]:
    """A server started by the tests. With ``bin_dir`` None it is the wheel's PostgreSQL, the same on each machine."""
    with reachable_directory() as directory, asyncio.Runner() as runner:
        if bin_dir is not None and not run_as().can_reach(bin_dir):  # the PostgreSQL user cannot enter a clone in root's home
            bin_dir = shutil.copytree(bin_dir.parent, directory / "programs", symlinks=True) / "bin"
        server = EmbeddedPostgres(directory, bin_dir=bin_dir or WHEEL, durable=False, settings=_SETTINGS)
        runner.run(server.start())
        try:
            pool = _pool(server)
            runner.run(_prepare(server, pool))
            yield Cluster(server, pool)
        finally:
            runner.run(server.stop())


@contextmanager
def given_cluster(url: str) -> Iterator[Cluster]:
    """The server of ``url``. Every database of the tests there is dropped at the end."""
    server = GivenServer(url)
    with asyncio.Runner() as runner:
        pool = _pool(server)
        try:
            runner.run(_prepare(server, pool))
            yield Cluster(server, pool)
        finally:
            runner.run(pool.drop_all())


@contextmanager
def citus_cluster() -> Iterator[Cluster]:
    """One server with Citus. Its databases are made without a template, which would need a catalog without nodes."""
    programs = citus.bin_dir()
    assert programs is not None, f"{citus.BIN_VARIABLE} names no folder with postgres"
    with citus.citus_server(programs) as server:
        yield Cluster(server, citus.CellPool(server))


def _pool(server: Server) -> DatabasePool:
    return DatabasePool(server.dsn(), template=f"tillsync_template_{secrets.token_hex(4)}")


async def _prepare(server: Server, pool: DatabasePool) -> None:
    """Creates and migrates the template."""
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute(f"CREATE DATABASE {pool.template}")
    finally:
        await connection.close()
    await migrate(server.dsn(pool.template))
    await pool.prepare()
