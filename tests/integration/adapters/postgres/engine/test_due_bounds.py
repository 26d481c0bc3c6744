"""Lower bounds of due times and of ready lanes: no waiting entry and no ready lane is ever before them, and nothing reads what is."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import asyncpg
import pytest
from support.engine import EngineWorld, claim_limits, entries_of
from support.waiting import hang_limit
from tillsync_server.adapters.postgres.engine.lane_store import PostgresLaneStore
from tillsync_server.adapters.postgres.engine.locked_lane import locked_lane
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import ClaimRequest, LaneLease

pytestmark = pytest.mark.integration
SHOP = "shop-a"
_OLD_ENTRY = (
    "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, create_time, update_time) "
    "VALUES ('shop-a', gen_random_uuid(), 1, 1, $1, 1, now(), now(), now())"
)
"""As the previous release writes it: the lane's bound stays as it is."""


async def leases(world: EngineWorld, most: int = 5) -> list[LaneLease]:
    return (await world.lanes.lease("owner", limit=most, bulk_limit=most, probe_limit=most, lease_seconds=30)).leases


async def claimed(world: EngineWorld, lease: LaneLease) -> list[int]:
    [entries] = entries_of(await world.lanes.claim([ClaimRequest(lease, claim_limits(10))]))
    return [entry.subject_id for entry in entries]


async def leased_lane(world: EngineWorld) -> LaneLease:
    """Of a lane whose one entry, 1, waits."""
    await world.add_accounts(SHOP)
    await world.hint(SHOP, 1)
    [lease] = await leases(world)
    return lease


async def connect(world: EngineWorld) -> asyncpg.Connection[asyncpg.Record]:
    return await asyncpg.connect(world.database.dsn, server_settings={"search_path": "tillsync"})


async def test_an_entry_due_before_the_bound_of_a_sleeping_lane_is_found(world: EngineWorld) -> None:
    """The database's clock went back, for example at a failover."""
    await world.add_accounts(SHOP)
    await world.fill("UPDATE lane SET due_from = now() + interval '1 hour'")
    await world.hint(SHOP, 1)
    [lease] = await leases(world)
    assert await claimed(world, lease) == [1]


@pytest.mark.catches("earlier-entries-lower-the-bound")
async def test_an_entry_due_before_the_bound_of_a_leased_lane_is_found(world: EngineWorld) -> None:
    lease = await leased_lane(world)
    await world.fill("UPDATE lane SET due_from = now() + interval '1 hour'")
    await world.hint(SHOP, 2)
    assert 2 in await claimed(world, lease)


async def test_waking_a_leased_lane_lowers_its_bound(world: EngineWorld) -> None:
    lease = await leased_lane(world)
    await world.fill("UPDATE lane SET due_from = now() + interval '1 hour'")
    async with locked_lane(world.database, AccountId(SHOP)) as lane:
        await lane.wake()
        await lane.connection.execute(_OLD_ENTRY, 2)
    assert 2 in await claimed(world, lease)
    [row] = await world.fetch("SELECT lease_token FROM lane WHERE lease_owner = 'owner'")
    assert row["lease_token"] == lease.token


@pytest.mark.catches("due-bounds-stop-at-waiting-entries")
async def test_a_release_leaves_the_bound_before_entries_that_wait(world: EngineWorld) -> None:
    lease = await leased_lane(world)
    await world.fill("UPDATE entry SET due_at = now() - interval '1 hour'")
    await world.lanes.release([lease], clean=[True])
    [again] = await leases(world)
    assert await claimed(world, again) == [1]
    assert await world.lanes.renew([again], lease_seconds=30) == [True]
    assert await claimed(world, again) == [1]


@pytest.mark.catches("due-bounds-wait-for-open-transactions")
async def test_the_bound_stays_behind_transactions_that_wait_for_the_lane(world: EngineWorld) -> None:
    """Such a transaction of the previous release makes an entry due at its own beginning, and does not lower the bound."""
    lease = await leased_lane(world)
    async with world.database.acquire() as connection:
        await connection.execute("DELETE FROM entry")
        async with connection.transaction():
            await connection.fetchval("SELECT now()")
            await world.lanes.release([lease], clean=[True])
            await connection.execute("UPDATE lane SET next_run_at = now(), next_live_at = now()")
            await connection.execute(_OLD_ENTRY, 2)
    [again] = await leases(world)
    assert await claimed(world, again) == [2]


@pytest.mark.catches("sweeps-look-before-the-bound")
async def test_the_sweep_lowers_a_bound_that_stands_behind_a_waiting_entry(world: EngineWorld) -> None:
    lease = await leased_lane(world)
    await world.fill("UPDATE lane SET due_from = now() + interval '1 hour'")
    assert await claimed(world, lease) == []
    assert await world.lanes.repair_lost_wakeups() == 1
    assert await claimed(world, lease) == [1]
    assert await world.lanes.repair_lost_wakeups() == 0


@pytest.mark.catches("leases-look-from-lanes-left")
async def test_lanes_that_a_lease_left_are_leased_next(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    await world.fill("UPDATE lane SET next_run_at = now() - interval '1 minute', next_live_at = now() - interval '1 minute'")
    first, second = await leases(world, 1), await leases(world, 1)
    assert {lease.account_id for lease in first + second} == {"shop-a", "shop-b"}


@pytest.mark.catches("leases-wait-for-open-transactions")
async def test_a_lane_made_ready_by_a_transaction_that_was_open_is_leased(world: EngineWorld) -> None:
    await world.add_accounts(SHOP)
    async with world.database.acquire() as connection, connection.transaction():
        await connection.fetchval("SELECT now()")
        assert await leases(world) == []
        await connection.execute("UPDATE lane SET next_run_at = now(), next_live_at = now()")
    assert len(await leases(world)) == 1


@pytest.mark.catches("sweeps-look-at-all-lanes")
async def test_after_a_sweep_a_lease_looks_at_all_lanes(world: EngineWorld) -> None:
    """The previous release makes a lane ready as of the time at which its entry came due, however long ago."""
    await world.add_accounts(SHOP)
    assert await leases(world) == []
    await world.fill("UPDATE lane SET next_run_at = now() - interval '1 hour', next_live_at = now() - interval '1 hour'")
    assert await leases(world) == [], "the bound does what it is for"
    await world.lanes.repair_lost_wakeups()
    assert len(await leases(world)) == 1


async def test_a_lane_that_a_sweep_repairs_is_leased_by_every_process(world: EngineWorld) -> None:
    """Its entry came due before the time from which another process looks."""
    await world.add_accounts(SHOP)
    await world.hint(SHOP, 1)
    other = PostgresLaneStore(world.database, world.notifications)
    await world.fill(
        "UPDATE entry SET due_at = now() - interval '1 hour'", "UPDATE lane SET next_run_at = 'infinity', next_live_at = 'infinity'"
    )
    assert (await other.lease("other", limit=5, bulk_limit=5, probe_limit=5, lease_seconds=30)).leases == []
    assert await world.lanes.repair_lost_wakeups() == 1
    [lease] = (await other.lease("other", limit=5, bulk_limit=5, probe_limit=5, lease_seconds=30)).leases
    assert await claimed(world, lease) == [1]


@pytest.mark.catches("locked-lanes-may-have-a-newer-token")
async def test_a_hint_finds_a_lane_that_was_leased_while_it_waited_for_the_lock(world: EngineWorld) -> None:
    await world.add_accounts(SHOP)
    async with asyncio.TaskGroup() as tasks, hang_limit("the hint"):
        async with world.database.acquire() as connection, connection.transaction():
            await connection.execute("UPDATE lane SET lease_token = lease_token + 1")
            hint = tasks.create_task(world.hint(SHOP, 1))
            await world.until_lock_wait()
        await hint
    [lease] = await leases(world)
    assert await claimed(world, lease) == [1]


async def test_a_persons_decision_finds_a_lane_that_was_leased_while_it_waited(world: EngineWorld) -> None:
    await world.add_accounts(SHOP)

    async def wake() -> None:
        async with locked_lane(world.database, AccountId(SHOP)) as lane:
            await lane.wake()

    async with asyncio.TaskGroup() as tasks, hang_limit("the decision"), world.database.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE lane SET lease_token = lease_token + 1")
        tasks.create_task(wake())
        await world.until_lock_wait()
    assert len(await leases(world)) == 1


async def test_two_lanes_of_one_account_cannot_be(world: EngineWorld) -> None:
    """The lane's key has its token, so the account's key is what keeps its lane the only one."""
    await world.add_accounts(SHOP)
    with pytest.raises(asyncpg.UniqueViolationError):
        await world.add_accounts(SHOP)
    assert len(await world.fetch("SELECT 1 FROM lane")) == 1


async def test_nothing_reads_what_a_snapshot_keeps(world: EngineWorld) -> None:
    """5,000 entries done and 500 leases over, while another session holds a snapshot open."""
    lease = await leased_lane(world)
    holder = await connect(world)
    await holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    await holder.fetchval("SELECT count(*) FROM entry")
    await world.fill(
        "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, create_time, update_time) "
        "SELECT 'shop-a', gen_random_uuid(), 1, 1, n, 1, now() - interval '1 hour', now(), now() FROM generate_series(2, 5001) AS n",
        "DELETE FROM entry WHERE subject_id > 1",
    )
    for _ in range(500):
        await world.lanes.release([lease], clean=[True])
        [lease] = await leases(world)
    await world.fill("ANALYZE entry", "ANALYZE lane")
    fence = [[lease.account_id], [lease.owner], [lease.token]]
    for name, arguments, most in (
        ("engine/claim", [*fence, *([10] for _ in range(4)), []], 60),
        ("engine/release", [*fence, [True]], 120),
        ("engine/renew", [*fence, 30.0], 120),
        ("engine/lock_lane", [SHOP], 40),
        ("orders/store", [SHOP, datetime.now(UTC), "owner", 30.0, *([] for _ in range(13))], 40),
    ):
        async with world.database.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await connection.fetch(load(name), *arguments)  # reads the catalogue
            raw = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {load(name)}", *arguments)
            await transaction.rollback()
        plan = json.loads(raw)[0]["Plan"]
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= most, (name, plan["Shared Hit Blocks"])
    await holder.close()
