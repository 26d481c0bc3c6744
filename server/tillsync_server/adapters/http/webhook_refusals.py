"""Delays the refusals of webhooks with wrong credentials. The delay of an address grows while its credentials are guessed.

Only refusals wait. Valid credentials are accepted immediately, whatever other callers send, so no caller can lock the till out.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from tillsync_server.adapters.http.webhook_openers import Address

REFUSAL_SECONDS = 0.1
"""Least time from the arrival of a delivery to its refusal. So the time does not show whether the account or till exists."""
PLAIN_REFUSALS = 10
"""Refusals of an address without a longer delay. Each further one takes twice as long as the one before. A pause of FORGET_SECONDS resets
the count."""
MAX_SECONDS = 5.0
FORGET_SECONDS = 60.0
MAX_ADDRESSES = 10_000
"""Beyond this number the least recently refused address is forgotten."""
MAX_WAITING_AT_ADDRESS = 8
MAX_WAITING = 128
"""Limits of refusals with a longer delay, each of which holds a connection. Beyond them a refusal takes REFUSAL_SECONDS."""


@dataclass(slots=True)
class _Refused:
    at: float
    times: int = 0
    waiting: int = 0


class WebhookRefusals:
    """Counts and delays the refusals of each address. One per process. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refused: OrderedDict[Address | None, _Refused] = OrderedDict()
        self._waiting = 0

    async def wait(self, address: Address | None, arrived: float) -> None:
        """Waits until the refusal may be answered. ``arrived``: the delivery's time on the clock. An ``address`` of None cannot exist.

        Existing and unknown addresses are counted in the same way, and accepted deliveries do not change the count. So the delay shows
        neither.
        """
        refused = self._count(address)
        seconds = self._seconds(refused)
        is_longer = seconds > REFUSAL_SECONDS
        refused.waiting += is_longer
        self._waiting += is_longer
        try:
            await asyncio.sleep(max(arrived + seconds - self._clock(), 0))
        finally:
            refused.waiting -= is_longer
            self._waiting -= is_longer

    def _count(self, address: Address | None) -> _Refused:
        now = self._clock()
        refused = self._refused.get(address)
        if refused is None:
            refused = self._refused[address] = _Refused(now)
        elif now - refused.at > FORGET_SECONDS:
            refused.times = 0
        refused.at = now
        refused.times += 1
        self._refused.move_to_end(address)
        while len(self._refused) > MAX_ADDRESSES:
            self._refused.popitem(last=False)
        return refused

    def _seconds(self, refused: _Refused) -> float:
        beyond = refused.times - PLAIN_REFUSALS
        # invariant: guesses-are-slowed
        if beyond <= 0 or refused.waiting >= MAX_WAITING_AT_ADDRESS or self._waiting >= MAX_WAITING:
            return REFUSAL_SECONDS
        return float(min(REFUSAL_SECONDS * 2 ** min(beyond, 16), MAX_SECONDS))
