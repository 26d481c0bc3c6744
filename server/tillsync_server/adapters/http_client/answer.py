"""The answer to an outgoing request: status, headers and the whole body up to a limit. Each adapter interprets the statuses."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn

from multidict import CIMultiDictProxy

from tillsync_server.adapters.http_client.cleaning import clean_text, is_html
from tillsync_server.adapters.http_client.describing import describe_body
from tillsync_server.adapters.http_client.retry_after import retry_after_seconds
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Unreadable

_TEXT_BYTES = 128 * 1024
"""Maximum bytes of a body that are decoded as text: four bytes for each character that ``cleaning`` reads."""
_CHARSET = re.compile(
    r"utf[-_]?(?:8|16|32)(?:[-_]?[bl]e)?|(?:us[-_]?)?ascii|iso[-_]?8859[-_]\d{1,2}|latin[-_]?\d{1,2}|(?:windows[-_]?|cp)125\d"
    r"|koi8[-_][ru]|gb2312|gbk|gb18030|big5|shift[-_]?jis|euc[-_](?:jp|kr)",
    re.IGNORECASE,
)
"""Charsets of web pages. Other codecs of Python always raise (undefined, idna) or take a minute for four megabytes (punycode). Python also
caches every codec name that it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer with any status but a redirect. ``body`` is decompressed. An error answer (status ≥ 400) keeps the first 64 KiB."""

    side: Side
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes = field(repr=False)
    content_type: str
    """Media type in lower case, without parameters. Empty when the answer has no Content-Type."""
    charset: str = "utf-8"
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_html(self) -> bool:
        """Whether the body is an HTML page. Some proxies omit the content type, so the text decides unless the type is JSON."""
        if self.content_type.endswith("json"):
            return False
        return self.content_type in ("text/html", "application/xhtml+xml") or is_html(self._decoded())

    @property
    def text(self) -> str:
        """The body as one clean line (see :func:`clean_text`); empty without a body. Do not put it into a note or a log."""
        return clean_text(self._decoded(), self.secrets)

    @property
    def description(self) -> str:
        """Kind and size of the body. Notes use it because they never quote a body: export and erasure do not search notes."""
        return describe_body(self._decoded(), is_page=self.is_html)

    @property
    def status_text(self) -> str:
        """``HTTP 502, HTML page of 1,204 characters``, ``HTTP 502 (no text)``."""
        return f"HTTP {self.status}, {self.description}" if self.body.strip() else f"HTTP {self.status} (no text)"

    @property
    def retry_after_seconds(self) -> float | None:
        return retry_after_seconds(self.headers.get("Retry-After"))

    def json(self) -> Any:
        """Parses the body as JSON; fractions become Decimal, never float. Raises Unreadable."""

        def refuse(constant: str) -> NoReturn:
            raise ValueError(f"{constant} is no number")

        try:
            return json.loads(self.body.decode("utf-8-sig"), parse_float=Decimal, parse_constant=refuse)
        except (ValueError, RecursionError) as error:
            what = "empty" if not self.body.strip() else f"not JSON: {self.description}"
            text = f"the answer (HTTP {self.status}) is {what}"
            raise Unreadable(self.side, text, status=self.status, body_text=self.status_text) from error

    def _decoded(self) -> str:
        start, charset = self.body[:_TEXT_BYTES], self.charset.strip()
        try:
            return start.decode(charset if _CHARSET.fullmatch(charset) else "utf-8", "replace")
        except LookupError:  # An unknown charset such as iso-8859-99.
            return start.decode("utf-8", "replace")
