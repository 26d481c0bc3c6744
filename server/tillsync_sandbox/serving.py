"""The HTTP server of each sandbox. It logs requests and applies scripted faults.

It executes a request even when its client has disconnected, like real servers.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from aiohttp import web

from tillsync_sandbox.control import ControlRoutes
from tillsync_sandbox.faults import Fault, Faults, Script
from tillsync_sandbox.request_log import Ending, LoggedRequest, RequestLog

MAX_REQUEST_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class Exchange:
    """A request that the sandbox is processing."""

    request: web.Request
    body: bytes
    logged: LoggedRequest
    client_gone: asyncio.Event = field(default_factory=asyncio.Event)


Answer = Callable[[Exchange], Awaitable[web.Response]]


class ConnectionDropped(Exception):
    """An :data:`Answer` raises it to close the connection without an answer. ``status`` is that of the suppressed answer."""

    def __init__(self, status: int | None = None) -> None:
        super().__init__("the sandbox closes the connection")
        self.status = status


class SandboxServer:
    """Serves the control API under ``/sandbox/``, and ``answer`` for all other requests."""

    def __init__(self, answer: Answer, control: Iterable[web.RouteDef], *, ssl_context: ssl.SSLContext | None = None) -> None:
        self.log = RequestLog()
        self.faults = Faults()
        self.origin = ""
        """Base address such as ``http://127.0.0.1:40123``; empty before the start."""
        self._answer = answer
        self._ssl = ssl_context
        self._tasks: set[asyncio.Task[web.StreamResponse]] = set()
        app = web.Application(client_max_size=MAX_REQUEST_BYTES)
        app.add_routes(ControlRoutes(self.log, self.faults).routes())
        app.add_routes(control)
        app.router.add_route("*", "/{path:.*}", self._serve)
        # aiohttp reports a disconnected client only by handler_cancellation. The execution is shielded from it.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Raises OSError when the port is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=self._ssl)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        bound_host, bound_port = self._runner.addresses[0][:2]
        shown = f"[{bound_host}]" if ":" in str(bound_host) else bound_host
        self.origin = f"{'https' if self._ssl else 'http'}://{shown}:{bound_port}"

    async def stop(self) -> None:
        """Cancels hanging requests. It never waits for a client."""
        work = tuple(self._tasks)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/sandbox/"):
            return web.json_response({"error": f"{request.method} {request.path}: the control API has no such address"}, status=404)
        body = await request.read()
        logged = self.log.arrive(request.method, request.path, request.query, request.headers, body)
        exchange = Exchange(request, body, logged)
        task = asyncio.create_task(self._execute(exchange))
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                self.log.end(logged, Ending.CLIENT_GONE, None)
                exchange.client_gone.set()
            raise

    def _on_task_done(self, task: asyncio.Task[web.StreamResponse]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Without a client no code awaits the task, so this handler reports errors of the sandbox.
            task.get_loop().call_exception_handler({"message": "the sandbox failed", "exception": error, "task": task})

    async def _execute(self, exchange: Exchange) -> web.StreamResponse:
        script = self.faults.script_for(exchange.logged)
        try:
            response = await (self._answer(exchange) if script is None else self._execute_with_fault(exchange, script))
        except ConnectionDropped as dropped:
            self.log.end(exchange.logged, Ending.DISCONNECTED, dropped.status)
            return _close_connection(exchange.request)
        if script is not None and script.fault.truncate:
            self.log.end(exchange.logged, Ending.TRUNCATED, response.status)
            return await _truncated_answer(exchange.request, response)
        self.log.end(exchange.logged, Ending.ANSWERED, response.status)
        return response

    async def _execute_with_fault(self, exchange: Exchange, script: Script) -> web.Response:
        fault = script.fault
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        if fault.hang == "before":
            await script.wait_until_released()
        if fault.disconnect == "before":
            raise ConnectionDropped
        response = _scripted_response(fault) if fault.status is not None else None
        if response is None or fault.carry_out:
            real = await self._answer(exchange)
            response = response or real
        if fault.printed_before:
            response = _with_prefix(fault.printed_before, response)
        if fault.hang == "after":
            await script.wait_until_released()
        if fault.disconnect == "after":
            raise ConnectionDropped(response.status)
        return response


def _scripted_response(fault: Fault) -> web.Response:
    return web.Response(status=fault.status or 200, body=fault.body.encode(), headers={"Content-Type": fault.content_type, **fault.headers})


def _with_prefix(printed: str, response: web.Response) -> web.Response:
    body = response.body if isinstance(response.body, bytes) else b""
    headers = {name: value for name, value in response.headers.items() if name.lower() != "content-length"}
    return web.Response(status=response.status, body=printed.encode() + body, headers=headers)


def _close_connection(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response()  # aiohttp does not send it, because the connection is closed.


async def _truncated_answer(request: web.Request, response: web.Response) -> web.StreamResponse:
    body = response.body if isinstance(response.body, bytes) else b""
    broken = web.StreamResponse(status=response.status, headers={"Content-Type": response.headers["Content-Type"]})
    broken.content_length = max(len(body), 2)
    await broken.prepare(request)
    await broken.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return broken
