"""``/healthz`` and ``/readyz`` for orchestrators and load balancers.

The operations listener serves them, and the HTTP side too, because a load balancer asks the port to which it sends callers. They show only
a state, need no token, and cost the database at most one query a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

_REUSE_SECONDS = 1.0
_NO_STORE = {"Cache-Control": "no-store"}


class Probes:
    """Serves the probes. ``database_answers`` is called at most once a second. ``why_not_ready`` returns a word while the process starts or
    drains, else an empty text."""

    def __init__(self, database_answers: Callable[[], Awaitable[bool]], why_not_ready: Callable[[], str]) -> None:
        self._database_answers = database_answers
        self._why_not_ready = why_not_ready
        self._asking = asyncio.Lock()
        self._asked_at = -_REUSE_SECONDS
        self._answered = False

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/healthz", self.alive)
        router.add_get("/readyz", self.ready)

    async def alive(self, _request: web.Request) -> web.Response:
        """Answers that the process and its event loop run. It ignores the database, because a restart of the process does not repair it."""
        return web.Response(text="ok\n", headers=_NO_STORE)

    async def ready(self, _request: web.Request) -> web.Response:
        reason = self._why_not_ready()
        if reason:
            return web.Response(status=503, text=f"{reason}\n", headers=_NO_STORE)
        async with self._asking:
            if time.monotonic() - self._asked_at >= _REUSE_SECONDS:
                self._answered = await self._database_answers()
                self._asked_at = time.monotonic()
        if self._answered:
            return web.Response(text="ready\n", headers=_NO_STORE)
        return web.Response(status=503, text="the database cannot be reached\n", headers=_NO_STORE)
