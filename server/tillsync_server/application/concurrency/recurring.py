"""Recurring work of a process. A failed run is logged, and the work runs again."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

import structlog

from tillsync_server.application.concurrency.background import BackgroundTasks

_LOG = structlog.get_logger(__name__)
Work = Callable[[], Awaitable[float | None]]
"""Returns the seconds until the work is due again. 0: at once. None: no due time is known."""


class Recurring:
    """Runs ``work`` when it is due, when :meth:`wake` is called, and ``seconds`` (± 10 %) after the last run at the latest.

    ``pause_seconds``: shortest pause between two runs, so that several wake-ups share one run.
    ``database_gone``: exceptions that mean that the database is unreachable. Only the first of a series is logged.
    """

    def __init__(
        self, name: str, work: Work, *, seconds: float, pause_seconds: float = 0.0, database_gone: tuple[type[BaseException], ...]
    ) -> None:
        self.name = name
        self._work = work
        self._seconds = seconds
        self._pause_seconds = pause_seconds
        self._database_gone = database_gone
        self._wake = asyncio.Event()
        self._tasks = BackgroundTasks()

    def start(self) -> None:
        self._tasks.start(self._run(), name=self.name)

    async def stop(self) -> None:
        await self._tasks.stop()

    def wake(self) -> None:
        self._wake.set()

    async def _run(self) -> None:
        was_away = False
        while True:
            self._wake.clear()
            due: float | None = None
            try:
                due = await self._work()
                was_away = False
            except self._database_gone as error:
                if not was_away:
                    _LOG.warning("database_unavailable", during=self.name, error=type(error).__name__)
                was_away = True
            except Exception:  # noqa: BLE001 - a bug in one run must not end the work
                _LOG.exception("recurring_work_failed", task=self.name)
            if self._pause_seconds:
                await asyncio.sleep(self._pause_seconds)
            if due is None or due > 0:
                await self._wait(due)

    async def _wait(self, due: float | None) -> None:
        floor = self._seconds * random.uniform(0.9, 1.1)
        # not wait_for: before Python 3.12 it loses a cancellation that arrives together with the wake-up
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(floor if due is None else min(due, floor)):
                await self._wake.wait()


def while_more(run_chunk: Callable[[], Awaitable[bool]]) -> Work:
    """Returns work in chunks that is due at once while ``run_chunk`` returns True."""

    async def work() -> float | None:
        return 0.0 if await run_chunk() else None

    return work


def without_due_time(run: Callable[[], Awaitable[None]]) -> Work:
    """Returns work without a due time. It runs when woken, and ``seconds`` after the last run."""

    async def work() -> None:
        await run()

    return work
