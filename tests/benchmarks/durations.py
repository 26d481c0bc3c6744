"""Measures how long one change or order takes, alone and under load. The rows of delays for users need it."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from benchmarks.open_loop import open_loop

PER_SECOND, ACCOUNTS = 50, 50
AT_RATE = f"{PER_SECOND}/s over {ACCOUNTS} accounts"

Unit = Callable[[int], Awaitable[float]]
"""Runs the unit with this number, from 1. Returns its seconds."""


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds of each unit in a round."""

    seconds: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)]


async def one_after_another(unit: Unit, count: int) -> Durations:
    return Durations([await unit(number) for number in range(1, count + 1)])


async def at_rate(unit: Unit, count: int) -> Durations:
    """Starts ``PER_SECOND`` units a second, even if earlier ones have not finished."""
    took: list[float] = []

    async def run(number: int) -> None:
        took.append(await unit(number))

    await open_loop(run, count, PER_SECOND)
    return Durations(took)
