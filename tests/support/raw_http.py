"""A raw HTTP server that records the received bytes and answers with scripted bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def http_answer(status: int = 200, body: bytes = b"", *, headers: Iterable[str] = (), reason: str = "Scripted") -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class RawServer:
    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.received = bytearray()
        """Received bytes of all connections."""
        self.requests: list[bytes] = []
        """Complete requests, head and body."""
        self.script: list[bytes | Play] = []
        """Next answers in order. The last one repeats."""
        self.request_arrived = asyncio.Event()
        self.connection_ended = asyncio.Event()
        self._handlers: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self, *script: bytes | Play) -> None:
        self.script = list(script)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self.connections += 1
        try:
            if await self._read_request(reader):
                play = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if isinstance(play, bytes):
                    writer.write(play)
                    await writer.drain()
                else:
                    await play(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client disconnected, or the test ended
        finally:
            writer.close()
            self._handlers.discard(task)
            self.connection_ended.set()

    async def _read_request(self, reader: asyncio.StreamReader) -> bool:
        request = bytearray()
        length: int | None = None
        while length is None or len(request) < length:
            chunk = await reader.read(65536)
            if not chunk:
                return False
            request += chunk
            self.received += chunk
            head, found, _ = bytes(request).partition(b"\r\n\r\n")
            if found and length is None:
                sizes = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
                length = len(head) + 4 + sum(sizes)
        self.requests.append(bytes(request))
        self.request_arrived.set()
        return True

    async def stop(self) -> None:
        for task in tuple(self._handlers):
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never answers, and ends when the client closes the connection."""
    while await reader.read(65536):
        pass


@asynccontextmanager
async def raw_server() -> AsyncIterator[RawServer]:
    raw = RawServer()
    raw.answers(http_answer(200, b"{}", headers=["Content-Type: application/json"]))
    server = await asyncio.start_server(raw._serve, "127.0.0.1", 0)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()
        await raw.stop()
        await server.wait_closed()
