"""How soon a caller without a valid token is told so: at once, and later in a flood of them.

Each answer costs the event loop a third of a millisecond, and whoever floods sends the next call as soon as this one is answered. Those who
have a token must not wait behind them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

AT_ONCE_PER_SECOND = 20
"""So many a second are told at once: people with a wrong token, and probes."""
LATE_SECONDS = 1.0
MORE_SECONDS_OF_WAITING = 1 / 200
"""For each who waits already: whoever keeps a thousand calls under way gets two hundred answers a second."""
MOST_WAITING = 6000
"""More are told at once again: a call that waits keeps about 25 kB, nearly all of it in gRPC."""


class UnauthenticatedDelay:
    """One per process. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._second = 0
        self._in_this_second = 0
        self._waiting = 0

    async def wait(self) -> bool:
        """Before each refusal. Whether there is a flood."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._in_this_second = second, 0
        self._in_this_second += 1
        if self._in_this_second <= AT_ONCE_PER_SECOND:
            return False
        if self._waiting >= MOST_WAITING:
            return True
        late = LATE_SECONDS + self._waiting * MORE_SECONDS_OF_WAITING
        self._waiting += 1
        try:
            await asyncio.sleep(late)
        finally:
            self._waiting -= 1
        return True
