"""The HTTP client of all requests to till and shop. It guards addresses, refuses redirects, limits answers and maps exceptions."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import NoReturn

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from tillsync_server.adapters.http_client.address_guard import AddressRefused, AllowedHosts, GuardedResolver
from tillsync_server.adapters.http_client.answer import Answer
from tillsync_server.adapters.http_client.cleaning import clean_text
from tillsync_server.adapters.http_client.write_permission import SendingState, sending_trace
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Misaddressed, Unanswered, Unreachable, Unreadable
from tillsync_server.ports.till import WritePermit

MIB = 1024 * 1024
_ERROR_BODY_BYTES = 64 * 1024
_SIDE_NAMES = {Side.TILL: "Epos Now", Side.SHOP: "the shop"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpClientSettings:
    allowed_hosts: AllowedHosts = field(default_factory=AllowedHosts)
    max_answer_bytes: int = 8 * MIB
    """Maximum bytes of an answer's body after decompression."""
    connect_timeout_seconds: float = 10.0
    """Limit of DNS, TCP and TLS together. For a read it is part of the total timeout. For a write it precedes the permit's time."""
    dns_cache_seconds: int = 10
    """Lifetime of a resolved and checked address. 0 resolves at every connect."""


class HttpClient:
    """The one HTTP client of a process, shared by all accounts. Create it inside the running event loop, and ``close`` it at the end.

    It checks certificates against the system's store (or ``ssl_context``). It ignores proxies of the environment, because a proxy would
    connect on its own, without the address guard.
    """

    def __init__(
        self,
        settings: HttpClientSettings | None = None,
        *,
        resolver: AbstractResolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings or HttpClientSettings()
        self._resolver = resolver or aiohttp.DefaultResolver()
        self._ssl: ssl.SSLContext | bool = ssl_context or True
        self._pooled_session = self._session(force_close=False)
        self._fresh_session = self._session(force_close=True)

    def _session(self, *, force_close: bool) -> aiohttp.ClientSession:
        # The connector has no limit, because one slow host would use all connections. The lanes limit the requests in flight.
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(self._resolver, self._settings.allowed_hosts),
            limit=0,
            use_dns_cache=self._settings.dns_cache_seconds > 0,
            ttl_dns_cache=self._settings.dns_cache_seconds,
            ssl=self._ssl,
            force_close=force_close,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"tillsync/{version('tillsync')}"},
            trace_configs=[sending_trace()],
            trust_env=False,
        )
        # aiohttp would resend an idempotent request when the connection ends without an answer. That retry would use no allowance of the
        # till, and the caller would not see it. The adapters decide about retries. aiohttp's own test client turns it off too.
        session._retry_connection = False
        return session

    async def close(self) -> None:
        await self._pooled_session.close()
        await self._fresh_session.close()
        await self._resolver.close()

    async def request(
        self,
        side: Side,
        method: str,
        url: str | URL,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_seconds: float,
        permit: WritePermit | None = None,
        max_answer_bytes: int | None = None,
        fresh_connection: bool = False,
        secrets: Sequence[str] = (),
    ) -> Answer:
        """Sends one request and reads the whole answer. Every status but 3xx returns an Answer.

        ``timeout_seconds`` limits the whole request. Every write has a ``permit``; the answer must then arrive within the seconds that
        the permit allows, counted from its last check, right before the bytes leave. ``fresh_connection`` opens a new connection, because
        the other side may be closing a pooled one. ``secrets`` never appear in a text of the answer or of an error.

        A str ``url`` is encoded as needed; pass ``URL(text, encoded=True)`` for an encoded one.

        Raises Unreachable (no byte was sent), Unanswered (bytes may have been sent), Misaddressed (redirect, bad address), Unreadable (too
        large, not HTTP), and the permit's errors (no byte was sent).
        """
        target = self._checked_url(side, url)
        state = SendingState(permit, timeout_seconds)
        session = self._fresh_session if fresh_connection else self._pooled_session
        cap = max_answer_bytes or self._settings.max_answer_bytes
        try:
            async with asyncio.timeout(timeout_seconds) as deadline:
                state.deadline = deadline
                self._settings.allowed_hosts.check_literal(target.host or "", target.port or 0)
                async with session.request(
                    method,
                    target,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, connect=min(self._settings.connect_timeout_seconds, timeout_seconds)),
                    trace_request_ctx=state,
                ) as response:
                    if 300 <= response.status < 400:
                        raise _redirect_error(side, target, response, secrets)
                    return Answer(
                        side=side,
                        status=response.status,
                        headers=response.headers,
                        body=await _read_capped(side, response, cap),
                        content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
                        charset=response.charset or "utf-8",
                        secrets=tuple(secrets),
                    )
        except (aiohttp.ClientError, OSError) as error:  # OSError includes TimeoutError and AddressRefused.
            _raise_upstream_error(side, target, error, state, timeout_seconds, secrets)

    def _checked_url(self, side: Side, url: str | URL) -> URL:
        name = _SIDE_NAMES[side]
        try:
            target = URL(url)
        except ValueError as error:
            raise Misaddressed(side, f"the base address of {name} is not a URL: correct it in the account") from error
        if target.scheme not in ("http", "https") or not target.host:
            raise Misaddressed(side, f"the base address of {name} must begin with https:// and name a host: correct it in the account")
        if target.user is not None or target.password is not None:
            raise Misaddressed(side, f"the base address of {name} must not contain a user name or password: use the credential fields")
        return target


async def _read_capped(side: Side, response: aiohttp.ClientResponse, cap: int) -> bytes:
    """Reads the body up to ``cap`` bytes. Raises Unreadable for a larger one; an error body is cut instead.

    Chunks are decompressed, so a compression bomb counts with its full size.
    """
    is_error = response.status >= 400
    limit = min(cap, _ERROR_BODY_BYTES) if is_error else cap
    body = bytearray()
    try:
        async for chunk in response.content.iter_chunked(64 * 1024):
            body += chunk
            if len(body) > limit:
                response.close()  # The connection has unread bytes, so it cannot be reused.
                if is_error:
                    return bytes(body[:limit])
                raise Unreadable(side, f"the answer is larger than {limit} bytes", status=response.status)
    except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError):
        # The status already shows the failure, and an incomplete error page must not hide it.
        if not is_error:
            raise
    return bytes(body)


def _redirect_error(side: Side, target: URL, response: aiohttp.ClientResponse, secrets: Sequence[str]) -> Misaddressed:
    location = response.headers.get("Location", "")
    try:
        to = target.join(URL(location)).with_query(None).with_fragment(None).with_user(None).human_repr() if location else ""
    except ValueError:
        to = ""
    where = clean_text(to, secrets, max_length=200) or "an unnamed place"
    remedy = "redirects are never followed, set the address it points to"
    return Misaddressed(
        side,
        f"{_SIDE_NAMES[side]} redirects (HTTP {response.status}) from {target.origin()} to {where}: {remedy}",
        status=response.status,
        remedy=remedy,
    )


def _raise_upstream_error(
    side: Side, target: URL, error: aiohttp.ClientError | OSError, state: SendingState, timeout_seconds: float, secrets: Sequence[str]
) -> NoReturn:
    if state.refusal is not None:
        raise state.refusal from error
    host = target.host or ""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    detail = clean_text(str(cause), secrets, max_length=200)
    if not state.may_have_left:
        raise Unreachable(side, f"not reached: {_unsent_reason(host, error, cause, detail, secrets)}") from error
    match error:
        case TimeoutError():
            seconds = f"{state.seconds_allowed:.1f}".removesuffix(".0")
            raise Unanswered(side, f"no answer from {host} within {seconds} s") from error
        case aiohttp.ClientPayloadError() if _is_encoding_error(error):
            raise Unreadable(side, f"the answer of {host} is not encoded as it says") from error
        case aiohttp.ClientResponseError():
            raise Unreadable(side, f"{host} does not answer in HTTP: {clean_text(error.message, secrets, max_length=200)}") from error
        case _:
            raise Unanswered(side, f"{host} closed the connection before a whole answer: {detail or type(error).__name__}") from error


def _unsent_reason(host: str, error: aiohttp.ClientError | OSError, cause: Exception, detail: str, secrets: Sequence[str]) -> str:
    """Returns the reason why a request could not be sent."""
    match error:
        case _ if isinstance(cause, AddressRefused):
            return f"address refused: {detail}"
        case aiohttp.InvalidURL():
            return f"address: {host} is not a proper host name"
        case aiohttp.ClientConnectorDNSError():
            return f"DNS: the name {host} cannot be resolved"
        case aiohttp.ClientConnectorCertificateError():
            certificate = clean_text(str(error.certificate_error), secrets, max_length=200)
            return f"TLS: the certificate of {host} is not valid: {certificate}"
        case aiohttp.ClientSSLError():
            return f"TLS: no secure connection to {host}: {detail}"
        case TimeoutError():
            return f"connect: {host} did not accept a connection in time"
        case _:
            refusal = os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else detail
            return f"connect: {host} does not accept connections: {refusal or type(error).__name__}"


def _is_encoding_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, aiohttp.http_exceptions.ContentEncodingError):
            return True
        error = error.__cause__
    return False
