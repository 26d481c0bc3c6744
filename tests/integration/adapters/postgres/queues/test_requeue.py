"""What changes of settings left to queue is worked off in chunks, by any number of processes, without losing or doubling anything."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from support.engine import EngineWorld
from support.queues import HELD, finish, order_facts, take_order
from support.waiting import within
from tillsync_server.adapters.postgres.queues.requeue import CHUNK, PostgresRequeue
from tillsync_server.domain.enums import EntryKind, EntryState, Priority
from tillsync_server.domain.ids import AccountId, OrderId

pytestmark = pytest.mark.integration
SHOP = AccountId("shop-a")


@pytest.fixture
async def shop(world: EngineWorld) -> EngineWorld:
    await world.add_accounts("shop-a", "shop-b")
    return world


def work(world: EngineWorld) -> PostgresRequeue:
    return PostgresRequeue(world.database, world.notifications)


async def want(world: EngineWorld, what: int, account: str = "shop-a") -> None:
    await world.fetch("INSERT INTO requeue (account_id, what) VALUES ($1, $2) RETURNING 1", account, what)


async def link(world: EngineWorld, count: int, account: str = "shop-a") -> None:
    await world.fetch(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) SELECT $1, n, n, 1 "
        "FROM generate_series(1, $2::int) n RETURNING 1",
        account,
        count,
    )


async def left(world: EngineWorld) -> int:
    return len(await world.fetch("SELECT 1 FROM requeue"))


async def test_linked_customers_are_queued_in_chunks_at_bulk(shop: EngineWorld) -> None:
    await link(shop, CHUNK + 20)
    await want(shop, 1)
    assert await work(shop).run_chunk()
    assert len(await shop.fetch("SELECT 1 FROM entry")) == CHUNK
    assert await left(shop) == 1
    assert await work(shop).run_chunk()
    assert await left(shop) == 0
    rows = await shop.fetch("SELECT kind, priority, subject_id FROM entry ORDER BY subject_id")
    assert [row["subject_id"] for row in rows] == list(range(1, CHUNK + 21))
    assert {(row["kind"], row["priority"]) for row in rows} == {(EntryKind.CUSTOMER, Priority.BULK)}
    assert not await work(shop).run_chunk()
    assert (await shop.lanes.lease("w", limit=9, bulk_limit=9, probe_limit=9, lease_seconds=30)).leases[0].account_id == "shop-a"


async def test_a_full_last_chunk_ends_with_an_empty_one(shop: EngineWorld) -> None:
    await link(shop, CHUNK)
    await want(shop, 1)
    assert [await work(shop).run_chunk() for _ in range(3)] == [True, True, False]
    assert len(await shop.fetch("SELECT 1 FROM entry")) == CHUNK


async def test_types_and_removals_are_queued_and_hints_join_what_is_live(shop: EngineWorld) -> None:
    await shop.fetch("INSERT INTO customer_type (account_id, epos_customer_type_id) VALUES ('shop-a', 41), ('shop-a', 42) RETURNING 1")
    await shop.fetch(
        "INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id) VALUES ('shop-a', 8, 9), ('shop-a', 7, 9) RETURNING 1"
    )
    live = (await shop.hint("shop-a", 9, priority=Priority.LIVE)).entry_id
    for what in (2, 4):
        await want(shop, what)
    while await work(shop).run_chunk():
        pass
    rows = await shop.fetch("SELECT kind, subject_id, priority, entry_id, coalesced_count FROM entry ORDER BY kind, subject_id")
    assert [(row["kind"], row["subject_id"]) for row in rows] == [(1, 9), (2, 41), (2, 42)]
    assert (rows[0]["entry_id"], rows[0]["coalesced_count"], rows[0]["priority"]) == (live, 1, Priority.LIVE)


async def test_held_orders_run_again_in_order_of_arrival_and_their_answers_are_open(shop: EngineWorld) -> None:
    for order_id in range(1, 6):
        entry_id = await take_order(shop, "shop-a", order_facts(order_id))
        if order_id != 3:
            await finish(shop, entry_id, HELD)
    await shop.fetch(
        "UPDATE entry SET attempt_count = 4, not_before = CASE WHEN subject_id = 4 THEN now() + interval '1 hour' END RETURNING 1"
    )
    await shop.fetch("UPDATE lane SET next_run_at = 'infinity', next_live_at = 'infinity' RETURNING 1")
    before = {row["subject_id"]: row["entry_revision"] for row in await shop.fetch("SELECT subject_id, entry_revision FROM entry")}
    await want(shop, 3)
    assert await work(shop).run_chunk()
    rows = await shop.fetch("SELECT * FROM entry ORDER BY due_at, entry_id")
    assert [row["subject_id"] for row in rows] == [3, 1, 2, 5, 4], "arrival decides; a Retry-After is respected"
    for row in rows:
        assert row["state"] == EntryState.PENDING
        moved = row["subject_id"] != 3
        assert (row["attempt_count"], row["entry_revision"]) == (0 if moved else 4, before[row["subject_id"]] + moved)
    matches = await shop.orders.get(SHOP, [OrderId(n) for n in range(1, 6)])
    assert {match.state for match in matches.values()} == {EntryState.PENDING}
    [lane] = await shop.fetch("SELECT next_live_at <= now() AS ready FROM lane WHERE account_id = 'shop-a'")
    assert lane["ready"]
    assert await left(shop) == 0


async def test_held_orders_of_several_chunks_are_each_released_once(shop: EngineWorld) -> None:
    await shop.fetch(
        "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, state, priority, due_at, create_time, update_time) "
        "SELECT 'shop-a', gen_random_uuid(), 2, 3, n, 4, 1, now(), now(), now() FROM generate_series(1, $1::int) n RETURNING 1",
        CHUNK + 100,
    )
    await want(shop, 3)
    assert [await work(shop).run_chunk() for _ in range(3)] == [True, True, False]
    assert {row["entry_revision"] for row in await shop.fetch("SELECT entry_revision FROM entry WHERE state = 1")} == {2}


async def test_several_processes_share_the_work(shop: EngineWorld) -> None:
    for account in ("shop-a", "shop-b"):
        await link(shop, 3 * CHUNK, account)
        await want(shop, 1, account)

    async def process() -> None:
        mine = work(shop)
        while await mine.run_chunk():
            pass

    await asyncio.gather(*(process() for _ in range(4)))
    assert await left(shop) == 0
    [row] = await shop.fetch("SELECT count(*) AS n, max(coalesced_count) AS doubled FROM entry")
    assert (row["n"], row["doubled"]) == (6 * CHUNK, 0)


async def test_a_busy_account_does_not_hold_up_another(shop: EngineWorld) -> None:
    for account in ("shop-a", "shop-b"):
        await link(shop, 1, account)
        await want(shop, 1, account)
    async with shop.database.acquire() as other, other.transaction():
        await other.execute("SELECT 1 FROM lane WHERE account_id = 'shop-a' FOR UPDATE")
        assert await work(shop).run_chunk()
        assert [row["account_id"] for row in await shop.fetch("SELECT account_id FROM requeue")] == ["shop-a"]
        assert not await work(shop).run_chunk(), "busy: the caller comes back later"
    assert await work(shop).run_chunk()
    assert await left(shop) == 0


async def test_lanes_are_told(shop: EngineWorld) -> None:
    ready = asyncio.Event()
    shop.notifications.on_lanes_ready(ready.set)
    await link(shop, 1)
    await want(shop, 1)
    await work(shop).run_chunk()
    await within(ready.wait())
    live = asyncio.Event()
    shop.notifications.on_live_work(lambda account_id: live.set() if account_id == SHOP else None)
    held: UUID = await take_order(shop, "shop-a", order_facts(1))
    await finish(shop, held, HELD)  # type: ignore[arg-type]
    await shop.fetch(
        "UPDATE lane SET lease_owner = 'w', lease_token = 1, lease_expires_at = now() + interval '1 minute' "
        "WHERE account_id = 'shop-a' RETURNING 1"
    )
    await want(shop, 3)
    await work(shop).run_chunk()
    await within(live.wait())
