"""aiohttp asks the write permit before it sends bytes. A refusal sends none (invariant 3)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fakes.permit import FakePermit
from support.raw_http import RawServer, http_answer, raw_server, silence
from support.waiting import NEVER_SECONDS, within
from tillsync_server.adapters.http_client import AllowedHosts, HttpClient, HttpClientSettings
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import LeaseTooShort, RunInterrupted, Unanswered


class WatchingPermit:
    """A permit that records the bytes at the server each time it is asked."""

    def __init__(self, server: RawServer, *script: float | RunInterrupted) -> None:
        self._server = server
        self._permit = FakePermit(script=list(script))
        self.seen_on_the_wire: list[int] = []
        self.connections_when_asked: list[int] = []

    @property
    def settings(self) -> list[float]:
        return self._permit.requests

    def seconds_allowed(self, setting_seconds: float) -> float:
        self.seen_on_the_wire.append(len(self._server.received))
        self.connections_when_asked.append(self._server.connections)
        return self._permit.seconds_allowed(setting_seconds)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RawServer]:
    async with raw_server() as running:
        yield running


@pytest_asyncio.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(HttpClientSettings(allowed_hosts=AllowedHosts(allow_loopback=True)))
    yield client
    await client.close()


@pytest.mark.parametrize("body", [b'{"a": 1}', b"x" * 300_000, None])
@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.catches("permit-before-headers")
async def test_permit_refused_before_the_headers_sends_nothing(
    server: RawServer, http: HttpClient, body: bytes | None, fresh: bool
) -> None:
    permit = WatchingPermit(server, LeaseTooShort("3.0 s of the lease are left"))
    with pytest.raises(LeaseTooShort):
        await http.request(Side.TILL, "POST", server.url, body=body, timeout_seconds=5, permit=permit, fresh_connection=fresh)
    await server.connection_ended.wait()
    assert server.connections == 1
    assert server.received == b""


@pytest.mark.parametrize("body", [b'{"a": 1}', b"x" * 300_000])
@pytest.mark.catches("permit-before-body")
async def test_permit_refused_after_the_headers_hook_sends_nothing(server: RawServer, http: HttpClient, body: bytes) -> None:
    """The lease ends between the two hooks. aiohttp has buffered the headers and must not flush them."""
    permit = WatchingPermit(server, 5.0, LeaseTooShort("stopped in between"))
    with pytest.raises(LeaseTooShort):
        await http.request(Side.TILL, "POST", server.url, body=body, timeout_seconds=5, permit=permit)
    await server.connection_ended.wait()
    assert len(permit.settings) == 2
    assert server.received == b""


async def test_permit_is_asked_on_an_open_connection_before_the_first_byte(server: RawServer, http: HttpClient) -> None:
    permit = WatchingPermit(server, 4.0)
    answer = await http.request(Side.TILL, "POST", server.url, body=b"{}", timeout_seconds=15, permit=permit)
    assert answer.status == 200
    assert permit.settings == [15, 15]
    assert permit.seen_on_the_wire == [0, 0]
    assert server.requests[0].endswith(b"\r\n\r\n{}")


async def test_write_waits_for_its_answer_as_long_as_the_permit_allows(server: RawServer, http: HttpClient) -> None:
    server.answers(silence)
    permit = WatchingPermit(server, 0.2)
    with pytest.raises(Unanswered, match=r"within 0\.2 s"):
        await within(http.request(Side.TILL, "POST", server.url, body=b"{}", timeout_seconds=NEVER_SECONDS, permit=permit))
    assert len(server.requests) == 1


async def test_wait_counts_from_the_permit_not_from_the_connect(server: RawServer, http: HttpClient) -> None:
    """The timeout setting alone would end this request before its permit does."""

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await silence(reader, writer)
        writer.write(http_answer(200, b"late"))

    server.answers(late)
    answer = await http.request(Side.TILL, "POST", server.url, body=b"{}", timeout_seconds=0.3, permit=WatchingPermit(server, 5.0))
    assert answer.body == b"late"


async def test_permit_is_asked_again_on_a_pooled_connection(server: RawServer, http: HttpClient) -> None:
    """A pooled connection skips the connect and must not skip the permit."""

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        server.received.clear()
        second = await reader.read(65536)
        server.received += second

    server.answers(keep)
    await http.request(Side.TILL, "POST", server.url, body=b"{}", timeout_seconds=5, permit=WatchingPermit(server, 5.0))
    with pytest.raises(LeaseTooShort):
        await http.request(Side.TILL, "POST", server.url, body=b"{}", timeout_seconds=5, permit=WatchingPermit(server, LeaseTooShort("x")))
    await server.connection_ended.wait()
    assert server.connections == 1
    assert server.received == b""
