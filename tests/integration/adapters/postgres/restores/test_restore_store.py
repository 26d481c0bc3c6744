"""`tillsync after-restore` writes answers, links, events, intents and queued work. Each step may be repeated or run dry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.restores.restore_store import PostgresRestores
from tillsync_server.adapters.postgres.tills.till_knowledge import PostgresTillKnowledge
from tillsync_server.composition.after_restore import require_no_restore
from tillsync_server.composition.errors import StartError
from tillsync_server.domain.catalogue import comment_of
from tillsync_server.domain.enums import EntryState, Outcome
from tillsync_server.domain.errors import Refused
from tillsync_server.domain.ids import (
    AccountId,
    EposCustomerId,
    EposCustomerTypeId,
    OrderId,
    TillId,
    WooCustomerId,
    new_entry_id,
)
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.restored import RESTORED_NOTE, ShopLink, ShopOrder
from tillsync_server.ports.orders import NewOrder, OrderEnqueued
from tillsync_server.ports.restores import LinksTaken, OrdersTaken

pytestmark = [pytest.mark.integration, pytest.mark.every_version]

SHOP = AccountId("shop-a")
KEY = "ab" * 32
NOW = datetime.now(UTC)
DECIDED = ShopOrder(
    order_id=OrderId(1042),
    order_key=KEY,
    order_number="1042",
    entry_id=new_entry_id(),
    state=EntryState.PROCESSED,
    outcome=Outcome.CUSTOMER_CREATED,
    notes=("linked to shop customer 12",),
    epos_customer_id=EposCustomerId(101),
    woo_customer_id=WooCustomerId(12),
    account_email=" Ada@Example.test",
    billing_email="home@example.test",
)
OPEN = replace(DECIDED, order_id=OrderId(7), state=EntryState.HELD, epos_customer_id=None)


@pytest_asyncio.fixture
async def store(world: EngineWorld) -> PostgresRestores:
    await world.add_accounts("shop-a")
    await world.fetch("UPDATE account SET shop_bridge_secret = 'x' RETURNING 1")
    await world.fetch("INSERT INTO till (till_id) VALUES ('shop-a') RETURNING 1")
    return PostgresRestores(world.database)


async def enqueue(world: EngineWorld, order_id: int) -> OrderEnqueued:
    facts = OrderFacts(order_id=OrderId(order_id), order_key=KEY, create_time=NOW, woo_customer_id=WooCustomerId(12))
    [result] = await world.orders.enqueue([NewOrder(account_id=SHOP, facts=facts)])
    assert isinstance(result, OrderEnqueued)
    return result


async def rows(world: EngineWorld) -> dict[str, list[str]]:
    tables = ("entry", "entry_history", "order_match", "order_event", "link", "link_mark", "intent", "requeue")
    return {table: sorted(row[0] for row in await world.fetch(f"SELECT t::text FROM {table} AS t")) for table in tables}


async def test_decided_order_keeps_its_answer_and_finishes_its_live_entry(world: EngineWorld, store: PostgresRestores) -> None:
    await enqueue(world, 1042)
    order = replace(DECIDED, entry_id=new_entry_id())
    before = await rows(world)
    assert await store.take_orders(SHOP, [order], dry_run=True) == OrdersTaken(kept=1)
    assert await rows(world) == before
    assert await store.take_orders(SHOP, [order, order], dry_run=False) == OrdersTaken(kept=1)
    assert await world.fetch("SELECT 1 FROM entry") == []
    match = (await world.orders.get(SHOP, [OrderId(1042)]))[OrderId(1042)]
    assert (match.entry_id, match.state, match.outcome, match.epos_customer_id, match.comment) == (
        order.entry_id,
        EntryState.PROCESSED,
        Outcome.CUSTOMER_CREATED,
        101,
        comment_of(Outcome.CUSTOMER_CREATED),
    )
    [kept] = await world.finished("shop-a", 1042)
    assert (kept["entry_id"], kept["state"], kept["account_email"], kept["notes"].split("\n")) == (
        order.entry_id,
        2,
        "ada@example.test",
        ["linked to shop customer 12", RESTORED_NOTE],
    )
    intents = await world.fetch("SELECT email, state, epos_customer_id, settled_at > now() AS is_new FROM intent ORDER BY email")
    assert [tuple(row) for row in intents] == [("ada@example.test", 3, 101, True), ("home@example.test", 3, 101, True)]
    after = await rows(world)
    assert await store.take_orders(SHOP, [order], dry_run=False) == OrdersTaken()
    repeated = await rows(world)
    del after["order_event"], repeated["order_event"]  # a repetition may raise the sequence again
    assert repeated == after
    facts = OrderFacts(order_id=OrderId(1042), order_key=KEY, create_time=NOW, account_email="other@example.test")
    [unchanged] = await world.orders.enqueue([NewOrder(account_id=SHOP, facts=facts)])
    assert isinstance(unchanged, OrderEnqueued)
    assert (unchanged.entry_id, unchanged.queued) == (order.entry_id, False), "a call without rerun decides nothing"


@pytest.mark.parametrize(
    "orders",
    [
        [replace(DECIDED, order_number="1\x00")],
        [replace(DECIDED, order_number="1\ud800")],
        [DECIDED, replace(DECIDED, order_id=OrderId(9))],
    ],
    ids=["nul", "surrogate", "one entry id for two orders"],
)
async def test_rows_that_cannot_be_stored_are_an_error_of_their_shop(
    world: EngineWorld, store: PostgresRestores, orders: list[ShopOrder]
) -> None:
    before = await rows(world)
    with pytest.raises(Refused, match="cannot store what the shop answered") as refused:
        await store.take_orders(SHOP, orders, dry_run=False)
    assert "example.test" not in str(refused.value)
    assert await rows(world) == before


async def test_unknown_open_order_gets_an_event(world: EngineWorld, store: PostgresRestores) -> None:
    assert await store.take_orders(SHOP, [OPEN], dry_run=False) == OrdersTaken(asked_again=1)
    [event] = await world.fetch("SELECT sequence, delivered, type, entry_id, state FROM order_event")
    assert (event["delivered"], event["type"], event["entry_id"], event["state"]) == (0, 3, None, 1)
    assert event["sequence"] > 1_700_000_000_000_000, "the sequence is above every sequence of the shop"
    assert await world.fetch("SELECT 1 FROM order_match") == []


async def test_known_orders_get_sequences_above_the_lost_ones(world: EngineWorld, store: PostgresRestores) -> None:
    await enqueue(world, 7)
    assert await store.take_orders(SHOP, [OPEN], dry_run=False) == OrdersTaken()
    assert [row["state"] for row in await world.fetch("SELECT state FROM entry")] == [1], "the database keeps its own entry"
    [event] = await world.fetch("SELECT sequence, delivered FROM order_event")
    assert event["sequence"] == event["delivered"] > 1_700_000_000_000_000


async def test_lost_request_is_reported_and_keeps_the_answer(world: EngineWorld, store: PostgresRestores) -> None:
    earlier = replace(DECIDED, order_id=OrderId(7), entry_id=new_entry_id())
    await store.take_orders(SHOP, [earlier], dry_run=False)
    repeated = replace(OPEN, entry_id=new_entry_id())
    assert await store.take_orders(SHOP, [repeated], dry_run=False) == OrdersTaken(lost_requests=(OrderId(7),))
    assert (await world.orders.get(SHOP, [OrderId(7)]))[OrderId(7)].epos_customer_id == 101


def shop_link(woo: int, epos: int | None, *, changed_at: datetime = NOW) -> ShopLink:
    return ShopLink(
        woo_customer_id=WooCustomerId(woo),
        epos_customer_id=None if epos is None else EposCustomerId(epos),
        is_removed=epos is None,
        registered_at=NOW - timedelta(days=30),
        changed_at=changed_at,
    )


async def add_link(world: EngineWorld, epos: int, woo: int) -> None:
    statement = "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin, content_hash) VALUES ('shop-a', $1, $2, 3, 'x')"
    await world.fetch(f"{statement} RETURNING 1", epos, woo)


async def links(world: EngineWorld) -> list[tuple[int, int]]:
    return [tuple(row) for row in await world.fetch("SELECT epos_customer_id, woo_customer_id FROM link ORDER BY 1")]


async def test_links_of_the_shop_are_restored_and_unlinked_ones_deleted(world: EngineWorld, store: PostgresRestores) -> None:
    for epos, woo in ((1, 11), (2, 12)):
        await add_link(world, epos, woo)
    since = NOW - timedelta(minutes=5)
    shop_links: Sequence[ShopLink] = [
        shop_link(11, 1),
        shop_link(12, None),
        shop_link(13, 3),
        shop_link(14, 1),
        shop_link(11, None, changed_at=since - timedelta(seconds=1)),
    ]
    expected = LinksTaken(restored=1, unlinked=(WooCustomerId(12),), conflicts=(shop_links[3],))
    before = await rows(world)
    assert await store.take_links(SHOP, shop_links, since=since, dry_run=True) == expected
    assert await rows(world) == before
    assert await store.take_links(SHOP, shop_links, since=since, dry_run=False) == expected
    assert await links(world) == [(1, 11), (3, 13)]
    assert [row["woo_customer_id"] for row in await world.fetch("SELECT woo_customer_id FROM link_mark")] == [12]
    assert sorted(row["subject_id"] for row in await world.fetch("SELECT subject_id FROM entry WHERE kind = 1")) == [2, 3]
    repeated = await store.take_links(SHOP, shop_links, since=since, dry_run=False)
    assert (repeated.restored, repeated.unlinked) == (0, ())


@pytest.mark.catches("restored-hashes-are-forgotten")
async def test_all_subjects_are_enqueued_once_and_hashes_are_cleared(world: EngineWorld, store: PostgresRestores) -> None:
    await add_link(world, 1, 11)
    await world.fetch(
        "INSERT INTO customer_type (account_id, epos_customer_type_id, content_hash) VALUES ('shop-a', 4001, 'x') RETURNING 1"
    )
    types = [EposCustomerTypeId(4001), EposCustomerTypeId(4002)]
    for _ in range(2):
        enqueued = await store.queue_all(SHOP, types, dry_run=False)
        assert (enqueued.customers, enqueued.types) == (1, 2)
    assert [row[0] for row in await world.fetch("SELECT content_hash FROM link UNION ALL SELECT content_hash FROM customer_type")] == [
        None,
        None,
    ]
    assert [row["what"] for row in await world.fetch("SELECT what FROM requeue ORDER BY what")] == [1, 2, 4]
    [entry] = await world.fetch("SELECT kind, subject_id, priority FROM entry")
    assert tuple(entry) == (2, 4002, 2)
    await world.fetch("UPDATE account SET customer_sync_enabled = false RETURNING 1")
    await world.fetch("DELETE FROM requeue RETURNING 1")
    assert await store.queue_all(SHOP, types, dry_run=False) == replace(enqueued, customers=0, types=0)
    assert await world.fetch("SELECT 1 FROM requeue") == []


@pytest.mark.catches("restored-databases-do-not-work")
async def test_service_does_not_start_on_a_database_with_a_pending_restore(world: EngineWorld, store: PostgresRestores) -> None:
    await require_no_restore(world.database)
    await store.note_restored(NOW)
    with pytest.raises(StartError, match="run `tillsync after-restore` first"):
        await require_no_restore(world.database)
    await store.end()
    await require_no_restore(world.database)


async def test_restore_is_pending_until_its_end_and_recorded_for_each_till(world: EngineWorld, store: PostgresRestores) -> None:
    knowledge, till = PostgresTillKnowledge(world.database), TillId("shop-a")
    await knowledge.note_search_proven(till, "V2")
    assert await store.pending() is None
    assert (await knowledge.get(till, "V2")).seconds_since_restore is None
    await store.note_restored(None)
    first = await store.begin(NOW)
    assert (first.since, await store.begin(NOW + timedelta(hours=1))) == (NOW, first), "the first backup time is kept"
    knowledge_after = await knowledge.get(till, "V2")
    assert knowledge_after.search_proven_at is None
    assert knowledge_after.seconds_since_restore is not None
    assert 0 <= knowledge_after.seconds_since_restore < 60
    await store.complete(SHOP)
    await store.complete(SHOP)
    assert await store.done_accounts() == {SHOP}
    await store.note_restored(NOW)
    assert await store.done_accounts() == set(), "another restore starts again with all accounts"
    assert [await store.end(), await store.end(), await store.pending()] == [True, False, None]
