"""A relay to PostgreSQL that can go silent: connections stay open and pass no more bytes. It can also drop start-up parameters, as some
poolers do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit, urlunsplit


class Relay:
    """Relays to the database of ``dsn``. Bytes sent while it is cut are lost. Connections opened then are accepted and stay silent."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._drops_parameters = False
        self._port = 0
        self._is_cut = False
        self._last_words: bytes | None = None
        self._lines: set[asyncio.Task[None]] = set()
        self.opened = 0
        self.lost = 0
        """Bytes that were sent on cut connections."""

    @property
    def dsn(self) -> str:
        parts = urlsplit(self._dsn)
        user = parts.netloc.rpartition("@")[0]
        query = parts.query if parts.hostname else "sslmode=disable"
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self._port}", query=query))

    def cut(self) -> None:
        self._is_cut = True

    def cut_after(self, words: bytes) -> None:
        """Cuts the relay once it has passed ``words`` to the database. The answer to them is the first loss."""
        self._last_words = words

    def drop_parameters(self) -> None:
        """Lets later connections pass only user and database of their start-up parameters."""
        self._drops_parameters = True

    def restore(self) -> None:
        """Lets later connections pass again."""
        self._is_cut = False

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        own = [writer]
        try:
            if self._is_cut:
                await asyncio.Event().wait()
            far_reader, far_writer = await self._open_far()
            own.append(far_writer)
            if self._drops_parameters:
                far_writer.write(_without_parameters(await _start_up(reader)))
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, far_writer, is_question=True))
                both.create_task(self._carry(far_reader, writer))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._lines.discard(task)
            for each in own:
                each.close()

    async def _open_far(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self._dsn)
        if parts.hostname:
            return await asyncio.open_connection(parts.hostname, parts.port or 5432)
        return await asyncio.open_unix_connection(f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432")

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_question: bool = False) -> None:
        silent = False
        while data := await reader.read(65536):
            silent = silent or self._is_cut  # a cut connection stays cut
            if silent:
                self.lost += len(data)
            else:
                if is_question and self._last_words is not None and self._last_words in data:
                    self._last_words = None
                    silent = self._is_cut = True
                writer.write(data)
                await writer.drain()
        raise ConnectionResetError("one end has left")

    async def _close(self) -> None:
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


async def _start_up(reader: asyncio.StreamReader) -> bytes:
    """Reads the first message of a session (PostgreSQL's protocol, *StartupMessage*): its length, the protocol number, NUL-terminated names
    and values in turn, and a last NUL."""
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int.from_bytes(length) - 4)


def _without_parameters(message: bytes) -> bytes:
    texts = message[8:-2].split(b"\0")
    named = dict(zip(texts[::2], texts[1::2], strict=True))
    kept = b"".join(name + b"\0" + named[name] + b"\0" for name in (b"user", b"database"))
    return (8 + len(kept) + 1).to_bytes(4) + message[4:8] + kept + b"\0"


@asynccontextmanager
async def relay_to(dsn: str) -> AsyncIterator[Relay]:
    """``dsn`` is that of an embedded PostgreSQL, which listens on a socket file, or of a server over TCP."""
    relay = Relay(dsn)
    server = await asyncio.start_server(relay._accept, "127.0.0.1", 0)
    relay._port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        await relay._close()
        with contextlib.suppress(asyncio.CancelledError):
            await server.wait_closed()
