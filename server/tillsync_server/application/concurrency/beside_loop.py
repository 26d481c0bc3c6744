"""Work that would hold up the event loop, in a thread beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

Ts = TypeVarTuple("Ts")
Result = TypeVar("Result")


class BesideLoop:
    """One thread, one piece of work after another: two that read large requests would keep the event loop from its turns. What its caller
    gives up before it began is not done; once begun it ends, and the next waits for it."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, work: Callable[[*Ts], Result], *arguments: *Ts) -> Result:
        """Raises what ``work`` raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
