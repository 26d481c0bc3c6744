"""Turns of one token: a few calls get many turns, a crowd gets few. Counting finds a crowd that is queued inside gRPC."""

from __future__ import annotations

import asyncio

import pytest
from tillsync_server.adapters.grpc import turns
from tillsync_server.adapters.grpc.turns import COUNT_EVERY_SECONDS, FIRST_COUNT_SECONDS, TurnLimit, Turns


@pytest.fixture(autouse=True)
def _endless_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "QUIET_SECONDS", 3600.0)


class Sender:
    """Calls of one token that run until the test ends them."""

    def __init__(self, limit: TurnLimit) -> None:
        self.now = 100.0
        self.turns = Turns(limit, lambda: self.now)
        self.working = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: list[asyncio.Event] = []

    def send(self, count: int = 1) -> None:
        for _ in range(count):
            self.turns.arrive()
            self._tasks.add(asyncio.create_task(self._call()))

    async def _call(self) -> None:
        try:
            await self.turns.acquire()
        except asyncio.CancelledError:
            self.turns.leave()
            raise
        self.working += 1
        end = asyncio.Event()
        self._ends.append(end)
        try:
            await end.wait()
        finally:
            self.working -= 1
            self.turns.leave()
            self.turns.release()

    async def end(self, count: int = 1) -> None:
        for _ in range(count):
            self._ends.pop(0).set()
        await settle()

    async def quiet(self) -> None:
        """Lets the duration of one count pass."""
        await settle()
        assert self.turns._counting is not None
        self.turns._counting.cancel()
        self.turns._counted()
        await settle()

    async def cancel_all(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_few_calls_get_many_turns() -> None:
    sender = Sender(TurnLimit(many=8, few=2, crowd=8))
    sender.send(8)
    await settle()
    assert sender.working == 8
    sender.send()
    await settle()
    assert sender.working == 8, "first come, first served"
    await sender.end()
    assert sender.working == 8
    await sender.cancel_all()


@pytest.mark.catches("a-crowd-gets-few-turns")
async def test_crowd_gets_few_turns_once_counted() -> None:
    sender = Sender(TurnLimit(many=8, few=2, crowd=10))
    sender.send(8)
    await settle()
    assert sender.working == 8, "the crowd is not visible yet, because the others are inside gRPC"
    sender.now += FIRST_COUNT_SECONDS
    await sender.end()
    sender.send()  # gRPC passes on the next call
    await settle()
    assert sender.working == 7, "none begins while they are counted"
    sender.send(12)  # and further calls that it held back
    await sender.quiet()
    assert sender.working == 7
    await sender.end(6)
    assert sender.working == 2
    for _ in range(4):
        sender.send()
        await sender.end()
        assert sender.working == 2
    await sender.cancel_all()


async def test_token_gets_many_turns_again_after_a_crowd() -> None:
    sender = Sender(TurnLimit(many=8, few=2, crowd=10))
    sender.send(8)
    await settle()
    sender.now += FIRST_COUNT_SECONDS
    await sender.end()
    sender.send(13)
    await sender.quiet()
    await sender.end(5)
    assert (sender.working, sender.turns.calls) == (2, 15)
    while sender.turns.calls > 10:
        assert sender.working == 2
        await sender.end()
    assert sender.working == 8
    await sender.cancel_all()


async def test_arrived_calls_continue_after_the_count() -> None:
    sender = Sender(TurnLimit(many=8, few=2, crowd=10))
    sender.send(8)
    await settle()
    sender.now += FIRST_COUNT_SECONDS
    await sender.end(4)
    sender.send(4)
    await settle()
    assert sender.working == 4
    sender.send()
    await sender.quiet()
    assert sender.working == 4, "more may arrive after the one that arrived while they were counted"
    await sender.quiet()
    assert sender.working == 8
    sender.now += COUNT_EVERY_SECONDS / 2
    await sender.end()
    sender.send()
    await settle()
    assert sender.working == 8, "not yet counted again"
    await sender.cancel_all()


async def test_cancelled_waiting_call_keeps_no_turn_and_the_last_one_ends_the_count() -> None:
    sender = Sender(TurnLimit(many=4, few=2, crowd=10))
    sender.send(6)
    await settle()
    sender.now += FIRST_COUNT_SECONDS
    await sender.end()
    assert sender.turns._counting is not None
    await sender.cancel_all()
    assert sender.turns.calls == 0
    assert sender.turns._taken == 0
    assert sender.turns._counting.cancelled()


async def test_fixed_number_of_turns_needs_no_count() -> None:
    sender = Sender(TurnLimit.always(2))
    sender.send(50)
    await settle()
    for _ in range(40):
        sender.now += 1
        await sender.end()
        assert sender.working == 2
        assert sender.turns._counting is None
    await sender.cancel_all()
