"""Reads till customers one by one, as many at once as there are slots."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from functools import partial

from tillsync_server.application.concurrency.task_scope import TaskScope
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.application.flows.waiting_reads import PendingRead, ReadCustomer, WaitingReads
from tillsync_server.domain.errors import UpstreamError
from tillsync_server.domain.request_class import RequestClass


class SingleReads:
    """Reads LIVE customers first, then in order. It skips a read that a page has served meanwhile.

    LIVE reads have slots of their own, because BULK reads may wait for long at the till's gate.
    """

    def __init__(self, context: LaneContext, tasks: TaskScope, waiting: WaitingReads) -> None:
        self._context = context
        self._services = context.services
        self._slots = context.services.settings.till_concurrency
        self._tasks = tasks
        self._waiting = waiting
        self._queues: dict[RequestClass, deque[PendingRead]] = {RequestClass.LIVE: deque(), RequestClass.BULK: deque()}
        self._busy: Counter[RequestClass] = Counter()

    @property
    def are_live_slots_busy(self) -> bool:
        return self._busy[RequestClass.LIVE] >= self._slots

    def add(self, read: PendingRead) -> None:
        self._queues[read.request_class].append(read)

    def take_live(self) -> list[PendingRead]:
        reads = [read for read in self._queues[RequestClass.LIVE] if read.is_waiting]
        self._queues[RequestClass.LIVE].clear()
        return reads

    def live_count(self) -> int:
        return sum(read.is_waiting for read in self._queues[RequestClass.LIVE])

    def start(self) -> None:
        """Starts as many reads as there are free slots."""
        while not self._tasks.is_closed:
            read = self._next()
            if read is None:
                return
            self._busy[read.request_class] += 1
            read.is_started = True
            self._waiting.remove(read)
            self._tasks.start(self._read(read)).add_done_callback(partial(self._done, read.request_class))

    def _next(self) -> PendingRead | None:
        for request_class, queue in self._queues.items():
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
        except Exception as error:  # noqa: BLE001 - raised to the callers
            read.fail(error)
        else:
            read.deliver(ReadCustomer(customer, as_of))
