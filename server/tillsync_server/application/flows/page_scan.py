"""Reading the till's list pages while that costs less than single reads.

How many pages there are is known from an earlier whole reading, or learnt by reading on while it pays. Nothing is believed of the list
but the rows themselves: the size of pages, and that ids ascend, may differ, and rows drift between pages while the list is read. Whoever
is not found is simply read by itself.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime

from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.errors import Unreadable, UpstreamError
from tillsync_server.ports.till import MAX_LIST_PAGES, CustomerPage

_PATIENCE_SHARE = 8
"""Up to an eighth of the single reads it could save is spent on finding out whether pages pay."""
_UNREADABLE_PAGES = 4
"""So many of them, and the list is not worth reading."""

ServePage = Callable[[tuple[TillCustomer, ...], float, datetime], int]
"""Rows, when the page was asked for (monotonic), the same as time; answers how many waiting customers it served."""


class PageScan:
    """One reading of the list, from page 1."""

    def __init__(
        self,
        read_page: Callable[[int], Awaitable[CustomerPage]],
        *,
        is_wanted: Callable[[], int],
        serve: ServePage,
        last_page: int | None,
        at_once: int,
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        """``is_wanted``: how many of the crowd still wait. ``last_page``: of an earlier whole reading."""
        self._read_page = read_page
        self._left = is_wanted
        self._serve = serve
        self._known_last_page = last_page
        self._at_once = at_once
        self._now = now
        self._clock = clock
        self._crowd = is_wanted()
        self._seen: set[Hashable] = set()
        self._served = 0
        self._ended = False
        self._last_with_rows = 0
        self._has_gaps = False
        self._unreadable = 0
        self.pages_read = 0
        self.last_page: int | None = None
        """Set when the list was read to its end."""
        self.pages_at_least = 0
        """Set when it was given up: it does not pay for a crowd of so many, or does not end."""

    async def run(self) -> None:
        """Ends when nobody waits any more, at the list's end, or when it does not pay. Raises RunInterrupted; a page that fails ends
        it too (the single reads then say what is wrong), except an unreadable one. A row that cannot be read is read by itself."""
        number = 0
        flying: set[asyncio.Task[None]] = set()
        try:
            while True:
                while len(flying) < self._at_once and self._goes_on(number + 1, nothing_flies=not flying):
                    number += 1
                    flying.add(asyncio.create_task(self._read(number)))
                if not flying:
                    break
                done, flying = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
                failed = [error for task in done if (error := task.exception()) is not None]  # asked of all, or the loop complains of some
                if failed:
                    raise failed[0]
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)
        if self._ended and not self._has_gaps and self._last_with_rows:
            self.last_page = self._last_with_rows

    def _goes_on(self, number: int, *, nothing_flies: bool) -> bool:
        left = self._left()
        if self._ended or not left:
            return False
        if number > MAX_LIST_PAGES:
            self.pages_at_least = MAX_LIST_PAGES
            return False
        if self._known_last_page is not None:
            # beyond it only one page at a time: it may have grown
            return number <= self._known_last_page or nothing_flies
        if self.pages_read > self._served + self._crowd // _PATIENCE_SHARE:
            self.pages_at_least = max(self._crowd, self._estimate())
            return False
        return number <= self._estimate() or nothing_flies

    def _estimate(self) -> int:
        """Pages until all are found, if they lie evenly."""
        if not self._served:
            return self.pages_read + self._at_once
        return math.floor(self.pages_read * self._crowd / self._served)

    async def _read(self, number: int) -> None:
        asked_at, as_of = self._clock(), self._now()
        try:
            page = await self._read_page(number)
        except Unreadable:
            self.pages_read += 1
            self._unreadable += 1
            self._has_gaps = True
            self._ended = self._ended or self._unreadable >= _UNREADABLE_PAGES
            return
        except UpstreamError:
            self._ended = self._has_gaps = True
            return
        self.pages_read += 1
        keys = {*(row.epos_customer_id for row in page.rows), *(row.key for row in page.unread)}
        if keys <= self._seen:
            self._ended = True
            return
        self._last_with_rows = max(self._last_with_rows, number)
        self._seen |= keys
        self._served += self._serve(page.rows, asked_at, as_of)
