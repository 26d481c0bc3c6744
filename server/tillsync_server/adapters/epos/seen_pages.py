"""What a till's pages show of its page size."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

VALID_SECONDS: Final = 3600.0
"""A till may change its page size: what it showed earlier is forgotten."""


class SeenPages:
    """Of one till, configuration and address, in this process.

    No document names the page size of a search, so only pages are evidence: one that holds fewer rows than another page of the same
    address was not filled, and nothing comes after it. A till that once put rows after such a page is never believed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rows: dict[int, int] = {}
        """Of the list, by page number."""
        self._began_at = clock()

    def note(self, number: int, rows: int) -> None:
        """A list page came, with so many rows."""
        if self._is_outdated():
            self._rows.clear()
            self._began_at = self._clock()
        if rows:
            self._rows[number] = rows
        else:
            self._rows.pop(number, None)

    def is_last(self, rows: int) -> bool:
        """Whether a page with so many rows is known to be the last."""
        if not self._rows or self._is_outdated():
            return False
        most, last = max(self._rows.values()), max(self._rows)
        has_gaps = any(count < most for number, count in self._rows.items() if number < last)
        return rows < most and not has_gaps

    def _is_outdated(self) -> bool:
        return self._clock() - self._began_at >= VALID_SECONDS
