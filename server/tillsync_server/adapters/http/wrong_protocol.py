"""Refuses connections to an HTTP listener that do not speak HTTP/1.1. The caller gets a sentence. The log gets one line a minute, which
has no byte of the caller's.

The first bytes of a connection tell the protocol: TLS, HTTP/2 (gRPC), the PROXY protocol or another one. A listener with TLS checks them
twice, before the handshake and inside TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import time
from collections.abc import Callable
from enum import Enum
from typing import Any

import structlog
from aiohttp.http_exceptions import HttpProcessingError

from tillsync_server.adapters.http.http2_refusal import PREFACE, Http2Refusal

_LOG = structlog.get_logger(__name__)
_QUIET_SECONDS = 60.0
_TLS_HELLO = b"\x16\x03"
_PROXY_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
_PROXY = (b"PROXY ", _PROXY_V2)
_HTTP = re.compile(rb"(?:\r\n)*[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} ")
_BEGINS_LIKE_HTTP = re.compile(rb"(?:\r\n)*\r?|(?:\r\n)*[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
HTTP_PORT = "the HTTP port (TILLSYNC_HTTP_LISTEN)"
OPERATIONS_PORT = "the operations port (TILLSYNC_OPERATIONS_LISTEN)"
GRPC_PLACE = "gRPC is served at TILLSYNC_GRPC_LISTEN (port 50051 unless set)"


class WrongProtocol(Enum):
    """A protocol that is refused. The value is the sentence for the caller and the log; ``{port}`` is the listener with its setting."""

    TLS = "TLS was spoken to {port}, which speaks plain text: use http:// there, or set TILLSYNC_TLS_CERT_FILE and TILLSYNC_TLS_KEY_FILE"
    PLAIN_TEXT = "plain text was spoken to {port}, which speaks TLS: use https:// there"
    UNTRUSTED = (
        "a caller of {port} does not trust the certificate in TILLSYNC_TLS_CERT_FILE: "
        "see that the file holds the whole chain, and the name that callers use"
    )
    HTTP2 = f"HTTP/2 was spoken to {{port}}, which speaks HTTP/1.1: {GRPC_PLACE}"
    PROXY = "the PROXY protocol was spoken to {port}, which does not read it: switch it off in the proxy"
    NOT_HTTP = "what arrived at {port} is no HTTP request"
    MALFORMED = "a request at {port} breaks the rules of HTTP/1.1; the answer to its caller names the rule"

    def at(self, port: str) -> str:
        return self.value.format(port=port)


class WrongProtocols:
    """Reports the wrong protocols of one listener, which ``port`` names. The first of each kind is logged immediately. Later ones are
    logged at most once a minute, with the number since the line before."""

    def __init__(self, port: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._port = port
        self._clock = clock
        self._since: dict[WrongProtocol, int] = {}
        self._logged_at: dict[WrongProtocol, float] = {}

    def report(self, wrong: WrongProtocol) -> str:
        """Counts and perhaps logs ``wrong``. Returns the sentence for the caller."""
        now, sentence = self._clock(), wrong.at(self._port)
        times = self._since[wrong] = self._since.get(wrong, 0) + 1
        logged_at = self._logged_at.get(wrong)
        if logged_at is None or now - logged_at >= _QUIET_SECONDS:
            _LOG.warning("wrong_protocol", kind=wrong.name.lower(), reason=sentence, times=times)
            self._logged_at[wrong] = now
            self._since[wrong] = 0
        return sentence

    def first_bytes(self) -> FirstBytes:
        """Returns the check of one connection."""
        return FirstBytes(self)

    async def refuses_plain_text(self, accepted: socket.socket, seconds: float) -> bool:
        """Answers a caller that speaks no TLS, before the handshake. Returns whether it did. Raises TimeoutError without a first byte."""
        async with asyncio.timeout(seconds):
            await _readable(accepted)
        first = accepted.recv(len(_PROXY_V2), socket.MSG_PEEK)
        if first[:1] in (_TLS_HELLO[:1], b""):
            return False
        answer = refusal(self.report(WrongProtocol.PROXY if first.startswith(_PROXY) else WrongProtocol.PLAIN_TEXT))
        with contextlib.suppress(OSError):
            accepted.recv(65536)  # unread bytes would reset the connection before the answer is read
            accepted.send(answer)
            accepted.shutdown(socket.SHUT_WR)
        return True

    def watch_trust(self, context: ssl.SSLContext) -> None:
        """Reports callers that refuse the certificate, in the handshake or, with TLS 1.3, at the first read after it."""
        report = self.report

        def reported(error: ssl.SSLError) -> ssl.SSLError:
            reason = error.reason or ""  # OpenSSL's own name of the error
            if "UNKNOWN_CA" in reason or "CERTIFICATE" in reason:
                report(WrongProtocol.UNTRUSTED)
            return error

        class WatchedConnection(ssl.SSLObject):
            def do_handshake(self) -> None:
                try:
                    super().do_handshake()
                except ssl.SSLError as error:
                    raise reported(error)  # noqa: B904 - the same error

            def read(self, len: int = 1024, buffer: Any = None) -> Any:
                try:
                    return super().read(len, buffer)
                except ssl.SSLError as error:
                    raise reported(error)  # noqa: B904 - the same error

        context.sslobject_class = WatchedConnection

    def should_log(self, error: BaseException | None) -> bool:
        """Returns whether aiohttp's record with this error is logged. A malformed request is the caller's fault, so it is only counted."""
        if not isinstance(error, HttpProcessingError):
            return True
        self.report(WrongProtocol.MALFORMED)
        return False


class FirstBytes:
    """Checks the first bytes of one connection until they begin an HTTP/1.1 request, and refuses the connection otherwise."""

    def __init__(self, wrong_protocols: WrongProtocols) -> None:
        self._wrong_protocols = wrong_protocols
        self._seen = b""
        self._http2: Http2Refusal | None = None

    def filter(self, transport: asyncio.Transport, data: bytes) -> bytes:
        """Returns all bytes so far once they begin an HTTP/1.1 request. Returns none before that, and none of a refused connection."""
        if self._http2 is not None:
            self._http2.data_received(data)
            return b""
        if transport.is_closing():
            return b""
        self._seen += data
        wrong = detect_protocol(self._seen)
        if wrong is None:
            return self._seen
        if wrong is WrongProtocol.HTTP2:
            self._http2 = Http2Refusal(transport, self._wrong_protocols.report(wrong))
            self._http2.data_received(self._seen)
        elif isinstance(wrong, WrongProtocol):
            transport.write(refusal(self._wrong_protocols.report(wrong)))
            transport.close()
        return b""

    def connection_lost(self) -> None:
        if self._http2 is not None:
            self._http2.connection_lost()


class _Undecided(Enum):
    """The bytes so far fit several protocols."""

    YET = "yet"


def detect_protocol(first: bytes) -> WrongProtocol | _Undecided | None:
    """Returns the protocol that the first bytes of a connection begin. None means an HTTP/1.1 request, as far as these bytes tell."""
    for marks, wrong in (
        ((_TLS_HELLO,), WrongProtocol.TLS),
        ((PREFACE,), WrongProtocol.HTTP2),
        (_PROXY, WrongProtocol.PROXY),
    ):
        if first.startswith(marks):
            return wrong
        if any(mark.startswith(first) for mark in marks):
            return _Undecided.YET
    if _HTTP.match(first):
        return None
    return _Undecided.YET if _BEGINS_LIKE_HTTP.fullmatch(first) else WrongProtocol.NOT_HTTP


def refusal(sentence: str) -> bytes:
    body = f"{sentence}\n".encode()
    head = (
        f"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


async def _readable(accepted: socket.socket) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(accepted, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(accepted)
