"""A line to PostgreSQL that can be cut without a word: open, and nothing comes through any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit, urlunsplit


class Relay:
    """``dsn``: the database behind it. What is sent while it is cut is lost; lines opened then are accepted, and silent for ever."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._port = 0
        self._is_cut = False
        self._lines: set[asyncio.Task[None]] = set()
        self.opened = 0
        self.lost = 0
        """Bytes that were sent on lines that are cut."""

    @property
    def dsn(self) -> str:
        parts = urlsplit(self._dsn)
        user = parts.netloc.rpartition("@")[0]
        query = parts.query if parts.hostname else "sslmode=disable"
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self._port}", query=query))

    def cut(self) -> None:
        self._is_cut = True

    def mend(self) -> None:
        """For lines opened from now on."""
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
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, far_writer))
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

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent = False
        while data := await reader.read(65536):
            silent = silent or self._is_cut  # a line that was cut stays so
            if silent:
                self.lost += len(data)
            else:
                writer.write(data)
                await writer.drain()
        raise ConnectionResetError("one end has left")

    async def _close(self) -> None:
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


@asynccontextmanager
async def relay_to(dsn: str) -> AsyncIterator[Relay]:
    """``dsn``: of an embedded PostgreSQL, which listens on a socket file, or of a server reached by TCP."""
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
