"""Connections of an HTTP listener are bounded. Idle ones are closed first, and slow request heads or TLS handshakes are ended."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from support.certificates import self_signed
from support.waiting import until, within
from tillsync_server.adapters.http import connections
from tillsync_server.adapters.http.app import HttpSide, mark_caller_known

MOST = 8
HEAD = b"GET /quick HTTP/1.1\r\nHost: x\r\n"
Opened = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Site:
    """``/quick`` answers at once. ``/slow`` answers a known caller when ``go`` is set, and ``/late`` an unknown one."""

    limits: list[str] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    slow: int = 0
    port: int = 0
    opened: list[Opened] = field(default_factory=list)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/quick", self.answer)
        router.add_get("/slow", self.answer_later)
        router.add_get("/late", self.answer_later)

    async def answer(self, _request: web.Request) -> web.Response:
        return web.Response(text="quick")

    async def answer_later(self, request: web.Request) -> web.Response:
        if request.path == "/slow":
            mark_caller_known(request)
        self.slow += 1
        await self.go.wait()
        return web.Response(text="slow")

    async def one_more(self, before: int) -> None:
        """Returns once another slow request is under way."""
        await until(lambda: self.slow > before)

    async def open(self) -> Opened:
        made = await asyncio.open_connection("127.0.0.1", self.port)
        self.opened.append(made)
        return made

    async def quick(self) -> int:
        """Requests ``/quick`` on a new connection."""
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self.port}/quick") as response:
            await response.read()
            return response.status


@asynccontextmanager
async def serving(ssl_context: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    site = Site()
    side = HttpSide("127.0.0.1", 0, site, ssl_context=ssl_context, grace_seconds=1, max_connections=MOST, on_limit=site.limits.append)
    await side.start()
    site.port = side.port
    try:
        yield site
    finally:
        site.go.set()
        for _, writer in site.opened:
            writer.close()
        await side.stop()


async def is_closed(opened: Opened) -> bool:
    try:
        return await asyncio.wait_for(opened[0].read(1), 0.01) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


async def ask(opened: Opened, path: str = "/quick") -> bytes:
    reader, writer = opened
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = await within(reader.readuntil(b"\r\n\r\n"))
    await within(reader.readexactly(5 if path == "/quick" else 4))
    return answer


def all_closed(opened: list[Opened]) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return all([await is_closed(each) for each in opened])

    return holds


@pytest.mark.catches("idle-connections-make-room")
async def test_oldest_idle_connection_is_closed_for_each_new_one() -> None:
    async with serving() as site:
        silent = [await site.open() for _ in range(MOST)]
        used = [await site.open() for _ in range(3)]
        for each in used:
            assert b" 200 " in await ask(each)
        assert await site.quick() == 200
        await until(all_closed(silent[:4]))
        assert site.limits == ["idle connections"] * 4
        assert not any([await is_closed(each) for each in (*silent[4:], *used)])
        for each in used:
            assert b" 200 " in await ask(each), "a kept connection that is in use stays"


async def test_connections_without_a_request_are_closed_before_kept_ones() -> None:
    """Callers with idle keep-alive connections keep them, however many connections a stranger opens."""
    async with serving() as site:
        kept = [await site.open() for _ in range(MOST - 2)]
        for each in kept:
            assert b" 200 " in await ask(each)
        silent = [await site.open() for _ in range(10 * MOST)]
        await until(all_closed(silent[:-2]))
        for each in kept:
            assert b" 200 " in await ask(each)
        assert site.limits == ["idle connections"] * (10 * MOST - 2)
        more = [await site.open() for _ in range(2)]
        for each in more:
            assert b" 200 " in await ask(each)
        assert await site.quick() == 200
        await until(all_closed(kept[:1]))
        assert not any([await is_closed(each) for each in (*kept[1:], *more)]), "the one whose last request is longest ago"


@pytest.mark.catches("strangers-requests-make-room")
async def test_running_request_of_a_stranger_is_closed_for_a_new_connection() -> None:
    """Endless requests and delayed refusals do not block new connections."""
    async with serving() as site:
        strangers = []
        for _ in range(MOST):
            before = site.slow
            strangers.append(await site.open())
            strangers[-1][1].write(b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
            await site.one_more(before)
        assert await site.quick() == 200
        await until(all_closed(strangers[:1]))
        assert not any([await is_closed(each) for each in strangers[1:]])
        assert site.limits == ["idle connections"]


async def test_request_of_a_known_caller_is_never_closed_and_new_connections_get_503() -> None:
    async with serving() as site:
        calls = [asyncio.create_task(ask(await site.open(), "/slow")) for _ in range(MOST)]
        await until(lambda: site.slow == MOST)
        reader, _ = await site.open()
        refusal = await within(reader.read())
        assert refusal.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 5\r\n" in refusal
        assert site.limits == ["busy connections"]
        site.go.set()
        assert all(b" 200 " in answer for answer in await within(asyncio.gather(*calls)))
        assert await site.quick() == 200


@pytest.mark.parametrize("before", [b"", HEAD])
async def test_incomplete_request_head_ends_its_connection(monkeypatch: pytest.MonkeyPatch, before: bytes) -> None:
    """The time counts from the connection, or from the first byte of a later request, even if single bytes arrive."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(connections, "_SWEEP_SECONDS", 0.05)
    async with serving() as site:
        first, later = await site.open(), await site.open()
        assert b" 200 " in await ask(later)
        waiting = asyncio.create_task(ask(await site.open(), "/slow"))
        await until(lambda: site.slow == 1)

        for _, writer in (first, later):
            writer.write(before)

        async def are_ended() -> bool:
            for _, writer in (first, later):
                writer.write(before and b"x")
            return await is_closed(first) and (not before or await is_closed(later))

        await until(are_ended)
        assert before or not await is_closed(later), "kept alive, and nothing begun"
        assert not waiting.done()
        site.go.set()
        assert b" 200 " in await waiting, "an answer may take longer than a head"


async def test_unfinished_tls_handshakes_count_as_idle_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 30.0)
    certificate, key = self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    trust = ssl.create_default_context(cafile=str(certificate))
    async with serving(context) as site:
        silent = [await site.open() for _ in range(3 * MOST)]
        async with aiohttp.ClientSession() as http, http.get(f"https://127.0.0.1:{site.port}/quick", ssl=trust) as response:
            assert response.status == 200
        await until(all_closed(silent[: 2 * MOST]))
        assert set(site.limits) == {"idle connections"}


async def test_occupied_address_raises_and_leaves_no_listener() -> None:
    async with serving() as site:
        with pytest.raises(OSError, match="in use"):
            await HttpSide("127.0.0.1", site.port, site).start()
        assert await site.quick() == 200
