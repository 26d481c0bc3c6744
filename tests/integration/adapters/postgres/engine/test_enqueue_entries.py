"""What an enqueued hint brings back is what reading the entry gives, in every state it can be in."""

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


async def as_read(world: EngineWorld, entry: Entry) -> Entry:
    found = await PostgresQueueReader(world.database).get(entry.account_id, [entry.entry_id], with_attempts=False)
    return found[entry.entry_id]


HOUR = timedelta(hours=1)
SITUATIONS: dict[str, Callable[[EngineWorld], Awaitable[object]]] = {
    "plain": lambda world: asyncio.sleep(0),
    "waits for the till": lambda world: world.open_problem("shop-a", Side.TILL),
    "waits for the shop": lambda world: world.open_problem("shop-a", Side.SHOP, text=None),
    "waited before": lambda world: world.open_problem("shop-a", Side.TILL, probe_in=-HOUR),
    "held": lambda world: world.fetch(
        "UPDATE entry SET state = 4, outcome = 5, comment = 'WooCommerce customer not updated', notes = E'first\\nsecond', "
        "attempt_count = 3, woo_customer_id = 12, subject_label = 'Ada B.' RETURNING 1"
    ),
    "waiting with a cause": lambda world: world.fetch(
        "UPDATE entry SET outcome = 10, cause = 8, due_at = now() + interval '2 hours', not_before = now() + interval '1 hour' RETURNING 1"
    ),
}


async def both_ill(world: EngineWorld) -> None:
    await world.open_problem("shop-a", Side.TILL, probe_in=HOUR)
    await world.open_problem("shop-a", Side.SHOP, probe_in=2 * HOUR, text="the shop is away")


SITUATIONS["waits for both"] = both_ill


@pytest.mark.parametrize("kind", [EntryKind.CUSTOMER, EntryKind.CUSTOMER_TYPE])
@pytest.mark.parametrize("situation", list(SITUATIONS))
async def test_the_entry_that_comes_back_is_the_one_that_is_read(world: EngineWorld, kind: EntryKind, situation: str) -> None:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 7, kind=kind, priority=Priority.BULK)
    await SITUATIONS[situation](world)
    again = await world.hint("shop-a", 7, kind=kind)
    fresh = await world.hint("shop-a", 8, kind=kind)
    assert again.coalesced
    assert not fresh.coalesced
    assert (again.entry.account_id, again.entry.state, again.entry.attempt_count) == (AccountId("shop-a"), EntryState.PENDING, 0)
    for entry in (again.entry, fresh.entry):
        assert entry == replace(await as_read(world, entry), facts=None)


async def test_a_waiting_customer_is_found_by_its_id_before_any_attempt(world: EngineWorld) -> None:
    """The column that the listing's index entry_by_epos_customer needs is there from the start."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 7)
    await world.hint("shop-a", 9, kind=EntryKind.CUSTOMER_TYPE)
    rows = await world.fetch("SELECT kind, epos_customer_id FROM entry ORDER BY kind")
    assert [tuple(row) for row in rows] == [(1, 7), (2, None)]
