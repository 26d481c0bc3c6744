"""Page and continuation tokens. A token has the position of the next page, and is bound to its request.

A token is base64url of a version byte, 12 bytes of BLAKE2b over the request, and the position as JSON. It is opaque, not secret and not
signed. It gives access to nothing more than the request does: a caller with a made-up token gets an odd page of the caller's own account.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from tillsync_server.domain.errors import InvalidArgument
from tillsync_server.domain.ids import EntryId

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 500
MAX_TOKEN_LENGTH = 1024

_VERSION = b"\x01"
_DIGEST_BYTES = 12


def coerced_page_size(page_size: int, *, default: int = DEFAULT_PAGE_SIZE, max_size: int = MAX_PAGE_SIZE) -> int:
    """Returns ``page_size``, ``default`` for 0, at most ``max_size``. Raises InvalidArgument for a negative one."""
    if page_size < 0:
        raise InvalidArgument.of("page_size", f"must not be negative; leave it out for {default}")
    return min(page_size or default, max_size)


class PageTokens:
    """Makes and reads the tokens of one request. ``request`` has the parts that must stay the same, in a fixed order. ``max_length``:
    characters of a token."""

    def __init__(self, field: str, *request: object, max_length: int = MAX_TOKEN_LENGTH) -> None:
        self._field = field
        self._max_length = max_length
        text = json.dumps([field, *(_plain(part) for part in request)], separators=(",", ":"), ensure_ascii=True)
        self._digest = hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()

    def make(self, *position: int | str) -> str:
        content = json.dumps(position, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(_VERSION + self._digest + content).rstrip(b"=").decode()

    def read(self, token: str) -> list[Any] | None:
        """Returns the token's position, or None for an empty token. Raises InvalidArgument (PAGE_TOKEN_INVALID) for a malformed token or
        one of another request."""
        if not token:
            return None
        try:
            if len(token) > self._max_length:
                raise ValueError("too long")
            content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            position = json.loads(content[1 + _DIGEST_BYTES :])
        except (ValueError, RecursionError, binascii.Error) as error:
            raise self._refused("is not a token of this service: begin again without it") from error
        if content[:1] != _VERSION or not isinstance(position, list) or not all(map(_is_storable, position)):
            raise self._refused("is not a token of this service: begin again without it")
        if content[1 : 1 + _DIGEST_BYTES] != self._digest:
            raise self._refused("belongs to another request: keep the other fields as they were, or begin again without it")
        return position

    def read_int(self, token: str) -> int | None:
        position = self.read(token)
        if position is None:
            return None
        if len(position) == 1 and isinstance(position[0], int) and not isinstance(position[0], bool) and abs(position[0]) < 2**63:
            return position[0]
        raise self._refused("is not a token of this service: begin again without it")

    def read_text(self, token: str) -> str | None:
        position = self.read(token)
        if position is None:
            return None
        if len(position) == 1 and isinstance(position[0], str):
            return position[0]
        raise self._refused("is not a token of this service: begin again without it")

    def read_entry(self, token: str) -> EntryId | None:
        text = self.read_text(token)
        if text is None:
            return None
        try:
            return EntryId(UUID(text))
        except ValueError as error:
            raise self._refused("is not a token of this service: begin again without it") from error

    def _refused(self, problem: str) -> InvalidArgument:
        return InvalidArgument.of(self._field, problem, reason="PAGE_TOKEN_INVALID")


def _is_storable(item: object) -> bool:
    """Returns False for a text with NUL or lone surrogates, which JSON allows and the database does not."""
    return not isinstance(item, str) or not any(character == "\x00" or "\ud800" <= character <= "\udfff" for character in item)


def _plain(part: object) -> Any:
    """Returns a JSON form that is the same for equal parts. Sets are sorted, and times become instants."""
    if isinstance(part, frozenset | set):
        return sorted((_plain(item) for item in part), key=repr)
    if isinstance(part, datetime):
        return part.timestamp()
    if isinstance(part, Sequence) and not isinstance(part, str | bytes):
        return [_plain(item) for item in part]
    if part is None or isinstance(part, bool | int | str):
        return part
    raise TypeError(f"{type(part).__name__} cannot be part of a request's identity")
