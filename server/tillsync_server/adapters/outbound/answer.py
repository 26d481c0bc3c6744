"""What came back: read whole, capped, undecided. Each adapter says what its statuses mean."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn

from multidict import CIMultiDictProxy

from tillsync_server.adapters.outbound.cleaning import clean_text, is_html
from tillsync_server.adapters.outbound.retry_after import retry_after_seconds
from tillsync_server.domain.errors import Unreadable
from tillsync_server.domain.vocabulary import Side


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
        """The body as one clean line (see :func:`clean_text`); empty when there is none."""
        return clean_text(self._decoded(), self.secrets)

    @property
    def status_text(self) -> str:
        """``HTTP 502: HTML page: Bad Gateway`` or ``HTTP 502 (no text)``."""
        return f"HTTP {self.status}: {self.text}"[:500] if self.text else f"HTTP {self.status} (no text)"

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
            what = "empty" if not self.body.strip() else f"not JSON: {self.text[:200]}"
            raise Unreadable(self.side, f"the answer (HTTP {self.status}) is {what}", status=self.status, body_text=self.text) from error

    def _decoded(self) -> str:
        try:
            return self.body.decode(self.charset, "replace")
        except LookupError:  # a charset nobody knows
            return self.body.decode("utf-8", "replace")
