"""``Dispatcher`` runs a lane's entries concurrently. No entry waits for or fails with another, and a pause stops unstarted entries."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from fakes.clock import START
from fakes.shop import FakeShopGateway
from fakes.till import FakeTillGateway
from support.flow_world import order_facts
from support.logs import captured_lines
from support.shop_flow_world import DatabaseAway, ShopWorld, bulk, entry_of, till_in_memory, till_type
from support.virtual_time import on_virtual_time
from tillsync_server.application.flows.dispatcher import FlowHandler
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome, Priority, Side
from tillsync_server.domain.errors import AllowanceSpent, RunInterrupted, Throttled, Unreachable
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.domain.verdict import Disposition


@on_virtual_time
async def test_entries_run_concurrently_and_report_their_verdicts_at_once() -> None:
    world = ShopWorld()
    world.link(1, 12)
    world.till.put_types(till_type())
    world.till.latency = 5.0
    customer, of_type = entry_of(1), entry_of(4001, kind=EntryKind.CUSTOMER_TYPE)
    unlinked = entry_of(2)
    work = world.lane.open(FlowHandler(world.services))
    running = asyncio.create_task(work.run([customer, of_type, unlinked]))
    await asyncio.sleep(1)
    assert list(world.lane.finished) == [unlinked.entry_id]
    await running
    assert asyncio.get_running_loop().time() < 1006
    assert {verdict.outcome for verdict in world.lane.finished.values()} == {Outcome.UPDATED, Outcome.CUSTOMER_NOT_LINKED}
    await work.close()


@on_virtual_time
async def test_order_entry_runs_the_order_flow() -> None:
    world = ShopWorld(customer_sync_enabled=False)
    order = entry_of(1042, kind=EntryKind.ORDER_CUSTOMER, facts=order_facts(1042))
    [verdict] = await world.run(order)
    assert (verdict.outcome, verdict.comment, verdict.state) == (
        Outcome.DEFAULT_CUSTOMER,
        "Matched to the default customer",
        EntryState.PROCESSED,
    )
    assert verdict.epos_customer_id == 7


@on_virtual_time
async def test_missing_shop_credentials_do_not_block_orders() -> None:
    world = ShopWorld(customer_sync_enabled=False)
    object.__setattr__(world.services, "shops", FakeShopGateway(None))
    [verdict] = await world.run(entry_of(1042, kind=EntryKind.ORDER_CUSTOMER, facts=order_facts(1042)))
    assert verdict.outcome is Outcome.DEFAULT_CUSTOMER


@on_virtual_time
async def test_internal_fault_fails_only_its_entry_and_is_logged_without_its_message() -> None:
    world = ShopWorld()
    for each in (1, 2, 3):
        world.link(each)

    def fault(method: str, argument: object) -> None:
        if argument == 2:
            raise KeyError("ada@example.test")

    world.till.decide_fault = fault
    with captured_lines() as lines:
        verdicts = await world.run(*(entry_of(each) for each in (1, 2, 3)))
    assert [verdict.outcome for verdict in verdicts] == [Outcome.UPDATED, Outcome.EPOS_FETCH_FAILED, Outcome.UPDATED]
    assert verdicts[1].disposition is Disposition.RETRY
    assert verdicts[1].notes == ("the service itself failed on this entry; it is tried again",)
    [logged] = lines.of("entry_failed")
    assert (logged["account_id"], logged["kind"], logged["error"]) == ("shop-1", "CUSTOMER", "KeyError")
    assert logged["where"].startswith("test_dispatcher.py:")
    assert "dropped" not in logged
    assert "ada@example.test" not in lines.text


@on_virtual_time
async def test_internal_fault_of_a_type_has_a_comment() -> None:
    world = ShopWorld()

    def fault(method: str, argument: object) -> None:
        raise KeyError("x")

    world.till.decide_fault = fault
    verdict = await world.sync_type(4001)
    assert (verdict.outcome, verdict.disposition) == (Outcome.TYPE_REQUEST_FAILED, Disposition.RETRY)
    assert verdict.comment == verdict.notes[0]


@pytest.mark.parametrize("where", ["settings", "links", "knowledge"])
@on_virtual_time
async def test_unavailable_database_postpones_entries_uncharged(where: str) -> None:
    world = ShopWorld()
    world.link(1)
    match where:
        case "settings":
            world.lane.faults["account"] = DatabaseAway()
        case "links":
            world.links.faults["stored_customers"] = [DatabaseAway()]
        case _:
            world.knowledge.faults["note"] = [DatabaseAway()]
    verdict = await world.sync(1)
    assert (verdict.outcome, verdict.disposition) == (Outcome.EPOS_FETCH_FAILED, Disposition.POSTPONE)
    assert verdict.not_before is not None
    assert verdict.not_before <= START + timedelta(seconds=3)


@on_virtual_time
async def test_settings_are_read_once_per_version() -> None:
    world = ShopWorld()
    for each in (1, 2, 3):
        world.link(each)
    work = world.lane.open(FlowHandler(world.services))
    await work.run([entry_of(1), entry_of(2)])
    assert world.lane.settings_reads == 1
    await work.run([entry_of(3, config_version=2)])
    assert world.lane.settings_reads == 2
    assert len(world.lane.finished) == 3
    await work.close()


@on_virtual_time
async def test_links_are_looked_up_in_one_query() -> None:
    world = ShopWorld()
    for each in range(1, 101):
        world.link(each)
    await world.run(*bulk(*range(1, 101)))
    assert world.links.look_ups == 1


@on_virtual_time
async def test_account_wide_failure_stops_the_other_entries() -> None:
    world = ShopWorld()
    for each in range(1, 1_001):
        world.link(each)
    world.till.decide_fault = lambda method, argument: Unreachable(Side.TILL, "not reached: DNS")
    entries = bulk(*range(1, 1_001))
    work = world.lane.open(FlowHandler(world.services))
    with pytest.raises(RunInterrupted):
        await work.run(entries)
    settings = world.services.settings
    assert world.till.requests <= settings.till_concurrency + settings.page_concurrency
    verdicts = list(world.lane.finished.values())
    assert verdicts
    assert {verdict.disposition for verdict in verdicts} == {Disposition.PAUSE_SIDE}
    assert len(verdicts) <= settings.till_concurrency
    # entries that the engine runs later in this lease probe the side
    world.till.decide_fault = lambda method, argument: None
    probe = entry_of(1)
    await work.run([probe])
    assert world.lane.finished[probe.entry_id].outcome is Outcome.UPDATED
    await work.close()


@on_virtual_time
async def test_shop_failing_for_all_gets_one_request() -> None:
    world = ShopWorld()
    world.shop.max_batch = 100
    for each in range(1, 501):
        world.link(each)

    def limit(writes: object) -> None:
        raise Throttled(Side.SHOP, "limit", status=429, retry_after_seconds=60.0)

    world.shop.answer = limit
    work = world.lane.open(FlowHandler(world.services))
    with pytest.raises(RunInterrupted):
        await work.run(bulk(*range(1, 501)))
    await work.close()
    assert world.shop.requests == 1
    assert {verdict.disposition for verdict in world.lane.finished.values()} == {Disposition.PAUSE_SIDE}
    problem = next(iter(world.lane.finished.values())).problem
    assert problem is not None
    assert problem.retry_after_seconds == 60.0


@on_virtual_time
async def test_interrupted_entry_keeps_the_verdicts_of_others() -> None:
    world = ShopWorld()
    world.link(1)
    world.links.take_over(world.account.account_id)
    linked, unlinked = entry_of(1), entry_of(2)
    work = world.lane.open(FlowHandler(world.services))
    with pytest.raises(RunInterrupted):
        await work.run([linked, unlinked])
    assert list(world.lane.finished) == [unlinked.entry_id]
    await work.close()


@on_virtual_time
async def test_live_customer_does_not_wait_for_a_sweep() -> None:
    """The live customer waits neither for the sweep's reads nor for its batch."""
    world = ShopWorld()
    world.till.latency = 1.0
    for each in range(1, 32):
        world.link(each)
    live = world.link(99)
    work = world.lane.open(FlowHandler(world.services))
    sweep = asyncio.create_task(work.run(bulk(*range(1, 32))))
    await asyncio.sleep(0.5)
    entry = entry_of(live.epos_customer_id, priority=Priority.LIVE)
    began = asyncio.get_running_loop().time()
    await work.run([entry])
    took = asyncio.get_running_loop().time() - began
    assert took < 2.3  # a till slot (≤ 1 s), the read (1 s), the gathering (50 ms) and the write (50 ms)
    assert not sweep.done()
    await sweep
    await work.close()


@on_virtual_time
async def test_close_during_a_run_leaves_no_task() -> None:
    world = ShopWorld()
    world.till.latency = 60.0
    for each in range(1, 101):
        world.link(each)
    work = world.lane.open(FlowHandler(world.services))
    running = asyncio.create_task(work.run(bulk(*range(1, 101))))
    await asyncio.sleep(1.0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await work.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert world.lane.finished == {}


@on_virtual_time
async def test_till_requests_have_the_class_of_their_entry() -> None:
    world = ShopWorld()
    tills = {request_class: till_in_memory(world.clock) for request_class in RequestClass}
    object.__setattr__(world.services, "tills", FakeTillGateway(world.till, tills))
    world.link(1)
    world.link(2)
    for till in tills.values():
        till.customers |= world.till.customers
        till.put_types(till_type(4001), till_type(4002))
    await world.run(
        entry_of(1, priority=Priority.LIVE),
        entry_of(2, priority=Priority.BULK),
        entry_of(4001, kind=EntryKind.CUSTOMER_TYPE, priority=Priority.LIVE),
        entry_of(4002, kind=EntryKind.CUSTOMER_TYPE, priority=Priority.BULK),
        entry_of(1042, kind=EntryKind.ORDER_CUSTOMER, facts=order_facts(1042, woo_customer_id=77, account_email="new@example.test")),
    )
    assert sorted(tills[RequestClass.LIVE].calls) == [("read_customer", 1), ("read_customer_type", 4001)]
    assert sorted(tills[RequestClass.BULK].calls) == [("read_customer", 2), ("read_customer_type", 4002)]
    assert "search_by_email" in {method for method, _ in tills[RequestClass.ORDER].calls}
    assert not world.till.calls


@on_virtual_time
async def test_bulk_read_waiting_for_the_allowance_delays_no_order() -> None:
    world = ShopWorld()
    bulk_till = till_in_memory(world.clock)
    bulk_till.decide_fault = lambda method, argument: AllowanceSpent(Side.TILL, "used up for now", retry_after_seconds=9.0)
    object.__setattr__(world.services, "tills", FakeTillGateway(world.till, {RequestClass.BULK: bulk_till}))
    world.link(1)
    order = entry_of(1042, kind=EntryKind.ORDER_CUSTOMER, facts=order_facts(1042, woo_customer_id=77, account_email="new@example.test"))
    [swept, matched] = await world.run(entry_of(1, priority=Priority.BULK), order)
    assert (swept.disposition, swept.problem) == (Disposition.POSTPONE, None)
    assert matched.disposition is Disposition.FINISH


@pytest.mark.catches("an-entrys-fault-stops-only-itself")
@on_virtual_time
async def test_repeated_problem_of_one_entry_is_charged_to_that_entry() -> None:
    world = ShopWorld()
    for each in (1, 2):
        world.link(each)
    odd, good = bulk(1, 2)
    world.till.decide_fault = lambda method, argument: Unreachable(Side.TILL, "not reached: DNS") if argument == 1 else None
    work = world.lane.open(FlowHandler(world.services))
    await work.run([odd])
    assert world.lane.finished.pop(odd.entry_id).problem is not None
    world.history.opened[odd.entry_id, Side.TILL] = 2
    await work.run([odd])
    own = world.lane.finished[odd.entry_id]
    assert (own.disposition, own.problem, own.notes[-1]) == (Disposition.RETRY, None, "only this entry meets it, again and again")
    await work.run([good])
    assert world.lane.finished[good.entry_id].outcome is Outcome.UPDATED
    await work.close()
