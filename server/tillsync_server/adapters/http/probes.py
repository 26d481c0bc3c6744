"""``/healthz``, ``/readyz`` and ``/metrics``: for orchestrators and Prometheus. They hold no personal data and need no token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

_REUSE_SECONDS = 1.0
_NO_STORE = {"Cache-Control": "no-store"}


class Probes:
    """``database_answers`` is asked at most once a second. ``draining`` True while the service stops. ``metrics``: body, content type."""

    def __init__(
        self, database_answers: Callable[[], Awaitable[bool]], draining: Callable[[], bool], metrics: Callable[[], tuple[bytes, str]]
    ) -> None:
        self._database_answers = database_answers
        self._draining = draining
        self._metrics = metrics
        self._asking = asyncio.Lock()
        self._asked_at = -_REUSE_SECONDS
        self._answered = False

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/healthz", self.alive)
        router.add_get("/readyz", self.ready)
        router.add_get("/metrics", self.scrape)

    async def alive(self, _request: web.Request) -> web.Response:
        """The process runs and its event loop turns. A database that is away does not make a restart useful."""
        return web.Response(text="ok\n", headers=_NO_STORE)

    async def ready(self, _request: web.Request) -> web.Response:
        if self._draining():
            return web.Response(status=503, text="draining\n", headers=_NO_STORE)
        async with self._asking:
            if time.monotonic() - self._asked_at >= _REUSE_SECONDS:
                self._answered = await self._database_answers()
                self._asked_at = time.monotonic()
        if self._answered:
            return web.Response(text="ready\n", headers=_NO_STORE)
        return web.Response(status=503, text="the database cannot be reached\n", headers=_NO_STORE)

    async def scrape(self, _request: web.Request) -> web.Response:
        body, content_type = self._metrics()
        return web.Response(body=body, headers={"Content-Type": content_type, **_NO_STORE})
