"""Orders the requests to one till: limits requests in flight and shares the till's allowance by request class.

Each process has one gate per till. A request of class ORDER books its part of the allowance ahead, so it waits for at most one request of
the other classes. Requests of the other classes (live and bulk) wait in this gate until the allowance has a request. The budget's answer
says when the next question is useful, so the gate does not poll the database.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from tillsync_server.application.concurrency.class_queues import EVERY, ClassQueues
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import AllowanceSpent
from tillsync_server.domain.ids import TillId
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.tills import TakenRequests, TillBudget

Sleep = Callable[[float], Awaitable[None]]

LONGEST_WAIT_SECONDS = 30.0
"""Maximum wait for a turn. A request that waits longer raises AllowanceSpent, and its entry is postponed without a charged attempt."""
_LATE_SECONDS = 0.001
"""The gate asks this much later than the budget says, because clocks and rounding differ."""


class _Waiter:
    """A waiting request. ``turn`` resolves to the seconds to wait before the request is sent."""

    __slots__ = ("per_minute", "turn")

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self.turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()


class TillGate:
    def __init__(self, budget: TillBudget, till_id: TillId, *, max_in_flight: int, sleep: Sleep) -> None:
        """``max_in_flight``: maximum requests of this till in flight. An order that waits for its booked request counts too."""
        self._budget = budget
        self._till_id = till_id
        self._free_slots = max_in_flight
        self._sleep = sleep
        self._waiting_orders: deque[_Waiter] = deque()
        """Orders that wait for a free slot."""
        self._orders_in_a_row = 0
        """Consecutive slots given to waiting orders while other classes waited."""
        self._waiting_others: ClassQueues[_Waiter] = ClassQueues()
        self._ask_budget_at = 0.0
        """Time of the event loop's clock. Before it, the budget has no request for the other classes."""
        self._changed = asyncio.Event()
        self._granting: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def request(self, request_class: RequestClass, per_minute: int) -> AsyncIterator[None]:
        """Enters when the request may be sent. Raises Throttled, AllowanceSpent, and errors of the database."""
        wait = await self._take_slot(request_class, per_minute)
        try:
            if request_class is RequestClass.ORDER:
                wait = await self._budget.reserve(self._till_id, 1, per_minute=per_minute)
            if wait > 0:
                await self._sleep(wait)
            yield
        finally:
            self._release_slots(1)

    async def _take_slot(self, request_class: RequestClass, per_minute: int) -> float:
        """Takes a slot; for other classes than ORDER also one request of the allowance. Returns the seconds to wait before sending."""
        if request_class is RequestClass.ORDER and self._free_slots and not self._waiting_orders:
            self._free_slots -= 1
            return 0.0
        waiter = _Waiter(per_minute)
        if request_class is RequestClass.ORDER:
            self._waiting_orders.append(waiter)
        else:
            self._waiting_others.add(request_class, waiter)
            if self._granting is None:
                self._granting = asyncio.create_task(self._grant_others(), name=f"till:{self._till_id}")
        return await self._wait_for_turn(waiter)

    async def _wait_for_turn(self, waiter: _Waiter) -> float:
        timer = asyncio.get_running_loop().call_later(LONGEST_WAIT_SECONDS, self._expire, waiter)
        try:
            return await waiter.turn
        except BaseException:
            if waiter.turn.done() and not waiter.turn.cancelled() and waiter.turn.exception() is None:
                self._release_slots(1)  # The waiter got its turn while it was cancelled.
            raise
        finally:
            timer.cancel()
            self._waiting_others.discard(waiter)
            with suppress(ValueError):
                self._waiting_orders.remove(waiter)
            if not self._waiting_others:
                self._changed.set()

    def _expire(self, waiter: _Waiter) -> None:
        if not waiter.turn.done():
            again = max(self._ask_budget_at - asyncio.get_running_loop().time(), 1.0)
            text = "no turn at the till came in time: its allowance is used up for now, or its answers are slow"
            waiter.turn.set_exception(AllowanceSpent(Side.TILL, text, retry_after_seconds=again))

    # slots

    def _release_slots(self, slots: int) -> None:
        self._free_slots += slots
        while self._free_slots and self._waiting_orders:
            # invariant: room-is-left-to-others
            if self._orders_in_a_row >= EVERY - 1 and self._others_may_ask():
                self._orders_in_a_row = 0
                break  # _grant_others uses this slot or releases it.
            waiter = self._waiting_orders.popleft()
            if not waiter.turn.done():
                self._free_slots -= 1
                self._orders_in_a_row += bool(self._waiting_others)
                waiter.turn.set_result(0.0)
        self._changed.set()

    # other classes than ORDER: live and bulk

    def _others_may_ask(self) -> bool:
        return bool(self._waiting_others) and asyncio.get_running_loop().time() >= self._ask_budget_at

    async def _grant_others(self) -> None:
        """Runs until no request of these classes waits."""
        try:
            while self._waiting_others:
                if self._free_slots and self._others_may_ask():
                    await self._grant_available()
                else:
                    await self._wait_until_worth_asking()
        finally:
            self._granting = None
            self._release_slots(0)  # A slot may have been left to the other classes.

    async def _grant_available(self) -> None:
        slots = min(self._free_slots, len(self._waiting_others))
        self._free_slots -= slots
        given = 0
        try:
            per_minute = next(iter(self._waiting_others)).per_minute
            available = await self._budget.take_available(self._till_id, slots, per_minute=per_minute)
            given = self._give_turns(available)
            self._ask_budget_at = (
                asyncio.get_running_loop().time() + available.next_seconds + (_LATE_SECONDS if available.next_seconds else 0.0)
            )
        except Exception as error:  # noqa: BLE001 - each waiter raises it
            for waiter in list(self._waiting_others):
                if not waiter.turn.done():
                    waiter.turn.set_exception(error)
                self._waiting_others.discard(waiter)
        finally:
            self._release_slots(slots - given)

    def _give_turns(self, available: TakenRequests) -> int:
        """Gives turns to waiters and returns their number. It may be 0, because waiters may have been cancelled meanwhile."""
        given = 0
        while given < available.requests and self._waiting_others:
            waiter = self._waiting_others.pop_lowest() if available.wait_seconds else self._waiting_others.pop()
            if not waiter.turn.done():
                waiter.turn.set_result(available.wait_seconds)
                given += 1
                self._orders_in_a_row = 0
        return given

    async def _wait_until_worth_asking(self) -> None:
        self._changed.clear()  # A set event would make this loop spin without yielding.
        loop = asyncio.get_running_loop()
        timer = loop.call_at(self._ask_budget_at, self._changed.set) if self._free_slots else None
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()
