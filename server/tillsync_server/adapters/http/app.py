"""An HTTP listener: one aiohttp application on one address, started and stopped by the composition."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
from aiohttp import web

from tillsync_server.adapters.http.connections import HttpListener
from tillsync_server.adapters.http.wrong_address import explain_wrong_addresses
from tillsync_server.adapters.http.wrong_protocol import HTTP_PORT, WrongProtocols
from tillsync_server.adapters.observability.library_logger import library_logger

_LOG = structlog.get_logger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


_KNOWN: web.RequestKey[Callable[[], None]] = web.RequestKey("caller_is_known")


def caller_is_known(request: web.Request) -> None:
    """Told by whoever has found the request's token or secret valid: its connection is not closed for others' from then on."""
    known = request.get(_KNOWN)
    if known is not None:
        known()


class Routes(Protocol):
    def add_routes(self, router: web.UrlDispatcher) -> None: ...


@web.middleware
async def _last_resort(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A fault of ours is logged without the request's content, and never shown to the caller."""
    try:
        response = await handler(request)
    except web.HTTPException:
        raise
    except Exception:  # noqa: BLE001 - the last resort: whatever it is, the caller gets an answer and the log the fault
        route = request.match_info.route.resource
        _LOG.exception("http_request_failed", route="none" if route is None else route.canonical)
        response = web.Response(status=500, text="internal error\n")
    if not response.prepared:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if request.content.exception() is not None or not request.content.at_eof():
            response.force_close()  # the rest of an unread body is not worth a kept connection
    return response


class HttpSide:
    """Serves ``routes`` on ``host:port``; TLS with ``ssl_context``.

    ``grace_seconds``: for requests under way when it stops. ``most_connections``: open at once. ``name`` stands in
    sentences to callers, with its setting. ``on_limit`` is told the name of a limit
    each time that it costs a connection.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *routes: Routes,
        ssl_context: ssl.SSLContext | None = None,
        grace_seconds: float = 10.0,
        most_connections: int = 1024,
        name: str = HTTP_PORT,
        on_limit: Callable[[str], None] = lambda _limit: None,
    ) -> None:
        self._host, self._port = host, port
        self._ssl = ssl_context
        self._grace_seconds = max(grace_seconds, 0.1)
        self._most_connections = most_connections
        self._wrong = WrongProtocols(name)
        self._on_limit = on_limit
        self._application = web.Application(middlewares=[self._under_way, _last_resort, explain_wrong_addresses])
        for part in routes:
            part.add_routes(self._application.router)
        self._runner: web.AppRunner | None = None
        self._listener: HttpListener | None = None
        self.port = port
        """The real one after ``start``, where 0 was asked for."""

    async def start(self) -> None:
        """OSError when the address cannot be had."""
        # No access log: it would hold paths, addresses and agents of callers; the metrics count instead.
        if self._ssl is not None:
            self._wrong.watch_trust(self._ssl)
        runner = web.AppRunner(
            self._application,
            logger=library_logger("aiohttp.server", self._wrong.is_worth_a_line),
            access_log=None,
            handle_signals=False,
            handler_cancellation=True,
            auto_decompress=False,  # bodies.py: nothing is inflated for a stranger
            keepalive_timeout=75,
            shutdown_timeout=self._grace_seconds,
        )
        await runner.setup()
        assert runner.server is not None
        listener = HttpListener(
            runner.server, most=self._most_connections, wrong=self._wrong, ssl_context=self._ssl, on_limit=self._on_limit
        )
        self._listener, self._runner = listener, runner
        try:
            self.port = await listener.start(self._host, self._port)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close the address, let requests under way end for the grace, then cancel them."""
        if self._listener is not None:
            await self._listener.stop()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @web.middleware
    async def _under_way(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        assert self._listener is not None
        with self._listener.request(request.protocol) as known:
            request[_KNOWN] = known
            return await handler(request)
