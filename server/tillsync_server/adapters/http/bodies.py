"""Reads and inflates the bodies of requests once their caller is known. The limits bound the size as sent, the inflated size and the time.

aiohttp would inflate a body as it arrives, before its sender is authenticated, chunk by chunk. A chunk of 64 kB may become 64 MB.
"""

from __future__ import annotations

import asyncio
import zlib

from aiohttp import web

BODY_SECONDS = 30.0
"""Default time until the whole body must have arrived. Afterwards the request ends."""
ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})
_ANY_HEADER = zlib.MAX_WBITS | 32  # gzip's or zlib's


class BodyTooLarge(Exception):
    """The body is over its limit, as sent or inflated."""


class BodyTooSlow(Exception):
    """The body did not arrive in time."""


class BodyUnreadable(Exception):
    """The body is cut short, or does not have its declared encoding."""


class UnknownEncoding(Exception):
    """The Content-Encoding is none of ENCODINGS."""


async def read_body(request: web.Request, max_bytes: int, *, seconds: float | None = None) -> bytes:
    """Returns the inflated body. ``seconds`` defaults to BODY_SECONDS. Raises the four exceptions above."""
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ENCODINGS:
        raise UnknownEncoding(encoding)
    if (request.content_length or 0) > max_bytes:
        raise BodyTooLarge
    try:
        async with asyncio.timeout(BODY_SECONDS if seconds is None else seconds):
            sent = await _read_at_most(request, max_bytes)
    except TimeoutError:
        raise BodyTooSlow from None
    except (web.RequestPayloadError, asyncio.IncompleteReadError) as error:
        raise BodyUnreadable from error
    return sent if encoding in ("", "identity") or not sent else _inflated(sent, encoding, max_bytes)


async def _read_at_most(request: web.Request, max_bytes: int) -> bytes:
    read = bytearray()
    while chunk := await request.content.readany():
        read += chunk
        if len(read) > max_bytes:
            raise BodyTooLarge
    return bytes(read)


def _inflated(sent: bytes, encoding: str, max_bytes: int) -> bytes:
    # senders call both zlib's format and the bare one "deflate"
    bare = encoding == "deflate" and sent[0] & 0x0F != 8
    inflater = zlib.decompressobj(-zlib.MAX_WBITS if bare else _ANY_HEADER)
    try:
        inflated = inflater.decompress(sent, max_bytes + 1)
    except zlib.error as error:
        raise BodyUnreadable from error
    if len(inflated) > max_bytes:
        raise BodyTooLarge
    if not inflater.eof:
        raise BodyUnreadable("cut short")
    return inflated
