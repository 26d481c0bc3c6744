"""Logs limits that are hit, with one line a minute for each limit and the number of hits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

_LOG = structlog.get_logger(__name__)

LIMIT_LOG_SECONDS = 60.0
MAX_KINDS = 256
"""Limits that are counted separately. Hits of further limits are counted together for each ``what``, without their method."""


@dataclass
class _Kind:
    timer: asyncio.TimerHandle
    times: int = 0
    """Hits since the last line."""


class LimitLog:
    """Writes ``limit_hit`` with ``what``, ``method`` and ``times``. A flood of refused calls costs one line a minute.

    The first hit of a limit is logged at once with ``times=1``. Later hits are counted, and logged together when the minute ends. A limit
    that was not hit for a minute is forgotten. Every call must come from the event loop's thread.
    """

    def __init__(self, seconds: float = LIMIT_LOG_SECONDS) -> None:
        self._seconds = seconds
        self._kinds: dict[tuple[str, str | None], _Kind] = {}

    def hit(self, what: str, method: str | None = None) -> None:
        """Counts one hit. ``what`` names the limit, for example ``streams of a connection``; ``method`` is a method of ours. Neither may
        contain text of a caller."""
        kind = self._kinds.get((what, method))
        if kind is None and len(self._kinds) >= MAX_KINDS:
            method = None
            kind = self._kinds.get((what, None))
        if kind is not None:
            kind.times += 1
            return
        self._start_minute(what, method, 1)

    def close(self) -> None:
        """Logs the hits that no line has yet. The log can be used again afterwards."""
        kinds, self._kinds = self._kinds, {}
        for (what, method), kind in kinds.items():
            kind.timer.cancel()
            if kind.times:
                _write(what, method, kind.times)

    def _start_minute(self, what: str, method: str | None, times: int) -> None:
        _write(what, method, times)
        timer = asyncio.get_running_loop().call_later(self._seconds, self._end_minute, what, method)
        self._kinds[what, method] = _Kind(timer)

    def _end_minute(self, what: str, method: str | None) -> None:
        times = self._kinds.pop((what, method)).times
        if times:
            self._start_minute(what, method, times)


def _write(what: str, method: str | None, times: int) -> None:
    if method is None:
        _LOG.warning("limit_hit", what=what, times=times)
    else:
        _LOG.warning("limit_hit", what=what, method=method, times=times)
