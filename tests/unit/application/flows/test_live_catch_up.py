"""Many live reads of one account at once need few requests, do not wait, and return no value read before they were asked for."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from support.shop_flow_world import ShopWorld
from support.till_reads import ids_of, known_pages, read_all, scattered
from support.virtual_time import on_virtual_time
from tillsync_server.application.flows.till_reader import TillReader
from tillsync_server.domain.ids import EposCustomerId


@pytest.mark.parametrize("last_page", [None, 3])
@on_virtual_time
async def test_fifty_live_reads_of_one_batch_cost_three_pages_and_no_single_read(last_page: int | None) -> None:
    world = ShopWorld()
    world.put(*range(1, 601))
    known_pages(world, last_page)
    reader, wanted = TillReader(world.context()), scattered(600, 50)
    began = world.clock()
    assert ids_of(await read_all(reader, wanted, is_live=True)) == wanted
    assert (world.till.count("list_customers"), world.till.count("read_customer")) == (3, 0)
    assert world.till.called_at == [began] * 3, "a live crowd does not wait"
    await reader.close()


@on_virtual_time
async def test_few_live_reads_start_at_once_as_single_reads() -> None:
    world = ShopWorld()
    world.till.latency = 0.1
    world.put(*range(1, 601))
    known_pages(world, 3)
    reader, began = TillReader(world.context()), world.clock()
    assert ids_of(await read_all(reader, [7], is_live=True)) == [7]
    assert world.till.called_at == [began]
    few = list(range(11, 11 + world.services.settings.crowd - 1))
    again = world.clock()
    assert ids_of(await read_all(reader, few, is_live=True)) == few
    assert world.till.count("list_customers") == 0
    slots = world.services.settings.till_concurrency
    assert world.till.called_at[1 : 1 + slots] == [again] * slots
    await reader.close()


@on_virtual_time
async def test_live_crowd_cheaper_than_pages_is_read_singly_at_once() -> None:
    world = ShopWorld()
    world.till.latency = 0.1
    world.put(*range(1, 50_001))
    known_pages(world, 250)
    reader, wanted, began = TillReader(world.context()), scattered(50_000, 50), world.clock()
    assert ids_of(await read_all(reader, wanted, is_live=True)) == wanted
    assert (world.till.count("list_customers"), world.till.count("read_customer")) == (0, 50)
    slots = world.services.settings.till_concurrency
    assert world.till.called_at[:slots] == [began] * slots
    await reader.close()


@on_virtual_time
async def test_unprofitable_pages_cost_a_live_crowd_at_most_an_eighth() -> None:
    world = ShopWorld()
    world.till.latency = 0.1
    world.put(*range(1, 50_001))
    reader, wanted, began = TillReader(world.context()), scattered(50_000, 50), world.clock()
    assert ids_of(await read_all(reader, wanted, is_live=True)) == wanted
    assert world.till.count("read_customer") <= 50
    assert 0 < world.till.count("list_customers") <= 50 // 8
    assert world.clock() - began == pytest.approx(0.9), "two rounds of pages, seven of single reads"
    await reader.close()


@on_virtual_time
async def test_live_crowd_includes_gathering_bulk_reads() -> None:
    world = ShopWorld()
    world.put(*range(1, 601))
    known_pages(world, 3)
    reader, wanted = TillReader(world.context()), scattered(600, 60)
    bulk = asyncio.create_task(read_all(reader, wanted[:20]))
    await asyncio.sleep(0.01)
    began = world.clock()
    assert ids_of(await read_all(reader, wanted[20:], is_live=True)) == wanted[20:]
    assert ids_of(await bulk) == wanted[:20]
    assert world.till.requests == world.till.count("list_customers") == 3
    assert world.clock() - began <= world.services.settings.crowd_gather_seconds + world.till.latency
    await reader.close()


@on_virtual_time
async def test_live_reads_behind_busy_slots_share_pages() -> None:
    world = ShopWorld()
    world.till.latency = 1.0
    world.put(*range(1, 601))
    known_pages(world, 3)
    reader, wanted = TillReader(world.context()), scattered(600, 60)
    pieces = []
    for start in range(0, 60, 10):
        pieces.append(asyncio.create_task(read_all(reader, wanted[start : start + 10], is_live=True)))
        await asyncio.sleep(0.02)
    assert [each for piece in pieces for each in ids_of(await piece)] == wanted
    slots = world.services.settings.till_concurrency
    assert (world.till.count("list_customers"), world.till.count("read_customer")) == (3, slots)
    await reader.close()


@on_virtual_time
async def test_read_asked_at_the_instant_of_a_page_request_is_not_served_by_it() -> None:
    world = ShopWorld()
    world.till.latency = 0.1
    world.put(*range(1, 101))
    reader, began = TillReader(world.context()), world.clock()
    crowd = asyncio.create_task(read_all(reader, list(range(1, 101)), is_live=True))
    while not world.till.count("list_customers"):
        await asyncio.sleep(0)
    assert world.clock() == began
    world.till.on_call["list_customers"] = [lambda: world.put(50, points=77)]
    late = asyncio.create_task(reader.read(50, is_live=True))  # type: ignore[arg-type]
    await crowd
    assert (await late).customer.points == 77
    assert world.till.count("read_customer") == 1
    await reader.close()


@on_virtual_time
async def test_customers_on_early_pages_are_delivered_with_the_other_pages() -> None:
    world = ShopWorld()
    world.till.latency = 0.1
    world.put(*range(1, 1_201))
    known_pages(world, 6)
    reader, began = TillReader(world.context()), world.clock()
    wanted, ends = scattered(1_200, 50), list[float]()

    async def read(customer_id: int) -> None:
        await reader.read(EposCustomerId(customer_id), is_live=True)
        ends.append(world.clock() - began)

    await asyncio.gather(*map(read, wanted))
    assert world.till.requests == world.till.count("list_customers") == 6
    assert ends == [pytest.approx(0.2)] * 50, "two rounds of pages, delivered together"
    await reader.close()


@on_virtual_time
async def test_slow_pages_delay_delivery_briefly_and_serve_no_later_read() -> None:
    world = ShopWorld()
    world.till.latency = 1.0
    world.put(*range(1, 1_201), points=1)
    known_pages(world, 6)
    reader, began = TillReader(world.context()), world.clock()
    crowd = asyncio.create_task(read_all(reader, [1, *range(1_000, 1_040)], is_live=True))
    first = asyncio.create_task(reader.read(EposCustomerId(1), is_live=True))
    await asyncio.sleep(1.1)  # its page has arrived and waits for the others
    assert not first.done()
    world.put(1, points=2)
    second = asyncio.create_task(reader.read(EposCustomerId(1), is_live=True))
    found = await first
    assert world.clock() - began == pytest.approx(1.0 + world.services.settings.page_delivery_seconds)
    assert found.customer.points == Decimal(1)
    assert (await second).customer.points == Decimal(2)
    await crowd
    await reader.close()
