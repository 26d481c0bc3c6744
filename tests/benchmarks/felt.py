"""How long one change or order takes over what till and shop need for it, alone and as one of many: the figures of the rows that users
feel."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from benchmarks.open_loop import open_loop

PER_SECOND, ACCOUNTS = 50, 50
AT_RATE = f"{PER_SECOND}/s over {ACCOUNTS} accounts"

Unit = Callable[[int], Awaitable[float]]
"""Runs the unit of this number, from 1. Returns the seconds it took."""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of each unit of a round."""

    seconds: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)]


async def one_after_another(unit: Unit, count: int) -> Took:
    return Took([await unit(number) for number in range(1, count + 1)])


async def at_rate(unit: Unit, count: int) -> Took:
    """``PER_SECOND`` of them begin in a second, whether or not those before are done."""
    took: list[float] = []

    async def run(number: int) -> None:
        took.append(await unit(number))

    await open_loop(run, count, PER_SECOND)
    return Took(took)
