"""Limits the requests to one side of an account: none to a paused side, and few at once until the side has answered some.

A side starts with one request in flight. Each success doubles that number, and a time-out resets it to one. So an account whose till or
shop hangs keeps one request waiting instead of a whole batch. Waiting requests go in the order of their classes, as at the till's gate.
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
    """The requests of one account and side that are under way at once in this process."""

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
                self.leave()  # the cancelled caller had just got its place
            raise

    def leave(self) -> None:
        self._under_way -= 1
        self._let_in()

    @property
    def is_narrow(self) -> bool:
        """True while one request at a time may leave: the side has answered none yet, or none since a time-out."""
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
    """One per process, so that a lease starts with what earlier leases learnt. The windows used longest ago are dropped."""

    def __init__(self, first: int = 1) -> None:
        """``first``: requests under way at once before the side's first answer."""
        self._first = first
        self._windows: Recent[tuple[AccountId, Side], SideWindow] = Recent(_WINDOWS_KEPT)

    def of(self, account_id: AccountId, side: Side) -> SideWindow:
        key = account_id, side
        return self._windows.keep(key, self._windows.get(key) or SideWindow(self._first, _MOST[side]))


class SideGate:
    """The gate of one side and lease."""

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
        """Raises RunInterrupted while the gate is closed. The entry then stays as it is, and runs again when its side resumes."""
        if not self._is_open:
            raise RunInterrupted("the side is paused")

    @asynccontextmanager
    async def request(self, request_class: RequestClass) -> AsyncIterator[None]:
        """Raises RunInterrupted as :meth:`check` does."""
        self.check()
        await self._window.enter(request_class)
        try:
            self.check()  # a request that waited during the failure must not fail too
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
    """The gate for one class of requests. Implements ports.request_gate.RequestGate."""

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
        """To call when the engine runs entries that need these sides, because the sides have resumed or are probed."""
        for side in sides:
            self._gates[side].open()

    def check(self, sides: Iterable[Side]) -> None:
        for side in sides:
            self._gates[side].check()

    def is_any_narrow(self, sides: Iterable[Side]) -> bool:
        return any(self._gates[side].is_narrow for side in sides)
