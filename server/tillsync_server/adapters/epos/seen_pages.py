"""Row counts of a till's list pages, from which the page size is inferred."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

VALID_SECONDS: Final = 3600.0
"""Row counts are dropped after this time, because a till may change its page size."""


class SeenPages:
    """Row counts of one till, configuration and address. They are kept in the memory of this process.

    No document names the page size of a search, so only pages are evidence. A page with fewer rows than another page of the same address
    was not filled, and no page follows it. Once a till has served rows after such a page, no page of it counts as the last.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rows: dict[int, int] = {}
        """Row count by page number of the list."""
        self._began_at = clock()

    def note(self, number: int, rows: int) -> None:
        """Records that a list page had ``rows`` rows."""
        if self._is_outdated():
            self._rows.clear()
            self._began_at = self._clock()
        if rows:
            self._rows[number] = rows
        else:
            self._rows.pop(number, None)

    def is_last(self, rows: int) -> bool:
        """Whether a page with ``rows`` rows is known to be the last."""
        if not self._rows or self._is_outdated():
            return False
        most, last = max(self._rows.values()), max(self._rows)
        has_gaps = any(count < most for number, count in self._rows.items() if number < last)
        return rows < most and not has_gaps

    def _is_outdated(self) -> bool:
        return self._clock() - self._began_at >= VALID_SECONDS
