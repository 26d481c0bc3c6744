"""Counts committed units, and measures the time from the end of the warm-up to the last unit."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Measures from the commit that completes ``warm`` units to the commit that completes ``warm + count``."""

    warm: int
    count: int
    total: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)
    _began: tuple[float, int] | None = None
    _ended: tuple[float, int] | None = None

    def committed(self, units: int) -> None:
        """Counts units. To be called after their commit has returned."""
        self.total += units
        if self._began is None and self.total >= self.warm:
            self._began = (time.perf_counter(), self.total)
        elif self._ended is None and self.total >= self.warm + self.count:
            self._ended = (time.perf_counter(), self.total)
            self.done.set()

    @property
    def per_second(self) -> float:
        assert self._began is not None
        assert self._ended is not None
        return (self._ended[1] - self._began[1]) / (self._ended[0] - self._began[0])


@dataclass
class OrderCheck:
    """Checks that the units of each key start in ascending order, one at a time."""

    last: dict[int, int] = field(default_factory=dict)
    running: set[int] = field(default_factory=set)
    out_of_order: int = 0

    def started(self, key: int, number: int) -> None:
        self.out_of_order += number <= self.last.get(key, 0) or key in self.running
        self.last[key] = number
        self.running.add(key)

    def ended(self, key: int) -> None:
        self.running.discard(key)
