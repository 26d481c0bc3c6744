"""``TillGate`` orders the requests to a till. An order waits for at most one request of another class, and no class starves."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from fakes.budget import FakeTillBudget
from support.virtual_time import on_virtual_time
from tillsync_server.adapters.epos.till_gate import LONGEST_WAIT_SECONDS, TillGate
from tillsync_server.domain.errors import AllowanceSpent, Throttled
from tillsync_server.domain.ids import TillId
from tillsync_server.domain.request_class import RequestClass

TILL = TillId("till-a")
ORDER, LIVE, BULK = RequestClass.ORDER, RequestClass.LIVE, RequestClass.BULK
PER_MINUTE = 60


@dataclass
class World:
    """Must be made inside a virtual-time test. ``seconds`` is the till's answer time."""

    room: int = 16
    seconds: float = 0.1
    per_minute: int = PER_MINUTE
    is_short: bool = True
    sent: list[tuple[RequestClass, float]] = field(default_factory=list)
    refused: Counter[RequestClass] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.budget = FakeTillBudget(self.now, is_short=self.is_short)
        self.gate = self.another()

    def another(self) -> TillGate:
        """The gate of another process."""
        return TillGate(self.budget, TILL, max_in_flight=self.room, sleep=asyncio.sleep)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def send(self, request_class: RequestClass, gate: TillGate | None = None) -> None:
        async with (gate or self.gate).request(request_class, self.per_minute):
            self.sent.append((request_class, self.now()))
            await asyncio.sleep(self.seconds)

    @contextlib.asynccontextmanager
    async def endlessly(self, request_class: RequestClass, gate: TillGate | None = None, *, at_once: int = 8) -> AsyncIterator[None]:
        """Runs ``at_once`` callers of this class. Each one calls again as soon as it is answered or refused."""

        async def calling() -> None:
            while True:
                try:
                    await self.send(request_class, gate)
                except AllowanceSpent as spent:
                    self.refused[request_class] += 1
                    await asyncio.sleep(spent.retry_after_seconds or 0.0)

        callers = [asyncio.create_task(calling()) for _ in range(at_once)]
        try:
            yield
        finally:
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)

    async def others_before_an_order(self) -> list[int]:
        """Sends an order's four requests one after another, and returns the number of other requests sent before each."""
        before = []
        for _ in range(4):
            sent = len(self.sent)
            await self.send(ORDER)
            before.append(sum(request_class is not ORDER for request_class, _ in self.sent[sent:-1]))
            await asyncio.sleep(0.02)
        return before


@on_virtual_time
async def test_order_waits_for_at_most_one_other_request() -> None:
    world = World()
    async with world.endlessly(BULK), world.endlessly(LIVE):
        await asyncio.sleep(30)
        began = world.now()
        before = await world.others_before_an_order()
    assert max(before) <= 1, before
    assert world.now() - began <= 4 * (1.0 + world.seconds + 0.02), "each request waits for its own second"


@on_virtual_time
async def test_order_goes_before_bulk_requests_of_another_process() -> None:
    world = World()
    async with world.endlessly(BULK, world.another()):
        await asyncio.sleep(30)
        assert max(await world.others_before_an_order()) <= 1


@on_virtual_time
async def test_bulk_alone_uses_the_whole_allowance_without_polling() -> None:
    world = World()
    async with world.endlessly(BULK):
        await asyncio.sleep(120)
    assert 115 <= len(world.sent) <= 121
    assert world.budget.take_calls <= 2 * len(world.sent), "the answer has the time of the next request"
    assert not world.refused


@on_virtual_time
async def test_live_goes_before_bulk_and_every_tenth_request_is_bulk() -> None:
    world = World(per_minute=600)
    async with world.endlessly(BULK), world.endlessly(LIVE):
        await asyncio.sleep(60)
    sent = Counter(request_class for request_class, _ in world.sent)
    assert 0.08 <= sent[BULK] / sent.total() <= 0.12, sent


@pytest.mark.parametrize("apart", [False, True])
def test_every_tenth_request_is_of_another_class_under_endless_orders(apart: bool) -> None:
    @on_virtual_time
    async def test() -> None:
        world = World(per_minute=600)
        async with world.endlessly(ORDER, at_once=12), world.endlessly(BULK, world.another() if apart else None):
            await asyncio.sleep(60)
        sent = Counter(request_class for request_class, _ in world.sent)
        assert 0.06 <= sent[BULK] / sent.total() <= 0.15, sent

    test()


@on_virtual_time
async def test_no_class_starves_under_endless_requests_of_all() -> None:
    world = World(per_minute=600)
    async with world.endlessly(ORDER, at_once=12), world.endlessly(LIVE), world.endlessly(BULK):
        await asyncio.sleep(120)
    sent = Counter(request_class for request_class, _ in world.sent)
    assert min(sent[LIVE], sent[BULK]) >= 0.03 * sent.total(), sent
    assert sent[ORDER] >= 0.8 * sent.total()


@on_virtual_time
async def test_concurrent_requests_follow_the_same_order() -> None:
    world = World(room=2, seconds=10.0, is_short=False)
    async with world.endlessly(BULK), world.endlessly(LIVE):
        await asyncio.sleep(25)
        began = world.now()
        await world.send(ORDER)
        assert world.now() - began <= 2 * world.seconds, "it takes the first place that is free"
        assert sum(request_class is not ORDER for request_class, at in world.sent if at >= began) <= 1


@pytest.mark.catches("room-is-left-to-others")
@on_virtual_time
async def test_slots_are_left_to_other_classes_under_endless_orders() -> None:
    world = World(room=2, seconds=0.5, is_short=False)
    async with world.endlessly(ORDER), world.endlessly(BULK):
        await asyncio.sleep(100)
    sent = Counter(request_class for request_class, _ in world.sent)
    assert 0.08 <= sent[BULK] / sent.total() <= 0.12, sent


@on_virtual_time
async def test_concurrent_requests_are_limited() -> None:
    world = World(room=3, seconds=1.0, is_short=False)
    await asyncio.gather(*(world.send(request_class) for request_class in [ORDER, LIVE, BULK] * 5))
    starts = sorted(at for _, at in world.sent)
    assert all(later - earlier >= 1.0 for earlier, later in zip(starts, starts[3:], strict=False))


@on_virtual_time
async def test_request_that_would_wait_too_long_is_refused_with_a_delay() -> None:
    world = World(per_minute=1)
    began = world.now()
    with pytest.raises(AllowanceSpent) as spent:
        await world.send(BULK)
    assert world.now() - began == pytest.approx(LONGEST_WAIT_SECONDS)
    assert spent.value.retry_after_seconds == pytest.approx(30.0, abs=1.0)
    assert not world.sent


@on_virtual_time
async def test_pause_fails_all_waiting_requests() -> None:
    world = World()
    await world.budget.pause(TILL, 60)
    results = await asyncio.gather(*(world.send(request_class) for request_class in RequestClass), return_exceptions=True)
    assert all(type(result) is Throttled for result in results), results


@on_virtual_time
async def test_cancelled_caller_returns_its_slot() -> None:
    world = World(room=1, seconds=5.0, is_short=False)
    for request_class in [ORDER, BULK]:
        first = asyncio.create_task(world.send(ORDER))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(world.send(request_class))
        await asyncio.sleep(1)
        waiting.cancel()
        first.cancel()  # its slot goes to the other caller, which is cancelled at the same moment
        await asyncio.gather(waiting, first, return_exceptions=True)
        began = world.now()
        await world.send(LIVE)
        assert world.now() - began == pytest.approx(5.0)


@on_virtual_time
async def test_budget_error_is_raised_to_its_caller_only() -> None:
    world = World()
    take_available = world.budget.take_available

    async def broken(*_: object, **__: object) -> None:
        raise OSError("the database is away")

    world.budget.take_available = broken  # type: ignore[method-assign,assignment]
    with pytest.raises(OSError, match="away"):
        await world.send(BULK)
    world.budget.take_available = take_available  # type: ignore[method-assign]
    await world.send(BULK)
    assert len(world.sent) == 1
