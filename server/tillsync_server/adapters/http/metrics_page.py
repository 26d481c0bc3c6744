"""``/metrics`` for Prometheus. It has no personal data and needs no token, so only the operations listener serves it."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web


class MetricsPage:
    """Serves ``/metrics``. ``scrape`` returns the body and its content type."""

    def __init__(self, scrape: Callable[[], tuple[bytes, str]]) -> None:
        self._scrape = scrape

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/metrics", self.handle)

    async def handle(self, _request: web.Request) -> web.Response:
        body, content_type = self._scrape()
        return web.Response(body=body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})
