"""PostgreSQL servers for tests. Each process of a run starts its own, one a version; each test gets a database of its own.

TILLSYNC_TEST_DATABASE_URL names a server that runs already, for example a managed service: the tests then run on that one. Its role needs
CREATEDB, nothing more. Tests marked `own_server` are skipped there.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
from support.database_pool import DatabasePool
from support.directories import reachable_directory
from tillsync_server.adapters.postgres.embedded import EmbeddedPostgres
from tillsync_server.adapters.postgres.migrations import migrate

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
EMBEDDED, FIFTEEN, GIVEN = "postgresql18", "postgresql15", "given"
GIVEN_URL_VARIABLE = "TILLSYNC_TEST_DATABASE_URL"
_SETTINGS = {"max_connections": "200", "shared_buffers": "256MB", "max_wal_size": "256MB"}


def given_url() -> str | None:
    """The server that the developer names, or None."""
    return os.environ.get(GIVEN_URL_VARIABLE) or None


def versions_at_hand() -> list[str]:
    """The servers on which an integration test runs. The first is the one for all other tests."""
    if given_url() is not None:
        return [GIVEN]
    return [EMBEDDED, *([FIFTEEN] if DEBIAN_15.exists() else [])]


@dataclass(frozen=True)
class TestDatabase:
    """``dsn`` of a database of this test's own, with the schema `tillsync` migrated."""

    __test__ = False
    dsn: str
    name: str


class Server(Protocol):
    def dsn(self, database: str = "postgres") -> str: ...


@dataclass(frozen=True)
class GivenServer:
    """The server of ``url``. Its options, such as `?sslmode=require`, go to each database."""

    url: str

    def dsn(self, database: str = "") -> str:
        """Without a name: the database of the URL itself."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(path=f"/{quote(database)}")) if database else self.url


@dataclass(frozen=True)
class Cluster:
    server: Server
    pool: DatabasePool

    @asynccontextmanager
    async def database(self) -> AsyncIterator[TestDatabase]:
        name = await self.pool.take()
        try:
            yield TestDatabase(self.server.dsn(name), name)
        finally:
            await self.pool.give_back(name)


@dataclass
class Clusters:
    """The servers of this process, each started when a test first asks for it, and stopped with ``stack``."""

    stack: ExitStack
    _running: dict[str, Cluster] = field(default_factory=dict)

    def running(self, version: str) -> Cluster:
        """``version``: one of `versions_at_hand`."""
        if version not in self._running:
            url = given_url()
            made = given_cluster(url) if url is not None else running_cluster(DEBIAN_15 if version == FIFTEEN else None)
            self._running[version] = self.stack.enter_context(made)
        return self._running[version]


@contextmanager
def running_cluster(bin_dir: Path | None) -> Iterator[Cluster]:
    """A server of our own. ``bin_dir`` None: the embedded PostgreSQL."""
    with reachable_directory() as directory, asyncio.Runner() as runner:
        server = EmbeddedPostgres(directory, bin_dir=bin_dir, durable=False, settings=_SETTINGS)
        runner.run(server.start())
        try:
            with _cluster_on(server, runner) as cluster:
                yield cluster
        finally:
            runner.run(server.stop())


@contextmanager
def given_cluster(url: str) -> Iterator[Cluster]:
    """The server of ``url``. Every database that the tests make there is dropped at the end."""
    with asyncio.Runner() as runner, _cluster_on(GivenServer(url), runner) as cluster:
        try:
            yield cluster
        finally:
            runner.run(cluster.pool.drop_all())


@contextmanager
def _cluster_on(server: Server, runner: asyncio.Runner) -> Iterator[Cluster]:
    template = f"tillsync_template_{secrets.token_hex(4)}"
    runner.run(_make_template(server, template))
    pool = DatabasePool(server.dsn(), template)
    runner.run(pool.prepare())
    yield Cluster(server, pool)


async def _make_template(server: Server, name: str) -> None:
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    await migrate(server.dsn(name))
