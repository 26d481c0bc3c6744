"""`migrate` runs beside other migrations, backups and transactions, and after crashes. The tests use their own revisions and schema."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from support.postgres import TestDatabase
from support.waiting import until, within
from tillsync_server.adapters.postgres.migrations import (
    MigrationBlockedError,
    SchemaError,
    lock_tries,
    migrate,
    migrator,
    require_current,
)
from tillsync_server.adapters.postgres.migrations.revisions import VERSIONS
from tillsync_server.adapters.postgres.migrations.schema_state import schema_state

pytestmark = [pytest.mark.integration]

SCHEMA = "cell_b"
ITEMS = """
CREATE TABLE item (id integer PRIMARY KEY, name text NOT NULL);
INSERT INTO item SELECT n, 'n' || n FROM generate_series(1, 1000) AS n;
"""
INDEX = "-- tillsync: concurrently\nCREATE INDEX CONCURRENTLY item_by_name ON item (name);"
UNIQUE = "-- tillsync: concurrently\nCREATE UNIQUE INDEX CONCURRENTLY item_by_name ON item (name);"
PARTITIONED = """
CREATE TABLE item (kind integer, week integer) PARTITION BY LIST (kind);
CREATE TABLE item_1 PARTITION OF item FOR VALUES IN (1) PARTITION BY RANGE (week);
CREATE TABLE item_1_low PARTITION OF item_1 FOR VALUES FROM (0) TO (10);
CREATE TABLE item_1_high PARTITION OF item_1 FOR VALUES FROM (10) TO (20);
CREATE TABLE item_2 PARTITION OF item FOR VALUES IN (2);
INSERT INTO item SELECT 1, n % 20 FROM generate_series(1, 1000) AS n;
"""
PARTITIONED_INDEX = "-- tillsync: concurrently\nCREATE INDEX CONCURRENTLY item_by_week ON item (week) WHERE week > 3;"
CHUNKS = """
import os

async def upgrade(step):
    last = await step.position() or 0
    while last < 1000:
        if last == 400 and not os.path.exists({marker!r}):
            raise RuntimeError("the process ends here")
        async with step.connection.transaction():
            await step.connection.execute("UPDATE item SET name = name || '!' WHERE id > $1 AND id <= $1 + 100", last)
            last += 100
            await step.keep(last)
        step.report(f"{{last}} of 1000 rows")
"""


def write(directory: Path, **files: str) -> Path:
    """Revision files by name: ``_0001_items`` is ``0001_items.sql``, ``r0002_chunks`` is a Python revision."""
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / (f"{name}.py" if name.startswith("r") else f"{name[1:]}.sql")).write_text(text)
    return directory


@asynccontextmanager
async def session(database: TestDatabase, name: str = "some report") -> AsyncIterator[Any]:
    settings = {"search_path": SCHEMA, "application_name": name, "lock_timeout": "0", "idle_in_transaction_session_timeout": "0"}
    connection = await asyncpg.connect(database.dsn, server_settings=settings)
    try:
        yield connection
    finally:
        await connection.close()


async def is_valid(connection: Any, index: str) -> bool | None:
    found: bool | None = await connection.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", index)
    return found


async def test_concurrent_migrations_build_an_index_and_none_fails(database: TestDatabase, tmp_path: Path) -> None:
    directory = write(tmp_path / "revisions", _0001_items=ITEMS, _0002_index=INDEX)
    applied = await asyncio.gather(*(migrate(database.dsn, schema=SCHEMA, directory=directory) for _ in range(4)))
    assert sorted(applied) == [[], [], [], ["0001", "0002"]]
    async with session(database) as connection:
        assert await is_valid(connection, "item_by_name")


async def test_index_build_waits_for_a_backup_and_reports_it(
    database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tillsync_server.adapters.postgres.migrations.index_progress._REPORT_SECONDS", 0.1)
    directory = write(tmp_path / "revisions", _0001_items=ITEMS)
    await migrate(database.dsn, schema=SCHEMA, directory=directory)
    write(directory, _0002_index=INDEX)
    lines: list[str] = []
    reported = asyncio.Event()

    def report(line: str) -> None:
        lines.append(line)
        if "waits for session" in line:
            reported.set()

    async with session(database, "pg_dump") as backup:
        async with backup.transaction(isolation="repeatable_read"):
            assert await backup.fetchval("SELECT count(*) FROM item") == 1000
            migrating = asyncio.create_task(migrate(database.dsn, schema=SCHEMA, directory=directory, progress=report))
            await within(reported.wait(), lambda: lines)
            async with session(database) as writer:  # the build blocks no writes
                await writer.execute("INSERT INTO item VALUES (2000, 'new')")
            assert not migrating.done()
        assert await migrating == ["0002"]
        assert await is_valid(backup, "item_by_name")
    assert any("application 'pg_dump'" in line for line in lines), lines


@pytest.mark.catches("invalid-indexes-are-built-again")
async def test_invalid_index_of_a_failed_build_is_built_again(database: TestDatabase, tmp_path: Path) -> None:
    directory = write(tmp_path / "revisions", _0001_items=ITEMS)
    await migrate(database.dsn, schema=SCHEMA, directory=directory)
    async with session(database) as reader, session(database) as builder:
        async with reader.transaction(isolation="repeatable_read"):
            await reader.fetchval("SELECT count(*) FROM item")
            await builder.execute("SET lock_timeout = '100ms'")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await builder.execute("CREATE INDEX CONCURRENTLY item_by_name ON item (name)")
        assert await is_valid(reader, "item_by_name") is False
        write(directory, _0002_index=INDEX)
        assert await migrate(database.dsn, schema=SCHEMA, directory=directory) == ["0002"]
        assert await is_valid(reader, "item_by_name") is True


async def test_unique_index_is_built_after_duplicate_rows_are_corrected(database: TestDatabase, tmp_path: Path) -> None:
    directory = write(tmp_path / "revisions", _0001_items=ITEMS + "UPDATE item SET name = 'n1' WHERE id = 2;", _0002_index=UNIQUE)
    with pytest.raises(asyncpg.UniqueViolationError):
        await migrate(database.dsn, schema=SCHEMA, directory=directory)
    async with session(database) as connection:
        await connection.execute("UPDATE item SET name = 'n2' WHERE id = 2")
        assert await migrate(database.dsn, schema=SCHEMA, directory=directory) == ["0002"]
        assert await is_valid(connection, "item_by_name") is True


async def test_index_built_but_not_recorded_is_kept(database: TestDatabase, tmp_path: Path) -> None:
    directory = write(tmp_path / "revisions", _0001_items=ITEMS)
    await migrate(database.dsn, schema=SCHEMA, directory=directory)
    async with session(database) as connection:
        await connection.execute("CREATE INDEX item_by_name ON item (name)")
        before = await connection.fetchval("SELECT 'item_by_name'::regclass::oid")
        write(directory, _0002_index=INDEX)
        assert await migrate(database.dsn, schema=SCHEMA, directory=directory) == ["0002"]
        assert await connection.fetchval("SELECT 'item_by_name'::regclass::oid") == before


async def test_index_of_a_partitioned_table_is_built_on_each_partition(database: TestDatabase, tmp_path: Path) -> None:
    directory = write(tmp_path / "revisions", _0001_items=PARTITIONED, _0002_index=PARTITIONED_INDEX)
    await migrate(database.dsn, schema=SCHEMA, directory=directory)
    async with session(database) as connection:
        for name in ("item_by_week", "item_1_item_by_week", "item_2_item_by_week", "item_1_low_item_1_item_by_week"):
            assert await is_valid(connection, name) is True, name
        await connection.execute("CREATE TABLE item_1_next PARTITION OF item_1 FOR VALUES FROM (20) TO (30)")
        definitions = await connection.fetch("SELECT indexdef FROM pg_indexes WHERE schemaname = $1 AND tablename = 'item_1_next'", SCHEMA)
        assert len(definitions) == 1, "a partition created later has the index too"


async def test_partition_that_is_dropped_during_an_index_build_is_left_out(database: TestDatabase, tmp_path: Path) -> None:
    """The build on one partition waits for a writer. Meanwhile the service drops the next partition."""
    directory, lines = write(tmp_path / "revisions", _0001_items=PARTITIONED), list[str]()
    await migrate(database.dsn, schema=SCHEMA, directory=directory)
    write(directory, _0002_index=PARTITIONED_INDEX)
    async with session(database) as writer, session(database) as service:
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("LOCK TABLE item_1_high IN ROW EXCLUSIVE MODE")
        migration = asyncio.create_task(migrate(database.dsn, schema=SCHEMA, directory=directory, progress=lines.append))
        await until(lambda: service.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"), lambda: lines)
        await service.execute("DROP TABLE item_1_low")
        await transaction.rollback()
        await within(migration)
        assert "revision 0002: leaves item_1_low out: another session has dropped it" in lines
        assert await is_valid(service, "item_by_week")


async def test_python_revision_continues_after_its_last_committed_chunk(database: TestDatabase, tmp_path: Path) -> None:
    marker = tmp_path / "goes-on"
    tables = (VERSIONS / "0015_history_later.sql").read_text().partition("-- A result")[0]
    directory = write(tmp_path / "revisions", _0001_items=ITEMS + tables, r0002_chunks=CHUNKS.format(marker=str(marker)))
    with pytest.raises(RuntimeError, match="ends here"):
        await migrate(database.dsn, schema=SCHEMA, directory=directory)
    async with session(database) as connection:
        assert (await schema_state(connection)).revision == "0001"
        marker.touch()
        lines: list[str] = []
        assert await migrate(database.dsn, schema=SCHEMA, directory=directory, progress=lines.append) == ["0002"]
        assert lines[1] == "revision 0002: 500 of 1000 rows", "committed chunks are not repeated"
        assert await connection.fetchval("SELECT count(*) FROM item WHERE name LIKE 'n%!' AND name NOT LIKE '%!!'") == 1000


async def test_locked_table_fails_the_migration_with_an_error_that_names_the_session(
    database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_tries, "_TRIES", 2)
    directory = write(tmp_path / "revisions", _0001_items=ITEMS)
    await migrate(database.dsn, schema=SCHEMA, directory=directory)
    write(directory, _0002_column="ALTER TABLE item ADD COLUMN kind integer;")
    async with session(database, "nightly report") as reader:
        async with reader.transaction():
            await reader.fetchval("SELECT count(*) FROM item")
            with pytest.raises(MigrationBlockedError, match=r"session \d+ of role '.*', application 'nightly report'"):
                await migrate(database.dsn, schema=SCHEMA, directory=directory)
        assert (await schema_state(reader)).revision == "0001"
        assert await migrate(database.dsn, schema=SCHEMA, directory=directory) == ["0002"]


async def test_waiting_migration_names_the_session_that_migrates(database: TestDatabase, tmp_path: Path) -> None:
    directory = write(tmp_path / "revisions", _0001_items=ITEMS)
    lines: list[str] = []
    async with session(database, "tillsync migrate") as migrating:
        await migrating.execute("SELECT pg_advisory_lock($1)", 0x7411_5C0D)
        migration = asyncio.create_task(migrate(database.dsn, schema=SCHEMA, directory=directory, progress=lines.append))
        await until(lambda: lines)
        pid = migrating.get_server_pid()
    assert await migration == ["0001"]
    assert f"waits for another migration: session {pid}" in lines[0]


@pytest.mark.own_server
async def test_migrating_session_of_another_role_is_named_without_its_age(database: TestDatabase) -> None:
    """A role without pg_read_all_stats does not see when another role's session began."""
    role = f"plain_{database.name}"
    async with session(database, "tillsync migrate") as migrating, session(database, "plain") as plain:
        await migrating.execute("SELECT pg_advisory_lock($1)", 0x7411_5C0D)
        await plain.execute(f"CREATE ROLE {role}")
        try:
            await plain.execute(f"SET ROLE {role}")
            holder = await lock_tries.session_of(plain, migrator._LOCK_HOLDER, 0x7411_5C0D)
            assert holder is not None
            assert f"session {migrating.get_server_pid()} of role" in holder.described()
        finally:
            await plain.execute("RESET ROLE")
            await plain.execute(f"DROP ROLE {role}")


class TestReleases:
    """A schema names the oldest release that may use it."""

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        return Path(shutil.copytree(VERSIONS, tmp_path / "revisions"))

    @pytest.mark.catches("old-releases-refuse-new-schemas")
    async def test_older_release_refuses_a_schema_that_needs_a_newer_one(
        self, database: TestDatabase, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(directory, _9001_contract="-- tillsync: least-release 0.9.0\nDROP TABLE migration_position;")
        monkeypatch.setattr("tillsync_server.adapters.postgres.migrations.schema_state.this_release", lambda: "0.10.2")
        await migrate(database.dsn, schema="tillsync", directory=directory)
        async with session(database) as connection:
            await connection.execute("SET search_path = tillsync")
            await require_current(connection)  # 0.10.2 is newer than 0.9.0
            monkeypatch.setattr("tillsync_server.adapters.postgres.migrations.schema_state.this_release", lambda: "0.8.7")
            expected = "revision 9001 of release 0.10.2 and needs release 0.9.0 or newer, this is 0.8.7"
            with pytest.raises(SchemaError, match=expected):
                await require_current(connection)
            with pytest.raises(SchemaError, match=expected):
                await migrate(database.dsn, schema="tillsync")

    async def test_release_runs_on_a_newer_schema_that_allows_it(self, database: TestDatabase, directory: Path) -> None:
        write(directory, _9001_expand="ALTER TABLE till ADD COLUMN of_tomorrow text;")
        await migrate(database.dsn, schema="tillsync", directory=directory)
        async with session(database) as connection:
            await connection.execute("SET search_path = tillsync")
            await require_current(connection)
        assert await migrate(database.dsn, schema="tillsync") == []

    async def test_release_refuses_an_older_schema_and_names_the_command(self, database: TestDatabase) -> None:
        async with session(database) as connection:
            await connection.execute("SET search_path = tillsync; UPDATE alembic_version SET version_num = '0014'")
            with pytest.raises(SchemaError, match=r"stands at revision 0014, and release \S+ needs 00\d\d: run `tillsync migrate`"):
                await require_current(connection)

    async def test_filled_schema_of_revision_0014_is_migrated(self, database: TestDatabase, directory: Path, tmp_path: Path) -> None:
        before = Path(shutil.copytree(directory, tmp_path / "before"))
        for path in (*before.glob("*001[5-9]*"), *before.glob("*00[2-9]*_*")):
            path.unlink()
        await migrate(database.dsn, schema=SCHEMA, directory=before)
        async with session(database) as connection:
            await connection.execute("INSERT INTO till (till_id) VALUES ('till-1')")
            assert (await schema_state(connection)).revision == "0014"
            await migrate(database.dsn, schema=SCHEMA)
            await require_current(connection)
            bounds = await connection.fetch(
                "SELECT pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_class c WHERE c.relname LIKE 'entry_history_%_later' "
                "AND c.relnamespace = current_schema()::regnamespace"
            )
            assert len(bounds) == 2
            assert all("MAXVALUE)" in row["bound"] for row in bounds)
