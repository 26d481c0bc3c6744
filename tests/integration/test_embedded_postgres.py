"""What the embedded PostgreSQL is told and writes down: no secrets of the service, no values of refused statements."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest
from support.directories import reachable_directory
from tillsync_server.adapters.postgres.embedded import EmbeddedPostgres

pytestmark = pytest.mark.integration


@pytest.mark.own_server
async def test_the_log_holds_no_refused_row_and_is_closed_to_others() -> None:
    with reachable_directory() as directory:
        (directory / "postgres.log").touch(mode=0o644)
        async with EmbeddedPostgres(directory, durable=False) as server:
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
        async with EmbeddedPostgres(directory, durable=False) as server:
            environment = Path(f"/proc/{server.pid}/environ").read_bytes().split(b"\0")
    assert any(variable.startswith(b"PATH=") for variable in environment)
    assert not any(variable.startswith((b"TILLSYNC_", b"PG")) for variable in environment), environment
