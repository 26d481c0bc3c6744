"""Runs work that would block the event loop in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

Ts = TypeVarTuple("Ts")
Result = TypeVar("Result")


class BesideLoop:
    """One thread that runs one piece of work at a time. Two threads that parse large requests would starve the event loop.

    Work whose caller is cancelled before it starts does not run. Work that has started runs to its end, and the next work waits for it.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, work: Callable[[*Ts], Result], *arguments: *Ts) -> Result:
        """Raises what ``work`` raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
