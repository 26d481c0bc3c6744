"""An open loop. Each call starts at its time, even if earlier calls have not returned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping


async def open_loop(call: Callable[[int], Awaitable[None]], count: int, per_second: int) -> dict[int, int]:
    """Runs calls 1 to ``count``. Returns the due time of each, in nanoseconds of the monotonic clock."""
    due: dict[int, int] = {}
    begin = time.monotonic_ns() + 200_000_000
    async with asyncio.TaskGroup() as calls:
        for number in range(1, count + 1):
            due[number] = begin + number * 1_000_000_000 // per_second
            ahead = (due[number] - time.monotonic_ns()) / 1e9
            if ahead > 0:
                await asyncio.sleep(ahead)
            calls.create_task(_awaited(call(number)))
    return due


async def _awaited(call: Awaitable[None]) -> None:
    await call


def wait_percentiles(due: Mapping[int, int], starts: Mapping[int, int], warm: int) -> tuple[float, float]:
    """Returns p50 and p99 in milliseconds between due and start, for the numbers above ``warm``."""
    waits = sorted((starts[number] - due[number]) / 1e6 for number in due if number > warm)
    return waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
