"""The answer to HTTP/2 at a port that speaks HTTP/1.1: every gRPC client shows its sentence (RFC 9113, gRPC over HTTP/2).

A GOAWAY alone would not do. gRPC clients take it for a connection that ends, and call again until their deadline.
"""

from __future__ import annotations

import asyncio
import struct
from urllib.parse import quote

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_WAIT_SECONDS = 5.0
_MOST_BYTES = 65_536
"""Of a client that sends no HEADERS."""
_HEADERS, _SETTINGS, _GOAWAY = 1, 4, 7
_END_OF_STREAM_AND_HEADERS, _ACK = 5, 1
_NO_ERROR = 0
"""Not HTTP_1_1_REQUIRED: gRPC's C core (1.85) does not know it, and aborts the caller's process."""
_STATUS_200 = b"\x88"  # HPACK's static table, entry 8. gRPC's errors have it; some clients show of another status the number alone
_FAILED_PRECONDITION = "9"  # not UNAVAILABLE: a repeated call ends as this one


class Http2Refusal:
    """Answers the first call of a connection, which gets FAILED_PRECONDITION with ``sentence``, and closes it."""

    def __init__(self, transport: asyncio.Transport, sentence: str) -> None:
        self._transport = transport
        self._sentence = sentence
        self._unread = b""
        self._timer = asyncio.get_running_loop().call_later(_WAIT_SECONDS, self._end, 0)
        transport.write(_frame(_SETTINGS) + _frame(_SETTINGS, flags=_ACK))

    def data_received(self, data: bytes) -> None:
        """From the preface on."""
        if self._transport.is_closing():
            return
        self._unread += data
        stream = _first_call(self._unread[len(PREFACE) :])
        if stream is None and len(self._unread) < _MOST_BYTES:
            return
        if stream is not None:
            self._transport.write(_frame(_HEADERS, self._headers(), flags=_END_OF_STREAM_AND_HEADERS, stream=stream))
        self._end(stream or 0)

    def _end(self, last_stream: int) -> None:
        self._transport.write(_frame(_GOAWAY, struct.pack(">II", last_stream, _NO_ERROR) + self._sentence.encode()))
        self._transport.close()

    def connection_lost(self) -> None:
        self._timer.cancel()

    def _headers(self) -> bytes:
        message = quote(self._sentence, safe=" :/.,()")
        fields = {"content-type": "application/grpc", "grpc-status": _FAILED_PRECONDITION, "grpc-message": message}
        return _STATUS_200 + b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields.items())


def _first_call(frames: bytes) -> int | None:
    """The stream of the first HEADERS frame that has begun to arrive."""
    while len(frames) >= 9:
        if frames[3] == _HEADERS:
            return int.from_bytes(frames[5:9]) & 0x7FFF_FFFF
        frames = frames[9 + int.from_bytes(frames[:3]) :]
    return None


def _frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def _text(text: str) -> bytes:
    """An HPACK string that is not Huffman-coded; its length is an integer of seven bits and more (RFC 7541, 5.1)."""
    content = text.encode()
    length, rest = bytes((min(len(content), 127),)), len(content) - 127
    while rest >= 128:
        length += bytes((rest % 128 + 128,))
        rest //= 128
    return length + (bytes((rest,)) if rest >= 0 else b"") + content
