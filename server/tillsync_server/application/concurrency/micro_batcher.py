"""Gathers concurrent calls into one flush. A lone caller never waits; many callers wait a moment and share one commit."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

import structlog

from tillsync_server.application.concurrency.background import BackgroundTasks
from tillsync_server.domain.errors import Unavailable

_LOG = structlog.get_logger(__name__)
Item = TypeVar("Item")
Result = TypeVar("Result")

Flush = Callable[[Sequence[Item]], Awaitable[Sequence["Result | Exception"]]]
Done = Callable[["Result | BaseException"], None]
_CROWD = 3


class MicroBatcher(Generic[Item, Result]):
    """``submit`` returns when the flush of its item has returned. One flush is under way at a time.

    ``flush`` returns one result per item, in the same order. An Exception among them is raised to that item's caller alone. When a flush
    of several items raises, the batcher flushes them one by one, so that one bad item never fails the others. It waits
    ``linger_seconds`` only if the last flush had at least ``crowd`` items and the batch is not full. It calls ``on_idle`` when no item
    waits any more.
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
        on_idle: Callable[[], object] = lambda: None,
    ) -> None:
        self._flush = flush
        self._name = name
        self._max_items = max_items
        self._linger_seconds = linger_seconds
        self._crowd = crowd
        self._retry_singly = retry_singly
        self._on_idle = on_idle
        self._waiting: deque[tuple[Item, Done[Result]]] = deque()
        self._last_size = 0
        self._full = asyncio.Event()
        self._tasks = BackgroundTasks()
        self._is_flushing = False
        self._is_closed = False

    def __len__(self) -> int:
        """Number of items that wait for their flush."""
        return len(self._waiting)

    async def submit(self, item: Item) -> Result:
        return await self.submit_nowait(item)

    def submit_nowait(self, item: Item) -> asyncio.Future[Result]:
        """Raises Unavailable after :meth:`close`."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.put(item, partial(_set_result, future))
        return future

    def put(self, item: Item, done: Done[Result]) -> None:
        """Calls ``done`` with the result when the flush ends. With thousands of items at once, a future for each would cost more than all
        else. A CancelledError as result means that the item may or may not have been stored. Raises Unavailable after :meth:`close`.
        """
        if self._is_closed:
            raise Unavailable(f"this process is stopping ({self._name})")
        self._waiting.append((item, done))
        if len(self._waiting) >= self._max_items:
            self._full.set()
        if not self._is_flushing:
            self._is_flushing = True
            self._tasks.start(self._flush_waiting(), name=f"batcher:{self._name}")

    async def close(self) -> None:
        """Waits for the submitted items and refuses later ones."""
        self._is_closed = True
        await self._tasks.join()

    async def _flush_waiting(self) -> None:
        try:
            while self._waiting:
                if self._last_size >= self._crowd and len(self._waiting) < self._max_items:
                    await self._linger()
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_items))]
                self._last_size = len(batch)
                await self._flush_batch(batch)
        finally:
            self._is_flushing = False
            while self._waiting:  # only if this task was cancelled: its callers must not wait for ever
                self._call_done(self._waiting.popleft()[1], asyncio.CancelledError())
            self._on_idle()

    async def _linger(self) -> None:
        """Waits until the batch is full, ``linger_seconds`` at most. A timer costs less than a task or a timeout for each flush."""
        self._full.clear()
        timer = asyncio.get_running_loop().call_later(self._linger_seconds, self._full.set)
        try:
            await self._full.wait()
        finally:
            timer.cancel()

    async def _flush_batch(self, batch: list[tuple[Item, Done[Result]]]) -> None:
        results: Sequence[Result | BaseException]
        try:
            results = await self._flush([item for item, _ in batch])
            if len(results) != len(batch):
                raise ValueError(f"{self._name} answered {len(results)} of {len(batch)} items")
        except Exception as error:  # noqa: BLE001 - raised to the callers
            if len(batch) > 1 and self._retry_singly and not isinstance(error, OSError | TimeoutError):
                for pair in batch:
                    await self._flush_batch([pair])
                return
            results = [error] * len(batch)
        except BaseException:
            for _, done in batch:
                self._call_done(done, asyncio.CancelledError())
            raise
        for (_, done), result in zip(batch, results, strict=True):
            self._call_done(done, result)

    def _call_done(self, done: Done[Result], result: Result | BaseException) -> None:
        try:
            done(result)
        except Exception:  # noqa: BLE001 - a bug in one callback must not keep the other callers waiting
            _LOG.exception("batcher_caller_failed", task=self._name)


def _set_result(future: asyncio.Future[Result], result: Result | BaseException) -> None:
    if future.done():
        return  # the caller was cancelled; its item is committed all the same
    if isinstance(result, asyncio.CancelledError):
        future.cancel()
    elif isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
