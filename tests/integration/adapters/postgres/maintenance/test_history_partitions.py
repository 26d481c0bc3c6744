"""The maintenance of the history's weekly partitions waits for no lock, and completes what an ended process left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from support.engine import EngineWorld
from support.queues import add_finished
from tillsync_server.adapters.postgres.maintenance.history_partitions import HistoryPartitions
from tillsync_server.adapters.postgres.maintenance.retention import PostgresHistory

pytestmark = [pytest.mark.integration, pytest.mark.every_version]


async def maintain(world: EngineWorld) -> None:
    await HistoryPartitions(world.database, short_days=14, long_days=90).maintain()


KINDS = {"entry_history_short": 1, "entry_history_long": 2}


async def attached(world: EngineWorld, kind: str = "entry_history_short") -> list[str]:
    rows = await world.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = 'entry_history'::regclass AND starts_with(c.relname, $1) ORDER BY 1",
        kind,
    )
    return [row["relname"] for row in rows]


async def finish(world: EngineWorld, subject_id: int, time: datetime) -> None:
    await add_finished(world, "shop-a", subject_id, create_time=time)


async def partition_of(world: EngineWorld, subject_id: int) -> str:
    rows = await world.fetch("SELECT tableoid::regclass::text AS name FROM entry_history WHERE subject_id = $1", subject_id)
    return str(rows[0]["name"])


async def drop_newest_weeks(world: EngineWorld, weeks: int) -> None:
    """Drops the newest ``weeks`` and lets the partition for later begin before them, as after a long stop of the service."""
    for kind, retention in KINDS.items():
        names = [name for name in await attached(world, kind) if not name.endswith("_later")][-weeks:]
        first_day = datetime.strptime(names[0][-7:] + "-1", "%Gw%V-%u").replace(tzinfo=UTC)
        for name in (*names, f"{kind}_later"):
            await world.fetch(f"DROP TABLE {name}")
        await world.fetch(
            f"CREATE TABLE {kind}_later PARTITION OF entry_history "
            f"FOR VALUES FROM ({retention}, '{first_day:%Y-%m-%d}Z') TO ({retention}, MAXVALUE)"
        )


async def test_entry_beyond_the_last_week_is_stored_and_moves_into_its_week(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await maintain(world)
    await drop_newest_weeks(world, 10)  # this week and all later ones
    now = datetime.now(UTC)
    await finish(world, 1, now)
    await finish(world, 2, now + timedelta(days=400))
    assert await partition_of(world, 1) == await partition_of(world, 2) == "entry_history_short_later"
    await maintain(world)
    assert await partition_of(world, 1) == f"entry_history_short_{now:%Gw%V}"
    assert await partition_of(world, 2) == "entry_history_short_later"


async def test_open_writer_postpones_new_weeks_and_entries_are_stored_meanwhile(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await drop_newest_weeks(world, 10)  # this week and all later ones
    before = await attached(world)
    async with world.database.acquire() as writer, writer.transaction():
        await writer.execute("LOCK TABLE ONLY entry_history IN ROW EXCLUSIVE MODE")  # the lock of each INSERT
        await maintain(world)
        assert await attached(world) == before
        await finish(world, 7, datetime.now(UTC))
    await maintain(world)
    assert set(await attached(world)) > set(before)
    assert await partition_of(world, 7) == f"entry_history_short_{datetime.now(UTC):%Gw%V}"


async def test_locked_history_postpones_new_weeks_and_no_deletions(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await drop_newest_weeks(world, 10)
    before = {kind: await attached(world, kind) for kind in KINDS}
    await world.fetch(
        "INSERT INTO token (token_id, token_hash, role, revoke_time) VALUES ('gone', 'h', 4, now() - interval '91 days') RETURNING 1"
    )
    async with world.database.acquire() as writer, writer.transaction():
        await writer.execute("LOCK TABLE ONLY entry_history IN ROW EXCLUSIVE MODE")
        await PostgresHistory(world.database).maintain()
    assert {kind: await attached(world, kind) for kind in KINDS} == before
    assert not await world.fetch("SELECT 1 FROM token")


async def test_open_reader_delays_neither_maintenance_nor_writers(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    old = datetime.now(UTC) - timedelta(days=40)
    await finish(world, 8, old)
    async with world.database.acquire() as reader, reader.transaction(isolation="repeatable_read"):
        assert await reader.fetchval("SELECT count(*) FROM entry_history") == 1
        await maintain(world)
        await finish(world, 9, datetime.now(UTC))
        assert await reader.fetchval("SELECT count(*) FROM entry_history") == 1
    await maintain(world)
    assert [row["subject_id"] for row in await world.fetch("SELECT subject_id FROM entry_history")] == [9]


@pytest.mark.parametrize("interrupted", ["detached", "pending"])
async def test_old_week_is_dropped_after_an_interrupted_detach(world: EngineWorld, interrupted: str) -> None:
    await world.add_accounts("shop-a")
    old = datetime.now(UTC) - timedelta(days=40)
    await finish(world, 4, old)
    name = f"entry_history_short_{old:%Gw%V}"
    if interrupted == "detached":
        await world.fetch(f"ALTER TABLE entry_history DETACH PARTITION {name} CONCURRENTLY")
    else:
        await leave_detach_pending(world, name)
    await maintain(world)
    assert not await world.fetch("SELECT 1 FROM pg_class WHERE relname = $1", name)


async def leave_detach_pending(world: EngineWorld, name: str) -> None:
    """Ends a DETACH CONCURRENTLY while it waits for a reader, as a kill does."""
    async with world.database.acquire() as reader, reader.transaction():
        await reader.execute(f"SELECT count(*) FROM {name}")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await world.fetch(f"ALTER TABLE entry_history DETACH PARTITION {name} CONCURRENTLY")
    pending = await world.fetch("SELECT 1 FROM pg_inherits WHERE inhrelid = $1::regclass AND inhdetachpending", name)
    assert pending, "the detach has not finished"


async def test_maintenance_of_the_previous_release_runs_on_this_schema(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await finish(world, 5, datetime.now(UTC) - timedelta(days=40))
    before = await attached(world)
    assert (await world.fetch("SELECT ensure_history_partitions(now(), 30)"))[0][0] == 0
    dropped = await world.fetch(
        "SELECT drop_history_partitions(now() - make_interval(days => 14), now() - make_interval(days => 90)) AS name"
    )
    assert {row["name"] for row in dropped} == set(before) - set(await attached(world)) != set()
