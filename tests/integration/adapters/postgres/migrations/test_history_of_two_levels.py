"""Revisions 0016 and 0017 migrate a filled history of release 0.1.0, whose partitions have two levels."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from support.earlier_release import FIRST_RELEASE, unpack
from support.postgres import TestDatabase
from support.waiting import until, within
from tillsync_server.adapters.postgres.migrations import migrate
from tillsync_server.adapters.postgres.migrations.revisions import VERSIONS

pytestmark = [pytest.mark.integration, pytest.mark.every_version, pytest.mark.earlier_release]

SCHEMA = "of_release_0_1"
AGES = (0, 3, 9, 30, -400)
"""Days since the entries finished. The entries of -400 days are in the partition for later."""
FILL = """
INSERT INTO entry_history (account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count,
  coalesced_count, outcome, comment, notes, subject_label, attempts, create_time, update_time, finish_time, retention)
SELECT 'shop-a', gen_random_uuid(), 1, 1, n, CASE kept WHEN 1 THEN 2 ELSE 5 END, 1, false, 1, 1, 0, 1, '', '', '', '[]', now(), now(),
  now() - make_interval(days => $1), kept
FROM generate_series(1, 20) AS n CROSS JOIN generate_series(1, 2) AS kept
"""
SHAPE = """
SELECT 'index ' || indexname || ' ' || replace(indexdef, current_schema() || '.', '') AS line FROM pg_indexes
  WHERE tablename = 'entry_history' AND schemaname = current_schema()
UNION ALL SELECT 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'entry_history'::regclass
UNION ALL SELECT 'column ' || attnum || ' ' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull FROM pg_attribute
  WHERE attrelid = 'entry_history'::regclass AND attnum > 0
UNION ALL SELECT 'key ' || pg_get_partkeydef('entry_history'::regclass)
UNION ALL SELECT 'view ' || replace(pg_get_viewdef('queue_entry'::regclass), current_schema() || '.', '')
"""
WEEKS = """
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bounds, c.relfilenode,
  (SELECT count(*) FROM pg_index x WHERE x.indrelid = c.oid) AS indexes,
  (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.conname LIKE '%bounds') AS helpers
FROM pg_partition_tree('entry_history') t JOIN pg_class c ON c.oid = t.relid WHERE t.isleaf ORDER BY c.relname
"""


@pytest_asyncio.fixture
async def old_schema(database: TestDatabase, tmp_path: Path) -> AsyncIterator[Any]:
    """A connection to a schema of release 0.1.0 with finished entries in each kind of week."""
    earlier = unpack(tmp_path, FIRST_RELEASE) / "server/tillsync_server/adapters/postgres/migrations/versions"
    assert (await migrate(database.dsn, schema=SCHEMA, directory=earlier))[-1] == "0015"
    connection = await asyncpg.connect(database.dsn, server_settings={"search_path": SCHEMA})
    await connection.execute("SELECT ensure_history_partitions(now() - interval '35 days', 5)")
    for age in AGES:
        await connection.execute(FILL, age)
    try:
        yield connection
    finally:
        await connection.close()


async def test_migration_keeps_partitions_and_rows_and_gives_the_shape_of_a_new_database(database: TestDatabase, old_schema: Any) -> None:
    rows = await old_schema.fetch("SELECT *, tableoid::regclass::text AS partition FROM entry_history ORDER BY entry_id")
    filenodes = {row["relname"]: row["relfilenode"] for row in await old_schema.fetch(WEEKS)}
    assert len(rows) == 2 * 20 * len(AGES)
    await migrate(database.dsn, schema=SCHEMA)
    assert await old_schema.fetch("SELECT *, tableoid::regclass::text AS partition FROM entry_history ORDER BY entry_id") == rows
    now = await old_schema.fetch(WEEKS)
    assert {row["relname"]: row["relfilenode"] for row in now} == filenodes, "no partition was rewritten"
    assert {(row["indexes"], row["helpers"]) for row in now} == {(9, 0)}
    await migrate(database.dsn, schema="new")
    shape = {row["line"] for row in await old_schema.fetch(SHAPE)}
    await old_schema.execute("SET search_path = new")
    assert {row["line"] for row in await old_schema.fetch(SHAPE)} == shape
    assert {row["indexes"] for row in await old_schema.fetch(WEEKS)} == {9}


async def test_partition_created_after_revision_0016_is_attached(database: TestDatabase, old_schema: Any, tmp_path: Path) -> None:
    prepared = Path(shutil.copytree(VERSIONS, tmp_path / "prepared"))
    for path in prepared.glob("00*"):
        if path.name[:4] > "0015":
            path.unlink()
    assert (await migrate(database.dsn, schema=SCHEMA, directory=prepared))[-1] == "0016"
    assert await old_schema.fetchval("SELECT ensure_history_partitions(now() - interval '70 days', 1)") > 0
    await old_schema.execute(FILL, 68)
    before = await old_schema.fetchval("SELECT count(*) FROM queue_entry")
    await migrate(database.dsn, schema=SCHEMA)
    assert await old_schema.fetchval("SELECT count(*) FROM queue_entry") == before == 2 * 20 * (len(AGES) + 1)
    assert {(row["indexes"], row["helpers"]) for row in await old_schema.fetch(WEEKS)} == {(9, 0)}


@pytest.mark.parametrize("has_key", [False, True], ids=["before its key", "before its bounds"])
async def test_week_that_the_previous_release_drops_meanwhile_is_left_out(database: TestDatabase, old_schema: Any, has_key: bool) -> None:
    """The migration waits for the lock of the drop, which then commits."""
    week = min(row["relname"] for row in await old_schema.fetch(WEEKS) if "_short_" in row["relname"])
    if has_key:
        await old_schema.execute(f"ALTER TABLE {week} ADD PRIMARY KEY (account_id, entry_id, retention, finish_time)")
    lines = list[str]()
    drop = old_schema.transaction()
    await drop.start()
    await old_schema.execute(f"DROP TABLE {week}")
    migration = asyncio.create_task(migrate(database.dsn, schema=SCHEMA, progress=lines.append))
    await until(lambda: old_schema.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"), lambda: lines)
    await drop.commit()
    await within(migration)
    assert f"revision 0016: leaves {week} out: another session has dropped it" in lines
    weeks = await old_schema.fetch(WEEKS)
    assert week not in {row["relname"] for row in weeks}
    assert {(row["indexes"], row["helpers"]) for row in weeks} == {(9, 0)}


async def test_functions_of_the_previous_release_create_and_drop_partitions(database: TestDatabase, old_schema: Any) -> None:
    await migrate(database.dsn, schema=SCHEMA)
    before = {row["relname"] for row in await old_schema.fetch(WEEKS)}
    created = await old_schema.fetch("SELECT make_history_weeks('entry_history_short', 12, 12) AS name")
    assert len(created) == 3
    assert {row["relname"] for row in await old_schema.fetch(WEEKS)} == before | {row["name"] for row in created}
    assert await old_schema.fetchval("SELECT ensure_history_partitions(now(), 40)") == 0, "the partition for later takes later weeks"
    dropped = await old_schema.fetch("SELECT drop_history_partitions(now() - interval '14 days', now() - interval '90 days') AS name")
    assert dropped
    assert all(row["name"].startswith("entry_history_short_") for row in dropped)
    assert await old_schema.fetchval("SELECT count(*) FROM entry_history WHERE retention = 1") == 20 * (len(AGES) - 1)
