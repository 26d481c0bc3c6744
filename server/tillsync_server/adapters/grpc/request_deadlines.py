"""The deadline until which a request must have arrived, for all calls by one timer.

A timer of its own, as ``asyncio.timeout`` starts one, costs a short call a tenth of its CPU.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")
LOOK_SECONDS = 1.0
"""So much later than its deadline a wait ends, at most."""


class RequestDeadlines:
    """One per server. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: dict[asyncio.Task[object], float] = {}
        self._overdue: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def within(self, seconds: float, waiting: Awaitable[Result]) -> Result:
        """What ``waiting`` returns. TimeoutError after ``seconds``, up to LOOK_SECONDS later. A task waits once at a time."""
        task = asyncio.current_task()
        assert task is not None
        cancelled_before = task.cancelling()
        self._ends[task] = self._clock() + seconds
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)
        try:
            return await waiting
        except asyncio.CancelledError:
            # as asyncio.timeout does: somebody else who cancels the task at the same moment is heard
            if task in self._overdue and task.cancelling() <= cancelled_before + 1:
                raise TimeoutError from None
            raise
        finally:
            self._ends.pop(task, None)
            if task in self._overdue:
                self._overdue.discard(task)
                task.uncancel()

    def _look(self) -> None:
        now = self._clock()
        for task in [task for task, end in self._ends.items() if end <= now]:
            del self._ends[task]
            self._overdue.add(task)
            task.cancel()
        self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look) if self._ends else None
