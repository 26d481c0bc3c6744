"""Due bounds of lanes and entries. No waiting entry and no ready lane is before its bound, and statements read nothing before it."""

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
INSERT_WITHOUT_BOUND = (
    "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, create_time, update_time) "
    "VALUES ('shop-a', gen_random_uuid(), 1, 1, $1, 1, now(), now(), now())"
)
"""The insert of the previous release, which does not lower the lane's due bound."""


async def lease_lanes(world: EngineWorld, most: int = 5) -> list[LaneLease]:
    return (await world.lanes.lease("owner", limit=most, bulk_limit=most, probe_limit=most, lease_seconds=30)).leases


async def claim_subjects(world: EngineWorld, lease: LaneLease) -> list[int]:
    [entries] = entries_of(await world.lanes.claim([ClaimRequest(lease, claim_limits(10))]))
    return [entry.subject_id for entry in entries]


async def leased_lane(world: EngineWorld) -> LaneLease:
    """The lease of a lane with one waiting entry, of subject 1."""
    await world.add_accounts(SHOP)
    await world.hint(SHOP, 1)
    [lease] = await lease_lanes(world)
    return lease


async def connect(world: EngineWorld) -> asyncpg.Connection[asyncpg.Record]:
    return await asyncpg.connect(world.database.dsn, server_settings={"search_path": "tillsync"})


async def test_entry_due_before_the_bound_of_an_unleased_lane_is_claimed(world: EngineWorld) -> None:
    """A failover can set the database's clock back."""
    await world.add_accounts(SHOP)
    await world.fill("UPDATE lane SET due_from = now() + interval '1 hour'")
    await world.hint(SHOP, 1)
    [lease] = await lease_lanes(world)
    assert await claim_subjects(world, lease) == [1]


@pytest.mark.catches("earlier-entries-lower-the-bound")
async def test_entry_due_before_the_bound_of_a_leased_lane_is_claimed(world: EngineWorld) -> None:
    lease = await leased_lane(world)
    await world.fill("UPDATE lane SET due_from = now() + interval '1 hour'")
    await world.hint(SHOP, 2)
    assert 2 in await claim_subjects(world, lease)


async def test_wake_of_a_leased_lane_lowers_its_bound(world: EngineWorld) -> None:
    lease = await leased_lane(world)
    await world.fill("UPDATE lane SET due_from = now() + interval '1 hour'")
    async with locked_lane(world.database, AccountId(SHOP)) as lane:
        await lane.wake()
        await lane.connection.execute(INSERT_WITHOUT_BOUND, 2)
    assert 2 in await claim_subjects(world, lease)
    [row] = await world.fetch("SELECT lease_token FROM lane WHERE lease_owner = 'owner'")
    assert row["lease_token"] == lease.token


@pytest.mark.catches("due-bounds-stop-at-waiting-entries")
async def test_release_keeps_the_bound_before_waiting_entries(world: EngineWorld) -> None:
    lease = await leased_lane(world)
    await world.fill("UPDATE entry SET due_at = now() - interval '1 hour'")
    await world.lanes.release([lease], clean=[True])
    [next_lease] = await lease_lanes(world)
    assert await claim_subjects(world, next_lease) == [1]
    assert await world.lanes.renew([next_lease], lease_seconds=30) == [True]
    assert await claim_subjects(world, next_lease) == [1]


@pytest.mark.catches("due-bounds-wait-for-open-transactions")
async def test_release_keeps_the_bound_before_open_transactions(world: EngineWorld) -> None:
    """An open transaction of the previous release makes an entry due at the transaction's start and does not lower the bound."""
    lease = await leased_lane(world)
    async with world.database.acquire() as connection:
        await connection.execute("DELETE FROM entry")
        async with connection.transaction():
            await connection.fetchval("SELECT now()")
            await world.lanes.release([lease], clean=[True])
            await connection.execute("UPDATE lane SET next_run_at = now(), next_live_at = now()")
            await connection.execute(INSERT_WITHOUT_BOUND, 2)
    [next_lease] = await lease_lanes(world)
    assert await claim_subjects(world, next_lease) == [2]


@pytest.mark.catches("sweeps-look-before-the-bound")
async def test_sweep_lowers_a_bound_that_is_after_a_waiting_entry(world: EngineWorld) -> None:
    lease = await leased_lane(world)
    await world.fill("UPDATE lane SET due_from = now() + interval '1 hour'")
    assert await claim_subjects(world, lease) == []
    assert await world.lanes.repair_lost_wakeups() == 1
    assert await claim_subjects(world, lease) == [1]
    assert await world.lanes.repair_lost_wakeups() == 0


@pytest.mark.catches("leases-look-from-lanes-left")
async def test_lanes_beyond_the_limit_are_leased_next(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    await world.fill("UPDATE lane SET next_run_at = now() - interval '1 minute', next_live_at = now() - interval '1 minute'")
    first, second = await lease_lanes(world, 1), await lease_lanes(world, 1)
    assert {lease.account_id for lease in first + second} == {"shop-a", "shop-b"}


@pytest.mark.catches("leases-wait-for-open-transactions")
async def test_lane_made_ready_by_an_open_transaction_is_leased_after_its_commit(world: EngineWorld) -> None:
    await world.add_accounts(SHOP)
    async with world.database.acquire() as connection, connection.transaction():
        await connection.fetchval("SELECT now()")
        assert await lease_lanes(world) == []
        await connection.execute("UPDATE lane SET next_run_at = now(), next_live_at = now()")
    assert len(await lease_lanes(world)) == 1


@pytest.mark.catches("sweeps-look-at-all-lanes")
async def test_lease_after_a_sweep_reads_all_lanes(world: EngineWorld) -> None:
    """The previous release sets a lane's ready time to the due time of its entry, which may be long past."""
    await world.add_accounts(SHOP)
    assert await lease_lanes(world) == []
    await world.fill("UPDATE lane SET next_run_at = now() - interval '1 hour', next_live_at = now() - interval '1 hour'")
    assert await lease_lanes(world) == [], "a lease reads no lanes before its bound"
    await world.lanes.repair_lost_wakeups()
    assert len(await lease_lanes(world)) == 1


async def test_lane_repaired_by_a_sweep_is_leased_by_another_process(world: EngineWorld) -> None:
    """The entry is due before the bound of the other process."""
    await world.add_accounts(SHOP)
    await world.hint(SHOP, 1)
    other = PostgresLaneStore(world.database, world.notifications)
    await world.fill(
        "UPDATE entry SET due_at = now() - interval '1 hour'", "UPDATE lane SET next_run_at = 'infinity', next_live_at = 'infinity'"
    )
    assert (await other.lease("other", limit=5, bulk_limit=5, probe_limit=5, lease_seconds=30)).leases == []
    assert await world.lanes.repair_lost_wakeups() == 1
    [lease] = (await other.lease("other", limit=5, bulk_limit=5, probe_limit=5, lease_seconds=30)).leases
    assert await claim_subjects(world, lease) == [1]


@pytest.mark.catches("locked-lanes-may-have-a-newer-token")
async def test_hint_wakes_a_lane_whose_token_changed_during_the_lock_wait(world: EngineWorld) -> None:
    await world.add_accounts(SHOP)
    async with asyncio.TaskGroup() as tasks, hang_limit("the hint"):
        async with world.database.acquire() as connection, connection.transaction():
            await connection.execute("UPDATE lane SET lease_token = lease_token + 1")
            hint = tasks.create_task(world.hint(SHOP, 1))
            await world.until_lock_wait()
        await hint
    [lease] = await lease_lanes(world)
    assert await claim_subjects(world, lease) == [1]


async def test_wake_finds_a_lane_whose_token_changed_during_the_lock_wait(world: EngineWorld) -> None:
    await world.add_accounts(SHOP)

    async def wake() -> None:
        async with locked_lane(world.database, AccountId(SHOP)) as lane:
            await lane.wake()

    async with asyncio.TaskGroup() as tasks, hang_limit("the wake"), world.database.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE lane SET lease_token = lease_token + 1")
        tasks.create_task(wake())
        await world.until_lock_wait()
    assert len(await lease_lanes(world)) == 1


async def test_account_has_only_one_lane(world: EngineWorld) -> None:
    """The lane's primary key includes the token, so only the account's key prevents a second lane."""
    await world.add_accounts(SHOP)
    with pytest.raises(asyncpg.UniqueViolationError):
        await world.add_accounts(SHOP)
    assert len(await world.fetch("SELECT 1 FROM lane")) == 1


async def test_hot_statements_read_no_dead_rows_that_a_snapshot_keeps(world: EngineWorld) -> None:
    """Another session holds a snapshot while 5,000 entries are deleted and 500 leases end."""
    lease = await leased_lane(world)
    snapshot = await connect(world)
    await snapshot.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    await snapshot.fetchval("SELECT count(*) FROM entry")
    await world.fill(
        "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, create_time, update_time) "
        "SELECT 'shop-a', gen_random_uuid(), 1, 1, n, 1, now() - interval '1 hour', now(), now() FROM generate_series(2, 5001) AS n",
        "DELETE FROM entry WHERE subject_id > 1",
    )
    for _ in range(500):
        await world.lanes.release([lease], clean=[True])
        [lease] = await lease_lanes(world)
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
            await connection.fetch(load(name), *arguments)  # loads the system catalogues into the cache
            raw = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {load(name)}", *arguments)
            await transaction.rollback()
        plan = json.loads(raw)[0]["Plan"]
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= most, (name, plan["Shared Hit Blocks"])
    await snapshot.close()
