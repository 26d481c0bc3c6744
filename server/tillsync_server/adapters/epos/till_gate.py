"""Who sends the till its next request: the room in flight and the till's allowance, shared by class. One gate a till and process.

An order books its request ahead, so it waits for at most one request of others, whatever waits. Live and bulk wait here until a request is
there; the answer to one question tells when the next one is worth asking, so the database is not polled.
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
from tillsync_server.ports.tills import Available, TillBudget

Sleep = Callable[[float], Awaitable[None]]

LONGEST_WAIT_SECONDS = 30.0
"""Whoever waits longer for a turn is told to come again: an entry goes back to its queue, uncharged."""
_LATE_SECONDS = 0.001
"""Asked a moment after the request should be there: clocks and roundings differ."""


class _Waiter:
    """One request that waits. ``turn``: the seconds to wait before it is sent."""

    __slots__ = ("per_minute", "turn")

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self.turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()


class TillGate:
    def __init__(self, budget: TillBudget, till_id: TillId, *, room: int, sleep: Sleep) -> None:
        """``room``: requests of this till that are under way at once, booked waits of orders included."""
        self._budget = budget
        self._till_id = till_id
        self._free = room
        self._sleep = sleep
        self._orders: deque[_Waiter] = deque()
        """They wait for room only."""
        self._orders_in_a_row = 0
        """Places given to orders that had to wait for one, while others waited too."""
        self._others: ClassQueues[_Waiter] = ClassQueues()
        self._ask_at = 0.0
        """On the loop's clock: before, the budget has nothing for the others."""
        self._changed = asyncio.Event()
        self._granting: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def request(self, request_class: RequestClass, per_minute: int) -> AsyncIterator[None]:
        """Entered when the request may be sent. Raises Throttled and AllowanceSpent, and what the database raises."""
        wait = await self._place(request_class, per_minute)
        try:
            if request_class is RequestClass.ORDER:
                wait = await self._budget.take(self._till_id, 1, per_minute=per_minute)
            if wait > 0:
                await self._sleep(wait)
            yield
        finally:
            self._give_back(1)

    async def _place(self, request_class: RequestClass, per_minute: int) -> float:
        """Returns with a place in flight; of live and bulk with a request of the allowance too."""
        if request_class is RequestClass.ORDER and self._free and not self._orders:
            self._free -= 1
            return 0.0
        waiter = _Waiter(per_minute)
        if request_class is RequestClass.ORDER:
            self._orders.append(waiter)
        else:
            self._others.add(request_class, waiter)
            if self._granting is None:
                self._granting = asyncio.create_task(self._grant_others(), name=f"till:{self._till_id}")
        return await self._turn(waiter)

    async def _turn(self, waiter: _Waiter) -> float:
        timer = asyncio.get_running_loop().call_later(LONGEST_WAIT_SECONDS, self._expire, waiter)
        try:
            return await waiter.turn
        except BaseException:
            if waiter.turn.done() and not waiter.turn.cancelled() and waiter.turn.exception() is None:
                self._give_back(1)  # its turn came as it went away
            raise
        finally:
            timer.cancel()
            self._others.discard(waiter)
            with suppress(ValueError):
                self._orders.remove(waiter)
            if not self._others:
                self._changed.set()

    def _expire(self, waiter: _Waiter) -> None:
        if not waiter.turn.done():
            again = max(self._ask_at - asyncio.get_running_loop().time(), 1.0)
            text = "no turn at the till came in time: its allowance is used up for now, or its answers are slow"
            waiter.turn.set_exception(AllowanceSpent(Side.TILL, text, retry_after_seconds=again))

    # room

    def _give_back(self, places: int) -> None:
        self._free += places
        while self._free and self._orders:
            # invariant: room-is-left-to-others
            if self._orders_in_a_row >= EVERY - 1 and self._others_may_ask():
                self._orders_in_a_row = 0
                break  # the task that grants the others takes it, or gives it back
            waiter = self._orders.popleft()
            if not waiter.turn.done():
                self._free -= 1
                self._orders_in_a_row += bool(self._others)
                waiter.turn.set_result(0.0)
        self._changed.set()

    # live and bulk

    def _others_may_ask(self) -> bool:
        return bool(self._others) and asyncio.get_running_loop().time() >= self._ask_at

    async def _grant_others(self) -> None:
        """Ends when none of them waits."""
        try:
            while self._others:
                if self._free and self._others_may_ask():
                    await self._grant_some()
                else:
                    await self._until_worth_asking()
        finally:
            self._granting = None
            self._give_back(0)  # a place may have been left to them

    async def _grant_some(self) -> None:
        places = min(self._free, len(self._others))
        self._free -= places
        granted = 0
        try:
            per_minute = next(iter(self._others)).per_minute
            available = await self._budget.take_available(self._till_id, places, per_minute=per_minute)
            granted = self._hand_out(available)
            self._ask_at = asyncio.get_running_loop().time() + available.next_seconds + (_LATE_SECONDS if available.next_seconds else 0.0)
        except Exception as error:  # noqa: BLE001 - told to who asked, whatever it is
            for waiter in list(self._others):
                if not waiter.turn.done():
                    waiter.turn.set_exception(error)
                self._others.discard(waiter)
        finally:
            self._give_back(places - granted)

    def _hand_out(self, available: Available) -> int:
        """How many turns were given: none where those who asked have gone."""
        granted = 0
        while granted < available.requests and self._others:
            waiter = self._others.pop_lowest() if available.wait_seconds else self._others.pop()
            if not waiter.turn.done():
                waiter.turn.set_result(available.wait_seconds)
                granted += 1
                self._orders_in_a_row = 0
        return granted

    async def _until_worth_asking(self) -> None:
        self._changed.clear()  # on every turn: an event left set would spin the loop without ever yielding
        loop = asyncio.get_running_loop()
        timer = loop.call_at(self._ask_at, self._changed.set) if self._free else None
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()
