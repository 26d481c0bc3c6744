"""What the embedded PostgreSQL writes down of a refused statement: no values, and not for everybody's eyes."""

from __future__ import annotations

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
