"""Deadlines of the arrival of requests. One timer serves all calls.

A timer for each call, as ``asyncio.timeout`` starts one, costs a short call a tenth of its CPU.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")
CHECK_SECONDS = 1.0
"""Interval of the timer. A wait ends at most this much later than its deadline."""


class RequestDeadlines:
    """Ends waits after their deadlines. One per server. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: dict[asyncio.Task[object], float] = {}
        self._overdue: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def within(self, seconds: float, waiting: Awaitable[Result]) -> Result:
        """Returns the result of ``waiting``. Raises TimeoutError after ``seconds``, up to CHECK_SECONDS later. A task has one wait at a
        time."""
        task = asyncio.current_task()
        assert task is not None
        cancelled_before = task.cancelling()
        self._ends[task] = self._clock() + seconds
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(CHECK_SECONDS, self._cancel_overdue)
        try:
            return await waiting
        except asyncio.CancelledError:
            # as in asyncio.timeout, a cancellation by other code at the same moment still takes effect
            if task in self._overdue and task.cancelling() <= cancelled_before + 1:
                raise TimeoutError from None
            raise
        finally:
            self._ends.pop(task, None)
            if task in self._overdue:
                self._overdue.discard(task)
                task.uncancel()

    def _cancel_overdue(self) -> None:
        now = self._clock()
        for task in [task for task, end in self._ends.items() if end <= now]:
            del self._ends[task]
            self._overdue.add(task)
            task.cancel()
        self._timer = asyncio.get_running_loop().call_later(CHECK_SECONDS, self._cancel_overdue) if self._ends else None
