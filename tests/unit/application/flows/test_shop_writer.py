"""``ShopWriter`` gathers, splits and records shop writes. Time is virtual, so the time of each request is exact."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from fakes.clock import START
from support.shop_flow_world import ShopWorld, bulk, entry_of
from support.virtual_time import on_virtual_time
from tillsync_server.application.flows.dispatcher import FlowHandler
from tillsync_server.application.flows.shop_write import ShopWrite
from tillsync_server.application.flows.shop_writer import ShopWriter
from tillsync_server.domain.customer import CustomerValues, CustomerWrite
from tillsync_server.domain.enums import EntryState, Outcome, Side
from tillsync_server.domain.errors import (
    Refused,
    RunInterrupted,
    ServerFailure,
    Throttled,
    Unanswered,
    Unreachable,
    Unreadable,
    UpstreamError,
)
from tillsync_server.domain.ids import EposCustomerId, WooCustomerId
from tillsync_server.domain.verdict import Disposition
from tillsync_server.ports.links import WriteBasis
from tillsync_server.ports.shop import WriteResult, WriteStatus

VALUES = CustomerValues(points="10", credit="3.50", type_id=None)


def write_of(woo: int, *, is_live: bool = False, at_least: int = 0) -> ShopWrite:
    return ShopWrite(
        woo_customer_id=WooCustomerId(woo),
        epos_customer_id=EposCustomerId(woo),
        values=VALUES,
        content_hash=b"h" * 16,
        is_live=is_live,
        at_least=at_least,
    )


def world_with_links(users: int) -> tuple[ShopWorld, ShopWriter]:
    world = ShopWorld()
    world.shop.users.update(range(1, users + 1))
    for each in range(1, users + 1):
        world.links.add(world.account.account_id, each, each)
    return world, ShopWriter(world.context())


async def write_all(writer: ShopWriter, writes: Sequence[ShopWrite]) -> list[WriteResult | BaseException]:
    return await asyncio.gather(*(writer.write(each) for each in writes), return_exceptions=True)


def sizes(world: ShopWorld) -> list[int]:
    return [len(batch) for batch in world.shop.batches]


# gathering


@on_virtual_time
async def test_live_writes_of_a_crowd_share_one_request() -> None:
    world = ShopWorld()
    world.till.latency = 0.1
    for each in range(1, 601):
        world.link(each)
    verdicts = await world.run(*(entry_of(each) for each in range(12, 601, 12)))
    assert [verdict.outcome for verdict in verdicts] == [Outcome.UPDATED] * 50
    assert (world.till.count("list_customers"), world.till.count("read_customer")) == (3, 0)
    assert sizes(world) == [50]


@on_virtual_time
async def test_lone_live_write_is_sent_at_once() -> None:
    world, writer = world_with_links(1)
    await writer.write(write_of(1, is_live=True))
    assert world.shop.sent_at == [1000.0]
    await writer.close()


@on_virtual_time
async def test_live_write_waits_at_most_50_ms_for_pending_writes() -> None:
    world, writer = world_with_links(3)

    async def late(woo: int, seconds: float) -> None:
        with writer.pending_write():
            await asyncio.sleep(seconds)
            with writer.write_queued():
                await writer.write(write_of(woo, is_live=True))

    await asyncio.gather(late(1, 0.0), late(2, 0.03), late(3, 0.5))
    assert sizes(world) == [2, 1]
    assert world.shop.sent_at == [pytest.approx(1000.05), pytest.approx(1000.5)]
    await writer.close()


@on_virtual_time
async def test_full_bulk_batches_are_sent_at_once_one_after_the_other() -> None:
    world, writer = world_with_links(1_000)
    world.shop.latency = 2.0
    await write_all(writer, [write_of(each) for each in range(1, 1_001)])
    assert sizes(world) == [500, 500]
    assert world.shop.sent_at == [pytest.approx(1000.0), pytest.approx(1002.0)]
    await writer.close()


@on_virtual_time
async def test_bulk_write_is_sent_after_a_quiet_time_or_five_seconds() -> None:
    world, writer = world_with_links(2)
    await writer.write(write_of(1))
    assert world.shop.sent_at == [pytest.approx(1000.25)]
    began = asyncio.get_running_loop().time()
    with writer.pending_write():  # a read is always under way
        await writer.write(write_of(2))
    assert world.shop.sent_at[1] == pytest.approx(began + 5.0)
    await writer.close()


@on_virtual_time
async def test_live_write_includes_waiting_bulk_writes() -> None:
    world, writer = world_with_links(10)
    with writer.pending_write():
        waiting = [asyncio.create_task(writer.write(write_of(each))) for each in range(1, 10)]
        await asyncio.sleep(1.0)
        assert world.shop.requests == 0
        await writer.write(write_of(10, is_live=True))
        await asyncio.gather(*waiting)
    assert sizes(world) == [10]
    assert world.shop.sent_at == [pytest.approx(1001.05)]
    assert world.shop.batches[0][0].woo_customer_id == 10
    await writer.close()


@on_virtual_time
async def test_a_live_write_does_not_wait_for_a_bulk_request_under_way() -> None:
    world, writer = world_with_links(501)
    world.shop.latency = 10.0
    sweep = asyncio.create_task(write_all(writer, [write_of(each) for each in range(1, 501)]))
    await asyncio.sleep(1.0)
    await writer.write(write_of(501, is_live=True))
    assert world.shop.sent_at == [pytest.approx(1000.0), pytest.approx(1001.0)]
    await sweep
    await writer.close()


@pytest.mark.parametrize(("max_batch", "must"), [(500, 8), (100, 35)])
@on_virtual_time
async def test_three_thousand_updates_need_few_requests(max_batch: int, must: int) -> None:
    world = ShopWorld()
    world.shop.max_batch = max_batch
    for each in range(1, 3_001):
        world.link(each)
    waiting = bulk(*range(1, 3_001))
    running: set[asyncio.Task[None]] = set()
    # as the engine starts them: at most 500 at a time, 1,100 in flight
    work = world.lane.open(FlowHandler(world.services))
    while waiting or running:
        in_flight = 3_000 - len(waiting) - len(world.lane.finished)
        take = min(500, 1_100 - in_flight, len(waiting))
        if take > 0:
            running.add(asyncio.create_task(work.run(waiting[:take])))
            waiting = waiting[take:]
        await asyncio.sleep(0.005)
        running = {task for task in running if not task.done()}
    await work.close()
    assert all(verdict.outcome is Outcome.UPDATED for verdict in world.lane.finished.values())
    assert len(world.shop.stored) == 3_000
    assert world.shop.requests <= must


@on_virtual_time
async def test_shop_customer_is_never_in_two_concurrent_requests() -> None:
    world, writer = world_with_links(1)
    world.shop.latency = 1.0
    world.shop.stored[1] = CustomerWrite(woo_customer_id=WooCustomerId(1), version=1, values=VALUES)
    world.links.want_removal(world.account.account_id, 5, 1)
    removal = ShopWrite(woo_customer_id=WooCustomerId(1), epos_customer_id=EposCustomerId(5), values=None, is_live=True)
    results = await write_all(writer, [removal, write_of(1, is_live=True)])
    assert [result.status for result in results if isinstance(result, WriteResult)] == [WriteStatus.UPDATED] * 2
    assert sizes(world) == [1, 1]
    assert world.shop.sent_at == [pytest.approx(1000.0), pytest.approx(1001.0)]
    assert world.shop.batches[0][0].version < world.shop.batches[1][0].version
    await writer.close()


# versions, leases


@on_virtual_time
async def test_versions_are_drawn_above_a_stale_answer() -> None:
    world, writer = world_with_links(1)
    await writer.write(write_of(1, is_live=True, at_least=9_000_000_000_000_000))
    assert world.shop.stored[1].version == 9_000_000_000_000_001
    await writer.close()


@on_virtual_time
async def test_lost_lane_sends_no_writes() -> None:
    world, writer = world_with_links(2)
    world.links.take_over(world.account.account_id)
    results = await write_all(writer, [write_of(1), write_of(2)])
    assert all(isinstance(each, RunInterrupted) for each in results)
    assert world.shop.requests == 0
    await writer.close()


@pytest.mark.catches("customer-writes-rest-on-current-settings")
@on_virtual_time
async def test_versions_are_drawn_for_the_settings_of_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ShopWorld(update_time=START)
    draw, bases = world.state.next_versions, list[WriteBasis]()

    async def noted(*arguments: Any, basis: WriteBasis, **more: Any) -> dict[WooCustomerId, int]:
        bases.append(basis)
        return await draw(*arguments, basis=basis, **more)

    monkeypatch.setattr(world.state, "next_versions", noted)
    world.link(1, 12)
    await world.sync(1)
    assert [basis.settings_of for basis in bases] == [START]


@on_virtual_time
async def test_close_cancels_waiting_writes() -> None:
    world, writer = world_with_links(2)
    with writer.pending_write():
        waiting = asyncio.create_task(write_all(writer, [write_of(1), write_of(2)]))
        await asyncio.sleep(0.1)
        await writer.close()
        results = await waiting
    assert all(isinstance(each, asyncio.CancelledError) for each in results)
    assert world.shop.requests == 0


# splitting


def failing_for(error: UpstreamError, *failing_ids: int) -> object:
    def answer(writes: Sequence[CustomerWrite]) -> None:
        if any(write.woo_customer_id in failing_ids for write in writes):
            raise error

    return answer


@pytest.mark.parametrize(
    "error",
    [
        ServerFailure(Side.SHOP, "the shop failed", status=500),
        Unreadable(Side.SHOP, "its answer is not understood"),
        Refused(Side.SHOP, "refused", status=400),
        Unanswered(Side.SHOP, "no answer within 20 s"),
    ],
)
@on_virtual_time
async def test_one_bad_item_fails_alone(error: UpstreamError) -> None:
    size = 500 if not isinstance(error, Unanswered) else 8
    world, writer = world_with_links(size)
    world.shop.answer = failing_for(error, 3)  # type: ignore[assignment]
    results = await write_all(writer, [write_of(each) for each in range(1, size + 1)])
    assert [number for number, result in enumerate(results, 1) if isinstance(result, UpstreamError)] == [3]
    assert results[2] is error
    assert set(world.shop.stored) == set(range(1, size + 1)) - {3}
    assert world.shop.requests <= 20
    await writer.close()


@on_virtual_time
async def test_splitting_is_bounded_and_remaining_items_are_resent_uncharged() -> None:
    world, writer = world_with_links(500)
    world.shop.answer = failing_for(ServerFailure(Side.SHOP, "the shop failed", status=500), *range(1, 501))  # type: ignore[assignment]
    results = await write_all(writer, [write_of(each) for each in range(1, 501)])
    assert world.shop.requests == 1 + world.services.settings.split_requests
    failed = [each for each in results if isinstance(each, ServerFailure)]
    not_done = [each for each in results if isinstance(each, WriteResult) and each.status is WriteStatus.NOT_DONE]
    assert len(failed) >= 6  # the split found single items that fail
    assert len(failed) + len(not_done) == 500
    assert all(isinstance(each.error, ServerFailure) for each in not_done)
    await writer.close()


@pytest.mark.parametrize(
    "error", [Unreachable(Side.SHOP, "not reached: DNS"), Throttled(Side.SHOP, "limit", status=429, retry_after_seconds=60.0)]
)
@on_virtual_time
async def test_account_wide_failures_are_not_split(error: UpstreamError) -> None:
    world, writer = world_with_links(500)
    world.shop.answer = failing_for(error, 3)  # type: ignore[assignment]
    results = await write_all(writer, [write_of(each) for each in range(1, 501)])
    assert all(each is error for each in results)
    assert world.shop.requests == 1
    await writer.close()


@on_virtual_time
async def test_5xx_with_a_failing_probe_is_not_split() -> None:
    world, writer = world_with_links(500)
    world.shop.faults["probe"] = Unanswered(Side.SHOP, "no answer within 20 s")
    world.shop.answer = failing_for(ServerFailure(Side.SHOP, "", status=503), 3)  # type: ignore[assignment]
    results = await write_all(writer, [write_of(each) for each in range(1, 501)])
    assert all(isinstance(each, ServerFailure) for each in results)
    assert (world.shop.requests, world.shop.count("probe")) == (1, 1)
    await writer.close()


@on_virtual_time
async def test_unknown_result_clears_the_hashes_and_later_parts_store_theirs() -> None:
    world = ShopWorld()
    for each in (1, 2):
        world.link(each)
    failing = {100_001}
    world.shop.answer = failing_for(Unreadable(Side.SHOP, "odd"), *failing)  # type: ignore[assignment]
    verdicts = await world.run(*bulk(1, 2))
    assert [verdict.outcome for verdict in verdicts] == [Outcome.WOO_NOT_UPDATED, Outcome.UPDATED]
    assert verdicts[0].state is EntryState.PENDING
    assert world.links.of_epos(1).content_hash is None
    assert world.links.of_epos(2).content_hash is not None
    assert {write.epos_customer_id for write in world.state.confirmed if write.content_hash is None} == {1, 2}


# items that the shop did not process


@on_virtual_time
async def test_not_done_items_are_sent_with_the_next_request() -> None:
    world, writer = world_with_links(100)

    def half(writes: Sequence[CustomerWrite]) -> list[WriteResult]:
        done = 40
        return [WriteResult(status=WriteStatus.UPDATED if at < done else WriteStatus.NOT_DONE) for at, _ in enumerate(writes)]

    world.shop.answer = half
    results = await write_all(writer, [write_of(each) for each in range(1, 101)])
    assert all(isinstance(each, WriteResult) and each.status is WriteStatus.UPDATED for each in results)
    assert sizes(world) == [100, 60, 20]
    assert world.shop.sent_at[1] - world.shop.sent_at[0] == pytest.approx(world.shop.latency)
    await writer.close()


@on_virtual_time
async def test_request_without_progress_returns_not_done() -> None:
    world, writer = world_with_links(2)
    world.shop.answer = lambda writes: [WriteResult(status=WriteStatus.NOT_DONE)] * len(writes)
    results = await write_all(writer, [write_of(1), write_of(2)])
    assert all(isinstance(each, WriteResult) and each.status is WriteStatus.NOT_DONE for each in results)
    assert world.shop.requests == 1
    await writer.close()


@on_virtual_time
async def test_mixed_results_reach_their_own_entries() -> None:
    world = ShopWorld()
    for each in range(1, 6):
        world.link(each, 10 + each)
    world.shop.users.discard(12)
    invalid = WriteResult(status=WriteStatus.INVALID, field="points")
    broken = WriteResult(status=WriteStatus.ERROR, error=ServerFailure(Side.SHOP, "the shop failed", status=500))

    def answer(writes: Sequence[CustomerWrite]) -> list[WriteResult]:
        special = {13: invalid, 14: broken}
        return [special.get(write.woo_customer_id) or world.shop.store(write) for write in writes]

    world.shop.answer = answer
    verdicts = await world.run(*bulk(1, 2, 3, 4), entry_of(5))
    assert [(verdict.outcome, verdict.state, verdict.disposition) for verdict in verdicts] == [
        (Outcome.UPDATED, EntryState.PROCESSED, Disposition.FINISH),
        (Outcome.WOO_NOT_UPDATED, EntryState.FAILED, Disposition.FINISH),
        (Outcome.WOO_NOT_UPDATED, EntryState.FAILED, Disposition.FINISH),
        (Outcome.WOO_NOT_UPDATED, EntryState.PENDING, Disposition.RETRY),
        (Outcome.UPDATED, EntryState.PROCESSED, Disposition.FINISH),
    ]


# the end


@on_virtual_time
async def test_no_request_runs_or_starts_after_close() -> None:
    world, writer = world_with_links(501)
    world.shop.latency = 10.0
    writing = asyncio.create_task(write_all(writer, [write_of(each) for each in range(1, 502)]))
    await asyncio.sleep(1.0)
    assert sizes(world) == [500], "and one waits"
    await writer.close()
    assert {type(each) for each in await writing} == {asyncio.CancelledError}
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await asyncio.sleep(60.0)
    assert sizes(world) == [500]
    with pytest.raises(RunInterrupted):
        await writer.write(write_of(1))
