"""Call places and turns: calls of one caller wait for each other, never for calls of other callers."""

from __future__ import annotations

import asyncio

import pytest
from support.waiting import until
from tillsync_server.adapters.grpc.call_places import CallLimits, CallPlaces, Work
from tillsync_server.adapters.grpc.turns import TurnLimit
from tillsync_server.domain.errors import ResourceExhausted

LIMITS = CallLimits(
    places=5,
    places_of_token=3,
    open_calls=3,
    open_calls_of_connection=2,
    turns_of_token={Work.SHORT: TurnLimit.always(1), Work.HEAVY: TurnLimit.always(1), Work.WAITING: TurnLimit.always(2)},
)


class Calls:
    """Calls that run until the test ends them."""

    def __init__(self) -> None:
        self.places = CallPlaces(LIMITS)
        self.working: list[str] = []
        self._go = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, token: str, work: Work = Work.SHORT) -> asyncio.Task[None]:
        task = asyncio.create_task(self._call(token, work))
        self._tasks.append(task)
        return task

    async def _call(self, token: str, work: Work) -> None:
        async with self.places.place(token, work) as place:
            await place.turn()
            self.working.append(token)
            await self._go.wait()

    async def end(self) -> None:
        self._go.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.mark.catches("one-caller-takes-its-turns-only")
async def test_caller_over_its_turns_waits_and_others_do_not() -> None:
    calls = Calls()
    calls.start("busy")
    calls.start("busy")
    calls.start("other")
    calls.start("busy", Work.HEAVY)
    await until(lambda: len(calls.working) >= 3)
    for _ in range(20):
        await asyncio.sleep(0)
    assert sorted(calls.working) == ["busy", "busy", "other"]
    await calls.end()
    assert sorted(calls.working) == ["busy", "busy", "busy", "other"]


async def test_call_without_a_place_is_refused_with_a_retry_delay() -> None:
    calls = Calls()
    for _ in range(3):
        calls.start("busy")
    await until(lambda: calls.working)
    with pytest.raises(ResourceExhausted) as of_token:
        await calls.start("busy")
    for _ in range(2):
        calls.start("other")
    await until(lambda: len(calls.working) == 2)
    with pytest.raises(ResourceExhausted) as of_all:
        await calls.start("third")
    assert (of_token.value.reason, of_all.value.reason) == ("TOO_MANY_CALLS_OF_TOKEN", "TOO_MANY_CALLS")
    assert of_token.value.retry_after_seconds > 0
    await calls.end()


async def test_cancelled_call_returns_its_place_and_its_turn() -> None:
    calls = Calls()
    first, second = calls.start("busy"), calls.start("busy")
    await until(lambda: calls.working)
    second.cancel()
    first.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    for _ in range(3):
        calls.start("busy")
    await until(lambda: len(calls.working) == 2)
    await calls.end()
    assert calls.places._of_token == {}
    assert calls.places._turns == {}


async def test_slow_sender_holds_no_turn() -> None:
    places, came = CallPlaces(LIMITS), []

    async def call(name: str, sent: asyncio.Event) -> None:
        async with places.place("busy", Work.SHORT) as place:
            await sent.wait()
            await place.turn()
            came.append(name)

    slow, quick = asyncio.Event(), asyncio.Event()
    first, second = asyncio.create_task(call("slow", slow)), asyncio.create_task(call("quick", quick))
    quick.set()
    await second
    slow.set()
    await first
    assert came == ["quick", "slow"]
    assert places._turns == {}


async def test_calls_without_a_token_are_limited_per_connection_and_in_total() -> None:
    places = CallPlaces(LIMITS)
    with places.open_call("a"), places.open_call("a"):
        with pytest.raises(ResourceExhausted) as of_connection, places.open_call("a"):
            pass
        with places.open_call("b"), pytest.raises(ResourceExhausted) as of_all, places.open_call("c"):
            pass
    assert (of_connection.value.reason, of_all.value.reason) == ("TOO_MANY_OPEN_CALLS_OF_CONNECTION", "TOO_MANY_OPEN_CALLS")
    with places.open_call("a"), places.open_call("c"):
        pass
    assert places._open_of == {}
