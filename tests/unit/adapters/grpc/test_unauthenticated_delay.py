"""Tests the delay of refusals of callers without a valid token. A few refusals of a second are immediate. Further ones are delayed, and
immediate again while too many wait."""

from __future__ import annotations

import asyncio

import pytest
from fakes.clock import FakeClock
from tillsync_server.adapters.grpc import unauthenticated_delay
from tillsync_server.adapters.grpc.unauthenticated_delay import UNDELAYED_PER_SECOND, UnauthenticatedDelay


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delays of held refusals, in seconds. No refusal returns before the test ends it."""
    seconds: list[float] = []

    async def sleep(late: float) -> None:
        seconds.append(late)
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr("tillsync_server.adapters.grpc.unauthenticated_delay.asyncio.sleep", sleep)
    return seconds


async def hold(delay: UnauthenticatedDelay, count: int) -> list[asyncio.Task[bool]]:
    real = [asyncio.create_task(delay.wait()) for _ in range(count)]
    for _ in range(3):
        await asyncio.wait(real, timeout=0)
    return real


async def test_first_refusals_of_a_second_are_immediate_and_further_ones_are_delayed(slept: list[float]) -> None:
    clock = FakeClock()
    delay = UnauthenticatedDelay(clock)
    first = await hold(delay, UNDELAYED_PER_SECOND)
    assert (all(task.done() for task in first), slept) == (True, [])
    flood = await hold(delay, 200)
    assert slept[0] == 1.0
    assert slept == sorted(slept)
    assert slept[-1] > 1.9
    clock.advance(1.0)
    person = await hold(delay, 1)
    assert person[0].done()
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)


async def test_number_of_delayed_refusals_is_limited(slept: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unauthenticated_delay, "MAX_WAITING", 3)
    delay = UnauthenticatedDelay(FakeClock())
    flood = await hold(delay, UNDELAYED_PER_SECOND + 10)
    assert (len(slept), sum(not task.done() for task in flood)) == (3, 3)
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)
