"""The embedded PostgreSQL chooses the version of a data directory, keeps secrets out of its process and its log, and reports exits."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from support.directories import reachable_directory
from support.logs import captured_lines
from support.postgres import OLDEST, installed_versions
from support.waiting import until
from tillsync_server.adapters.postgres.embedded import WHEEL, EmbeddedPostgres, EmbeddedPostgresError, binaries

pytestmark = pytest.mark.integration


@pytest.mark.own_server
async def test_log_has_no_refused_row_and_only_its_owner_reads_it() -> None:
    with reachable_directory() as directory:
        (directory / "postgres.log").touch(mode=0o644)
        async with EmbeddedPostgres(directory, bin_dir=WHEEL, durable=False) as server:
            connection = await asyncpg.connect(server.dsn())
            await connection.execute("CREATE TABLE person (email text PRIMARY KEY, age int CHECK (age > 0))")
            await connection.execute("INSERT INTO person VALUES ($1, 1)", "ada@example.test")
            for email, age in (("ada@example.test", 2), ("bob@example.test", -1)):
                with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                    await connection.execute("INSERT INTO person VALUES ($1, $2)", email, age)
            await connection.close()
        log = directory / "postgres.log"
        assert log.read_text().count("violates") == 2
        assert "example.test" not in log.read_text()
        assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.own_server
async def test_server_process_has_no_secret_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLSYNC_SECRET_KEY", "the-key-of-the-credentials")
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=1MB")
    with reachable_directory() as directory:
        async with EmbeddedPostgres(directory, bin_dir=WHEEL, durable=False) as server:
            environment = Path(f"/proc/{server.pid}/environ").read_bytes().split(b"\0")
    assert any(variable.startswith(b"PATH=") for variable in environment)
    assert not any(variable.startswith((b"TILLSYNC_", b"PG")) for variable in environment), environment


def empty_control_file(cluster: Path) -> None:
    (cluster / "global" / "pg_control").write_bytes(b"")


def delete_wal(cluster: Path) -> None:
    for segment in (cluster / "pg_wal").glob("0*"):
        segment.unlink()


def open_to_others(cluster: Path) -> None:
    cluster.chmod(0o777)


def add_wrong_setting(cluster: Path) -> None:
    with (cluster / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("shared_memory_type = 'ada@example.test'\n")


DAMAGES = [
    (empty_control_file, "could not read file"),
    (delete_wal, "could not locate a valid checkpoint record"),
    (open_to_others, "has invalid permissions"),
    (add_wrong_setting, "postgresql.conf"),
]


@pytest.mark.own_server
@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
async def test_exit_is_logged_with_postgresqls_reason(damage: Callable[[Path], None], reason: str) -> None:
    with reachable_directory() as directory, captured_lines("info") as lines:
        async with EmbeddedPostgres(directory, bin_dir=WHEEL, durable=False) as server:

            def exits() -> list[dict[str, Any]]:
                return lines.of("embedded_postgres_exited")

            damage(directory / "postgres")
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            await until(lambda: len(exits()) >= 2, lambda: lines.text)
    killed, refused = exits()[:2]
    assert killed["returncode"] == -signal.SIGKILL
    assert killed["reason"] == "PostgreSQL's log names none"
    assert refused["returncode"] != 0
    assert reason in refused["reason"]
    assert not [line for line in lines.all() if "dropped" in line]
    assert "example.test" not in lines.text


@pytest.mark.own_server
@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
async def test_failed_start_raises_postgresqls_reason(damage: Callable[[Path], None], reason: str) -> None:
    with reachable_directory() as directory:
        async with EmbeddedPostgres(directory, bin_dir=WHEEL, durable=False):
            pass
        damage(directory / "postgres")
        with pytest.raises(EmbeddedPostgresError, match=f"did not start .*{reason}.*; its log is {directory}/postgres.log") as caught:
            await EmbeddedPostgres(directory, bin_dir=WHEEL, durable=False).start()
    assert "example.test" not in str(caught.value)


async def serve_and_get_version(directory: Path, bin_dir: Path | None = None) -> int:
    """Starts the server, inserts a row, and returns the server's major version."""
    async with EmbeddedPostgres(directory, bin_dir=bin_dir, durable=False) as server:
        connection = await asyncpg.connect(server.dsn())
        await connection.execute("CREATE TABLE IF NOT EXISTS start (at timestamptz DEFAULT now()); INSERT INTO start DEFAULT VALUES")
        await connection.close()
        return connection.get_server_version().major


@pytest.mark.own_server
@pytest.mark.parametrize("system", [OLDEST])
async def test_data_directory_is_served_by_the_version_that_created_it(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has PostgreSQL 15 and the wheel has 18. Only a new directory uses the system's version."""
    with reachable_directory() as system_directory, reachable_directory() as wheel_directory, reachable_directory() as programs:
        bin_15 = Path(shutil.copytree(installed_versions()[system].parent, programs / "15", symlinks=True)) / "bin"
        monkeypatch.setattr(binaries, "system_bin_dirs", lambda: [bin_15])
        assert await serve_and_get_version(system_directory) == 15
        assert await serve_and_get_version(wheel_directory, WHEEL) == 18
        assert await serve_and_get_version(wheel_directory) == 18
        assert await serve_and_get_version(system_directory) == 15
        for directory, bin_dir, created_by, configured in ((system_directory, WHEEL, 15, 18), (wheel_directory, bin_15, 18, 15)):
            with pytest.raises(
                EmbeddedPostgresError,
                match=f"made by PostgreSQL {created_by}, but TILLSYNC_POSTGRES_BIN names PostgreSQL {configured}: install",
            ):
                await serve_and_get_version(directory, bin_dir)
