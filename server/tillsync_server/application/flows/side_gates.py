"""What leaves for one side of an account: nothing once the side is known to be ill, and few requests at once until it has answered some.

A side starts with one request in flight. Each success doubles that number, a time-out makes it one again. So an account whose till or
shop hangs keeps one request waiting, and not a whole batch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from tillsync_server.domain.errors import RunInterrupted, Unanswered
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.vocabulary import Side

_MOST = {Side.TILL: 16, Side.SHOP: 8}
_WINDOWS_KEPT = 20_000


class SideWindow:
    """Requests of one account and side under way at once in this process."""

    def __init__(self, first: int, most: int) -> None:
        self._most = most
        self._size = first
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        if self._under_way < self._size and not self._waiting:
            self._under_way += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()  # the place was given at the same moment
            raise

    def leave(self) -> None:
        self._under_way -= 1
        self._let_in()

    def answered(self) -> None:
        self._size = max(self._size, min(self._size * 2, self._most))

    def timed_out(self) -> None:
        self._size = 1

    def _let_in(self) -> None:
        while self._waiting and self._under_way < self._size:
            place = self._waiting.popleft()
            if not place.done():
                self._under_way += 1
                place.set_result(None)


class SideWindows:
    """One per process: what a lease learns, the next one knows. The least used are forgotten."""

    def __init__(self, first: int = 1) -> None:
        """``first``: requests under way at once before a side has answered any."""
        self._first = first
        self._windows: dict[tuple[AccountId, Side], SideWindow] = {}

    def of(self, account_id: AccountId, side: Side) -> SideWindow:
        key = account_id, side
        known = self._windows.pop(key, None)
        window = self._windows[key] = SideWindow(self._first, _MOST[side]) if known is None else known
        while len(self._windows) > _WINDOWS_KEPT:
            del self._windows[next(iter(self._windows))]
        return window


class SideGate:
    """Of one side and lease. Implements ports.request_gate.RequestGate."""

    def __init__(self, window: SideWindow) -> None:
        self._window = window
        self._is_open = True

    def open(self) -> None:
        self._is_open = True

    def close(self) -> None:
        self._is_open = False

    def check(self) -> None:
        """Raises RunInterrupted: the entry stays as it is, and runs again once its side is well."""
        if not self._is_open:
            raise RunInterrupted("the side is ill")

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        self.check()
        await self._window.enter()
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
