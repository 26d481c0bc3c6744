"""The rows of table ``requeue`` run in chunks, in any number of processes. No subject is lost or enqueued twice."""

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


def requeue(world: EngineWorld) -> PostgresRequeue:
    return PostgresRequeue(world.database, world.notifications)


async def add_requeue(world: EngineWorld, what: int, account: str = "shop-a") -> None:
    await world.fetch("INSERT INTO requeue (account_id, what) VALUES ($1, $2) RETURNING 1", account, what)


async def add_links(world: EngineWorld, count: int, account: str = "shop-a") -> None:
    await world.fetch(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) SELECT $1, n, n, 1 "
        "FROM generate_series(1, $2::int) n RETURNING 1",
        account,
        count,
    )


async def count_requeues(world: EngineWorld) -> int:
    return len(await world.fetch("SELECT 1 FROM requeue"))


async def test_linked_customers_are_enqueued_in_chunks_as_bulk(shop: EngineWorld) -> None:
    await add_links(shop, CHUNK + 20)
    await add_requeue(shop, 1)
    assert await requeue(shop).run_chunk()
    assert len(await shop.fetch("SELECT 1 FROM entry")) == CHUNK
    assert await count_requeues(shop) == 1
    assert await requeue(shop).run_chunk()
    assert await count_requeues(shop) == 0
    rows = await shop.fetch("SELECT kind, priority, subject_id FROM entry ORDER BY subject_id")
    assert [row["subject_id"] for row in rows] == list(range(1, CHUNK + 21))
    assert {(row["kind"], row["priority"]) for row in rows} == {(EntryKind.CUSTOMER, Priority.BULK)}
    assert not await requeue(shop).run_chunk()
    assert (await shop.lanes.lease("w", limit=9, bulk_limit=9, probe_limit=9, lease_seconds=30)).leases[0].account_id == "shop-a"


async def test_empty_chunk_follows_a_full_last_chunk(shop: EngineWorld) -> None:
    await add_links(shop, CHUNK)
    await add_requeue(shop, 1)
    assert [await requeue(shop).run_chunk() for _ in range(3)] == [True, True, False]
    assert len(await shop.fetch("SELECT 1 FROM entry")) == CHUNK


async def test_types_and_removals_are_enqueued_and_coalesce_with_live_entries(shop: EngineWorld) -> None:
    await shop.fetch("INSERT INTO customer_type (account_id, epos_customer_type_id) VALUES ('shop-a', 41), ('shop-a', 42) RETURNING 1")
    await shop.fetch(
        "INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id) VALUES ('shop-a', 8, 9), ('shop-a', 7, 9) RETURNING 1"
    )
    live_entry = (await shop.hint("shop-a", 9, priority=Priority.LIVE)).entry_id
    for what in (2, 4):
        await add_requeue(shop, what)
    while await requeue(shop).run_chunk():
        pass
    rows = await shop.fetch("SELECT kind, subject_id, priority, entry_id, coalesced_count FROM entry ORDER BY kind, subject_id")
    assert [(row["kind"], row["subject_id"]) for row in rows] == [(1, 9), (2, 41), (2, 42)]
    assert (rows[0]["entry_id"], rows[0]["coalesced_count"], rows[0]["priority"]) == (live_entry, 1, Priority.LIVE)


async def test_requeued_held_orders_keep_their_order_of_arrival_and_have_pending_answers(shop: EngineWorld) -> None:
    for order_id in range(1, 6):
        entry_id = await take_order(shop, "shop-a", order_facts(order_id))
        if order_id != 3:
            await finish(shop, entry_id, HELD)
    await shop.fetch("UPDATE entry SET attempt_count = 4, not_before = NULL RETURNING 1")
    await shop.fetch("UPDATE entry SET not_before = now() + interval '1 hour' WHERE subject_id = 4 RETURNING 1")
    await shop.fetch("UPDATE lane SET next_run_at = 'infinity', next_live_at = 'infinity' RETURNING 1")
    before = {row["subject_id"]: row["entry_revision"] for row in await shop.fetch("SELECT subject_id, entry_revision FROM entry")}
    await add_requeue(shop, 3)
    assert await requeue(shop).run_chunk()
    rows = await shop.fetch("SELECT * FROM entry ORDER BY due_at, entry_id")
    assert [row["subject_id"] for row in rows] == [3, 1, 2, 5, 4], "entries are due in order of arrival, but not before their Retry-After"
    for row in rows:
        assert row["state"] == EntryState.PENDING
        moved = row["subject_id"] != 3
        assert (row["attempt_count"], row["entry_revision"]) == (0 if moved else 4, before[row["subject_id"]] + moved)
    matches = await shop.orders.get(SHOP, [OrderId(n) for n in range(1, 6)])
    assert {match.state for match in matches.values()} == {EntryState.PENDING}
    [lane] = await shop.fetch("SELECT next_live_at <= now() AS ready FROM lane WHERE account_id = 'shop-a'")
    assert lane["ready"]
    assert await count_requeues(shop) == 0


async def test_held_orders_of_several_chunks_are_requeued_once_each(shop: EngineWorld) -> None:
    await shop.fetch(
        "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, state, priority, due_at, create_time, update_time) "
        "SELECT 'shop-a', gen_random_uuid(), 2, 3, n, 4, 1, now(), now(), now() FROM generate_series(1, $1::int) n RETURNING 1",
        CHUNK + 100,
    )
    await add_requeue(shop, 3)
    assert [await requeue(shop).run_chunk() for _ in range(3)] == [True, True, False]
    assert {row["entry_revision"] for row in await shop.fetch("SELECT entry_revision FROM entry WHERE state = 1")} == {2}


async def test_several_processes_enqueue_every_customer_once(shop: EngineWorld) -> None:
    for account in ("shop-a", "shop-b"):
        await add_links(shop, 3 * CHUNK, account)
        await add_requeue(shop, 1, account)

    async def process() -> None:
        runner = requeue(shop)
        while await runner.run_chunk():
            pass

    await asyncio.gather(*(process() for _ in range(4)))
    assert await count_requeues(shop) == 0
    [row] = await shop.fetch("SELECT count(*) AS n, max(coalesced_count) AS doubled FROM entry")
    assert (row["n"], row["doubled"]) == (6 * CHUNK, 0)


async def test_locked_lane_delays_no_requeue_of_another_account(shop: EngineWorld) -> None:
    for account in ("shop-a", "shop-b"):
        await add_links(shop, 1, account)
        await add_requeue(shop, 1, account)
    async with shop.database.acquire() as blocker, blocker.transaction():
        await blocker.execute("SELECT 1 FROM lane WHERE account_id = 'shop-a' FOR UPDATE")
        assert await requeue(shop).run_chunk()
        assert [row["account_id"] for row in await shop.fetch("SELECT account_id FROM requeue")] == ["shop-a"]
        assert not await requeue(shop).run_chunk(), "another session locks the lane"
    assert await requeue(shop).run_chunk()
    assert await count_requeues(shop) == 0


async def test_requeue_notifies_ready_lanes_and_owners_of_leased_lanes(shop: EngineWorld) -> None:
    lanes_ready = asyncio.Event()
    shop.notifications.on_lanes_ready(lanes_ready.set)
    await add_links(shop, 1)
    await add_requeue(shop, 1)
    await requeue(shop).run_chunk()
    await within(lanes_ready.wait())
    live_work = asyncio.Event()
    shop.notifications.on_live_work(lambda account_id: live_work.set() if account_id == SHOP else None)
    held: UUID = await take_order(shop, "shop-a", order_facts(1))
    await finish(shop, held, HELD)  # type: ignore[arg-type]
    await shop.fetch(
        "UPDATE lane SET lease_owner = 'w', lease_token = 1, lease_expires_at = now() + interval '1 minute' "
        "WHERE account_id = 'shop-a' RETURNING 1"
    )
    await add_requeue(shop, 3)
    await requeue(shop).run_chunk()
    await within(live_work.wait())
