"""Revisions 0016 and 0017 on the filled history of release 0.1.0, whose partitions have two levels."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from support.earlier_release import FIRST_RELEASE, unpack
from support.postgres import TestDatabase
from tillsync_server.adapters.postgres.migrations import migrate
from tillsync_server.adapters.postgres.migrations.revisions import VERSIONS

pytestmark = [pytest.mark.integration, pytest.mark.every_version, pytest.mark.earlier_release]

SCHEMA = "of_release_0_1"
AGES = (0, 3, 9, 30, -400)
"""Days since each result finished. The last one lies in the partition for later."""
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
async def filled(database: TestDatabase, tmp_path: Path) -> AsyncIterator[Any]:
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


async def test_weeks_keep_their_tables_and_rows_and_the_shape_is_that_of_a_new_database(database: TestDatabase, filled: Any) -> None:
    rows = await filled.fetch("SELECT *, tableoid::regclass::text AS lies_in FROM entry_history ORDER BY entry_id")
    weeks = {row["relname"]: row["relfilenode"] for row in await filled.fetch(WEEKS)}
    assert len(rows) == 2 * 20 * len(AGES)
    await migrate(database.dsn, schema=SCHEMA)
    assert await filled.fetch("SELECT *, tableoid::regclass::text AS lies_in FROM entry_history ORDER BY entry_id") == rows
    now = await filled.fetch(WEEKS)
    assert {row["relname"]: row["relfilenode"] for row in now} == weeks, "no week was written again"
    assert {(row["indexes"], row["helpers"]) for row in now} == {(9, 0)}
    await migrate(database.dsn, schema="new")
    shape = {row["line"] for row in await filled.fetch(SHAPE)}
    await filled.execute("SET search_path = new")
    assert {row["line"] for row in await filled.fetch(SHAPE)} == shape
    assert {row["indexes"] for row in await filled.fetch(WEEKS)} == {9}


async def test_a_week_made_after_the_preparation_is_taken_over(database: TestDatabase, filled: Any, tmp_path: Path) -> None:
    prepared = Path(shutil.copytree(VERSIONS, tmp_path / "prepared"))
    for path in prepared.glob("00*"):
        if path.name[:4] > "0015":
            path.unlink()
    assert (await migrate(database.dsn, schema=SCHEMA, directory=prepared))[-1] == "0016"
    assert await filled.fetchval("SELECT ensure_history_partitions(now() - interval '70 days', 1)") > 0
    await filled.execute(FILL, 68)
    before = await filled.fetchval("SELECT count(*) FROM queue_entry")
    await migrate(database.dsn, schema=SCHEMA)
    assert await filled.fetchval("SELECT count(*) FROM queue_entry") == before == 2 * 20 * (len(AGES) + 1)
    assert {(row["indexes"], row["helpers"]) for row in await filled.fetch(WEEKS)} == {(9, 0)}


async def test_functions_of_the_release_before_make_and_drop_weeks(database: TestDatabase, filled: Any) -> None:
    await migrate(database.dsn, schema=SCHEMA)
    before = {row["relname"] for row in await filled.fetch(WEEKS)}
    made = await filled.fetch("SELECT make_history_weeks('entry_history_short', 12, 12) AS name")
    assert len(made) == 3
    assert {row["relname"] for row in await filled.fetch(WEEKS)} == before | {row["name"] for row in made}
    assert await filled.fetchval("SELECT ensure_history_partitions(now(), 40)") == 0, "later weeks are left to the partition for later"
    dropped = await filled.fetch("SELECT drop_history_partitions(now() - interval '14 days', now() - interval '90 days') AS name")
    assert dropped
    assert all(row["name"].startswith("entry_history_short_") for row in dropped)
    assert await filled.fetchval("SELECT count(*) FROM entry_history WHERE retention = 1") == 20 * (len(AGES) - 1)
