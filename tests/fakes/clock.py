"""Clocks for tests. The test advances ``FakeClock``. ``LoopClock`` shows the event loop's time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""Wall time at process time ``FIRST_SECOND``."""
FIRST_SECOND = 1000.0


class FakeClock:
    """Monotonic clock of the process, in seconds, and clock of the database, which is ``database_ahead_seconds`` ahead."""

    def __init__(self, seconds: float = FIRST_SECOND) -> None:
        self._seconds = seconds
        self.database_ahead_seconds = 0.0
        self._on_advance: list[Callable[[], None]] = []

    def __call__(self) -> float:
        return self._seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self() - FIRST_SECOND)

    def database_now(self) -> datetime:
        return self.now() + timedelta(seconds=self.database_ahead_seconds)

    def advance(self, seconds: float) -> None:
        self._seconds += seconds
        for listener in self._on_advance:
            listener()

    def set(self, seconds: float) -> None:
        self.advance(seconds - self._seconds)

    def advance_to(self, moment: datetime | None) -> None:
        """Advances until the database's clock shows ``moment``. Does nothing if that is past or None."""
        if moment is not None:
            self.advance(max((moment - self.database_now()).total_seconds(), 0.0))

    def on_advance(self, listener: Callable[[], None]) -> None:
        self._on_advance.append(listener)


class LoopClock(FakeClock):
    """Clock of tests on virtual time (``support.virtual_time``). Time passes while the loop waits, never by :meth:`advance`."""

    def __call__(self) -> float:
        return asyncio.get_running_loop().time()

    def advance(self, seconds: float) -> None:
        raise AssertionError("the event loop moves this clock: await asyncio.sleep")
