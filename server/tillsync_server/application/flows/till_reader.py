"""Reads till customers for many entries: by single reads, or by list pages if more customers wait than the till has pages.

A read is served only by a request that began after the read was asked for. A hint that came during a request must see later changes. So
nothing is cached, and two entries of one customer share a read only until it starts.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from functools import partial

from tillsync_server.application.concurrency.task_scope import TaskScope
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.application.flows.page_scan import PageScan
from tillsync_server.application.flows.single_reads import SingleReads
from tillsync_server.application.flows.waiting_reads import PendingRead, ReadCustomer, ScanCrowd, WaitingReads
from tillsync_server.domain.errors import RunInterrupted
from tillsync_server.domain.ids import EposCustomerId


class TillReader:
    """One per lease and configuration."""

    def __init__(self, context: LaneContext) -> None:
        self._context = context
        self._services = context.services
        self._settings = context.services.settings
        self._tick = itertools.count().__next__
        """Orders reads and page requests. Two of them may share a time of the clock, and never share a tick."""
        self._waiting = WaitingReads(self._settings.page_delivery_seconds)
        self._tasks = TaskScope()
        self._single_reads = SingleReads(context, self._tasks, self._waiting)
        self._turn: asyncio.Handle | None = None
        self._gathering: asyncio.Task[None] | None = None
        self._is_gathered = False
        """A whole LIVE batch is in the crowd, which does not wait for more reads."""
        self._scanning = False
        self._last_arrival = 0.0
        self._pages_at_least = 0
        """Lower bound of the till's pages, from scans that were given up. Pages do not pay for a crowd of at most this size."""
        self._pages_sufficed = 0
        """Most pages of the scans that served their whole crowd. The later customers of the same sweep are on as many pages."""

    async def read(self, customer_id: EposCustomerId, *, is_live: bool) -> ReadCustomer:
        """Reads LIVE customers first. Raises the UpstreamError of a single read (Missing: this customer is missing) and RunInterrupted."""
        if self._tasks.is_closed:
            raise RunInterrupted("the lease has ended")
        read = self._waiting.of(customer_id)
        if read is None:
            read = PendingRead(customer_id, self._tick(), is_live, asyncio.get_running_loop().create_future())
            self._waiting.add(read)
            self._enqueue(read)
        else:
            read.callers += 1
            read.asked_at = self._tick()  # a page under way is too old for this caller
            if is_live and not read.is_live:
                read.is_live = True
                self._waiting.crowd.pop(customer_id, None)
                self._enqueue(read)
        try:
            return await asyncio.shield(read.result)
        finally:
            read.callers -= 1
            if not read.callers and not read.result.done():
                read.result.cancel()  # no caller is left
                self._waiting.remove(read)

    async def close(self) -> None:
        """Ends every read and cancels waiting callers. No request and no task runs afterwards."""
        if self._turn is not None:
            self._turn.cancel()
        self._waiting.stop_delivery()
        try:
            await self._tasks.close()
        finally:
            self._waiting.cancel_all()

    # single reads

    def _enqueue(self, read: PendingRead) -> None:
        self._last_arrival = self._services.clock()
        if not read.is_live:
            self._join_crowd([read])
            return
        self._single_reads.add(read)
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._start_live_reads)

    def _start_live_reads(self) -> None:
        """Runs on the next turn of the event loop, when all reads of one claimed batch have been asked for."""
        self._turn = None
        if self._is_live_crowd() and not self._scanning:
            self._is_gathered = not self._single_reads.are_live_slots_busy  # behind busy slots the reads come one by one
            self._join_crowd(self._single_reads.take_live())
        elif self._would_wait_for_slots():
            self._join_crowd(self._single_reads.take_live())
        self._single_reads.start()
        if self._is_live_crowd():  # behind busy slots, during a scan
            self._join_crowd(self._single_reads.take_live())

    def _is_live_crowd(self) -> bool:
        return self._single_reads.live_count() >= self._settings.crowd

    def _would_wait_for_slots(self) -> bool:
        """True while all slots are busy and a crowd gathers, which LIVE reads then join."""
        gathers = self._gathering is not None and not self._scanning
        return gathers and self._single_reads.are_live_slots_busy and len(self._waiting.crowd) >= self._settings.crowd

    def _join_crowd(self, reads: Sequence[PendingRead]) -> None:
        self._waiting.crowd.update((read.customer_id, read) for read in reads)
        if self._waiting.crowd and self._gathering is None:
            self._gathering = self._tasks.start(self._gather())

    # list pages

    async def _gather(self) -> None:
        """Waits until no read has come for a while, then decides for all. Reads that come during a scan form the next crowd."""
        try:
            while self._waiting.crowd:
                began = self._services.clock()
                while (pause := self._gathering_left(began)) > 0:  # noqa: ASYNC110 - each arrival moves the end
                    await asyncio.sleep(pause)
                self._scanning, self._is_gathered = True, False
                try:
                    await self._read_crowd()
                finally:
                    self._scanning = False
                self._single_reads.start()
        finally:
            self._gathering = None

    def _gathering_left(self, began: float) -> float:
        if self._is_gathered:
            return 0.0
        until = min(
            self._last_arrival + self._settings.crowd_gather_seconds,
            began + self._settings.crowd_gather_limit_seconds,
        )
        return until - self._services.clock()

    async def _read_crowd(self) -> None:
        """Reads pages if that pays. Single reads serve the other customers."""
        crowd = self._waiting.all
        try:
            if len(crowd) >= self._settings.crowd:
                await self._scan(crowd)
        except Exception as error:  # noqa: BLE001 - raised to the callers
            for read in crowd:
                if read in self._waiting:
                    self._waiting.remove(read)
                    read.fail(error)
        self._waiting.deliver_found()
        for read in crowd:
            if self._waiting.crowd.pop(read.customer_id, None) is not None:
                self._single_reads.add(read)

    async def _scan(self, crowd: Sequence[PendingRead]) -> None:
        context, services = self._context, self._services
        knowledge = await services.knowledge.get(context.account.till_id, context.account.till_configuration)
        if len(crowd) <= max(knowledge.last_page or 0, self._pages_at_least):
            return

        scan_crowd = ScanCrowd(crowd, self._waiting)
        scan = PageScan(
            partial(context.till_access.list_page, request_class=min(read.request_class for read in crowd)),
            crowd=scan_crowd,
            last_page=knowledge.last_page,
            sufficed=self._pages_sufficed,
            at_once=self._settings.page_concurrency,
            now=services.now,
            tick=self._tick,
        )
        await scan.run()
        self._pages_at_least = max(self._pages_at_least, scan.pages_at_least)
        if not scan_crowd.left:
            self._pages_sufficed = max(self._pages_sufficed, scan.pages_read)
        if scan.pages_read:
            await context.deletion_check.note_customers_read(last_page=scan.last_page)
