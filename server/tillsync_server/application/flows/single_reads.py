"""Reads of single till customers: what waits for a slot, and what is under way."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from tillsync_server.application.concurrency.task_scope import TaskScope
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.errors import UpstreamError
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.domain.request_class import RequestClass


@dataclass(frozen=True, slots=True)
class ReadCustomer:
    """``as_of``: when the request that brought it began."""

    customer: TillCustomer
    as_of: datetime


@dataclass(slots=True, eq=False)
class PendingRead:
    customer_id: EposCustomerId
    asked_at: int
    """On the reader's tick, which orders questions and page requests."""
    is_live: bool
    result: asyncio.Future[ReadCustomer]
    is_started: bool = False
    askers: int = 1

    @property
    def is_waiting(self) -> bool:
        return not (self.is_started or self.result.done())

    @property
    def request_class(self) -> RequestClass:
        return RequestClass.LIVE if self.is_live else RequestClass.BULK

    def deliver(self, customer: ReadCustomer) -> None:
        if not self.result.done():
            self.result.set_result(customer)

    def fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)
            self.result.exception()  # its askers may all be gone


class SingleReads:
    """LIVE first, then in order. A read that a page has served meanwhile is skipped. ``started`` hears of each read before its request.

    LIVE reads have slots of their own: BULK reads may wait at the till's gate for long.
    """

    def __init__(self, context: LaneContext, tasks: TaskScope, started: Callable[[PendingRead], None]) -> None:
        self._context = context
        self._services = context.services
        self._slots = context.services.settings.till_concurrency
        self._tasks = tasks
        self._started = started
        self._waiting: dict[RequestClass, deque[PendingRead]] = {RequestClass.LIVE: deque(), RequestClass.BULK: deque()}
        self._busy: Counter[RequestClass] = Counter()

    @property
    def are_live_slots_busy(self) -> bool:
        return self._busy[RequestClass.LIVE] >= self._slots

    def add(self, read: PendingRead) -> None:
        self._waiting[read.request_class].append(read)

    def take_live(self) -> list[PendingRead]:
        reads = [read for read in self._waiting[RequestClass.LIVE] if read.is_waiting]
        self._waiting[RequestClass.LIVE].clear()
        return reads

    def live_count(self) -> int:
        return sum(read.is_waiting for read in self._waiting[RequestClass.LIVE])

    def start(self) -> None:
        """As many as there are slots."""
        while not self._tasks.is_closed:
            read = self._next()
            if read is None:
                return
            self._busy[read.request_class] += 1
            read.is_started = True
            self._started(read)
            self._tasks.start(self._read(read)).add_done_callback(partial(self._done, read.request_class))

    def _next(self) -> PendingRead | None:
        for request_class, queue in self._waiting.items():
            while queue and self._busy[request_class] < self._slots:
                read = queue.popleft()
                if read.is_waiting:
                    return read
        return None

    def _done(self, request_class: RequestClass, _: asyncio.Task[None]) -> None:
        self._busy[request_class] -= 1
        self.start()

    async def _read(self, read: PendingRead) -> None:
        as_of = self._services.now()
        try:
            customer = await self._context.till_of(read.request_class).read_customer(read.customer_id)
            await self._context.deletion_check.note_customers_read()
        except asyncio.CancelledError:
            read.result.cancel()
            raise
        except UpstreamError as error:
            error.forget_frames()
            read.fail(error)
        except Exception as error:  # noqa: BLE001 - the askers get it, whatever it is
            read.fail(error)
        else:
            read.deliver(ReadCustomer(customer, as_of))
