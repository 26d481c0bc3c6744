"""Tasks that end with their owner, and task groups that raise a single error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


class TaskScope:
    """The tasks of one owner. After ``close`` no task runs, and none starts.

    Like a TaskGroup, for owners that live longer than an ``async with`` block. The owner raises each error to the calls that wait for it,
    so the scope logs none. ``BackgroundTasks`` is for tasks for which no call waits.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Raises RuntimeError after :meth:`close`."""
        if self._is_closed:
            coroutine.close()
            raise RuntimeError("the owner of these tasks is closed")
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Cancels the tasks and waits until all have ended, also when the caller is cancelled meanwhile."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        cancelled: asyncio.CancelledError | None = None
        while self._tasks:
            try:
                await asyncio.wait(self._tasks)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup that raises the first error of its tasks instead of an exception group."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
