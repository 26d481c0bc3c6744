"""``SideGates`` limits the concurrent requests to one side, and stops them after a failure."""

from __future__ import annotations

import asyncio

import pytest
from support.shop_flow_world import ShopWorld
from support.virtual_time import on_virtual_time
from tillsync_server.application.flows.shop_write import ShopWrite
from tillsync_server.application.flows.shop_writer import ShopWriter
from tillsync_server.application.flows.side_gates import SideGate, SideGates, SideWindows
from tillsync_server.domain.customer import CustomerValues
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import RunInterrupted, ServerFailure, Unanswered, UpstreamError
from tillsync_server.domain.ids import AccountId, EposCustomerId, WooCustomerId
from tillsync_server.domain.request_class import RequestClass

SHOP = AccountId("shop-a")


class Upstream:
    """Counts concurrent requests."""

    def __init__(self, gate: SideGate, seconds: float = 1.0) -> None:
        self.gate, self.seconds = gate, seconds
        self.under_way = self.most = self.sent = 0
        self.fails: UpstreamError | None = None
        self.served: list[RequestClass] = []

    async def ask(self, request_class: RequestClass = RequestClass.LIVE) -> None:
        async with self.gate.request(request_class):
            self.served.append(request_class)
            self.sent += 1
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            try:
                await asyncio.sleep(self.seconds)
                if self.fails is not None:
                    raise self.fails
            finally:
                self.under_way -= 1


async def at_once(upstream: Upstream, count: int) -> list[BaseException | None]:
    upstream.most = 0
    return await asyncio.gather(*(upstream.ask() for _ in range(count)), return_exceptions=True)


@on_virtual_time
async def test_side_starts_with_one_request_and_doubles_with_each_success() -> None:
    upstream = Upstream(SideGates(SHOP, SideWindows())[Side.TILL])
    began = asyncio.get_running_loop().time()
    await at_once(upstream, 7)  # 1, 2 and 4 at once
    assert upstream.most == 4
    assert asyncio.get_running_loop().time() - began == pytest.approx(3)


@on_virtual_time
async def test_timeout_resets_the_window_to_one_and_another_failure_does_not() -> None:
    windows = SideWindows()
    upstream = Upstream(SideGates(SHOP, windows)[Side.SHOP])
    await at_once(upstream, 7)
    upstream.fails = ServerFailure(Side.SHOP, "502", status=502)
    await at_once(upstream, 4)
    assert upstream.most == 4
    upstream.fails = Unanswered(Side.SHOP, "no answer within 15 s")
    await at_once(upstream, 1)
    upstream.fails = None
    later = Upstream(SideGates(SHOP, windows)[Side.SHOP])
    await at_once(later, 3)  # 1 and 2 at once, because the next lease inherits the window
    assert later.most == 2


@on_virtual_time
async def test_waiting_requests_are_interrupted_after_a_failure() -> None:
    gates = SideGates(SHOP, SideWindows())
    upstream = Upstream(gates[Side.TILL])

    async def close_soon() -> None:
        await asyncio.sleep(0.5)
        gates[Side.TILL].close()

    results, _ = await asyncio.gather(at_once(upstream, 10), close_soon())
    assert upstream.sent == 1, "what is under way ends"
    assert [type(result) for result in results] == [type(None), *[RunInterrupted] * 9]
    with pytest.raises(RunInterrupted):
        gates.check([Side.SHOP, Side.TILL])
    gates.check([Side.SHOP])
    gates.open([Side.TILL])
    await upstream.ask()


@on_virtual_time
async def test_cancelled_waiting_request_takes_no_slot() -> None:
    upstream = Upstream(SideGates(SHOP, SideWindows())[Side.TILL])
    tasks = [asyncio.create_task(upstream.ask()) for _ in range(4)]
    await asyncio.sleep(0.5)
    tasks[1].cancel()
    tasks[2].cancel()
    await asyncio.wait(tasks)
    assert upstream.sent == 2
    await upstream.ask()


@on_virtual_time
async def test_waiting_orders_go_first_and_every_tenth_request_is_of_the_lowest_class() -> None:
    windows = SideWindows()
    windows.of(SHOP, Side.SHOP).timed_out()
    upstream = Upstream(SideGates(SHOP, windows)[Side.SHOP])
    upstream.fails = ServerFailure(Side.SHOP, "502", status=502)  # the window does not change
    counts = {RequestClass.BULK: 40, RequestClass.LIVE: 40, RequestClass.ORDER: 40}
    waiting = [upstream.ask(request_class) for request_class, count in counts.items() for _ in range(count)]
    await asyncio.gather(*waiting, return_exceptions=True)
    assert upstream.most == 1
    first, later = upstream.served[0], upstream.served[1:]
    assert first is RequestClass.BULK, "no other request was waiting yet"
    assert later[:9] == [RequestClass.ORDER] * 9
    assert later[9] is RequestClass.BULK
    assert [each for each in later[:40] if each is not RequestClass.ORDER] == [
        *(RequestClass.BULK, RequestClass.LIVE, RequestClass.BULK, RequestClass.LIVE)
    ]


@on_virtual_time
async def test_slot_of_a_cancelled_request_goes_to_the_next() -> None:
    upstream = Upstream(SideGates(SHOP, SideWindows())[Side.SHOP])
    tasks = [asyncio.create_task(upstream.ask(each)) for each in (RequestClass.BULK, RequestClass.ORDER, RequestClass.BULK)]
    await asyncio.sleep(0.5)
    tasks[1].cancel()
    await asyncio.wait(tasks)
    assert upstream.served == [RequestClass.BULK, RequestClass.BULK]


def _write(number: int, *, is_live: bool = False) -> ShopWrite:
    values = CustomerValues(points="10", credit="3.50", type_id=None)
    return ShopWrite(woo_customer_id=WooCustomerId(number), epos_customer_id=EposCustomerId(number), values=values, is_live=is_live)


@on_virtual_time
async def test_live_write_goes_before_bulk_writes_waiting_for_the_same_shop() -> None:
    world = ShopWorld()
    for number in range(1, 5):
        world.link(number, number)
    world.services.windows.of(world.account.account_id, Side.SHOP).timed_out()
    world.shop.latency = 1.0
    writers = [ShopWriter(world.context()) for _ in range(4)]
    bulk = [asyncio.create_task(writer.write(_write(number))) for number, writer in enumerate(writers[:3], start=1)]
    await asyncio.sleep(0.5)
    live = asyncio.create_task(writers[3].write(_write(4, is_live=True)))
    await asyncio.gather(*bulk, live)
    sent = {batch[0].woo_customer_id: at for batch, at in zip(world.shop.batches, world.shop.sent_at, strict=True)}
    assert sent == {1: 1000.25, 4: 1001.25, 2: 1001.25, 3: 1002.25}
    for writer in writers:
        await writer.close()
