"""Time that tests can move. Database time decides about stored times; this clock is for leases and deadlines in the process."""

from __future__ import annotations

from typing import Protocol


class MonotonicClock(Protocol):
    def __call__(self) -> float: ...
