"""The order flow creates links under the fence, one to one. A new link requeues held orders (invariants 3 and 6).

tests/contracts/test_links_contract.py tests the rest of the port.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from support.engine import UPDATED, EngineWorld
from support.links import (
    HELD_DUPLICATE,
    SHOP,
    claim,
    complete_all,
    completion,
    config_version,
    entry_row,
    epos,
    facts_of,
    held_orders,
    lease_of,
    match_of,
    put_order,
    states,
    woo,
)
from tillsync_server.adapters.postgres.links.held_orders import MAX_REQUEUED
from tillsync_server.adapters.postgres.links.link_writer import PostgresLinkWriter
from tillsync_server.adapters.postgres.links.order_linker import PostgresOrderLinker
from tillsync_server.domain.enums import EntryState, LinkGround, Outcome
from tillsync_server.domain.link import LinkOrigin
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry, CompletionResult, LaneLease
from tillsync_server.ports.links import OrderLinkOutcome

pytestmark = pytest.mark.integration
MATCHED = replace(Verdict.finished(Outcome.MATCHED_EMAIL, "linked"), epos_customer_id=epos(90001), woo_customer_id=woo(12))
HELD_PRODUCT = Verdict.held(Outcome.PRODUCT_NOT_MATCHED, "1 product has no link")


def linker_of(world: EngineWorld) -> PostgresOrderLinker:
    return PostgresOrderLinker(world.database, world.notifications)


async def running_order(world: EngineWorld, order_id: int = 1042, woo_customer_id: int | None = 12) -> tuple[LaneLease, ClaimedEntry]:
    """The lease and the claimed entry of an order, as the flow has them."""
    await put_order(world, facts_of(order_id, woo_customer_id=woo_customer_id))
    lease = await lease_of(world)
    [entry] = [entry for entry in await claim(world, lease) if entry.subject_id == order_id]
    return lease, entry


async def link_order(
    world: EngineWorld,
    lease: LaneLease,
    entry: ClaimedEntry,
    *,
    epos_id: int = 90001,
    woo_id: int = 12,
) -> OrderLinkOutcome:
    return await linker_of(world).link(
        lease,
        entry,
        epos_customer_id=epos(epos_id),
        woo_customer_id=woo(woo_id),
        origin=LinkOrigin.MATCHED_EMAIL,
        ground=LinkGround.CONFIRMED_EMAIL,
        replaces=None,
    )


async def stored_links(world: EngineWorld) -> set[tuple[int, int]]:
    return {(row["epos_customer_id"], row["woo_customer_id"]) for row in await world.fetch("SELECT * FROM link")}


async def test_link_enqueues_its_customer_and_its_order_completes(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    lease, entry = await running_order(world)
    before = await config_version(world)
    assert await link_order(world, lease, entry) is OrderLinkOutcome.LINKED
    assert await stored_links(world) == {(90001, 12)}
    row = await world.live("shop-a", 90001)
    assert row is not None
    assert (row["priority"], row["state"], row["entry_revision"]) == (1, 1, 1)
    assert await config_version(world) == before
    assert await world.lanes.complete([completion(lease, entry, MATCHED)]) == [CompletionResult.DONE]
    assert (await match_of(world, 1042)).state is EntryState.PROCESSED, "the link does not raise the revision of its own order"
    assert {each.subject_id for each in await claim(world, lease)} == {90001}, "the same lease claims the customer's entry"


async def test_link_requeues_held_orders_of_the_customer_in_order_of_arrival(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    held = await held_orders(world, [facts_of(number, woo_customer_id=12) for number in (7, 3, 5)])
    others = await held_orders(world, [facts_of(20, woo_customer_id=13), facts_of(21)])
    await world.fetch("UPDATE entry SET attempt_count = 3 RETURNING 1")
    lease, entry = await running_order(world, 1042)
    assert await link_order(world, lease, entry) is OrderLinkOutcome.LINKED
    assert await states(world, held) == [EntryState.PENDING] * 3
    assert await states(world, others) == [EntryState.HELD] * 2
    assert [(await entry_row(world, each))["attempt_count"] for each in held] == [0, 0, 0]
    assert [(await match_of(world, order_id)).state for order_id in (7, 3, 5, 20)] == [EntryState.PENDING] * 3 + [EntryState.HELD]
    assert (await match_of(world, 7)).outcome is Outcome.DUPLICATE_EMAIL, "the answer keeps its outcome until the next attempt"
    requeued = [each.subject_id for each in await claim(world, lease) if each.entry_id in held]
    assert requeued == [7, 3, 5]


async def test_link_makes_other_running_orders_of_the_till_customer_run_again(world: EngineWorld) -> None:
    """Orders of the till customer decided on the old links, so they run again. Orders of other customers complete. An order of the same
    shop customer never runs at the same time, so it has read no links yet."""
    await world.add_accounts("shop-a")
    for order_id, shop_customer in ((1, 30), (2, 31), (3, 32)):
        await put_order(world, facts_of(order_id, woo_customer_id=shop_customer, email=f"{order_id}@example.test"))
    await world.fetch("UPDATE entry SET epos_customer_id = 90001 WHERE subject_id = 1 RETURNING 1")
    await world.fetch("UPDATE entry SET woo_customer_id = 12 WHERE subject_id = 2 RETURNING 1")
    lease, linking = await running_order(world)
    running = {each.subject_id: each for each in await claim(world, lease)}
    assert await link_order(world, lease, linking) is OrderLinkOutcome.LINKED
    written = await world.lanes.complete([completion(lease, running[number], MATCHED) for number in (1, 2, 3)])
    assert written == [CompletionResult.MOVED_ON, CompletionResult.DONE, CompletionResult.DONE]
    live_orders = {row["subject_id"] for row in await world.fetch("SELECT subject_id FROM entry WHERE queue = 2")}
    assert live_orders == {1, 1042}


async def test_link_makes_a_running_entry_of_its_customer_run_again(world: EngineWorld) -> None:
    """The run may have read that the customer is not linked. The link's hint raises the revision, so the entry stays live."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 90001)
    lease, linking = await running_order(world)
    [customer] = [each for each in await claim(world, lease) if each.subject_id == 90001]
    assert await link_order(world, lease, linking) is OrderLinkOutcome.LINKED
    assert await world.lanes.complete([completion(lease, customer, Verdict.skipped(Outcome.CUSTOMER_NOT_LINKED))]) == [
        CompletionResult.MOVED_ON
    ]
    row = await world.live("shop-a", 90001)
    assert row is not None
    assert (row["state"], row["entry_revision"]) == (1, 2)


async def test_held_orders_beyond_the_limit_are_left_to_the_requeue(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.fetch(
        "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, state, priority, due_at, woo_customer_id, create_time, "
        "update_time) SELECT $1, lpad(n::text, 32, '0')::uuid, 2, 3, n, 4, 1, now(), 12, now(), now() "
        "FROM generate_series(1, $2::int) AS n RETURNING 1",
        SHOP,
        MAX_REQUEUED + 40,
    )
    lease, entry = await running_order(world, 9999)
    assert await link_order(world, lease, entry) is OrderLinkOutcome.LINKED
    rows = await world.fetch("SELECT subject_id FROM entry WHERE state = 4 ORDER BY subject_id")
    assert [row["subject_id"] for row in rows] == list(range(MAX_REQUEUED + 1, MAX_REQUEUED + 41)), "the oldest orders are requeued first"
    [requeue] = await world.fetch("SELECT what, after_entry_id FROM requeue")
    assert (requeue["what"], requeue["after_entry_id"]) == (3, None)


async def test_held_guest_orders_of_one_email_are_requeued_except_those_without_a_product(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    held = await held_orders(world, [facts_of(7), facts_of(3, email=" ADA@example.test")])
    with_shop_customer, other, no_product = (
        *(await held_orders(world, [facts_of(30, woo_customer_id=12)])),
        *(await held_orders(world, [facts_of(31, email="bea@example.test")])),
        *(await held_orders(world, [facts_of(32)], HELD_PRODUCT)),
    )
    lease, entry = await running_order(world, 1042, woo_customer_id=None)
    assert await linker_of(world).requeue_held_of_guest(lease, entry, email="ada@example.test") == 2
    assert await states(world, [*held, with_shop_customer, other, no_product]) == [EntryState.PENDING] * 2 + [EntryState.HELD] * 3
    assert await linker_of(world).requeue_held_of_guest(lease, entry, email="ada@example.test") == 0
    assert await linker_of(world).requeue_held_of_guest(lease, entry, email="") == 0
    assert await world.lanes.complete([completion(lease, entry, MATCHED)]) == [CompletionResult.DONE]


async def test_accounts_may_link_equal_customer_ids(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    await put_order(world, facts_of(1, woo_customer_id=12), "shop-b")
    await put_order(world, facts_of(1, woo_customer_id=12))
    leases = {
        lease.account_id: lease
        for lease in (await world.lanes.lease("one", limit=5, bulk_limit=5, probe_limit=5, lease_seconds=600)).leases
    }
    for lease in leases.values():
        [entry] = await claim(world, lease)
        assert await link_order(world, lease, entry) is OrderLinkOutcome.LINKED
    assert len(await world.fetch("SELECT 1 FROM link")) == 2


async def test_concurrent_links_of_a_person_and_an_order_leave_one_link(world: EngineWorld) -> None:
    """The second change sees the first one. No link is lost, replaced or doubled."""
    await world.add_accounts("shop-a")
    writer = PostgresLinkWriter(world.database, world.notifications)
    lease, _ = await running_order(world, 1, woo_customer_id=12)
    for race in range(1, 13):
        shop_customer, till_customer = 100 + race, 90000 + race
        await put_order(world, facts_of(1000 + race, woo_customer_id=shop_customer, email=f"{race}@example.test"))
        [entry] = [each for each in await claim(world, lease) if each.subject_id == 1000 + race]
        order_result, person_result = await asyncio.gather(
            link_order(world, lease, entry, epos_id=till_customer, woo_id=shop_customer),
            writer.create(SHOP, epos(till_customer), woo(500 + race)),
            return_exceptions=True,
        )
        if order_result is OrderLinkOutcome.LINKED:
            assert isinstance(person_result, Exception)
            assert (till_customer, shop_customer) in await stored_links(world)
        else:
            assert order_result is OrderLinkOutcome.STALE, "the person's link raised config_version"
            assert (till_customer, 500 + race) in await stored_links(world)
    assert len(await stored_links(world)) == 12


async def test_concurrent_links_of_one_till_customer_leave_one_link(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    for number in range(6):
        await put_order(world, facts_of(number + 1, woo_customer_id=20 + number, email=f"{number}@example.test"))
    lease = await lease_of(world)
    entries = await claim(world, lease)
    outcomes = await asyncio.gather(*(link_order(world, lease, each, woo_id=each.woo_customer_id or 0) for each in entries))
    assert sorted(outcomes) == [OrderLinkOutcome.LINKED] + [OrderLinkOutcome.CONFLICT] * 5
    assert len(await stored_links(world)) == 1


async def test_locked_lane_makes_the_link_stale_and_writes_nothing(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    lease, entry = await running_order(world)
    async with world.database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM lane FOR UPDATE")
        assert await link_order(world, lease, entry) is OrderLinkOutcome.STALE
    assert await stored_links(world) == set()


async def test_requeued_orders_and_the_linked_customer_are_due_after_the_release(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await held_orders(world, [facts_of(7, woo_customer_id=12)], HELD_DUPLICATE)
    lease, entry = await running_order(world)
    await link_order(world, lease, entry)
    await world.lanes.complete([completion(lease, entry, MATCHED)])
    await world.lanes.release([lease], clean=[True])
    assert {each.subject_id for each in await complete_all(world, UPDATED)} == {7, 90001}
    assert await world.lanes.repair_lost_wakeups() == 0
