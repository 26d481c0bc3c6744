"""The history's weekly partitions: what they lock, what happens beyond the last week, and after a process that ended between two steps."""

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


async def lies_in(world: EngineWorld, subject_id: int) -> str:
    rows = await world.fetch("SELECT tableoid::regclass::text AS name FROM entry_history WHERE subject_id = $1", subject_id)
    return str(rows[0]["name"])


async def use_up_the_weeks(world: EngineWorld, weeks: int) -> None:
    """As if the service had stood still: the newest ``weeks`` are taken back, and the partition for later begins before them."""
    for kind, kept in KINDS.items():
        names = [name for name in await attached(world, kind) if not name.endswith("_later")][-weeks:]
        begins = datetime.strptime(names[0][-7:] + "-1", "%Gw%V-%u").replace(tzinfo=UTC)
        for name in (*names, f"{kind}_later"):
            await world.fetch(f"DROP TABLE {name}")
        await world.fetch(
            f"CREATE TABLE {kind}_later PARTITION OF entry_history FOR VALUES FROM ({kept}, '{begins:%Y-%m-%d}Z') TO ({kept}, MAXVALUE)"
        )


async def test_result_beyond_the_last_week_is_stored_and_moves_into_its_week(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await maintain(world)
    await use_up_the_weeks(world, 10)  # this week and all ahead
    now = datetime.now(UTC)
    await finish(world, 1, now)
    await finish(world, 2, now + timedelta(days=400))
    assert await lies_in(world, 1) == await lies_in(world, 2) == "entry_history_short_later"
    await maintain(world)
    assert await lies_in(world, 1) == f"entry_history_short_{now:%Gw%V}"
    assert await lies_in(world, 2) == "entry_history_short_later"


async def test_a_writer_postpones_new_weeks_and_results_are_stored_meanwhile(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await use_up_the_weeks(world, 10)  # this week and all ahead
    before = await attached(world)
    async with world.database.acquire() as writer, writer.transaction():
        await writer.execute("LOCK TABLE ONLY entry_history IN ROW EXCLUSIVE MODE")  # as each INSERT does
        await maintain(world)
        assert await attached(world) == before
        await finish(world, 7, datetime.now(UTC))
    await maintain(world)
    assert set(await attached(world)) > set(before)
    assert await lies_in(world, 7) == f"entry_history_short_{datetime.now(UTC):%Gw%V}"


async def test_locked_history_postpones_new_weeks_and_no_deletions(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await use_up_the_weeks(world, 10)
    before = {kind: await attached(world, kind) for kind in KINDS}
    await world.fetch(
        "INSERT INTO token (token_id, token_hash, role, revoke_time) VALUES ('gone', 'h', 4, now() - interval '91 days') RETURNING 1"
    )
    async with world.database.acquire() as writer, writer.transaction():
        await writer.execute("LOCK TABLE ONLY entry_history IN ROW EXCLUSIVE MODE")
        await PostgresHistory(world.database).maintain()
    assert {kind: await attached(world, kind) for kind in KINDS} == before
    assert not await world.fetch("SELECT 1 FROM token")


async def test_an_open_reader_stops_neither_the_week_that_leaves_nor_writers(world: EngineWorld) -> None:
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


@pytest.mark.parametrize("left", ["detached", "pending"])
async def test_old_week_is_dropped_after_a_process_that_ended_meanwhile(world: EngineWorld, left: str) -> None:
    await world.add_accounts("shop-a")
    old = datetime.now(UTC) - timedelta(days=40)
    await finish(world, 4, old)
    name = f"entry_history_short_{old:%Gw%V}"
    if left == "detached":
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
    assert pending, "the detach was begun and not finished"


async def test_release_before_runs_its_own_maintenance_on_this_schema(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await finish(world, 5, datetime.now(UTC) - timedelta(days=40))
    before = await attached(world)
    assert (await world.fetch("SELECT ensure_history_partitions(now(), 30)"))[0][0] == 0
    dropped = await world.fetch(
        "SELECT drop_history_partitions(now() - make_interval(days => 14), now() - make_interval(days => 90)) AS name"
    )
    assert {row["name"] for row in dropped} == set(before) - set(await attached(world)) != set()
