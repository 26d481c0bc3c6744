"""Tasks that outlive the call that starts them. Their owner ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

_LOG = structlog.get_logger(__name__)
T = TypeVar("T")


class BackgroundTasks:
    """The running tasks of one owner, for which no call waits. An error of a task is logged and ends no other task.

    ``TaskScope`` is for tasks whose errors are raised to the calls that wait for them. A log line would report them twice.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        """Tasks that have not ended."""
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def join(self) -> None:
        """Waits until no task runs, including tasks that start meanwhile."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self, *, grace_seconds: float = 0.0) -> None:
        """Waits ``grace_seconds`` for the tasks to end, cancels the others, and waits for their end."""
        if grace_seconds > 0 and self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("background_task_failed", task=task.get_name(), exc_info=error)
