"""The till requests of email searches. The parts of a search share their slots."""

from __future__ import annotations

import asyncio

from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.domain.errors import Throttled
from tillsync_server.ports.till import CustomerPage, EmailSearch

_SHORT_WAITS = 5
_SHORT_WAIT_SECONDS = 20.0


class SearchRequests:
    """One per lease and configuration. Every method raises UpstreamError."""

    def __init__(self, context: LaneContext) -> None:
        self._till = context.till
        self._till_access = context.till_access
        self._deletion_check = context.deletion_check
        self._slots = asyncio.Semaphore(context.services.settings.till_concurrency)

    async def search(self, text: str) -> EmailSearch:
        async with self._slots:
            return await self._till.search_by_email(text)

    async def customers_page(self, number: int) -> CustomerPage:
        """Returns a list page, and records that the till's customers can be read."""
        page = await self._page(number)
        await self._deletion_check.note_customers_read()
        return page

    async def page_of_reading(self, number: int) -> CustomerPage:
        """Reads a page of a whole reading. Waits up to five times, each time up to 20 s, while the service's part of the allowance is used
        up. So a long reading is not lost. Raises Throttled at once if the till itself refused the request."""
        for _ in range(_SHORT_WAITS):
            try:
                return await self._page(number)
            except Throttled as throttled:
                wait = throttled.retry_after_seconds
                if throttled.status is not None or wait is None or wait > _SHORT_WAIT_SECONDS:
                    raise
                await asyncio.sleep(wait)
        return await self._page(number)

    async def _page(self, number: int) -> CustomerPage:
        async with self._slots:
            return await self._till_access.list_page(number)
