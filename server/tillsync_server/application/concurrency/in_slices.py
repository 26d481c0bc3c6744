"""Long loops that let other tasks run after every few items."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Item = TypeVar("Item")


async def in_slices(items: Iterable[Item], at_a_time: int) -> AsyncIterator[Item]:
    """Yields the items in order. After each ``at_a_time`` items every other ready task runs once."""
    for number, item in enumerate(items, start=1):
        yield item
        if number % at_a_time == 0:
            await asyncio.sleep(0)
