"""Work that comes round: the background tasks of a process. One that fails is logged and comes round again."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

import structlog

_LOG = structlog.get_logger(__name__)


class Recurring:
    """Runs ``work`` every ``seconds`` (± 10 %), at once when it returns True (there is more), and when it is woken.

    ``database_gone``: exceptions that are waited out without a word each time; the database's own counters tell of them.
    """

    def __init__(
        self, name: str, work: Callable[[], Awaitable[bool | None]], *, seconds: float, database_gone: tuple[type[BaseException], ...]
    ) -> None:
        self.name = name
        self._work = work
        self._seconds = seconds
        self._database_gone = database_gone
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def wake(self) -> None:
        self._wake.set()

    async def _run(self) -> None:
        was_away = False
        while True:
            self._wake.clear()
            more: bool | None = False
            try:
                more = await self._work()
                was_away = False
            except self._database_gone as error:
                if not was_away:
                    _LOG.warning("database_unavailable", during=self.name, error=type(error).__name__)
                was_away = True
            except Exception:  # noqa: BLE001 - a fault of ours in one task never ends it
                _LOG.exception("recurring_work_failed", task=self.name)
            if not more:
                # not wait_for: before Python 3.12 it loses a cancellation that comes together with the wake
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds * random.uniform(0.9, 1.1)):
                        await self._wake.wait()
