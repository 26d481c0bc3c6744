"""``MicroBatcher`` gathers calls into batches: lingering, failures and closing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from support.virtual_time import on_virtual_time
from support.waiting import within
from tillsync_server.application.concurrency.micro_batcher import MicroBatcher
from tillsync_server.domain.errors import Unavailable


class Flushes:
    """Doubles each item. ``gate`` holds a flush. ``answer`` replaces its answer."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Semaphore(0)
        self.answer: list[int | Exception] | None = None

    async def flush(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(items))
        self.begun.release()
        await self.gate.wait()
        return [2 * item for item in items] if self.answer is None else self.answer


async def test_close_waits_for_submitted_calls_and_refuses_later_ones() -> None:
    flushes = Flushes()
    flushes.gate.clear()
    batcher: MicroBatcher[int, int] = MicroBatcher(flushes.flush, name="test")
    first = batcher.submit_nowait(1)
    await within(flushes.begun.acquire())
    second = batcher.submit_nowait(2)  # waits for the running flush
    closing = asyncio.create_task(batcher.close())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="stopping"):
        batcher.submit_nowait(3)
    with pytest.raises(Unavailable):
        await batcher.submit(3)
    assert not closing.done()
    flushes.gate.set()
    await within(closing)
    assert (first.result(), second.result()) == (2, 4)
    assert flushes.batches == [[1], [2]]
    await batcher.close()


async def test_close_of_an_idle_batcher_returns_at_once() -> None:
    flushes = Flushes()
    batcher: MicroBatcher[int, int] = MicroBatcher(flushes.flush, name="test")
    assert await batcher.submit(1) == 2
    await within(batcher.close())


@on_virtual_time
async def test_lone_caller_never_waits_and_concurrent_callers_linger() -> None:
    flushes = Flushes()
    batcher: MicroBatcher[int, int] = MicroBatcher(flushes.flush, name="test", linger_seconds=5.0, max_items=4)
    began, now = asyncio.get_running_loop().time(), asyncio.get_running_loop().time
    for item in range(3):
        assert await batcher.submit(item) == 2 * item
    assert now() == began
    await asyncio.gather(*(batcher.submit(item) for item in range(3)))
    assert (now(), len(flushes.batches[-1])) == (began, 3), "the batch before carried one"
    await asyncio.gather(*(batcher.submit(item) for item in range(2)))
    assert (now(), flushes.batches[-1]) == (began + 5, [0, 1])
    await asyncio.gather(*(batcher.submit(item) for item in range(3)))
    await asyncio.gather(*(batcher.submit(item) for item in range(4)))
    assert (now(), len(flushes.batches[-1])) == (began + 5, 4), "a full batch does not linger"
    await batcher.close()


@on_virtual_time
async def test_a_batch_that_fills_while_it_lingers_is_flushed_at_once() -> None:
    flushes = Flushes()
    batcher: MicroBatcher[int, int] = MicroBatcher(flushes.flush, name="test", linger_seconds=5.0, crowd=1, max_items=3)
    now = asyncio.get_running_loop().time
    await batcher.submit(0)
    began = now()
    waiting = [batcher.submit_nowait(item) for item in (1, 2)]
    await asyncio.sleep(1)
    waiting.append(batcher.submit_nowait(3))
    assert await asyncio.gather(*waiting) == [2, 4, 6]
    assert now() == began + 1
    await batcher.close()


async def test_flush_with_too_few_answers_fails_its_callers() -> None:
    flushes = Flushes()
    flushes.answer = []
    batcher: MicroBatcher[int, int] = MicroBatcher(flushes.flush, name="test")
    for future in [batcher.submit_nowait(item) for item in range(3)]:
        with pytest.raises(ValueError, match="answered 0 of"):
            await within(future)
    await within(batcher.close())


async def test_exception_in_one_position_fails_only_that_caller() -> None:
    flushes = Flushes()
    flushes.answer = [7, KeyError("row")]
    batcher: MicroBatcher[int, int] = MicroBatcher(flushes.flush, name="test")
    good, bad = batcher.submit_nowait(1), batcher.submit_nowait(2)
    assert await within(good) == 7
    with pytest.raises(KeyError):
        await within(bad)
    await batcher.close()


async def test_unavailable_database_is_asked_once_per_batch() -> None:
    batch_sizes: list[int] = []

    async def flush(items: Sequence[int]) -> Sequence[int | Exception]:
        batch_sizes.append(len(items))
        raise OSError("away")

    batcher: MicroBatcher[int, int] = MicroBatcher(flush, name="test")
    for future in [batcher.submit_nowait(item) for item in range(3)]:
        with pytest.raises(OSError, match="away"):
            await within(future)
    assert batch_sizes == [3]
    await batcher.close()


async def test_cancelled_caller_does_not_affect_the_others() -> None:
    flushes = Flushes()
    flushes.gate.clear()
    batcher: MicroBatcher[int, int] = MicroBatcher(flushes.flush, name="test")
    leaving, staying = batcher.submit_nowait(1), batcher.submit_nowait(2)
    await within(flushes.begun.acquire())
    leaving.cancel()
    flushes.gate.set()
    assert await within(staying) == 4
    await batcher.close()


def test_callers_end_when_the_loop_ends_during_a_flush() -> None:
    ended: list[bool] = []

    async def never(items: Sequence[int]) -> Sequence[int | Exception]:
        await asyncio.Event().wait()
        return []

    async def main() -> None:
        batcher: MicroBatcher[int, int] = MicroBatcher(never, name="test", max_items=1)
        for item in range(2):
            batcher.submit_nowait(item).add_done_callback(lambda future: ended.append(future.cancelled()))
        await asyncio.sleep(0)

    asyncio.run(main())
    assert ended == [True, True]


async def test_failing_caller_callback_does_not_block_other_callers() -> None:
    flushes = Flushes()
    batcher: MicroBatcher[int, int] = MicroBatcher(flushes.flush, name="test")
    answered: list[int | BaseException] = []

    def fails(_result: int | BaseException) -> None:
        raise RuntimeError("a fault of the caller")

    batcher.put(1, fails)
    batcher.put(2, answered.append)
    assert len(batcher) == 2
    assert await batcher.submit(3) == await batcher.submit(3)
    assert len(answered) == 1
    assert not isinstance(answered[0], BaseException)
    assert len(batcher) == 0
