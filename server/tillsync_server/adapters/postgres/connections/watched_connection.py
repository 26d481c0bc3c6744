"""A connection that waits for notifications, and checks now and then that the server still answers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import asyncpg

from tillsync_server.application.concurrency.background import BackgroundTasks

_LOOK_SECONDS = 15.0
_ANSWER_SECONDS = 5.0


class WatchedConnection(asyncpg.Connection):
    """For LISTEN. A line that is cut without a word, or a server that stands still, closes nothing: the connection would wait for ever,
    and a NOTIFY on it too. After :meth:`watch` the connection ends, and calls its termination listeners, when a statement or the check
    every 15 s is not answered within 5 s."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._turn = asyncio.Lock()
        self._ended = asyncio.Event()
        self._tasks = BackgroundTasks()

    def watch(self) -> None:
        self.add_termination_listener(lambda *_: self._ended.set())
        self._tasks.start(self._check(), name="watch-connection")

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """One at a time, also beside the checks. TimeoutError: the connection has been ended."""
        async with self._turn:
            try:
                return await super().execute(query, *args, timeout=_ANSWER_SECONDS if timeout is None else timeout)
            except TimeoutError:
                self.terminate()
                raise

    async def _check(self) -> None:
        """Ends with the connection."""
        while not self.is_closed():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._ended.wait()
                    return
            try:
                await self.execute("SELECT 1")
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                self.terminate()
