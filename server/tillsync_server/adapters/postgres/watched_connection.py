"""A connection that waits to be told something: it looks now and then whether anybody is there."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

_LOOK_SECONDS = 15.0
_ANSWER_SECONDS = 5.0


class WatchedConnection(asyncpg.Connection):
    """For LISTEN. A line that is cut without a word, or a server that stands still, closes nothing: the connection would wait for ever for
    what comes no more, and a NOTIFY sent on it too. After :meth:`watch` it ends, and tells its termination listeners, when a statement
    or the look every 15 s is not answered within 5 s."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._turn = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None

    def watch(self) -> None:
        self._watch = asyncio.create_task(self._look(), name="watch-connection")
        self.add_termination_listener(self._end_watch)

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """One at a time, also beside the looks. TimeoutError: the connection has been ended."""
        async with self._turn:
            try:
                return await super().execute(query, *args, timeout=_ANSWER_SECONDS if timeout is None else timeout)
            except TimeoutError:
                self.terminate()
                raise

    async def _look(self) -> None:
        while not self.is_closed():
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.execute("SELECT 1")
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                self.terminate()

    def _end_watch(self, *_: object) -> None:
        if self._watch is not None and self._watch is not asyncio.current_task():
            self._watch.cancel()
