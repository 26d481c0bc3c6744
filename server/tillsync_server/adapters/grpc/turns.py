"""How many calls of one token are worked on at once: many, and few once it keeps more of them under way than a crowd.

gRPC hands over one arrived call after another, whoever sent it, and each takes several turns of the event loop. A token whose calls end as
fast as gRPC hands them over has the rest of them within gRPC, where nobody can count them, and the calls of other tokens arrive behind
those. So a token with many turns is counted each second: none of its calls begins until no more of them arrive.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

COUNT_EVERY_SECONDS = 1.0
FIRST_COUNT_SECONDS = 0.05
"""After a token began to use more than its few turns."""
QUIET_SECONDS = 0.003
"""gRPC hands over several calls in this time: none is left within it where none arrived."""
_READINGS_PER_TURN = 4


@dataclass(frozen=True, slots=True)
class TurnLimit:
    """``many``: turns while at most ``crowd`` calls are under way; ``few``: with more."""

    many: int
    few: int
    crowd: int

    @classmethod
    def always(cls, turns: int) -> TurnLimit:
        return cls(turns, turns, 0)


class Turns:
    """Of one token and one kind of work, while it has calls of it. First come, first served. ``clock`` is monotonic, in seconds."""

    __slots__ = ("_arrived", "_clock", "_count_at", "_counting", "_is_crowd", "_limit", "_taken", "_waiting", "calls", "reading")

    def __init__(self, limit: TurnLimit, clock: Callable[[], float] = time.monotonic) -> None:
        self.calls = 0
        """Under way: they have a place."""
        self.reading = asyncio.Semaphore(limit.many * _READINGS_PER_TURN)
        self._limit = limit
        self._clock = clock
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_crowd = False
        self._count_at = 0.0
        self._counting: asyncio.TimerHandle | None = None
        self._arrived = 0
        """Since the counting began."""

    def arrive(self) -> None:
        """A call has taken its place."""
        self.calls += 1
        self._arrived += 1

    def leave(self) -> None:
        """A call has given its place back."""
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
            if turn.done() and not turn.cancelled():  # it got its turn and left in the same moment
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
        """Whether one more call may; begins to count where it is time."""
        if self._counting is not None:
            return False
        if self._taken < self._limit.few:
            return True
        # invariant: a-crowd-gets-few-turns
        self._is_crowd = self._is_crowd and self.calls > self._limit.crowd
        if self._is_crowd or self._taken >= self._limit.many:
            return False
        now = self._clock()
        if now > self._count_at + COUNT_EVERY_SECONDS:  # it needed no more than a few for a while
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
