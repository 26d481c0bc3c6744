"""A person creates and deletes links and chooses the customer of an order. Each change drops the decisions of earlier runs (invariant 6).

tests/contracts/test_link_writer_contract.py tests the rest of the port.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from support.engine import UPDATED, EngineWorld, RecordingHandler
from support.links import (
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
    pending_removals,
    put_order,
    states,
    woo,
)
from tillsync_server.adapters.postgres.links import link_writer as link_writer_module
from tillsync_server.adapters.postgres.links.link_reader import PostgresLinks
from tillsync_server.adapters.postgres.links.link_writer import PostgresLinkWriter
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome
from tillsync_server.domain.errors import AlreadyExists, FailedPrecondition, NotFound, Unavailable
from tillsync_server.domain.ids import EntryId, new_entry_id
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import CompletionResult

pytestmark = pytest.mark.integration
MATCHED = replace(Verdict.finished(Outcome.MATCHED_EMAIL, "linked"), epos_customer_id=epos(90001))
FAILED = Verdict.failed(Outcome.CUSTOMER_NOT_MATCHED, "refused field: EmailAddress")


def writer_of(world: EngineWorld) -> PostgresLinkWriter:
    return PostgresLinkWriter(world.database, world.notifications)


async def is_marked(world: EngineWorld, woo_id: int) -> bool:
    return await PostgresLinks(world.database).is_marked_do_not_auto_link(SHOP, woo(woo_id))


# create


async def test_create_replaces_an_unusable_link(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await writer_of(world).create(SHOP, epos(90001), woo(12))
    await world.fetch("UPDATE link SET epos_gone_at = now(), content_hash = 'x' RETURNING 1")
    repeated = await writer_of(world).create(SHOP, epos(90001), woo(12))
    assert repeated.link.is_usable
    assert repeated.link.content_hash is None
    await world.fetch("UPDATE link SET epos_gone_at = now() RETURNING 1")
    await writer_of(world).create(SHOP, epos(90001), woo(13))  # shop customer 12 still has the values of 90001
    assert await pending_removals(PostgresLinks(world.database), 90001) == {90001: (12,)}
    assert await PostgresLinks(world.database).by_woo(SHOP, woo(12)) is None


async def test_create_requeues_held_orders_in_order_of_arrival_and_wakes_the_lane(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    held = await held_orders(world, [facts_of(number, woo_customer_id=12) for number in (9, 4, 6)])
    [other_shop_customer] = await held_orders(world, [facts_of(20, woo_customer_id=13)])
    created = await writer_of(world).create(SHOP, epos(90001), woo(12))
    assert created.requeued_order_entries == 3
    assert await states(world, [*held, other_shop_customer]) == [EntryState.PENDING] * 3 + [EntryState.HELD]
    assert [(await match_of(world, order)).state for order in (9, 4, 6)] == [EntryState.PENDING] * 3
    handler = RecordingHandler()
    async with world.running(handler):
        await handler.wait_for(lambda: len(handler.runs) == 4)
        await world.until_idle()
    assert [run.subject_id for run in handler.runs if run.kind is EntryKind.ORDER_CUSTOMER] == [9, 4, 6]
    assert await world.lanes.repair_lost_wakeups() == 0


async def test_create_notifies_a_running_worker(world: EngineWorld) -> None:
    """The notification reaches an idle worker, and one that runs another entry."""
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    async with world.running(handler):
        await writer_of(world).create(SHOP, epos(90001), woo(12))
        await handler.wait_for(lambda: handler.count(90001) == 1)
        gate = handler.gate(1)
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 1)
        await writer_of(world).create(SHOP, epos(90002), woo(13))
        await handler.wait_for(lambda: handler.count(90002) == 1)
        gate.set()
        await world.until_idle()


async def test_completion_of_a_run_before_the_link_is_dropped_and_the_entry_runs_again(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await put_order(world, facts_of(7, woo_customer_id=12))
    await world.hint("shop-a", 90001)
    lease = await lease_of(world)
    running = await claim(world, lease)
    await writer_of(world).create(SHOP, epos(90001), woo(12))
    assert await world.lanes.complete([completion(lease, each, MATCHED) for each in running]) == [
        CompletionResult.DROPPED,
        CompletionResult.DROPPED,
    ]
    repeated = {each.subject_id: each for each in await claim(world, lease)}
    assert set(repeated) == {7, 90001}
    assert all(repeated[each.subject_id].entry_revision == each.entry_revision + 1 for each in running)
    assert await world.lanes.complete([completion(lease, each, MATCHED) for each in repeated.values()]) == [
        CompletionResult.DONE,
        CompletionResult.DONE,
    ]


# delete


@pytest.mark.parametrize("by", ["epos", "woo", "both"])
async def test_delete_stores_a_mark_and_enqueues_the_removal(world: EngineWorld, by: str) -> None:
    await world.add_accounts("shop-a")
    created = await writer_of(world).create(SHOP, epos(90001), woo(12))
    await complete_all(world, UPDATED)
    before = await config_version(world)
    deleted = await writer_of(world).delete(
        SHOP, epos_customer_id=None if by == "woo" else epos(90001), woo_customer_id=None if by == "epos" else woo(12)
    )
    assert deleted.link == created.link
    assert await PostgresLinks(world.database).by_woo(SHOP, woo(12)) is None
    assert await is_marked(world, 12)
    assert await pending_removals(PostgresLinks(world.database), 90001) == {90001: (12,)}
    row = await entry_row(world, deleted.removal_entry_id)
    assert (row["kind"], row["subject_id"], row["priority"], row["due"]) == (1, 90001, 1, True)
    assert await config_version(world) == before + 1


async def test_completion_of_a_run_before_the_unlink_is_dropped(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await writer_of(world).create(SHOP, epos(90001), woo(12))
    lease = await lease_of(world)
    [running] = await claim(world, lease)
    await writer_of(world).delete(SHOP, woo_customer_id=woo(12))
    assert await world.lanes.complete([completion(lease, running, UPDATED)]) == [CompletionResult.DROPPED]
    [repeated] = await claim(world, lease)
    assert (repeated.entry_id, repeated.entry_revision) == (running.entry_id, running.entry_revision + 1)


# resolve


async def test_choice_without_a_link_applies_to_its_order_only(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    chosen, other_shop_customer = await held_orders(world, [facts_of(7, woo_customer_id=12), facts_of(8, woo_customer_id=12)])
    resolved = await writer_of(world).resolve_order(SHOP, chosen, epos(90001), create_link=False)
    assert (resolved.entry_id, resolved.link, resolved.requeued_order_entries) == (chosen, None, 0)
    assert await states(world, [chosen, other_shop_customer]) == [EntryState.PENDING, EntryState.HELD]
    assert (await match_of(world, 7)).state is EntryState.PENDING
    [entry] = await claim(world, await lease_of(world))
    assert (entry.entry_id, entry.chosen_epos_customer_id, entry.attempt_count) == (chosen, 90001, 0)
    assert await world.fetch("SELECT 1 FROM link") == []


async def test_new_facts_drop_the_choice(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    [chosen] = await held_orders(world, [facts_of(7)])
    await writer_of(world).resolve_order(SHOP, chosen, epos(90001), create_link=False)
    await put_order(world, facts_of(7, email="corrected@example.test"))
    [entry] = await claim(world, await lease_of(world))
    assert entry.chosen_epos_customer_id is None


async def test_choice_for_a_guest_applies_to_all_held_orders_of_the_email(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    held = await held_orders(world, [facts_of(7), facts_of(3, email="Ada@Example.test "), facts_of(5)])
    others = await held_orders(world, [facts_of(30, woo_customer_id=12), facts_of(31, email="bea@example.test")])
    resolved = await writer_of(world).resolve_order(SHOP, held[1], epos(90001), create_link=False)
    assert (resolved.entry_id, resolved.requeued_order_entries) == (held[1], 2)
    assert await states(world, [*held, *others]) == [EntryState.PENDING] * 3 + [EntryState.HELD] * 2
    claimed = await claim(world, await lease_of(world))
    assert [entry.entry_id for entry in claimed] == held, "claimed in order of arrival"
    assert {entry.chosen_epos_customer_id for entry in claimed} == {90001}


async def test_choice_for_a_failed_order_enqueues_a_successor(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    failed = await put_order(world, facts_of(7, woo_customer_id=12))
    await complete_all(world, FAILED)
    resolved = await writer_of(world).resolve_order(SHOP, failed, epos(90001), create_link=False)
    assert resolved.entry_id != failed
    row = await entry_row(world, resolved.entry_id)
    assert (row["retried_from"], row["chosen_epos_customer_id"], row["attempt_count"], row["due"]) == (failed, 90001, 0, True)
    assert (row["woo_customer_id"], row["billing_email"], row["subject_label"]) == (12, "ada@example.test", "Ada B., order 7")
    match = await match_of(world, 7)
    assert (match.entry_id, match.state, match.outcome) == (resolved.entry_id, EntryState.PENDING, Outcome.CUSTOMER_NOT_MATCHED)
    [entry] = await claim(world, await lease_of(world))
    assert entry.facts == facts_of(7, woo_customer_id=12)
    with pytest.raises(FailedPrecondition, match="newer entry") as refused:
        await writer_of(world).resolve_order(SHOP, failed, epos(90002), create_link=False)
    assert refused.value.reason == "ORDER_NOT_HELD"


async def test_link_for_a_failed_order_requeues_held_orders_of_the_customer(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    failed = await put_order(world, facts_of(7, woo_customer_id=12))
    await complete_all(world, FAILED)
    [held] = await held_orders(world, [facts_of(8, woo_customer_id=12)])
    resolved = await writer_of(world).resolve_order(SHOP, failed, epos(90001), create_link=True)
    assert resolved.requeued_order_entries == 1
    assert await states(world, [resolved.entry_id, held]) == [EntryState.PENDING] * 2
    assert {entry.subject_id for entry in await claim(world, await lease_of(world))} == {7, 8, 90001}


async def test_choice_for_a_failed_guest_order_applies_to_held_orders_of_the_email(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    failed = await put_order(world, facts_of(7))
    await complete_all(world, FAILED)
    [held] = await held_orders(world, [facts_of(8)])
    resolved = await writer_of(world).resolve_order(SHOP, failed, epos(90001), create_link=False)
    assert resolved.requeued_order_entries == 1
    claimed = await claim(world, await lease_of(world))
    assert {(entry.entry_id, entry.chosen_epos_customer_id) for entry in claimed} == {(resolved.entry_id, 90001), (held, 90001)}


async def test_refused_choice_names_its_reason(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    customer = (await world.hint("shop-a", 90001)).entry_id
    guest = await one_held_order(world)
    pending = await put_order(world, facts_of(8))
    writer = writer_of(world)
    for entry_id, create_link, reason in (
        (customer, False, "NOT_AN_ORDER"),
        (guest, True, "GUEST_CANNOT_BE_LINKED"),
        (pending, False, "ORDER_NOT_HELD"),
    ):
        with pytest.raises(FailedPrecondition) as refused:
            await writer.resolve_order(SHOP, entry_id, epos(90001), create_link=create_link)
        assert refused.value.reason == reason
    with pytest.raises(NotFound) as missing:
        await writer.resolve_order(SHOP, new_entry_id(), epos(90001), create_link=False)
    assert missing.value.reason == "ENTRY_NOT_FOUND"
    await complete_all(world, MATCHED)
    already = await writer.resolve_order(SHOP, pending, epos(90001), create_link=False)  # the order is matched to 90001
    assert (already.entry_id, already.link, already.requeued_order_entries) == (pending, None, 0)
    for entry_id, reason in ((customer, "NOT_AN_ORDER"), (pending, "ORDER_NOT_HELD")):  # also for finished entries
        with pytest.raises(FailedPrecondition) as refused:
            await writer.resolve_order(SHOP, entry_id, epos(90002), create_link=False)
        assert refused.value.reason == reason
    assert await states(world, [guest]) == [EntryState.HELD]


async def one_held_order(world: EngineWorld) -> EntryId:
    """A held guest order. Other due entries stay as they are."""
    order = await put_order(world, facts_of(7))
    lease = await lease_of(world)
    [entry] = [each for each in await claim(world, lease) if each.entry_id == order]
    await world.lanes.complete([completion(lease, entry, Verdict.held(Outcome.DUPLICATE_EMAIL, "two customers"))])
    await world.lanes.release([lease], clean=[True])
    return order


async def test_choice_for_a_guest_requeues_many_held_orders_in_chunks(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add_accounts("shop-a")
    monkeypatch.setattr(link_writer_module, "MAX_REQUEUED", 4)
    held = await held_orders(world, [facts_of(number) for number in range(1, 12)])
    resolved = await writer_of(world).resolve_order(SHOP, held[5], epos(90001), create_link=False)
    assert (resolved.entry_id, resolved.requeued_order_entries) == (held[5], 10)
    rows = await world.fetch("SELECT state, chosen_epos_customer_id, entry_revision FROM entry")
    assert {(row["state"], row["chosen_epos_customer_id"], row["entry_revision"]) for row in rows} == {(1, 90001, 2)}


# locks and races


async def test_locked_lane_refuses_a_link_as_account_busy(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    async with world.database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM lane FOR UPDATE")
        with pytest.raises(Unavailable) as refused:
            await writer_of(world).create(SHOP, epos(90001), woo(12))
    assert refused.value.reason == "ACCOUNT_BUSY"
    assert await world.fetch("SELECT 1 FROM link") == []


async def test_concurrent_creates_and_deletes_leave_one_link(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    writer = writer_of(world)
    same = await asyncio.gather(*(writer.create(SHOP, epos(90001), woo(12)) for _ in range(6)))
    assert len({created.link.create_time for created in same}) == 1
    results = await asyncio.gather(*(writer.create(SHOP, epos(80000 + number), woo(13)) for number in range(6)), return_exceptions=True)
    assert sum(isinstance(result, AlreadyExists) for result in results) == 5
    deletions = await asyncio.gather(*(writer.delete(SHOP, woo_customer_id=woo(12)) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(result, NotFound) for result in deletions) == 3
    assert len(await world.fetch("SELECT 1 FROM link")) == 1
