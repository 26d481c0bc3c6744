"""``KeyedBatcher``: keys do not wait for each other, the calls of a key share a flush, and an idle key leaves no state."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from support.waiting import until, within
from tillsync_server.application.concurrency.keyed_batcher import KeyedBatcher
from tillsync_server.domain.errors import Unavailable


class Flushes:
    """Doubles each item. Batches with the item ``held`` wait for the gate."""

    def __init__(self, held: int = 0) -> None:
        self.batches: list[list[int]] = []
        self.held = held
        self.gate = asyncio.Event()

    async def flush(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(items))
        if self.held in items:
            await self.gate.wait()
        return [2 * item for item in items]


def keyed(flushes: Flushes, at_once: int = 2) -> KeyedBatcher[str, int, int]:
    return KeyedBatcher(flushes.flush, name="test", at_once=at_once)


async def test_slow_flush_of_one_key_delays_no_other_key() -> None:
    flushes = Flushes(held=1)
    batcher = keyed(flushes)
    slow = asyncio.create_task(batcher.submit("a", 1))
    await until(lambda: flushes.batches)
    assert await within(batcher.submit("b", 3)) == 6
    assert not slow.done()
    flushes.gate.set()
    assert await slow == 2


async def test_calls_of_one_key_share_a_flush_and_keep_their_order() -> None:
    flushes = Flushes(held=1)
    batcher = keyed(flushes)
    first = asyncio.create_task(batcher.submit("a", 1))
    await until(lambda: flushes.batches)
    others = [asyncio.create_task(batcher.submit("a", item)) for item in (2, 3)]
    await asyncio.sleep(0)
    flushes.gate.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6]
    assert flushes.batches == [[1], [2, 3]]


async def test_concurrent_flushes_are_limited() -> None:
    flushes = Flushes(held=1)
    batcher = keyed(flushes, at_once=1)
    calls = [asyncio.create_task(batcher.submit(key, item)) for key, item in (("a", 1), ("b", 2))]
    await until(lambda: flushes.batches)
    await asyncio.sleep(0)
    assert flushes.batches == [[1]]
    flushes.gate.set()
    assert await asyncio.gather(*calls) == [2, 4]


async def test_key_without_calls_leaves_no_state() -> None:
    flushes = Flushes(held=1)
    batcher = keyed(flushes)
    leaving = asyncio.create_task(batcher.submit("a", 1))
    await until(lambda: flushes.batches)
    assert len(batcher) == 1
    leaving.cancel()
    flushes.gate.set()
    await until(lambda: len(batcher) == 0)
    assert await batcher.submit("a", 5) == 10


async def test_close_waits_for_submitted_calls_and_refuses_later_ones() -> None:
    flushes = Flushes(held=1)
    batcher = keyed(flushes)
    call = asyncio.create_task(batcher.submit("a", 1))
    await until(lambda: flushes.batches)
    closing = asyncio.create_task(batcher.close())
    await asyncio.sleep(0)
    assert not closing.done()
    with pytest.raises(Unavailable, match="stopping"):
        await batcher.submit("b", 2)
    flushes.gate.set()
    await within(closing)
    assert await call == 2
