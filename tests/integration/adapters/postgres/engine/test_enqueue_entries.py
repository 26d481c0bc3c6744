"""The enqueueing of a hint returns the entry as a read of the queue returns it, in every state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.queues.queue_reader import PostgresQueueReader
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryKind, EntryState, Priority, Side
from tillsync_server.domain.ids import AccountId

pytestmark = pytest.mark.integration


async def read_entry(world: EngineWorld, entry: Entry) -> Entry:
    found = await PostgresQueueReader(world.database).get(entry.account_id, [entry.entry_id], with_attempts=False)
    return found[entry.entry_id]


HOUR = timedelta(hours=1)
SITUATIONS: dict[str, Callable[[EngineWorld], Awaitable[object]]] = {
    "due now": lambda world: asyncio.sleep(0),
    "till paused": lambda world: world.open_problem("shop-a", Side.TILL),
    "shop paused": lambda world: world.open_problem("shop-a", Side.SHOP, text=None),
    "pause over": lambda world: world.open_problem("shop-a", Side.TILL, probe_in=-HOUR),
    "held": lambda world: world.fetch(
        "UPDATE entry SET state = 4, outcome = 5, comment = 'WooCommerce customer not updated', notes = E'first\\nsecond', "
        "attempt_count = 3, woo_customer_id = 12, subject_label = 'Ada B.' RETURNING 1"
    ),
    "postponed with a cause": lambda world: world.fetch(
        "UPDATE entry SET outcome = 10, cause = 8, due_at = now() + interval '2 hours', not_before = now() + interval '1 hour' RETURNING 1"
    ),
}


async def pause_both_sides(world: EngineWorld) -> None:
    await world.open_problem("shop-a", Side.TILL, probe_in=HOUR)
    await world.open_problem("shop-a", Side.SHOP, probe_in=2 * HOUR, text="the shop is away")


SITUATIONS["both sides paused"] = pause_both_sides


@pytest.mark.parametrize("kind", [EntryKind.CUSTOMER, EntryKind.CUSTOMER_TYPE])
@pytest.mark.parametrize("situation", list(SITUATIONS))
async def test_enqueue_returns_the_same_entry_as_a_read(world: EngineWorld, kind: EntryKind, situation: str) -> None:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 7, kind=kind, priority=Priority.BULK)
    await SITUATIONS[situation](world)
    repeated = await world.hint("shop-a", 7, kind=kind)
    new = await world.hint("shop-a", 8, kind=kind)
    assert repeated.coalesced
    assert not new.coalesced
    assert (repeated.entry.account_id, repeated.entry.state, repeated.entry.attempt_count) == (
        AccountId("shop-a"),
        EntryState.PENDING,
        0,
    )
    for entry in (repeated.entry, new.entry):
        assert entry == replace(await read_entry(world, entry), facts=None)


async def test_new_customer_entry_has_its_till_customer_id(world: EngineWorld) -> None:
    """The index entry_by_epos_customer of ListQueue needs this column before the first attempt."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 7)
    await world.hint("shop-a", 9, kind=EntryKind.CUSTOMER_TYPE)
    rows = await world.fetch("SELECT kind, epos_customer_id FROM entry ORDER BY kind")
    assert [tuple(row) for row in rows] == [(1, 7), (2, None)]
