"""An HTTP side: one aiohttp application on one address. The composition starts and stops it."""

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


_MARK_KNOWN: web.RequestKey[Callable[[], None]] = web.RequestKey("mark_caller_known")


def mark_caller_known(request: web.Request) -> None:
    """Protects the request's connection from being closed for new ones. A handler calls it once the request's token or secret is valid."""
    mark_known = request.get(_MARK_KNOWN)
    if mark_known is not None:
        mark_known()


class Routes(Protocol):
    def add_routes(self, router: web.UrlDispatcher) -> None: ...


@web.middleware
async def _answer_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Logs a fault of the service without the request's content, and never shows it to the caller."""
    try:
        response = await handler(request)
    except web.HTTPException:
        raise
    except Exception:  # noqa: BLE001 - the caller gets an answer and the log the fault, for an error of any type
        route = request.match_info.route.resource
        _LOG.exception("http_request_failed", route="none" if route is None else route.canonical)
        response = web.Response(status=500, text="internal error\n")
    if not response.prepared:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if request.content.exception() is not None or not request.content.at_eof():
            response.force_close()  # keeping the connection would mean reading the rest of the body
    return response


class HttpSide:
    """Serves ``routes`` on ``host:port``, with TLS if there is an ``ssl_context``.

    ``grace_seconds``: time for requests under way when the side stops. ``max_connections``: open at once. ``name``: the port and its
    setting in sentences to callers. ``on_limit`` gets the name of the limit each time that a limit costs a connection.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *routes: Routes,
        ssl_context: ssl.SSLContext | None = None,
        grace_seconds: float = 10.0,
        max_connections: int = 1024,
        name: str = HTTP_PORT,
        on_limit: Callable[[str], None] = lambda _limit: None,
    ) -> None:
        self._host, self._port = host, port
        self._ssl = ssl_context
        self._grace_seconds = max(grace_seconds, 0.1)
        self._max_connections = max_connections
        self._wrong = WrongProtocols(name)
        self._on_limit = on_limit
        self._application = web.Application(middlewares=[self._track_request, _answer_faults, explain_wrong_addresses])
        for each in routes:
            each.add_routes(self._application.router)
        self._runner: web.AppRunner | None = None
        self._listener: HttpListener | None = None
        self.port = port
        """The port; after ``start`` the one that the system chose for port 0."""

    async def start(self) -> None:
        """Listens and serves. Raises OSError if the address cannot be bound."""
        # There is no access log, which would have paths, addresses and agents of callers. The metrics count calls instead.
        if self._ssl is not None:
            self._wrong.watch_trust(self._ssl)
        runner = web.AppRunner(
            self._application,
            logger=library_logger("aiohttp.server", self._wrong.should_log),
            access_log=None,
            handle_signals=False,
            handler_cancellation=True,
            auto_decompress=False,  # bodies.py inflates a body once its caller is known
            keepalive_timeout=75,
            shutdown_timeout=self._grace_seconds,
        )
        await runner.setup()
        assert runner.server is not None
        listener = HttpListener(
            runner.server, max_connections=self._max_connections, wrong=self._wrong, ssl_context=self._ssl, on_limit=self._on_limit
        )
        self._listener, self._runner = listener, runner
        try:
            self.port = await listener.start(self._host, self._port)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Closes the address, gives requests under way the grace to end, then cancels them."""
        if self._listener is not None:
            await self._listener.stop()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @web.middleware
    async def _track_request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        assert self._listener is not None
        with self._listener.request(request.protocol) as mark_known:
            request[_MARK_KNOWN] = mark_known
            return await handler(request)
