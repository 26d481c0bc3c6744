"""Delays between failed attempts: 30 s × 4ⁿ with jitter, at most 12 h. Eight attempts take about a day."""

from __future__ import annotations

from dataclasses import dataclass
from random import random

MAX_DELAY_SECONDS = 12 * 3600.0
PAUSE_BASE_SECONDS = 15.0
PAUSE_MAX_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``max_attempts``: charged attempts until the entry is FAILED. ``base_seconds``: the first delay."""

    max_attempts: int = 8
    base_seconds: float = 30.0

    def is_exhausted(self, charged_attempts: int) -> bool:
        # invariant: attempts-run-out
        return charged_attempts >= self.max_attempts

    def delay_seconds(self, charged_attempts: int, retry_after_seconds: float | None = None) -> float:
        """The delay after the ``charged_attempts``-th attempt (from 1), with ±20 % jitter. A longer Retry-After wins."""
        exponent = min(max(charged_attempts - 1, 0), 16)
        delay = min(self.base_seconds * 4.0**exponent, MAX_DELAY_SECONDS) * (0.8 + 0.4 * random())
        return max(delay, min(retry_after_seconds or 0.0, MAX_DELAY_SECONDS))

    def pause_seconds(self, consecutive_pauses: int, retry_after_seconds: float | None = None) -> float:
        """How long a side of an account is paused after its ``consecutive_pauses``-th consecutive account-wide failure (from 1)."""
        base = min(PAUSE_BASE_SECONDS, self.base_seconds)
        delay = min(base * 2.0 ** min(max(consecutive_pauses - 1, 0), 16), PAUSE_MAX_SECONDS) * (0.8 + 0.4 * random())
        return max(delay, min(retry_after_seconds or 0.0, MAX_DELAY_SECONDS))
