"""Links made by the order flow: fenced, one to one, and what a new link sets going (invariants 3 and 6).

What the order flow relies on besides: tests/contracts/test_links_contract.py.
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
    """An order as the flow holds it: its lane leased, the entry claimed."""
    await put_order(world, facts_of(order_id, woo_customer_id=woo_customer_id))
    lease = await lease_of(world)
    [entry] = [entry for entry in await claim(world, lease) if entry.subject_id == order_id]
    return lease, entry


async def link(
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


async def links(world: EngineWorld) -> set[tuple[int, int]]:
    return {(row["epos_customer_id"], row["woo_customer_id"]) for row in await world.fetch("SELECT * FROM link")}


async def test_a_new_link_queues_its_customer_and_does_not_hinder_its_own_order(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    lease, entry = await running_order(world)
    before = await config_version(world)
    assert await link(world, lease, entry) is OrderLinkOutcome.LINKED
    assert await links(world) == {(90001, 12)}
    row = await world.live("shop-a", 90001)
    assert row is not None
    assert (row["priority"], row["state"], row["entry_revision"]) == (1, 1, 1)
    assert await config_version(world) == before
    assert await world.lanes.complete([completion(lease, entry, MATCHED)]) == [CompletionResult.DONE]
    assert (await match_of(world, 1042)).state is EntryState.PROCESSED, "the revision of the deciding order was left alone"
    assert {each.subject_id for each in await claim(world, lease)} == {90001}, "the customer entry is there for the same lease"


async def test_held_orders_of_the_customer_run_again_in_order_of_arrival(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    held = await held_orders(world, [facts_of(number, woo_customer_id=12) for number in (7, 3, 5)])
    others = await held_orders(world, [facts_of(20, woo_customer_id=13), facts_of(21)])
    await world.fetch("UPDATE entry SET attempt_count = 3 RETURNING 1")
    lease, entry = await running_order(world, 1042)
    assert await link(world, lease, entry) is OrderLinkOutcome.LINKED
    assert await states(world, held) == [EntryState.PENDING] * 3
    assert await states(world, others) == [EntryState.HELD] * 2
    assert [(await entry_row(world, each))["attempt_count"] for each in held] == [0, 0, 0]
    assert [(await match_of(world, order_id)).state for order_id in (7, 3, 5, 20)] == [EntryState.PENDING] * 3 + [EntryState.HELD]
    assert (await match_of(world, 7)).outcome is Outcome.DUPLICATE_EMAIL, "the last answer stands until the next attempt"
    released = [each.subject_id for each in await claim(world, lease) if each.entry_id in held]
    assert released == [7, 3, 5]


async def test_other_running_orders_of_the_till_customer_run_again(world: EngineWorld) -> None:
    """What they decide on the links as they were is not their last word; orders of others end as they should. An order of the same shop
    customer never runs beside the one that links: it has read nothing yet, and is decided once."""
    await world.add_accounts("shop-a")
    for order_id, shop_customer in ((1, 30), (2, 31), (3, 32)):
        await put_order(world, facts_of(order_id, woo_customer_id=shop_customer, email=f"{order_id}@example.test"))
    await world.fetch("UPDATE entry SET epos_customer_id = 90001 WHERE subject_id = 1 RETURNING 1")
    await world.fetch("UPDATE entry SET woo_customer_id = 12 WHERE subject_id = 2 RETURNING 1")
    lease, deciding = await running_order(world)
    running = {each.subject_id: each for each in await claim(world, lease)}
    assert await link(world, lease, deciding) is OrderLinkOutcome.LINKED
    written = await world.lanes.complete([completion(lease, running[number], MATCHED) for number in (1, 2, 3)])
    assert written == [CompletionResult.MOVED_ON, CompletionResult.DONE, CompletionResult.DONE]
    left = {row["subject_id"] for row in await world.fetch("SELECT subject_id FROM entry WHERE queue = 2")}
    assert left == {1, 1042}


async def test_a_customer_entry_that_runs_while_its_link_is_made_runs_again(world: EngineWorld) -> None:
    """It may have found the customer not linked: the link's own hint keeps it alive."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 90001)
    lease, deciding = await running_order(world)
    [customer] = [each for each in await claim(world, lease) if each.subject_id == 90001]
    assert await link(world, lease, deciding) is OrderLinkOutcome.LINKED
    assert await world.lanes.complete([completion(lease, customer, Verdict.skipped(Outcome.CUSTOMER_NOT_LINKED))]) == [
        CompletionResult.MOVED_ON
    ]
    row = await world.live("shop-a", 90001)
    assert row is not None
    assert (row["state"], row["entry_revision"]) == (1, 2)


async def test_more_held_orders_than_a_transaction_may_release_are_left_to_the_requeue(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.fetch(
        "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, state, priority, due_at, woo_customer_id, create_time, "
        "update_time) SELECT $1, lpad(n::text, 32, '0')::uuid, 2, 3, n, 4, 1, now(), 12, now(), now() "
        "FROM generate_series(1, $2::int) AS n RETURNING 1",
        SHOP,
        MAX_REQUEUED + 40,
    )
    lease, entry = await running_order(world, 9999)
    assert await link(world, lease, entry) is OrderLinkOutcome.LINKED
    rows = await world.fetch("SELECT subject_id FROM entry WHERE state = 4 ORDER BY subject_id")
    assert [row["subject_id"] for row in rows] == list(range(MAX_REQUEUED + 1, MAX_REQUEUED + 41)), "the first ones first"
    [left] = await world.fetch("SELECT what, after_entry_id FROM requeue")
    assert (left["what"], left["after_entry_id"]) == (3, None)


async def test_guests_of_one_email_are_released_but_not_those_that_wait_for_products(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    held = await held_orders(world, [facts_of(7), facts_of(3, email=" ADA@example.test")])
    no_guest, other, product = (
        *(await held_orders(world, [facts_of(30, woo_customer_id=12)])),
        *(await held_orders(world, [facts_of(31, email="bea@example.test")])),
        *(await held_orders(world, [facts_of(32)], HELD_PRODUCT)),
    )
    lease, entry = await running_order(world, 1042, woo_customer_id=None)
    assert await linker_of(world).requeue_held_of_guest(lease, entry, email="ada@example.test") == 2
    assert await states(world, [*held, no_guest, other, product]) == [EntryState.PENDING] * 2 + [EntryState.HELD] * 3
    assert await linker_of(world).requeue_held_of_guest(lease, entry, email="ada@example.test") == 0
    assert await linker_of(world).requeue_held_of_guest(lease, entry, email="") == 0
    assert await world.lanes.complete([completion(lease, entry, MATCHED)]) == [CompletionResult.DONE]


async def test_two_accounts_link_the_same_numbers_apart(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    await put_order(world, facts_of(1, woo_customer_id=12), "shop-b")
    await put_order(world, facts_of(1, woo_customer_id=12))
    leases = {
        lease.account_id: lease
        for lease in (await world.lanes.lease("one", limit=5, bulk_limit=5, probe_limit=5, lease_seconds=600)).leases
    }
    for lease in leases.values():
        [entry] = await claim(world, lease)
        assert await link(world, lease, entry) is OrderLinkOutcome.LINKED
    assert len(await world.fetch("SELECT 1 FROM link")) == 2


async def test_a_person_and_an_order_that_race_make_one_link(world: EngineWorld) -> None:
    """Whichever comes second sees the first: no link is lost, taken over or doubled."""
    await world.add_accounts("shop-a")
    writer = PostgresLinkWriter(world.database, world.notifications)
    lease, _ = await running_order(world, 1, woo_customer_id=12)
    for turn in range(1, 13):
        shop_customer, till_customer = 100 + turn, 90000 + turn
        await put_order(world, facts_of(1000 + turn, woo_customer_id=shop_customer, email=f"{turn}@example.test"))
        [entry] = [each for each in await claim(world, lease) if each.subject_id == 1000 + turn]
        by_order, by_hand = await asyncio.gather(
            link(world, lease, entry, epos_id=till_customer, woo_id=shop_customer),
            writer.create(SHOP, epos(till_customer), woo(500 + turn)),
            return_exceptions=True,
        )
        if by_order is OrderLinkOutcome.LINKED:
            assert isinstance(by_hand, Exception)
            assert (till_customer, shop_customer) in await links(world)
        else:
            assert by_order is OrderLinkOutcome.STALE, "the person's link raised config_version"
            assert (till_customer, 500 + turn) in await links(world)
    assert len(await links(world)) == 12


async def test_two_links_of_one_till_customer_that_race_are_one(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    for number in range(6):
        await put_order(world, facts_of(number + 1, woo_customer_id=20 + number, email=f"{number}@example.test"))
    lease = await lease_of(world)
    entries = await claim(world, lease)
    outcomes = await asyncio.gather(*(link(world, lease, each, woo_id=each.woo_customer_id or 0) for each in entries))
    assert sorted(outcomes) == [OrderLinkOutcome.LINKED] + [OrderLinkOutcome.CONFLICT] * 5
    assert len(await links(world)) == 1


async def test_a_lane_that_stays_locked_is_stale_and_nothing_is_written(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    lease, entry = await running_order(world)
    async with world.database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM lane FOR UPDATE")
        assert await link(world, lease, entry) is OrderLinkOutcome.STALE
    assert await links(world) == set()


async def test_nothing_sleeps_after_a_release(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await held_orders(world, [facts_of(7, woo_customer_id=12)], HELD_DUPLICATE)
    lease, entry = await running_order(world)
    await link(world, lease, entry)
    await world.lanes.complete([completion(lease, entry, MATCHED)])
    await world.lanes.release([lease], clean=[True])
    assert {each.subject_id for each in await complete_all(world, UPDATED)} == {7, 90001}
    assert await world.lanes.repair_lost_wakeups() == 0
