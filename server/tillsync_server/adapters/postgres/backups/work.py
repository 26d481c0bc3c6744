"""Long work on files, in a thread that ends soon after a cancel, with lines about its progress."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
Progress = Callable[[str], None]
_LINE_SECONDS = 5.0


class StoppedError(Exception):
    """The caller of `in_thread` was cancelled."""


class Work:
    """Counts the bytes of one copy, and prints a line about every five seconds. Not for several threads at once.

    ``verb``: first word of the line. ``total_bytes``: 0 if it is not known.
    """

    def __init__(self, verb: str, progress: Progress) -> None:
        self.total_bytes = 0
        self._verb = verb
        self._progress = progress
        self._done_bytes = 0
        self._stopped = threading.Event()
        self._line_at = time.monotonic() + _LINE_SECONDS

    def stop(self) -> None:
        self._stopped.set()

    def count(self, size: int) -> None:
        """Counts ``size`` bytes more. Raises StoppedError after `stop`."""
        if self._stopped.is_set():
            raise StoppedError
        self._done_bytes += size
        if time.monotonic() >= self._line_at:
            self._line_at = time.monotonic() + _LINE_SECONDS
            of_total = f" of {self.total_bytes / 1e6:.0f}" if self.total_bytes else ""
            self._progress(f"{self._verb} {self._done_bytes / 1e6:.0f}{of_total} MB")


async def in_thread(work: Work, function: Callable[[], Result]) -> Result:
    """Runs ``function`` in a thread. A cancel stops ``work`` and waits for the thread, so that its files are closed afterwards."""
    running = asyncio.get_running_loop().run_in_executor(None, function)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        work.stop()
        with contextlib.suppress(StoppedError):
            await running
        raise
