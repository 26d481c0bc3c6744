"""deploy/backup.sh and deploy/restore.sh, which the compose file runs, on a real PostgreSQL with a service."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
import pytest_asyncio
from support.directories import REPOSITORY
from support.documents import programs_path
from support.service import SECRET_KEY, command_environment, run_command, running_service
from support.waiting import HANG_SECONDS
from tillsync.v1 import vocabulary_pb2
from tillsync_client import TillsyncClient
from tillsync_server.adapters.postgres.embedded import WHEEL, EmbeddedPostgres
from tillsync_server.adapters.postgres.embedded.wheel import wheel_bin_dir

pytestmark = [pytest.mark.processes, pytest.mark.own_server]
DATABASE = "tillsync"


@dataclass
class Composed:
    """A PostgreSQL with the database of the compose file, and the folder of its dumps."""

    server: EmbeddedPostgres
    backups: Path

    def dsn(self, database: str = DATABASE) -> str:
        return self.server.dsn(database)

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a script of deploy/ with the variables that the compose file gives it."""
        programs, parts = wheel_bin_dir(), urlsplit(self.dsn())
        assert programs is not None
        variables = {
            "PGHOST": parse_qs(parts.query)["host"][0],
            "PGUSER": parts.username or "",
            "PGDATABASE": DATABASE,
            "BACKUPS": str(self.backups),
            "PASSWORD_FILE": str(self.backups.parent / "postgres-password"),
            "KEEP": "2",
        }
        command = ["bash", str(REPOSITORY / "deploy" / script), *arguments]
        environment = command_environment(PATH=programs_path(programs), **variables)
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=HANG_SECONDS)

    async def databases(self) -> list[str]:
        connection = await asyncpg.connect(self.dsn("postgres"))
        try:
            return [row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database ORDER BY oid")]
        finally:
            await connection.close()


@pytest_asyncio.fixture
async def composed(directory: Path) -> AsyncIterator[Composed]:
    backups = directory / "backups"
    backups.mkdir()
    (directory / "postgres-password").write_text("unused\n")
    async with EmbeddedPostgres(directory / "data", bin_dir=WHEEL, durable=False) as server:
        connection = await asyncpg.connect(server.dsn())
        await connection.execute(f"CREATE DATABASE {DATABASE}")
        await connection.close()
        made = Composed(server, backups)
        migrated(made)
        yield made


def migrated(composed: Composed) -> str:
    """Runs ``tillsync migrate``, as `docker compose up` does, and returns its last line."""
    ran = run_command(["migrate"], {"DATABASE_URL": composed.dsn(), "TILLSYNC_SECRET_KEY": SECRET_KEY})
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()[-1]


async def customers(client: TillsyncClient) -> set[int]:
    return {entry.epos_customer_id async for entry in client.sync.list_queue("shop-1", vocabulary_pb2.QUEUE_CUSTOMERS)}


async def test_backup_is_restored_and_the_database_before_it_stays(composed: Composed) -> None:
    for day in ("20250101", "20250102", "20250103"):
        (composed.backups / f"tillsync-{day}T000000Z.dump").touch()
    async with running_service(composed.dsn()) as service:
        await service.add_account()
        await service.client.sync.sync_customer("shop-1", 1)
        ran = composed.run("backup.sh")
        assert (ran.returncode, ran.stderr) == (0, "")
        dump = Path(ran.stdout.strip())
        assert dump.stat().st_mode & 0o777 == 0o600
        assert sorted(path.name for path in composed.backups.iterdir()) == ["tillsync-20250103T000000Z.dump", dump.name], "the newest two"
        await service.client.sync.sync_customer("shop-1", 2)
        refused = composed.run("restore.sh", dump.name)
        assert refused.returncode == 1
        assert refused.stderr.endswith("stop the service first\n")
    ran = composed.run("restore.sh", dump.name)
    assert (ran.returncode, ran.stderr) == (0, "")
    [former] = [name for name in await composed.databases() if name.startswith(f"{DATABASE}_before_")]
    assert f"restored {dump.name} as {DATABASE}. The database before it is {former}" in ran.stdout
    assert migrated(composed) == "nothing to do: the schema is up to date"
    service_settings = {"DATABASE_URL": composed.dsn(), "TILLSYNC_SECRET_KEY": SECRET_KEY}
    refused = run_command(["serve"], service_settings)
    made_at = datetime.strptime(dump.name, "tillsync-%Y%m%dT%H%M%S%z.dump")
    assert f"the database was restored from a backup of {made_at:%Y-%m-%d %H:%M:%S} UTC: run `tillsync after-restore`" in refused.stderr
    asked = run_command(["after-restore"], service_settings)
    assert (asked.returncode, asked.stderr) == (0, "shop-1: no bridge\n")
    async with running_service(composed.dsn()) as service:
        assert await customers(service.client) == {1}
        await service.client.sync.sync_customer("shop-1", 3)
        assert await customers(service.client) == {1, 3}
    async with running_service(composed.dsn(former)) as service:
        assert await customers(service.client) == {1, 2}


async def test_a_failed_backup_leaves_no_file_and_a_failed_restore_changes_nothing(composed: Composed) -> None:
    dump = Path(composed.run("backup.sh").stdout.strip())
    before = await composed.databases()
    broken = composed.backups / "broken.dump"
    broken.write_bytes(dump.read_bytes()[:-2000])
    for _ in range(2):
        assert composed.run("restore.sh", "broken.dump").returncode != 0
        assert [name for name in await composed.databases() if name != f"{DATABASE}_restoring"] == before
    unknown = composed.run("restore.sh", "none.dump")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert dump.name in unknown.stderr
    assert migrated(composed) == "nothing to do: the schema is up to date"

    connection = await asyncpg.connect(composed.dsn("postgres"))
    await connection.execute(f"ALTER DATABASE {DATABASE} RENAME TO away")
    await connection.close()
    assert composed.run("backup.sh").returncode != 0
    assert {path.name for path in composed.backups.iterdir()} == {dump.name, "broken.dump"}
