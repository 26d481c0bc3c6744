"""How many requests leave for one side, and when none does."""

from __future__ import annotations

import asyncio

import pytest
from support.virtual_time import on_virtual_time
from tillsync_server.application.flows.side_gates import SideGate, SideGates, SideWindows
from tillsync_server.domain.errors import RunInterrupted, ServerFailure, Unanswered, UpstreamError
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.vocabulary import Side

SHOP = AccountId("shop-a")


class Upstream:
    """Counts how many requests are under way at once."""

    def __init__(self, gate: SideGate, seconds: float = 1.0) -> None:
        self.gate, self.seconds = gate, seconds
        self.under_way = self.most = self.sent = 0
        self.fails: UpstreamError | None = None

    async def ask(self) -> None:
        async with self.gate.request():
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
async def test_a_side_starts_with_one_request_and_doubles_with_each_success() -> None:
    upstream = Upstream(SideGates(SHOP, SideWindows())[Side.TILL])
    began = asyncio.get_running_loop().time()
    await at_once(upstream, 7)  # 1, 2 and 4 at once
    assert upstream.most == 4
    assert asyncio.get_running_loop().time() - began == pytest.approx(3)


@on_virtual_time
async def test_a_time_out_makes_it_one_again_and_another_failure_does_not() -> None:
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
    await at_once(later, 3)  # 1 and 2 at once: the next lease knows what this one learnt
    assert later.most == 2


@on_virtual_time
async def test_who_waits_behind_the_failure_does_not_meet_it_too() -> None:
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
async def test_whoever_leaves_the_line_takes_no_place_along() -> None:
    upstream = Upstream(SideGates(SHOP, SideWindows())[Side.TILL])
    tasks = [asyncio.create_task(upstream.ask()) for _ in range(4)]
    await asyncio.sleep(0.5)
    tasks[1].cancel()
    tasks[2].cancel()
    await asyncio.wait(tasks)
    assert upstream.sent == 2
    await upstream.ask()
