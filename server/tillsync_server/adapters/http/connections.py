"""Accepts and limits the connections of one HTTP listener. A connection counts from its accept on, TLS handshake included.

An idle connection holds a file descriptor without use. At the limit the listener closes one connection for each new one. It closes the
oldest connection that has sent no request yet or whose caller is not known yet, then the one with the oldest last request. If all
connections have requests of known callers under way, the listener closes the new one. Without TLS it sends a 503 with Retry-After first.
The listener closes a connection whose request head does not arrive whole within ``HEAD_SECONDS``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import cast

from tillsync_server.adapters.http.wrong_protocol import FirstBytes, WrongProtocols
from tillsync_server.application.concurrency.background import BackgroundTasks

HEAD_SECONDS = 10.0
"""Limit from the connection, or from the first byte of a later request, to the end of the request's head. It also limits a TLS
handshake."""
_ANSWER_SECONDS = 60.0
"""A connection counts as idle if its caller has not read its answer for this time."""
_SWEEP_SECONDS = 1.0
_BACKLOG = 1024
_ACCEPTS_A_TURN = 32
"""Accepts before the event loop runs other work, so that a flood of connections leaves time for requests."""
_TRIES = 16
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_RESOURCES_SECONDS = 0.1
"""Wait before the next accept while the system is out of resources."""
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 5\r\n\r\nbusy\n"


def _nothing() -> None: ...


class _Connection(asyncio.Protocol):
    """Passes a connection on to ``inner`` once ``first`` has recognised HTTP/1.1, and reports data and its end to the listener."""

    def __init__(self, listener: HttpListener, inner: asyncio.Protocol, first: FirstBytes) -> None:
        self.inner = inner
        self.transport: asyncio.Transport | None = None
        self.opening: asyncio.Task[None] | None = None
        """Task of the accept, with the TLS handshake, while it runs."""
        self.requests = 0
        self.is_known = False
        """Whether one of its requests had a valid token or secret."""
        self._listener = listener
        self._first: FirstBytes | None = first

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self.requests:
            self._listener.head_begins(self)
        if self._first is not None:
            assert self.transport is not None
            data = self._first.filter(self.transport, data)
            if not data:
                return
            self._first = None
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.forget(self)
        if self._first is not None:
            self._first.connection_lost()
        self.inner.connection_lost(exc)

    @property
    def unsent_bytes(self) -> int:
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()
        elif self.opening is not None:
            self.opening.cancel()


class HttpListener:
    """Accepts on ``host:port`` and serves each connection with a protocol of ``make_protocol``.

    ``max_connections`` are open at once. ``wrong`` refuses connections of other protocols. ``on_limit`` gets the name of the limit each
    time that a limit costs a connection.
    """

    def __init__(
        self,
        make_protocol: Callable[[], asyncio.Protocol],
        *,
        max_connections: int,
        wrong: WrongProtocols,
        ssl_context: ssl.SSLContext | None = None,
        on_limit: Callable[[str], None] = lambda _limit: None,
    ) -> None:
        self._make_protocol = make_protocol
        self._max_connections = max_connections
        self._wrong = wrong
        self._ssl = ssl_context
        self._on_limit = on_limit
        self._open: dict[asyncio.Protocol, _Connection] = {}
        """Open connections by their inner protocol."""
        self._unknown_callers: dict[_Connection, float] = {}
        """Start times of connections without a request yet, or with a request of an unknown caller under way; the oldest first."""
        self._idle: dict[_Connection, float] = {}
        """End times of the last requests of connections without one under way; the oldest first."""
        self._heads: dict[_Connection, float] = {}
        """Start times of request heads that have not arrived whole; the oldest first."""
        self._sockets: list[socket.socket] = []
        self._tasks = BackgroundTasks()

    def __len__(self) -> int:
        return len(self._open)

    async def start(self, host: str, port: int) -> int:
        """Listens and returns the port, which the system chooses for port 0. Raises OSError if the address cannot be bound."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
                self._sockets.append(_listening(family, address))
        except OSError:
            self._close_sockets()
            raise
        for each in self._sockets:
            self._tasks.start(self._accept(each), name="http-accept")
        self._tasks.start(self._end_slow_heads(), name="http-heads")
        return int(self._sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Accepts no more connections. Open ones stay."""
        await self._tasks.stop()
        self._close_sockets()

    @contextlib.contextmanager
    def request(self, protocol: asyncio.Protocol) -> Iterator[Callable[[], None]]:
        """Marks a request of ``protocol`` as under way. The handler calls the yielded function once the request's caller is known. Until
        then the listener may close the connection for a new one, even during the request."""
        connection = self._open.get(protocol)
        if connection is None:  # the connection is closed, but its handler still runs
            yield _nothing
            return
        connection.requests += 1
        self._mark_busy(connection)
        if not connection.is_known:
            # invariant: strangers-requests-make-room
            self._unknown_callers[connection] = asyncio.get_running_loop().time()

        def mark_known() -> None:
            connection.is_known = True
            self._unknown_callers.pop(connection, None)

        try:
            yield mark_known
        finally:
            connection.requests -= 1
            if not connection.requests and protocol in self._open:
                self._unknown_callers.pop(connection, None)
                self._idle[connection] = asyncio.get_running_loop().time()

    # called by the connections

    def head_begins(self, connection: _Connection) -> None:
        self._heads.setdefault(connection, asyncio.get_running_loop().time())

    def forget(self, connection: _Connection) -> None:
        self._open.pop(connection.inner, None)
        self._mark_busy(connection)

    def _mark_busy(self, connection: _Connection) -> None:
        for times in (self._unknown_callers, self._idle, self._heads):
            times.pop(connection, None)

    # accepting

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for _ in range(_ACCEPTS_A_TURN):
                try:
                    accepted, _ = await loop.sock_accept(listening)
                except OSError as error:
                    if error.errno in _OUT_OF_RESOURCES:
                        self._on_limit("open files")
                        self._close_idle()
                        await asyncio.sleep(_RESOURCES_SECONDS)
                    continue  # any other error means that the caller closed the connection before the accept
                self._serve(accepted)
            await asyncio.sleep(0)

    def _serve(self, accepted: socket.socket) -> None:
        # invariant: idle-connections-make-room
        if len(self._open) >= self._max_connections and not self._make_room():
            self._on_limit("busy connections")
            if self._ssl is None:
                with contextlib.suppress(OSError):
                    accepted.send(_BUSY)
            accepted.close()
            return
        connection = _Connection(self, self._make_protocol(), self._wrong.first_bytes())
        self._open[connection.inner] = connection
        self._unknown_callers[connection] = self._heads[connection] = asyncio.get_running_loop().time()
        connection.opening = self._tasks.start(self._connect(connection, accepted), name="http-connect")

    async def _connect(self, connection: _Connection, accepted: socket.socket) -> None:
        handshake = None if self._ssl is None else HEAD_SECONDS
        try:
            if handshake is not None and await self._wrong.refuses_plain_text(accepted, handshake):
                raise ConnectionAbortedError
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, accepted, ssl=self._ssl, ssl_handshake_timeout=handshake
            )
        except OSError:  # includes ssl.SSLError, because the caller causes a failed handshake
            self.forget(connection)
            accepted.close()
        except BaseException:
            self.forget(connection)
            accepted.close()
            raise
        finally:
            connection.opening = None

    def _make_room(self) -> bool:
        """Closes a connection for a new one, if it can. Returns whether it did."""
        if not self._close_idle():
            return False
        self._on_limit("idle connections")
        return True

    def _close_idle(self) -> bool:
        if self._unknown_callers:
            self._close(next(iter(self._unknown_callers)))
            return True
        now = asyncio.get_running_loop().time()
        for _ in range(min(_TRIES, len(self._idle))):
            connection, since = next(iter(self._idle.items()))
            if not connection.unsent_bytes or now - since > _ANSWER_SECONDS:
                self._close(connection)
                return True
            del self._idle[connection]
            self._idle[connection] = since  # moves to the end, because its caller is still reading the answer
        return False

    def _close(self, connection: _Connection) -> None:
        """Closes a connection. It stops counting now, although the event loop ends it later."""
        self.forget(connection)
        connection.abort()

    async def _end_slow_heads(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            due = loop.time() - HEAD_SECONDS
            while self._heads:
                connection, since = next(iter(self._heads.items()))
                if since > due:
                    break
                self._close(connection)

    def _close_sockets(self) -> None:
        for each in self._sockets:
            each.close()
        self._sockets.clear()


def _listening(family: int, address: tuple[object, ...]) -> socket.socket:
    made = socket.create_server(cast("tuple[str, int]", address[:2]), family=family, backlog=_BACKLOG)
    made.setblocking(False)
    return made
