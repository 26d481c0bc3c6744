"""An account with a hanging till or shop keeps one entry running, so thousands of such accounts do not fill the memory."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.shop_flow_world import ShopWorld, entry_of
from support.virtual_time import on_virtual_time
from tillsync_server.application.flows.dispatcher import FlowHandler
from tillsync_server.application.flows.side_gates import SideWindows
from tillsync_server.domain.enums import Outcome, Side
from tillsync_server.domain.errors import RunInterrupted, Unanswered, UpstreamError
from tillsync_server.domain.verdict import Disposition
from tillsync_server.ports.lanes import ClaimedEntry


def new_world(customers: int) -> tuple[ShopWorld, list[ClaimedEntry]]:
    """A world in which no side of the account has answered this process yet."""
    world = ShopWorld()
    object.__setattr__(world.services, "windows", SideWindows())
    for each in range(1, customers + 1):
        world.link(each)
    return world, [entry_of(each) for each in range(1, customers + 1)]


@on_virtual_time
async def test_hanging_till_runs_one_entry_and_the_others_have_no_task() -> None:
    world, entries = new_world(20)
    world.till.latency = 15.0
    world.till.decide_fault = lambda method, argument: Unanswered(Side.TILL, "no answer within 15 s")
    work = world.lane.open(FlowHandler(world.services))
    before = len(asyncio.all_tasks())
    running = asyncio.create_task(work.run(entries))
    await asyncio.sleep(10)
    assert len(asyncio.all_tasks()) - before <= 5
    with pytest.raises(RunInterrupted):
        await running
    assert list(world.lane.finished) == [entries[0].entry_id]
    assert world.lane.finished[entries[0].entry_id].disposition is Disposition.PAUSE_SIDE
    assert world.till.requests == 2, "the read and the status check"
    await work.close()


@on_virtual_time
async def test_other_entries_run_together_after_both_sides_answered() -> None:
    world, entries = new_world(20)
    world.till.latency = 1.0
    verdicts = await world.run(*entries)
    assert {verdict.outcome for verdict in verdicts} == {Outcome.UPDATED}
    assert world.shop.requests == 5, "the till's window lets 1, 2, 4, 8 and 5 reads through at once"
    assert world.links.look_ups == 2, "the others were looked up after the first had its answer"
    assert asyncio.get_running_loop().time() < 1000 + 10


@on_virtual_time
async def test_batch_does_not_wait_for_its_first_entry() -> None:
    world, entries = new_world(0)
    crowd = world.services.settings.crowd
    for each in range(1, crowd + 1):
        world.link(each)
    entries = [entry_of(each) for each in range(1, crowd + 1)]
    await world.run(*entries)
    assert (world.links.look_ups, world.shop.requests) == (1, 1)


@on_virtual_time
async def test_entries_without_requests_do_not_wait_for_one_another() -> None:
    world, _ = new_world(0)
    verdicts = await world.run(*(entry_of(each) for each in range(1, 21)))
    assert {verdict.outcome for verdict in verdicts} == {Outcome.CUSTOMER_NOT_LINKED}
    assert world.links.look_ups == 1


@on_virtual_time
async def test_failure_waiting_for_the_status_check_keeps_no_frames() -> None:
    world, entries = new_world(1)
    raised: list[UpstreamError] = []

    def fault(method: str, argument: object) -> UpstreamError:
        raised.append(Unanswered(Side.TILL, "no answer within 15 s"))
        return raised[-1]

    world.till.latency = 15.0
    world.till.decide_fault = fault
    work = world.lane.open(FlowHandler(world.services))
    running = asyncio.create_task(work.run(entries))
    await asyncio.sleep(20)  # the read has failed and the status check is running
    assert len(raised) >= 1
    assert raised[0].__traceback__ is None
    await running
    await work.close()


@on_virtual_time
async def test_failed_read_leaves_no_reference_cycle() -> None:
    """The collector runs seldom, so a thousand hung tills would keep every timed-out request."""
    world, entries = new_world(1)
    raised: list[weakref.ref[UpstreamError]] = []

    def fault(method: str, argument: object) -> UpstreamError:
        error = Unanswered(Side.TILL, "no answer within 15 s")
        raised.append(weakref.ref(error))
        return error

    world.till.decide_fault = fault
    work = world.lane.open(FlowHandler(world.services))
    with collector_off():
        await work.run(entries)
        await asyncio.sleep(0)  # callbacks of the ended tasks
        assert raised[0]() is None
    await work.close()


@contextmanager
def collector_off() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
