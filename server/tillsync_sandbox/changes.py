"""Waits for changes in a sandbox without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

DEFAULT_TIMEOUT_SECONDS = 60.0
"""Default timeout of every wait. It is long enough for a busy machine, so only a change that never happens reaches it."""


class ChangeSignal:
    """:meth:`notify` wakes every :meth:`wait_for`, which evaluates its predicate again."""

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    def notify(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait_for(self, predicate: Callable[[], object], timeout: float, describe: Callable[[], object]) -> None:
        """Returns once ``predicate()`` is true. Raises TimeoutError after ``timeout`` seconds, with ``describe()`` in its message."""
        try:
            async with asyncio.timeout(timeout):
                while not predicate():
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.append(waiter)
                    await waiter
        except TimeoutError:
            raise TimeoutError(f"not within {timeout:g} s. {describe()}") from None
