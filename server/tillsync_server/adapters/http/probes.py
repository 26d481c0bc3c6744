"""``/healthz`` and ``/readyz``: for orchestrators and load balancers.

They stand on the operations listener, and on the HTTP side too: a load balancer asks the port to which it sends the callers. They hold
nothing but a state, need no token, and cost the database one query a second at most.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

_REUSE_SECONDS = 1.0
_NO_STORE = {"Cache-Control": "no-store"}


class Probes:
    """``database_answers`` is asked at most once a second. ``why_not_ready``: a word while the process starts or drains, else empty."""

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
        """The process runs and its event loop turns. A database that is away does not make a restart useful."""
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
