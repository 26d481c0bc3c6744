"""A pooler that passes start-up parameters and gives each transaction any free session, as PgBouncer does with pool_mode=transaction. It
implements the part of PostgreSQL's protocol that the driver uses."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlsplit, urlunsplit

Choice: TypeAlias = Callable[[int], int]
"""Chooses the session of the next transaction from the number of idle sessions, which are in the order of their release."""
LAST_USED: Choice = lambda number: number - 1  # noqa: E731
FIRST_USED: Choice = lambda _number: 0  # noqa: E731


def at_random(seed: int) -> Choice:
    return random.Random(seed).randrange


class _Session(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class TransactionPooler:
    def __init__(self, dsn: str, choice: Choice, kept_ready: int) -> None:
        self._dsn = urlsplit(dsn)
        self._choice = choice
        self._kept_ready = kept_ready
        self._idle: list[_Session] = []
        self._opened: list[_Session] = []
        self._clients: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._clients.discard(task)
            writer.close()

    async def close(self) -> None:
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        for session in self._opened:
            session.writer.close()
            with contextlib.suppress(OSError):
                await session.writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = await reader.readexactly(4)
        start_up = length + await reader.readexactly(int.from_bytes(length) - 4)
        session, greeting = await self._open(start_up)
        self._idle.append(session)
        while len(self._idle) < self._kept_ready:
            self._idle.append((await self._open(start_up))[0])
        writer.write(greeting)
        held: _Session | None = None
        answers: asyncio.Task[None] | None = None

        async def answer(session: _Session) -> None:
            nonlocal held
            while held is session:
                kind, message = await _message(session.reader)
                if kind == b"Z" and message.endswith(b"I"):  # ready, and no transaction is open
                    self._idle.append(session)
                    held = None
                writer.write(message)

        try:
            while True:
                kind, message = await _message(reader)
                if kind == b"X":
                    return
                if held is None:
                    held = self._idle.pop(self._choice(len(self._idle))) if self._idle else (await self._open(start_up))[0]
                    answers = asyncio.create_task(answer(held))
                held.writer.write(message)
        finally:
            if held is not None:
                held.writer.close()
            if answers is not None:
                answers.cancel()
                await asyncio.gather(answers, return_exceptions=True)

    async def _open(self, start_up: bytes) -> tuple[_Session, bytes]:
        if self._dsn.hostname:
            session = _Session(*await asyncio.open_connection(self._dsn.hostname, self._dsn.port or 5432))
        else:
            session = _Session(*await asyncio.open_unix_connection(f"{parse_qs(self._dsn.query)['host'][0]}/.s.PGSQL.5432"))
        self._opened.append(session)
        session.writer.write(start_up)
        return session, await _until_ready(session.reader)


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Reads a message after the first one: a letter, a length that includes itself, and the body."""
    head = await reader.readexactly(5)
    return head[:1], head + await reader.readexactly(int.from_bytes(head[1:]) - 4)


async def _until_ready(reader: asyncio.StreamReader) -> bytes:
    """Reads all messages of an answer. The last one is ReadyForQuery."""
    answer = b""
    while True:
        kind, message = await _message(reader)
        answer += message
        if kind == b"Z":
            return answer


@asynccontextmanager
async def transaction_pooler_to(dsn: str, choice: Choice = LAST_USED, *, kept_ready: int = 1) -> AsyncIterator[str]:
    """The address of a pooler. ``kept_ready`` is the number of idle sessions that it opens with a client's connection."""
    pooler = TransactionPooler(dsn, choice, kept_ready)
    server = await asyncio.start_server(pooler.serve, "127.0.0.1", 0)
    parts = urlsplit(dsn)
    user = parts.netloc.rpartition("@")[0]
    query = parts.query if parts.hostname else "sslmode=disable"
    try:
        yield urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{server.sockets[0].getsockname()[1]}", query=query))
    finally:
        server.close()
        await pooler.close()
        with contextlib.suppress(asyncio.CancelledError):
            await server.wait_closed()
