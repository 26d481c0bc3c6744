"""What came back: read whole, capped, undecided. Each adapter says what its statuses mean."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn

from multidict import CIMultiDictProxy

from tillsync_server.adapters.http_client.cleaning import clean_text, is_html
from tillsync_server.adapters.http_client.describing import described
from tillsync_server.adapters.http_client.retry_after import retry_after_seconds
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Unreadable

_TEXT_BYTES = 128 * 1024
"""Of a body that is read as text: four bytes for each character that is looked at (cleaning)."""
_CHARSET = re.compile(
    r"utf[-_]?(?:8|16|32)(?:[-_]?[bl]e)?|(?:us[-_]?)?ascii|iso[-_]?8859[-_]\d{1,2}|latin[-_]?\d{1,2}|(?:windows[-_]?|cp)125\d"
    r"|koi8[-_][ru]|gb2312|gbk|gb18030|big5|shift[-_]?jis|euc[-_](?:jp|kr)",
    re.IGNORECASE,
)
"""Those of web pages. Python knows others that raise whatever is asked of them (undefined, idna) or take a minute for four megabytes
(punycode), and it keeps every name it was ever asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Any status but a redirect. ``body`` is decompressed; of an error answer (status ≥ 400) only its first 64 KiB are kept."""

    side: Side
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes = field(repr=False)
    content_type: str
    """Lower case, without parameters; empty when the answer has none."""
    charset: str = "utf-8"
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_html(self) -> bool:
        """A page for people. Some proxies forget the content type, so the text is looked at unless it says JSON."""
        if self.content_type.endswith("json"):
            return False
        return self.content_type in ("text/html", "application/xhtml+xml") or is_html(self._decoded())

    @property
    def text(self) -> str:
        """The body as one clean line (see :func:`clean_text`); empty when there is none. Never for a note or a log."""
        return clean_text(self._decoded(), self.secrets)

    @property
    def description(self) -> str:
        """What the body is, for notes, which never quote one: it may hold what an export or an erasure would not find there."""
        return described(self._decoded(), is_page=self.is_html)

    @property
    def status_text(self) -> str:
        """``HTTP 502, HTML page of 1,204 characters``, ``HTTP 502 (no text)``."""
        return f"HTTP {self.status}, {self.description}" if self.body.strip() else f"HTTP {self.status} (no text)"

    @property
    def retry_after_seconds(self) -> float | None:
        return retry_after_seconds(self.headers.get("Retry-After"))

    def json(self) -> Any:
        """The body as JSON; fractions are Decimal, never float. Raises Unreadable."""

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
        except LookupError:  # such as iso-8859-99
            return start.decode("utf-8", "replace")
