"""Answers HTTP/2 at a port that speaks HTTP/1.1, with a sentence that every gRPC client shows (RFC 9113, gRPC over HTTP/2).

A GOAWAY alone is not enough: gRPC clients take it for the end of a connection, and call again until their deadline.
"""

from __future__ import annotations

import asyncio
import struct
from urllib.parse import quote

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_WAIT_SECONDS = 5.0
_MAX_BYTES = 65_536
"""Limit of what is read from a client that sends no HEADERS."""
_HEADERS, _SETTINGS, _GOAWAY = 1, 4, 7
_END_OF_STREAM_AND_HEADERS, _ACK = 5, 1
_NO_ERROR = 0
"""HTTP_1_1_REQUIRED would abort the caller's process, because gRPC's C core (1.85) does not know it."""
_STATUS_200 = b"\x88"  # entry 8 of HPACK's static table, as in gRPC's errors; of another status some clients show only the number
_FAILED_PRECONDITION = "9"  # UNAVAILABLE would invite a repeated call, which would end in the same way


class Http2Refusal:
    """Answers the first call of a connection with FAILED_PRECONDITION and ``sentence``, and closes the connection."""

    def __init__(self, transport: asyncio.Transport, sentence: str) -> None:
        self._transport = transport
        self._sentence = sentence
        self._unread = b""
        self._timer = asyncio.get_running_loop().call_later(_WAIT_SECONDS, self._end, 0)
        transport.write(_frame(_SETTINGS) + _frame(_SETTINGS, flags=_ACK))

    def data_received(self, data: bytes) -> None:
        """Receives the connection's bytes from the preface on."""
        if self._transport.is_closing():
            return
        self._unread += data
        stream = _first_call(self._unread[len(PREFACE) :])
        if stream is None and len(self._unread) < _MAX_BYTES:
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
    """Returns the stream of the first HEADERS frame that has begun to arrive, or None."""
    while len(frames) >= 9:
        if frames[3] == _HEADERS:
            return int.from_bytes(frames[5:9]) & 0x7FFF_FFFF
        frames = frames[9 + int.from_bytes(frames[:3]) :]
    return None


def _frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def _text(text: str) -> bytes:
    """Returns an HPACK string without Huffman coding. Its length is an integer with a seven-bit prefix (RFC 7541, 5.1)."""
    content = text.encode()
    length, rest = bytes((min(len(content), 127),)), len(content) - 127
    while rest >= 128:
        length += bytes((rest % 128 + 128,))
        rest //= 128
    return length + (bytes((rest,)) if rest >= 0 else b"") + content
