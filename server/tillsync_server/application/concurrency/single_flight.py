"""Shares one call for each key among concurrent callers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SingleFlight(Generic[Key, Value]):
    """Callers with the same key share the call under way. A cancelled caller does not cancel the call for the others."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: dict[Key, asyncio.Task[Value]] = {}

    def __contains__(self, key: Key) -> bool:
        """Whether a call for ``key`` is under way."""
        return key in self._calls

    async def run(self, key: Key, call: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """Raises what the call raises."""
        task = self._calls.get(key)
        if task is None:
            task = self._calls[key] = asyncio.create_task(call(), name=self._name)
            task.add_done_callback(lambda ended: self._ended(key, ended))
        return await asyncio.shield(task)

    async def stop(self) -> None:
        tasks = list(self._calls.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _ended(self, key: Key, task: asyncio.Task[Value]) -> None:
        self._calls.pop(key, None)
        if not task.cancelled():
            task.exception()  # marks the error as retrieved: all callers may have been cancelled
