"""Gathers concurrent calls into one flush for each key, so that a slow key delays no other key."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Generic, TypeVar

from tillsync_server.application.concurrency.micro_batcher import Flush, MicroBatcher
from tillsync_server.domain.errors import Unavailable

Key = TypeVar("Key")
Item = TypeVar("Item")
Result = TypeVar("Result")


class KeyedBatcher(Generic[Key, Item, Result]):
    """A :class:`MicroBatcher` for each key that has items. ``at_once``: the most flushes under way, of all keys together."""

    def __init__(self, flush: Flush[Item, Result], *, name: str, at_once: int, max_items: int = 500) -> None:
        self._flush = flush
        self._name = name
        self._max_items = max_items
        self._turns = asyncio.Semaphore(at_once)
        self._batchers: dict[Key, MicroBatcher[Item, Result]] = {}
        self._is_closed = False

    def __len__(self) -> int:
        """Number of keys that have items."""
        return len(self._batchers)

    async def submit(self, key: Key, item: Item) -> Result:
        """Raises Unavailable after :meth:`close`."""
        if self._is_closed:
            raise Unavailable(f"this process is stopping ({self._name})")
        batcher = self._batchers.get(key)
        if batcher is None:
            batcher = self._batchers[key] = MicroBatcher(
                self._flush_in_turn, name=self._name, max_items=self._max_items, on_idle=partial(self._batchers.pop, key)
            )
        return await batcher.submit(item)

    async def close(self) -> None:
        """Waits for the submitted items and refuses later ones."""
        self._is_closed = True
        for batcher in list(self._batchers.values()):
            await batcher.close()

    async def _flush_in_turn(self, items: Sequence[Item]) -> Sequence[Result | Exception]:
        async with self._turns:
            return await self._flush(items)
