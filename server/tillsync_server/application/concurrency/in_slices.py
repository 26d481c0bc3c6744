"""Long loops that leave the event loop to others after every few items."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Item = TypeVar("Item")


async def in_slices(items: Iterable[Item], at_a_time: int) -> AsyncIterator[Item]:
    """The items in their order. Every other task that is ready runs once after each ``at_a_time`` of them."""
    for number, item in enumerate(items, start=1):
        yield item
        if number % at_a_time == 0:
            await asyncio.sleep(0)
