"""What leaves for one side of an account: nothing once the side is known to be ill, and few requests at once until it has answered some.

A side starts with one request in flight. Each success doubles that number, a time-out makes it one again. So an account whose till or
shop hangs keeps one request waiting, and not a whole batch. Where several wait, their classes decide as at the till's gate.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from tillsync_server.application.concurrency.class_queues import ClassQueues
from tillsync_server.application.concurrency.recent import Recent
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import RunInterrupted, Unanswered
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.request_class import RequestClass

_MOST = {Side.TILL: 16, Side.SHOP: 8}
_WINDOWS_KEPT = 20_000


class SideWindow:
    """Requests of one account and side under way at once in this process."""

    def __init__(self, first: int, most: int) -> None:
        self._most = most
        self._size = first
        self._under_way = 0
        self._waiting: ClassQueues[asyncio.Future[None]] = ClassQueues()

    async def enter(self, request_class: RequestClass) -> None:
        if self._under_way < self._size and not self._waiting:
            self._under_way += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(request_class, place)
        try:
            await place
        except asyncio.CancelledError:
            self._waiting.discard(place)
            if place.done() and not place.cancelled():
                self.leave()  # the place was given at the same moment
            raise

    def leave(self) -> None:
        self._under_way -= 1
        self._let_in()

    @property
    def is_narrow(self) -> bool:
        """One request at a time: the side has answered none, or has let one time out since."""
        return self._size == 1

    def answered(self) -> None:
        self._size = max(self._size, min(self._size * 2, self._most))

    def timed_out(self) -> None:
        self._size = 1

    def _let_in(self) -> None:
        while self._waiting and self._under_way < self._size:
            place = self._waiting.pop()
            if not place.done():
                self._under_way += 1
                place.set_result(None)


class SideWindows:
    """One per process: what a lease learns, the next one knows. The least used are forgotten."""

    def __init__(self, first: int = 1) -> None:
        """``first``: requests under way at once before a side has answered any."""
        self._first = first
        self._windows: Recent[tuple[AccountId, Side], SideWindow] = Recent(_WINDOWS_KEPT)

    def of(self, account_id: AccountId, side: Side) -> SideWindow:
        key = account_id, side
        return self._windows.keep(key, self._windows.get(key) or SideWindow(self._first, _MOST[side]))


class SideGate:
    """Of one side and lease."""

    def __init__(self, window: SideWindow) -> None:
        self._window = window
        self._is_open = True

    @property
    def is_narrow(self) -> bool:
        return self._window.is_narrow

    def open(self) -> None:
        self._is_open = True

    def close(self) -> None:
        self._is_open = False

    def check(self) -> None:
        """Raises RunInterrupted: the entry stays as it is, and runs again once its side is well."""
        if not self._is_open:
            raise RunInterrupted("the side is ill")

    @asynccontextmanager
    async def request(self, request_class: RequestClass) -> AsyncIterator[None]:
        """Raises RunInterrupted as :meth:`check` does."""
        self.check()
        await self._window.enter(request_class)
        try:
            self.check()  # who waited behind the failure does not meet it too
            yield
        except Unanswered:
            self._window.timed_out()
            raise
        else:
            self._window.answered()
        finally:
            self._window.leave()


@dataclass(frozen=True, slots=True)
class ClassGate:
    """Of one class of requests. Implements ports.request_gate.RequestGate."""

    gate: SideGate
    request_class: RequestClass

    def request(self) -> AbstractAsyncContextManager[None]:
        return self.gate.request(self.request_class)


class SideGates:
    """The gates of one lease."""

    def __init__(self, account_id: AccountId, windows: SideWindows) -> None:
        self._gates = {side: SideGate(windows.of(account_id, side)) for side in Side}

    def __getitem__(self, side: Side) -> SideGate:
        return self._gates[side]

    def open(self, sides: Iterable[Side]) -> None:
        """The engine runs entries that need these sides: they are well again, or to be probed."""
        for side in sides:
            self._gates[side].open()

    def check(self, sides: Iterable[Side]) -> None:
        for side in sides:
            self._gates[side].check()

    def is_any_narrow(self, sides: Iterable[Side]) -> bool:
        return any(self._gates[side].is_narrow for side in sides)
