"""Parses ``Retry-After``, which holds seconds or an HTTP date (RFC 9110, 10.2.3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_SECONDS = 86_400.0
"""Longest wait, one day. A longer value is a mistake of the sender. All attempts of an entry together take about a day."""


def _now() -> datetime:
    return datetime.now(UTC)


def retry_after_seconds(value: str | None, now: Callable[[], datetime] = _now) -> float | None:
    """Returns the seconds to wait from now, 0 to a day, or None without a readable header."""
    text = (value or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), MAX_SECONDS)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # parsedate_to_datetime raises OverflowError for a year or zone of twenty digits.
        return None
    if when.tzinfo is None:  # "-0000" means UTC, and parsedate_to_datetime sets no zone for it.
        when = when.replace(tzinfo=UTC)
    return min(max((when - now()).total_seconds(), 0.0), MAX_SECONDS)
