"""Writes shop customers for many entries at once, gathered into as few requests as their priorities allow.

A LIVE write leaves after at most 50 ms, at once when no write is pending, and takes queued BULK writes along. BULK writes leave as a full
batch, after 5 s, or when the lane reads and writes nothing any more. A shop customer is never in two requests at a time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from tillsync_server.application.concurrency.task_scope import TaskScope
from tillsync_server.application.flows.failure_verdicts import effect_unknown
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.domain.customer import CustomerValues, CustomerWrite
from tillsync_server.domain.errors import Refused, RunInterrupted, ServerFailure, Unanswered, Unreadable, UpstreamError
from tillsync_server.domain.ids import EposCustomerId, WooCustomerId
from tillsync_server.domain.vocabulary import Side
from tillsync_server.ports.links import ConfirmedWrite, WriteBasis
from tillsync_server.ports.shop import WriteResult, WriteStatus

_LIVE_REQUESTS = 2
"""Requests under way at once: a LIVE batch may leave beside another, BULK batches leave one after the other."""
_UNANSWERED_COST = 8
"""What an unanswered request costs of ``split_requests``: each takes the whole timeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopWrite:
    """``values`` None removes ours. ``content_hash``: kept with the link once the shop has confirmed the write."""

    woo_customer_id: WooCustomerId
    epos_customer_id: EposCustomerId
    values: CustomerValues | None
    content_hash: bytes | None = None
    as_of: datetime | None = None
    is_live: bool = False
    at_least: int = 0
    """A version the shop answered as stale: this one goes above it."""
    registered_at: datetime | None = None
    registered_before: datetime | None = None
    """As in ``CustomerWrite``."""


@dataclass(slots=True, eq=False)
class _Item:
    write: ShopWrite
    queued_at: float
    result: asyncio.Future[WriteResult]
    is_overdue: bool = False
    """The shop did not get to it: the next request takes it."""


class ShopWriter:
    """One per lease and configuration."""

    def __init__(self, context: LaneContext) -> None:
        self._context = context
        self._services = context.services
        self._settings = context.services.settings
        self._queue: list[_Item] = []
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
        """NOT_DONE: the shop did not get to it, or its neighbours kept failing (``error`` then says how); nothing is charged.

        Raises UpstreamError when the request failed as a whole, RunInterrupted (also when settings or its link have changed: nothing was
        sent), and what the database raises. Confirmed writes are noted (hash, removal, gone) before this returns.
        """
        if self._tasks.is_closed:
            raise RunInterrupted("the lease has ended")
        _ = self._context.shop.max_batch  # raises here what a missing credential raises
        item = _Item(write, self._services.clock(), asyncio.get_running_loop().create_future())
        self._queue.append(item)
        self._wake.set()
        if self._loop is None:
            self._loop = self._tasks.start(self._run())
        return await item.result

    async def close(self) -> None:
        """Ends every request: no task outlives it, and whoever waits is cancelled."""
        try:
            await self._tasks.close()
        finally:
            for item in self._queue:
                item.result.cancel()
            self._queue.clear()

    # gathering

    def _state_changed(self) -> None:
        if not self._pending and not self._batches_under_way:
            self._quiet_since = self._services.clock()
        self._wake.set()

    async def _run(self) -> None:
        try:
            while self._queue or self._batches_under_way:
                self._wake.clear()
                self._queue = [item for item in self._queue if not item.result.done()]  # its asker was cancelled
                due = self._due_at()
                wait = math.inf if due is None else due - self._services.clock()
                if wait <= 0:
                    self._dispatch_batch()
                else:
                    await self._woken_within(wait)
        except Exception as error:  # noqa: BLE001 - no write may wait for a loop that has ended
            waiting, self._queue = self._queue, []
            _fail(waiting, error)
        finally:
            self._loop = None

    async def _woken_within(self, seconds: float) -> None:
        timer = None if seconds == math.inf else asyncio.get_running_loop().call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _free(self) -> list[_Item]:
        return [item for item in self._queue if item.write.woo_customer_id not in self._in_flight]

    def _due_at(self) -> float | None:
        """When the next request leaves. None: not before something changes."""
        free = self._free()
        if not free or self._batches_under_way >= _LIVE_REQUESTS:
            return None
        live = [item for item in free if item.write.is_live]
        times = []
        if live:
            patience = self._settings.live_gather_seconds if self._pending else 0.0
            times.append(min(item.queued_at for item in live) + patience)
        if not self._batches_under_way:
            times.append(min(item.queued_at for item in free) + self._settings.bulk_gather_seconds)
            if not self._pending:
                times.append(self._quiet_since + self._settings.bulk_quiet_seconds)
            if len(free) >= self._context.shop.max_batch or any(item.is_overdue for item in free):
                times.append(self._services.clock())
        return min(times, default=None)

    def _dispatch_batch(self) -> None:
        chosen: dict[WooCustomerId, _Item] = {}
        limit = self._context.shop.max_batch
        for item in sorted(self._free(), key=lambda item: (not item.write.is_live, not item.is_overdue)):
            if len(chosen) >= limit:
                break
            chosen.setdefault(item.write.woo_customer_id, item)
        items = list(chosen.values())
        taken = set(map(id, items))
        self._queue = [item for item in self._queue if id(item) not in taken]
        self._in_flight.update(chosen)
        self._batches_under_way += 1
        self._tasks.start(self._send(items)).add_done_callback(lambda task: self._sent(task, items))

    def _sent(self, task: asyncio.Task[None], items: Sequence[_Item]) -> None:
        self._batches_under_way -= 1
        self._in_flight.difference_update(item.write.woo_customer_id for item in items)
        fault = None if task.cancelled() else task.exception()
        waiting = set(map(id, self._queue))
        for item in items:
            if id(item) not in waiting and not item.result.done():
                _fail([item], fault) if fault is not None else item.result.cancel()
        self._state_changed()

    # sending

    async def _send(self, items: list[_Item]) -> None:
        """Sends the batch, and in parts what must be sent again. Every item without a result gets the error that is raised here.

        The first half of the budget goes to all parts in turn, so that good neighbours get through early. The other half goes to the
        smallest parts, until the bad items are alone. After that the rest is NOT_DONE, but only once an item has a result: otherwise one
        item that the shop never answers would keep its neighbours waiting for ever.
        """
        groups, budget, splits, got_through = [items], self._settings.split_requests, False, False
        doubt: UpstreamError | None = None
        while groups:
            if splits and budget <= 0 and got_through:
                for item in (item for group in groups for item in group):
                    _tell(item, WriteResult(status=WriteStatus.NOT_DONE, error=doubt))
                return
            in_turn = budget > self._settings.split_requests / 2
            group = groups.pop(0 if in_turn else min(range(len(groups)), key=lambda position: len(groups[position])))
            budget -= splits
            try:
                group, batch = await self._batch(group)
                if not batch:
                    got_through = True
                    continue
                results = await self._context.shop.write_customers(batch, self._context.lane)
            except UpstreamError as error:
                await self._note_unknown(group, error)
                if len(group) > 1 and await self._may_be_one_items_fault(error):
                    splits, doubt = True, error
                    budget -= _UNANSWERED_COST if isinstance(error, Unanswered) else 0
                    half = (len(group) + 1) // 2
                    groups += [group[:half], group[half:]]
                    continue
                _fail(group, error)
                got_through = True
                if await self._concerns_all(error):
                    for rest in groups:
                        _fail(rest, error)
                    return
            else:
                await self._note(group, results)
                got_through = True

    async def _batch(self, group: list[_Item]) -> tuple[list[_Item], list[CustomerWrite]]:
        """The items that still rest on what is stored, each with its version. The others fail with RunInterrupted and run again."""
        lane = self._context.lane
        await lane.renew_if_needed()
        self._context.gates[Side.SHOP].check()
        writes = [item.write for item in group]
        at_least = {write.woo_customer_id: write.at_least for write in writes if write.at_least}
        basis = WriteBasis(
            # invariant: customer-writes-rest-on-current-settings
            self._context.account.update_time,
            {write.woo_customer_id: write.epos_customer_id for write in writes if write.values is not None},
            [write.woo_customer_id for write in writes if write.values is None],
        )
        versions = await self._services.shop_state.next_versions(
            lane.lease, [write.woo_customer_id for write in writes], at_least=at_least, basis=basis
        )
        changed = [item for item in group if item.write.woo_customer_id not in versions]
        _fail(changed, RunInterrupted("the lane has another owner, or settings or links have changed"))
        group = [item for item in group if item.write.woo_customer_id in versions]
        return group, [
            CustomerWrite(
                woo_customer_id=write.woo_customer_id,
                version=versions[write.woo_customer_id],
                values=write.values,
                as_of=write.as_of,
                registered_at=write.registered_at,
                registered_before=write.registered_before,
            )
            for write in (item.write for item in group)
        ]

    async def _may_be_one_items_fault(self, error: UpstreamError) -> bool:
        match error:
            case Refused():
                return True
            case Unreadable() if error.is_of_whole_side:
                return False
            case ServerFailure() | Unanswered() | Unreadable():
                return await self._context.judge.probe(Side.SHOP) is None
            case _:
                return False

    async def _concerns_all(self, error: UpstreamError) -> bool:
        return await self._context.judge.is_account_wide(error)

    # recording results

    async def _note_unknown(self, group: Sequence[_Item], error: UpstreamError) -> None:
        if effect_unknown(error):
            cleared = [_confirmed(item.write, None) for item in group if item.write.values is not None]
            if cleared:
                await self._services.shop_state.confirm(self._context.lane.lease, cleared)

    async def _note(self, group: Sequence[_Item], results: Sequence[WriteResult]) -> None:
        confirmed: list[ConfirmedWrite] = []
        removed: list[WooCustomerId] = []
        gone: dict[WooCustomerId, EposCustomerId] = {}
        for item, result in zip(group, results, strict=True):
            write, status = item.write, result.status
            if status in (WriteStatus.UPDATED, WriteStatus.UNCHANGED):
                if write.values is None:
                    removed.append(write.woo_customer_id)
                else:
                    confirmed.append(_confirmed(write, write.content_hash))
            elif status is WriteStatus.NOT_FOUND:
                if write.values is None:
                    removed.append(write.woo_customer_id)
                else:
                    gone[write.woo_customer_id] = write.epos_customer_id
            elif status is WriteStatus.ERROR and write.values is not None and result.error is not None and effect_unknown(result.error):
                confirmed.append(_confirmed(write, None))
        state, lease = self._services.shop_state, self._context.lane.lease
        if confirmed:
            await state.confirm(lease, confirmed)
        if removed:
            await state.removal_done(lease, removed)
        if gone:
            await state.mark_gone(lease, woo=list(gone), of=list(gone.values()))
        progress = any(result.status is not WriteStatus.NOT_DONE for result in results)
        for item, result in zip(group, results, strict=True):
            if result.status is WriteStatus.NOT_DONE and progress and not item.result.done():
                item.is_overdue = True
                self._queue.append(item)
            else:
                _tell(item, result)


def _confirmed(write: ShopWrite, content_hash: bytes | None) -> ConfirmedWrite:
    as_of = None if content_hash is None else write.as_of
    return ConfirmedWrite(write.epos_customer_id, write.woo_customer_id, content_hash, as_of)


def _tell(item: _Item, result: WriteResult) -> None:
    if not item.result.done():
        item.result.set_result(result)


def _fail(items: Sequence[_Item], fault: BaseException) -> None:
    for item in items:
        if not item.result.done():
            item.result.set_exception(fault)
            item.result.exception()  # its asker may be gone
