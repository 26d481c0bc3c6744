"""``TillReader`` reads many customers with few requests, and returns no value read before it was asked for."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from fakes.clock import START
from support.shop_flow_world import ShopWorld, till_customer
from support.till_reads import ids_of, read_all, scattered
from support.virtual_time import on_virtual_time
from tillsync_server.application.flows.till_reader import TillReader
from tillsync_server.application.flows.waiting_reads import ReadCustomer
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Missing, RunInterrupted, ServerFailure, Unreadable
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.ports.tills import TillKnowledge


@pytest.mark.parametrize(("customers", "must"), [(2_000, 11), (50_000, 250)])
@on_virtual_time
async def test_waiting_customers_are_read_by_pages(customers: int, must: int) -> None:
    world = ShopWorld()
    world.put(*range(1, customers + 1))
    reader, wanted = TillReader(world.context()), scattered(customers, 1_000)
    results = await read_all(reader, wanted)
    assert ids_of(results) == wanted
    assert world.till.requests <= must
    assert world.till.count("read_customer") == 0
    await reader.close()


@on_virtual_time
async def test_known_last_page_is_not_exceeded() -> None:
    world = ShopWorld()
    world.put(*range(1, 2_001))
    world.knowledge.stored[world.account.till_id, world.account.till_configuration] = TillKnowledge(last_page=10)
    reader, wanted = TillReader(world.context()), scattered(2_000, 1_000)
    assert ids_of(await read_all(reader, wanted)) == wanted
    assert world.till.requests == 10
    await reader.close()


@on_virtual_time
async def test_customers_fewer_than_pages_are_read_singly() -> None:
    world = ShopWorld()
    world.put(*range(1, 50_001))
    world.knowledge.stored[world.account.till_id, world.account.till_configuration] = TillKnowledge(last_page=250)
    reader, wanted = TillReader(world.context()), scattered(50_000, 200)
    assert ids_of(await read_all(reader, wanted)) == wanted
    assert (world.till.count("read_customer"), world.till.count("list_customers")) == (200, 0)
    await reader.close()


@on_virtual_time
async def test_unprofitable_list_is_given_up_for_the_lease() -> None:
    world = ShopWorld()
    world.put(*range(1, 100_001))
    reader, wanted = TillReader(world.context()), scattered(100_000, 100)
    assert ids_of(await read_all(reader, wanted)) == wanted
    pages = world.till.count("list_customers")
    assert 0 < pages <= 20
    await read_all(reader, wanted)
    assert world.till.count("list_customers") == pages
    await reader.close()


@on_virtual_time
async def test_few_bulk_and_live_customers_are_read_singly() -> None:
    world = ShopWorld()
    world.put(*range(1, 20))
    reader = TillReader(world.context())
    assert ids_of(await read_all(reader, [1, 2, 3])) == [1, 2, 3]
    assert ids_of(await read_all(reader, [4], is_live=True)) == [4]
    assert world.till.count("list_customers") == 0
    await reader.close()


@on_virtual_time
async def test_last_page_of_a_whole_scan_is_stored() -> None:
    world = ShopWorld()
    world.put(*range(1, 451))
    reader, wanted = TillReader(world.context()), [*range(1, 400), 9_999]
    results = await read_all(reader, wanted)
    assert ids_of(results) == [*range(1, 400), "Missing"]
    assert world.knowledge.stored[world.account.till_id, world.account.till_configuration].last_page == 3
    assert [call[1] for call in world.till.calls if call[0] == "read_customer"] == [9_999]
    await reader.close()


@on_virtual_time
async def test_rows_shifted_between_pages_are_read_singly() -> None:
    world = ShopWorld()
    world.till.page_size = 50
    world.put(*range(1, 201))

    def drift(method: str, argument: object) -> None:
        if method == "list_customers" and argument == 2:
            world.till.customers.pop(EposCustomerId(1), None)  # all rows shift: number 101 moves from page 3 to page 2

    world.till.decide_fault = drift
    wanted = list(range(2, 201))
    reader = TillReader(world.context())
    assert ids_of(await read_all(reader, wanted)) == wanted
    assert world.till.count("read_customer") <= 3
    await reader.close()


@on_virtual_time
async def test_customers_of_an_unreadable_page_are_read_singly() -> None:
    world = ShopWorld()
    world.put(*range(1, 801))

    def bad_page(method: str, argument: object) -> Unreadable | None:
        return Unreadable(Side.TILL, "a row without points") if (method, argument) == ("list_customers", 2) else None

    world.till.decide_fault = bad_page
    reader, wanted = TillReader(world.context()), list(range(1, 801))
    assert ids_of(await read_all(reader, wanted)) == wanted
    assert world.till.count("read_customer") == 200
    await reader.close()


@on_virtual_time
async def test_failing_list_falls_back_to_single_reads() -> None:
    world = ShopWorld()
    world.put(*range(1, 101))
    world.till.decide_fault = lambda method, argument: ServerFailure(Side.TILL, "", status=504) if method == "list_customers" else None
    reader, wanted = TillReader(world.context()), list(range(1, 101))
    assert ids_of(await read_all(reader, wanted)) == wanted
    assert world.till.count("list_customers") <= 3
    await reader.close()


@on_virtual_time
async def test_entries_of_one_customer_share_an_unstarted_read() -> None:
    world = ShopWorld()
    world.put(1)
    reader = TillReader(world.context())
    assert ids_of(await read_all(reader, [1, 1])) == [1, 1]
    assert world.till.count("read_customer") == 1
    await reader.close()


@on_virtual_time
async def test_read_asked_during_a_running_read_starts_its_own() -> None:
    world = ShopWorld()
    world.till.latency = 1.0
    world.put(1, points=10)
    reader = TillReader(world.context())
    first = asyncio.create_task(reader.read(1, is_live=True))  # type: ignore[arg-type]
    await asyncio.sleep(0.5)
    second = asyncio.create_task(reader.read(1, is_live=True))  # type: ignore[arg-type]
    before = await first
    world.put(1, points=99)
    after = await second
    assert (before.as_of, before.customer.points, after.customer.points) == (START, Decimal(10), Decimal(99))
    assert world.till.count("read_customer") == 2
    await reader.close()


@on_virtual_time
async def test_read_asked_during_a_page_request_is_not_served_by_it() -> None:
    world = ShopWorld()
    world.till.latency = 1.0
    world.put(*range(1, 101))
    reader = TillReader(world.context())
    crowd = asyncio.create_task(read_all(reader, list(range(1, 101))))
    await asyncio.sleep(0.6)
    assert world.till.count("list_customers") > 0
    world.till.put(till_customer(50, points=77))
    joined = asyncio.create_task(reader.read(50, is_live=False))  # type: ignore[arg-type]
    await crowd
    assert (await joined).customer.points == 77
    assert world.till.count("read_customer") == 1
    await reader.close()


@on_virtual_time
async def test_live_reads_go_before_waiting_bulk_reads() -> None:
    world = ShopWorld()
    world.till.latency = 1.0
    world.put(*range(1, 31), 99)
    reader = TillReader(world.context())
    bulk = asyncio.create_task(read_all(reader, list(range(1, 31))))
    await asyncio.sleep(0.5)
    await reader.read(99, is_live=True)  # type: ignore[arg-type]
    assert [call[1] for call in world.till.calls].index(99) == world.services.settings.till_concurrency
    await bulk
    await reader.close()


@on_virtual_time
async def test_live_crowd_is_read_by_pages() -> None:
    world = ShopWorld()
    world.put(*range(1, 2_001))
    reader, wanted = TillReader(world.context()), scattered(2_000, 500)
    assert ids_of(await read_all(reader, wanted, is_live=True)) == wanted
    assert world.till.requests <= 30
    await reader.close()


# the end


@on_virtual_time
async def test_no_read_runs_or_starts_after_close() -> None:
    world = ShopWorld()
    world.till.latency = 1.0
    world.put(*range(1, 101))
    reader = TillReader(world.context())
    few = asyncio.create_task(read_all(reader, list(range(1, 31)), is_live=True))
    await asyncio.sleep(0.5)
    crowd = asyncio.create_task(read_all(reader, list(range(31, 101))))
    await asyncio.sleep(0.2)
    requests = world.till.requests
    assert requests > world.services.settings.till_concurrency, "single reads and pages"
    await reader.close()
    assert ids_of(await few) + ids_of(await crowd) == ["CancelledError"] * 100
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await asyncio.sleep(5.0)
    assert world.till.requests == requests
    with pytest.raises(RunInterrupted):
        await reader.read(EposCustomerId(1), is_live=True)


@on_virtual_time
async def test_cancelled_read_leaves_no_task_after_close() -> None:
    """One entry of a batch raises. Its group cancels the others, and then the reader is closed."""
    world = ShopWorld()
    world.till.latency = 1.0
    world.put(*range(1, 31))
    reader = TillReader(world.context())

    async def fault() -> None:
        await asyncio.sleep(0.5)
        raise ValueError("a fault of ours")

    async def batch() -> None:
        async with asyncio.TaskGroup() as entries:
            for each in range(1, 31):
                entries.create_task(reader.read(EposCustomerId(each), is_live=True))
            entries.create_task(fault())

    with pytest.raises(ExceptionGroup):
        await batch()
    requests = world.till.requests
    await reader.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert world.till.requests == requests == world.services.settings.till_concurrency


@on_virtual_time
async def test_concurrent_reads_are_limited() -> None:
    world = ShopWorld()
    world.till.latency = 1.0
    world.put(*range(1, 31))
    reader = TillReader(world.context())
    await read_all(reader, list(range(1, 31)))
    starts = sorted(world.till.called_at)
    limit = world.services.settings.till_concurrency
    assert all(later - earlier >= 1.0 for earlier, later in zip(starts, starts[limit:], strict=False))
    await reader.close()


@on_virtual_time
async def test_paused_lane_sends_no_further_request() -> None:
    world = ShopWorld()
    context = world.context()
    world.put(*range(1, 101))
    reader = TillReader(context)
    context.gates[Side.TILL].close()
    results = await read_all(reader, list(range(1, 101)))
    assert all(isinstance(each, RunInterrupted) for each in results)
    assert world.till.requests == 0
    await reader.close()


@on_virtual_time
async def test_a_missing_customer_is_its_own_error() -> None:
    world = ShopWorld()
    world.put(1)
    reader = TillReader(world.context())
    [found, missing] = await read_all(reader, [1, 2])
    assert isinstance(found, ReadCustomer)
    assert isinstance(missing, Missing)
    await reader.close()
