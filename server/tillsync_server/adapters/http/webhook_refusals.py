"""When a webhook with wrong credentials is answered: later and later where one address is guessed at.

Only refusals wait. Right credentials are compared as soon as they come, whatever others send: nobody can lock the till out.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from tillsync_server.adapters.http.webhook_openers import Address

REFUSAL_SECONDS = 0.1
"""Every refusal is answered so long after its arrival: whether the account or till exists cannot be told by the time it takes."""
PLAIN_REFUSALS = 10
"""Of an address without a pause of FORGET_SECONDS; each further one takes twice as long as the one before."""
LONGEST_SECONDS = 5.0
FORGET_SECONDS = 60.0
MOST_ADDRESSES = 10_000
"""The least recently refused is forgotten."""
WAITING_AT_AN_ADDRESS = 8
WAITING = 128
"""Refusals that wait longer than the others hold a connection each. Beyond these numbers a refusal takes REFUSAL_SECONDS."""


@dataclass(slots=True)
class _Refused:
    at: float
    times: int = 0
    waiting: int = 0


class WebhookRefusals:
    """One per process. ``clock`` is monotonic; ``sleep`` takes seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refused: OrderedDict[Address | None, _Refused] = OrderedDict()
        self._waiting = 0

    async def wait(self, address: Address | None, arrived: float) -> None:
        """Returns when the refusal may be answered. ``arrived``: on the clock. None: the address can be nobody's.

        An address counts alike whether or not it exists, and its right senders change nothing of it: the delay tells neither.
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
        while len(self._refused) > MOST_ADDRESSES:
            self._refused.popitem(last=False)
        return refused

    def _seconds(self, refused: _Refused) -> float:
        beyond = refused.times - PLAIN_REFUSALS
        # invariant: guesses-are-slowed
        if beyond <= 0 or refused.waiting >= WAITING_AT_AN_ADDRESS or self._waiting >= WAITING:
            return REFUSAL_SECONDS
        return float(min(REFUSAL_SECONDS * 2 ** min(beyond, 16), LONGEST_SECONDS))
