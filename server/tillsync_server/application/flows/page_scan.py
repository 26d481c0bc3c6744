"""Reads the till's list pages while they cost fewer requests than single reads.

An earlier whole reading tells the number of pages. Without one the scan reads on while it pays. It relies on the rows alone: page sizes and
the order of ids may differ, and rows move between pages during the scan. A single read serves a customer that the scan does not find.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime

from tillsync_server.application.concurrency.task_scope import task_group
from tillsync_server.application.flows.waiting_reads import ScanCrowd
from tillsync_server.domain.errors import Unreadable, UpstreamError
from tillsync_server.ports.till import MAX_LIST_PAGES, CustomerPage

_TRIAL_SHARE = 8
"""The scan spends up to an eighth of the single reads that it could save to find out whether pages pay."""
_UNREADABLE_PAGES = 4
"""Number of unreadable pages after which the scan ends."""


class PageScan:
    """One reading of the list, from page 1."""

    def __init__(
        self,
        read_page: Callable[[int], Awaitable[CustomerPage]],
        *,
        crowd: ScanCrowd,
        last_page: int | None,
        sufficed: int = 0,
        at_once: int,
        now: Callable[[], datetime],
        tick: Callable[[], int],
    ) -> None:
        """``last_page``: of an earlier whole reading. ``sufficed``: number of pages that served an earlier crowd. ``tick``: orders page
        requests and reads of the crowd."""
        self._read_page = read_page
        self._crowd = crowd
        self._known_last_page = last_page
        self._at_once = at_once
        self._now = now
        self._tick = tick
        self._crowd_size = crowd.left
        self._sufficed = sufficed if sufficed < self._crowd_size else 0
        self._under_way = 0
        self._page_done = asyncio.Event()
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
        """Set when the scan was given up: it does not pay for a crowd of at most this size, or the list does not end."""

    async def run(self) -> None:
        """Scans until no read waits, the list ends, or the scan does not pay. Raises RunInterrupted. No page request runs afterwards.

        A failed page ends the scan, and single reads then report the error. An unreadable page does not end it. A single read serves a row
        that cannot be read.
        """
        number = 0
        async with task_group() as pages:
            while True:
                self._page_done.clear()
                while self._under_way < self._at_once and self._may_read(number + 1):
                    number += 1
                    self._under_way += 1
                    pages.create_task(self._read(number))
                if not self._under_way:
                    break
                await self._page_done.wait()
        if self._ended and not self._has_gaps and self._last_with_rows:
            self.last_page = self._last_with_rows

    def _may_read(self, number: int) -> bool:
        if self._ended or not self._crowd.left:
            return False
        if number > MAX_LIST_PAGES:
            self.pages_at_least = MAX_LIST_PAGES
            return False
        if self._known_last_page is not None:
            # beyond the known end only one page at a time, because the list may have grown
            return number <= self._known_last_page or not self._under_way
        if number > max(self._served + self._crowd_size // _TRIAL_SHARE, self._sufficed):  # pages under way are spent too
            self.pages_at_least = max(self._crowd_size, self._estimate())
            return False
        return number <= self._estimate() or not self._under_way

    def _estimate(self) -> int:
        """Returns the number of pages until all are found, if they are spread evenly."""
        if not self._served:
            return self.pages_read + self._at_once
        return math.floor(self.pages_read * self._crowd_size / self._served)

    async def _read(self, number: int) -> None:
        try:
            await self._read_page_at(number)
        finally:
            self._under_way -= 1
            self._page_done.set()

    async def _read_page_at(self, number: int) -> None:
        asked_at, as_of = self._tick(), self._now()
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
        self._served += self._crowd.serve(page.rows, asked_at, as_of)
