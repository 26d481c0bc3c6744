"""A connection that waits for notifications and regularly checks that the server answers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import asyncpg

from tillsync_server.application.concurrency.background import BackgroundTasks

_CHECK_INTERVAL_SECONDS = 15.0
_ANSWER_SECONDS = 5.0


class WatchedConnection(asyncpg.Connection):
    """Connection for LISTEN. A broken network path or a frozen server closes no connection, so LISTEN and NOTIFY would wait for ever.

    After :meth:`watch`, a statement or the check every 15 s must be answered within 5 s. Otherwise the connection ends and calls its
    termination listeners.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._statement_lock = asyncio.Lock()
        self._ended = asyncio.Event()
        self._tasks = BackgroundTasks()

    def watch(self) -> None:
        self.add_termination_listener(lambda *_: self._ended.set())
        self._tasks.start(self._check(), name="watch-connection")

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Runs one statement at a time, also beside the checks. TimeoutError means that the connection has been ended."""
        async with self._statement_lock:
            try:
                return await super().execute(query, *args, timeout=_ANSWER_SECONDS if timeout is None else timeout)
            except TimeoutError:
                self.terminate()
                raise

    async def _check(self) -> None:
        """Checks the server until the connection ends."""
        while not self.is_closed():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_INTERVAL_SECONDS):
                    await self._ended.wait()
                    return
            try:
                await self.execute("SELECT 1")
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                self.terminate()
