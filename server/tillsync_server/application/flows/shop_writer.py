"""Forms shop batches. It gathers the shop writes of many entries into as few requests as their priorities allow.

A LIVE write leaves after at most 50 ms, or at once when no write is pending. Its request also carries queued BULK writes. BULK writes leave
as a full batch, after 5 s, or when the lane no longer reads or writes. A shop customer is never in two requests at a time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tillsync_server.application.concurrency.task_scope import TaskScope
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.application.flows.shop_sender import ShopSender
from tillsync_server.application.flows.shop_write import QueuedWrite, ShopWrite, fail
from tillsync_server.domain.errors import RunInterrupted
from tillsync_server.domain.ids import WooCustomerId
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.shop import WriteResult

_LIVE_REQUESTS = 2
"""Requests under way at once. A LIVE batch may leave beside another one; BULK batches leave one after another."""


class ShopWriter:
    """One per lease and configuration."""

    def __init__(self, context: LaneContext) -> None:
        self._context = context
        self._services = context.services
        self._settings = context.services.settings
        self._queue: list[QueuedWrite] = []
        self._sender = ShopSender(context)
        self._tasks = TaskScope()
        self._batches_under_way = 0
        self._in_flight: set[WooCustomerId] = set()
        self._pending = 0
        self._quiet_since = self._services.clock()
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    @contextmanager
    def pending_write(self) -> Iterator[None]:
        """Marks a write as pending. LIVE writes wait for pending ones until their deadline, so that they share one request."""
        self._pending += 1
        try:
            yield
        finally:
            self._pending -= 1
            self._state_changed()

    @contextmanager
    def write_queued(self) -> Iterator[None]:
        """Inside :meth:`pending_write`: the write is in the queue and no longer pending."""
        self._pending -= 1
        self._state_changed()
        try:
            yield
        finally:
            self._pending += 1

    async def write(self, write: ShopWrite) -> WriteResult:
        """Returns NOT_DONE if the shop did not get to the write, or if other writes of its batch kept failing (see ``error``). Nothing is
        charged then.

        Raises UpstreamError when the whole request failed, RunInterrupted, and the errors of the database. RunInterrupted also means that
        settings or the link have changed, and nothing was sent. A confirmed write is recorded (hash, removal, gone) before this returns.
        """
        if self._tasks.is_closed:
            raise RunInterrupted("the lease has ended")
        _ = self._max_batch  # raises here if a credential is missing
        item = QueuedWrite(write, self._services.clock(), asyncio.get_running_loop().create_future())
        self._queue.append(item)
        self._wake.set()
        if self._loop is None:
            self._loop = self._tasks.start(self._run())
        return await item.result

    async def close(self) -> None:
        """Ends every request and cancels waiting callers. No task runs afterwards."""
        try:
            await self._tasks.close()
        finally:
            for item in self._queue:
                item.result.cancel()
            self._queue.clear()

    # gathering

    @property
    def _max_batch(self) -> int:
        """Most writes of one request. Raises CredentialsRefused without credentials."""
        return self._context.shop_of(RequestClass.BULK).max_batch

    def _state_changed(self) -> None:
        if not self._pending and not self._batches_under_way:
            self._quiet_since = self._services.clock()
        self._wake.set()

    async def _run(self) -> None:
        try:
            while self._queue or self._batches_under_way:
                self._wake.clear()
                self._queue = [item for item in self._queue if not item.result.done()]  # drops writes of cancelled callers
                due = self._due_at()
                wait = math.inf if due is None else due - self._services.clock()
                if wait <= 0:
                    self._dispatch_batch()
                else:
                    await self._wait_for_change(wait)
        except Exception as error:  # noqa: BLE001 - no write may wait for a loop that has ended
            waiting, self._queue = self._queue, []
            fail(waiting, error)
        finally:
            self._loop = None

    async def _wait_for_change(self, seconds: float) -> None:
        timer = None if seconds == math.inf else asyncio.get_running_loop().call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _sendable(self) -> list[QueuedWrite]:
        return [item for item in self._queue if item.write.woo_customer_id not in self._in_flight]

    def _due_at(self) -> float | None:
        """Returns when the next request leaves. None: no request is due until the state changes."""
        sendable = self._sendable()
        if not sendable or self._batches_under_way >= _LIVE_REQUESTS:
            return None
        live = [item for item in sendable if item.write.is_live]
        times = []
        if live:
            wait = self._settings.live_gather_seconds if self._pending else 0.0
            times.append(min(item.queued_at for item in live) + wait)
        if not self._batches_under_way:
            times.append(min(item.queued_at for item in sendable) + self._settings.bulk_gather_seconds)
            if not self._pending:
                times.append(self._quiet_since + self._settings.bulk_quiet_seconds)
            if len(sendable) >= self._max_batch or any(item.is_overdue for item in sendable):
                times.append(self._services.clock())
        return min(times, default=None)

    def _dispatch_batch(self) -> None:
        chosen: dict[WooCustomerId, QueuedWrite] = {}
        limit = self._max_batch
        for item in sorted(self._sendable(), key=lambda item: (not item.write.is_live, not item.is_overdue)):
            if len(chosen) >= limit:
                break
            chosen.setdefault(item.write.woo_customer_id, item)
        items = list(chosen.values())
        sent = set(map(id, items))
        self._queue = [item for item in self._queue if id(item) not in sent]
        self._in_flight.update(chosen)
        self._batches_under_way += 1
        self._tasks.start(self._sender.send(items)).add_done_callback(lambda task: self._sent(task, items))

    def _sent(self, task: asyncio.Task[None], items: Sequence[QueuedWrite]) -> None:
        self._batches_under_way -= 1
        self._in_flight.difference_update(item.write.woo_customer_id for item in items)
        fault = None if task.cancelled() else task.exception()
        for item in items:
            if item.result.done():
                continue
            if item.must_queue_again:
                item.must_queue_again, item.is_overdue = False, True
                self._queue.append(item)
            elif fault is not None:
                fail([item], fault)
            else:
                item.result.cancel()
        self._state_changed()
