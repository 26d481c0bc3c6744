"""One server with Citus that is coordinator and worker in one, for tests of a cell. Each test gets a database with a migrated cell.

TILLSYNC_CITUS_BIN names the folder of its programs, which scripts/build_citus.sh builds. With TILLSYNC_TEST_ON_CITUS=1 the integration
tests of a run use this server alone (`make test-citus`).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
from support.directories import reachable_directory
from tillsync_server.adapters.postgres.embedded import EmbeddedPostgres
from tillsync_server.adapters.postgres.embedded.identity import run_as
from tillsync_server.adapters.postgres.migrations import migrate

CITUS = "citus"
THING = "Citus"
BIN_VARIABLE, SOURCE_VARIABLE, ON_CITUS_VARIABLE = "TILLSYNC_CITUS_BIN", "TILLSYNC_CITUS_SOURCE", "TILLSYNC_TEST_ON_CITUS"
SETTINGS = {
    "shared_preload_libraries": "citus",
    "max_connections": "300",
    "max_prepared_transactions": "300",
    "wal_level": "logical",
    "citus.recover_2pc_interval": "5s",
    "shared_buffers": "256MB",
    "max_wal_size": "256MB",
}
# Shards are tables beside their table, such as alembic_version_102008, and are none of these.
_TABLES = """
SELECT c.relname FROM pg_dist_partition d JOIN pg_class c ON c.oid = d.logicalrelid WHERE NOT c.relispartition
  AND c.relname NOT IN ('alembic_version', 'schema_release', 'email_rekey', 'migration_position') ORDER BY c.relname
"""
_PARTITIONS = "SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY inhrelid::regclass::text) FROM pg_inherits"
_TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"


def bin_dir() -> Path | None:
    """The folder of the programs, or None."""
    given = os.environ.get(BIN_VARIABLE)
    return Path(given).resolve() if given and (Path(given) / "postgres").exists() else None


def runs_on_citus() -> bool:
    return os.environ.get(ON_CITUS_VARIABLE) == "1"


async def make_database(server: EmbeddedPostgres, name: str) -> None:
    """A database with the extension and the settings that an operator makes, and without a cell."""
    admin = await asyncpg.connect(server.dsn())
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        await admin.execute(f"ALTER DATABASE {name} SET citus.show_shards_for_app_name_prefixes = '*'")
        await admin.execute("ALTER ROLE CURRENT_USER SET lock_timeout = '1s'")
    finally:
        await admin.close()
    inside = await asyncpg.connect(server.dsn(name))
    try:
        await inside.execute("CREATE EXTENSION citus")
        [socket] = parse_qs(urlsplit(server.dsn()).query)["host"]
        await inside.execute("SELECT citus_set_coordinator_host($1, 5432)", socket)
        await inside.execute("SELECT citus_set_node_property($1, 5432, 'shouldhaveshards', true)", socket)
    finally:
        await inside.close()


@dataclass
class CellPool:
    """Databases with an empty cell. A test's database is emptied row by row, because a TRUNCATE of all tables takes a second there."""

    server: EmbeddedPostgres
    _free: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _partitions: dict[str, str] = field(default_factory=dict)

    async def take(self) -> str:
        if self._free:
            return self._free.pop()
        name = f"cell_{next(self._numbers)}"
        await make_database(self.server, name)
        await migrate(self.server.dsn(name))
        connection = await asyncpg.connect(self.server.dsn(name))
        self._partitions[name] = await connection.fetchval(_PARTITIONS)
        await connection.close()
        return name

    async def give_back(self, name: str) -> None:
        connection = await asyncpg.connect(self.server.dsn(name), server_settings={"search_path": "tillsync"})
        try:
            await connection.fetch(_TERMINATE, name)
            left = {row["relname"] for row in await connection.fetch(_TABLES)}
            while left:  # a table goes after those that refer to it
                before = len(left)
                for table in sorted(left):
                    try:
                        await connection.execute(f"DELETE FROM {table}")
                        left.remove(table)
                    except asyncpg.ForeignKeyViolationError:
                        continue
                assert len(left) < before, left
            if await connection.fetchval(_PARTITIONS) == self._partitions[name]:
                self._free.append(name)
        finally:
            await connection.close()


@contextmanager
def citus_server(programs: Path) -> Iterator[EmbeddedPostgres]:
    with reachable_directory() as directory, asyncio.Runner() as runner:
        if not run_as().can_reach(programs):  # the PostgreSQL user cannot enter a clone in root's home
            root = programs.parents[4]
            programs = shutil.copytree(root, directory / "programs", symlinks=True) / programs.relative_to(root)
        server = EmbeddedPostgres(directory, bin_dir=programs, durable=False, settings=SETTINGS)
        runner.run(server.start())
        try:
            yield server
        finally:
            runner.run(server.stop())
