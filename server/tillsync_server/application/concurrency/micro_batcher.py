"""Gathers concurrent calls into one flush, with an adaptive linger: a lone caller never waits, a crowd shares one commit."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

Flush = Callable[[Sequence[Item]], Awaitable[Sequence["Result | Exception"]]]
_CROWD = 3


class MicroBatcher(Generic[Item, Result]):
    """``submit`` returns when the flush that carried the item has returned. One flush is under way at a time.

    ``flush`` answers by position; an Exception in a position is raised to that caller alone. When a flush of several items raises, the
    items are flushed one by one, so that one bad item never fails its neighbours. ``linger_seconds`` is waited only while the last
    flush carried a ``crowd`` (so many items or more) and the batch is not full.
    """

    def __init__(
        self,
        flush: Flush[Item, Result],
        *,
        name: str,
        max_items: int = 500,
        linger_seconds: float = 0.002,
        crowd: int = _CROWD,
        retry_singly: bool = True,
    ) -> None:
        self._flush = flush
        self._name = name
        self._max_items = max_items
        self._linger_seconds = linger_seconds
        self._crowd = crowd
        self._retry_singly = retry_singly
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._last_size = 0
        self._task: asyncio.Task[None] | None = None
        self._full = asyncio.Event()

    async def submit(self, item: Item) -> Result:
        return await self.submit_nowait(item)

    def submit_nowait(self, item: Item) -> asyncio.Future[Result]:
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if len(self._waiting) >= self._max_items:
            self._full.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"batcher:{self._name}")
        return future

    async def close(self) -> None:
        """Waits for what was submitted."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while self._waiting:
                if self._last_size >= self._crowd and len(self._waiting) < self._max_items:
                    self._full.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._full.wait(), self._linger_seconds)
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_items))]
                self._last_size = len(batch)
                await self._flush_batch(batch)
        finally:
            self._task = None
            if self._waiting:  # submitted while the loop above was ending
                self._task = asyncio.create_task(self._run(), name=f"batcher:{self._name}")

    async def _flush_batch(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._flush([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is raised to the callers
            if len(batch) > 1 and self._retry_singly and not isinstance(error, OSError | TimeoutError):
                for pair in batch:
                    await self._flush_batch([pair])
                return
            results = [error] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue  # the caller went away; what it asked for is committed all the same
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
