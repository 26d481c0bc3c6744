"""Turns limit the calls of one token that run at once. A token has many turns, but few while more of its calls than a crowd are under way.

gRPC hands over arrived calls one after another, regardless of the caller, and each takes several iterations of the event loop. If a token's
calls end as fast as gRPC hands them over, its other calls wait inside gRPC. There the service cannot count them, and the calls of other
tokens arrive behind them. So the calls of a token that uses more than its few turns are counted each second. During a count none of its
calls begins. The count ends when no more of them arrive, or when they are a crowd.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

COUNT_EVERY_SECONDS = 1.0
FIRST_COUNT_SECONDS = 0.05
"""Delay of the first count after a token begins to use more than its few turns."""
QUIET_SECONDS = 0.003
"""Length of one round of a count. gRPC hands over several calls in this time, so gRPC holds no more of them if none arrives."""
_READINGS_PER_TURN = 4


@dataclass(frozen=True, slots=True)
class TurnLimit:
    """``many`` is the number of turns while at most ``crowd`` calls are under way, ``few`` the number with more calls."""

    many: int
    few: int
    crowd: int

    @classmethod
    def always(cls, turns: int) -> TurnLimit:
        return cls(turns, turns, 0)


class Turns:
    """The turns of one token for one kind of work, first come, first served. They exist while the token has such calls. ``clock`` is
    monotonic, in seconds."""

    __slots__ = ("_arrived", "_clock", "_count_at", "_counting", "_is_crowd", "_limit", "_taken", "_waiting", "calls", "reading")

    def __init__(self, limit: TurnLimit, clock: Callable[[], float] = time.monotonic) -> None:
        self.calls = 0
        """Calls under way, which are those that hold a place."""
        self.reading = asyncio.Semaphore(limit.many * _READINGS_PER_TURN)
        self._limit = limit
        self._clock = clock
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_crowd = False
        self._count_at = 0.0
        self._counting: asyncio.TimerHandle | None = None
        self._arrived = 0
        """Calls that have arrived since the round began."""

    def arrive(self) -> None:
        """Adds a call that has taken its place."""
        self.calls += 1
        self._arrived += 1

    def leave(self) -> None:
        """Removes a call that releases its place."""
        self.calls -= 1
        if not self.calls and self._counting is not None:
            self._counting.cancel()

    async def acquire(self) -> None:
        """Waits for a turn."""
        if not self._waiting and self._may_begin():
            self._taken += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the call was cancelled in the moment in which it got its turn
                self.release()
            raise

    def release(self) -> None:
        self._taken -= 1
        self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting and self._may_begin():
            turn = self._waiting.popleft()
            if not turn.done():
                self._taken += 1
                turn.set_result(None)

    def _may_begin(self) -> bool:
        """Returns whether one more call may begin. Starts a count when it is due."""
        if self._counting is not None:
            return False
        if self._taken < self._limit.few:
            return True
        # invariant: a-crowd-gets-few-turns
        self._is_crowd = self._is_crowd and self.calls > self._limit.crowd
        if self._is_crowd or self._taken >= self._limit.many:
            return False
        now = self._clock()
        if now > self._count_at + COUNT_EVERY_SECONDS:  # the token has needed only its few turns for a while
            self._count_at = now + FIRST_COUNT_SECONDS
        if now < self._count_at:
            return True
        self._count()
        return False

    def _count(self) -> None:
        self._arrived = 0
        self._counting = asyncio.get_running_loop().call_later(QUIET_SECONDS, self._counted)

    def _counted(self) -> None:
        self._is_crowd = self.calls > self._limit.crowd
        if self._arrived and not self._is_crowd:
            self._count()
            return
        self._counting = None
        self._count_at = self._clock() + COUNT_EVERY_SECONDS
        self._hand_out()
