"""Delays the refusals of callers without a valid token while there is a flood of them.

Each refusal costs the event loop a third of a millisecond, and a flooding caller sends its next call as soon as one is answered. Callers
with a token must not wait behind these calls.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

UNDELAYED_PER_SECOND = 20
"""Refusals a second without a delay, for people with a wrong token and for probes."""
DELAY_SECONDS = 1.0
DELAY_SECONDS_PER_WAITING_CALL = 1 / 200
"""Added for each call that waits already: a caller with a thousand calls under way gets two hundred answers a second."""
MAX_WAITING = 6000
"""Above this number calls are refused without a delay. A waiting call uses about 25 kB, nearly all of it in gRPC."""


class UnauthenticatedDelay:
    """Counts the refusals of callers without a valid token. One per process. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._second = 0
        self._in_this_second = 0
        self._waiting = 0

    async def wait(self) -> bool:
        """Waits before a refusal. Returns whether there is a flood."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._in_this_second = second, 0
        self._in_this_second += 1
        if self._in_this_second <= UNDELAYED_PER_SECOND:
            return False
        if self._waiting >= MAX_WAITING:
            return True
        delay = DELAY_SECONDS + self._waiting * DELAY_SECONDS_PER_WAITING_CALL
        self._waiting += 1
        try:
            await asyncio.sleep(delay)
        finally:
            self._waiting -= 1
        return True
