"""Reading till customers for many entries at once: one by one, or, when more wait than the till has list pages, by its pages.

A value is given only to who asked before its request began: a hint that came meanwhile must see what changed meanwhile. So nothing is
kept, and two entries of one customer share a read only while it has not started.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.application.flows.page_scan import PageScan
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.ids import EposCustomerId


@dataclass(frozen=True, slots=True)
class ReadCustomer:
    """``as_of``: when the read that brought it began."""

    customer: TillCustomer
    as_of: datetime


@dataclass(slots=True, eq=False)
class _Wanted:
    customer_id: EposCustomerId
    asked_at: float
    is_live: bool
    read: asyncio.Future[ReadCustomer]
    is_started: bool = False
    askers: int = 1


@dataclass(slots=True)
class _Line:
    """Waiting for a single read, in order; those served by a page meanwhile are passed over."""

    live: deque[_Wanted] = field(default_factory=deque)
    bulk: deque[_Wanted] = field(default_factory=deque)

    def add(self, wanted: _Wanted) -> None:
        (self.live if wanted.is_live else self.bulk).append(wanted)

    def next(self) -> _Wanted | None:
        return self.next_live() or _next_of(self.bulk)

    def next_live(self) -> _Wanted | None:
        return _next_of(self.live)


def _next_of(line: deque[_Wanted]) -> _Wanted | None:
    while line:
        wanted = line.popleft()
        if not wanted.is_started and not wanted.read.done():
            return wanted
    return None


class TillReader:
    """One per lease and configuration."""

    def __init__(self, context: LaneContext) -> None:
        self._context = context
        self._services = context.services
        self._settings = context.services.settings
        self._waiting: dict[EposCustomerId, _Wanted] = {}
        """Asked for and not started: later askers join."""
        self._crowd: dict[EposCustomerId, _Wanted] = {}
        """Of these the bulk ones for which it is not decided yet how they are read."""
        self._line = _Line()
        self._busy = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._gathering: asyncio.Task[None] | None = None
        self._scanning = False
        self._last_arrival = 0.0
        self._pages_at_least = 0
        """Learnt by a scan that was given up: it does not pay for a crowd of so many."""

    async def read(self, customer_id: EposCustomerId, *, is_live: bool) -> ReadCustomer:
        """Raises UpstreamError of a single read (Missing: of this very customer), and RunInterrupted. LIVE reads go first."""
        wanted = self._waiting.get(customer_id)
        if wanted is None:
            read = asyncio.get_running_loop().create_future()
            wanted = self._waiting[customer_id] = _Wanted(customer_id, self._services.clock(), is_live, read)
            self._arrived(wanted)
        else:
            wanted.askers += 1
            wanted.asked_at = self._services.clock()  # a page that is on its way is too old for this one
            if is_live and not wanted.is_live:
                wanted.is_live = True
                self._crowd.pop(customer_id, None)
                self._line.add(wanted)
                self._pump()
        try:
            return await asyncio.shield(wanted.read)
        finally:
            wanted.askers -= 1
            if not wanted.askers and not wanted.read.done():
                wanted.read.cancel()  # nobody waits for it any more
                self._forget(wanted)

    async def close(self) -> None:
        tasks = [*self._tasks, *([self._gathering] if self._gathering else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for wanted in list(self._waiting.values()):
            wanted.read.cancel()

    # one by one

    def _arrived(self, wanted: _Wanted) -> None:
        self._last_arrival = self._services.clock()
        if wanted.is_live and not self._joins_crowd():
            self._line.add(wanted)
            self._pump()
            if len(self._line.live) >= self._settings.crowd:  # many live ones behind busy slots are a crowd too
                while (behind := self._line.next_live()) is not None:
                    self._crowd[behind.customer_id] = behind
        else:
            self._crowd[wanted.customer_id] = wanted
        if self._crowd and self._gathering is None:
            self._gathering = asyncio.create_task(self._gather())

    def _joins_crowd(self) -> bool:
        """A LIVE read that would have to wait behind the slots anyway, while a crowd gathers."""
        gathers = self._gathering is not None and not self._scanning
        return gathers and self._busy >= self._settings.till_concurrency and len(self._crowd) >= self._settings.crowd

    def _pump(self) -> None:
        while self._busy < self._settings.till_concurrency and (wanted := self._line.next()) is not None:
            self._busy += 1
            self._start(wanted)
            task = asyncio.create_task(self._read_single(wanted))
            self._tasks.add(task)
            task.add_done_callback(self._single_done)

    def _start(self, wanted: _Wanted) -> None:
        wanted.is_started = True
        self._forget(wanted)

    def _forget(self, wanted: _Wanted) -> None:
        for book in (self._waiting, self._crowd):
            if book.get(wanted.customer_id) is wanted:
                del book[wanted.customer_id]

    def _single_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._busy -= 1
        self._pump()

    async def _read_single(self, wanted: _Wanted) -> None:
        as_of = self._services.now()
        try:
            customer = await self._context.till.read_customer(wanted.customer_id)
            await self._context.gone.note_customers_read()
        except asyncio.CancelledError:
            wanted.read.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - told to who asked, whatever it is
            _tell(wanted, error)
        else:
            if not wanted.read.done():
                wanted.read.set_result(ReadCustomer(customer, as_of))

    # by pages

    async def _gather(self) -> None:
        """Waits until nobody has come for a while, then decides for all that came; who comes during a scan gathers anew."""
        try:
            while self._crowd:
                began = self._services.clock()
                while (pause := self._gathering_left(began)) > 0:  # noqa: ASYNC110 - each arrival moves the end
                    await asyncio.sleep(pause)
                self._scanning = True
                try:
                    await self._read_crowd()
                finally:
                    self._scanning = False
                self._pump()
        finally:
            self._gathering = None

    def _gathering_left(self, began: float) -> float:
        until = min(
            self._last_arrival + self._settings.crowd_gather_seconds,
            began + self._settings.crowd_gather_limit_seconds,
        )
        return until - self._services.clock()

    async def _read_crowd(self) -> None:
        """By pages where that pays; whoever is not served goes into the line."""
        crowd = list(self._waiting.values())
        try:
            if len(crowd) >= self._settings.crowd:
                await self._scan(crowd)
        except Exception as error:  # noqa: BLE001 - told to who waits for it, whatever it is
            for wanted in crowd:
                if self._waiting.get(wanted.customer_id) is wanted:
                    self._forget(wanted)
                    _tell(wanted, error)
        for wanted in crowd:
            if self._crowd.pop(wanted.customer_id, None) is not None:
                self._line.add(wanted)

    async def _scan(self, crowd: list[_Wanted]) -> None:
        context, services = self._context, self._services
        known = await services.knowledge.get(context.account.till_id, context.account.till_configuration)
        if len(crowd) <= max(known.last_page or 0, self._pages_at_least):
            return
        scan = PageScan(
            context.list_page,
            is_wanted=lambda: sum(self._waiting.get(wanted.customer_id) is wanted for wanted in crowd),
            serve=self._serve_page,
            last_page=known.last_page,
            at_once=self._settings.page_concurrency,
            now=services.now,
            clock=services.clock,
        )
        await scan.run()
        self._pages_at_least = max(self._pages_at_least, scan.pages_at_least)
        if scan.pages_read:
            await context.gone.note_customers_read(last_page=scan.last_page)

    def _serve_page(self, rows: tuple[TillCustomer, ...], asked_at: float, as_of: datetime) -> int:
        """How many of those who wait were served: only who asked before the page was asked for."""
        served = 0
        for customer in rows:
            wanted = self._waiting.get(customer.epos_customer_id)
            if wanted is not None and wanted.asked_at < asked_at and not wanted.read.done():
                self._forget(wanted)
                wanted.read.set_result(ReadCustomer(customer, as_of))
                served += 1
        return served


def _tell(wanted: _Wanted, error: Exception) -> None:
    if not wanted.read.done():
        wanted.read.set_exception(error)
        wanted.read.exception()  # its askers may all be gone
