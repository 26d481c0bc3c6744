"""Scripted faults for the requests that match a pattern. A fault happens instead of, before or after the execution of a request.

lost = till.faults.script(method="POST", path="/api/v2/customer*", disconnect="after")   # the next create is stored, its answer is lost
held = till.faults.script(method="GET", path="*", hang="before")                         # the next read hangs ...
await held.arrived(); held.release()                                                     # ... until release()
till.faults.script(path="*", status=503, times=None)                                     # all answer 503, until ``cancel``
shop.faults.script(path="*", times=None, **Page.SITEGROUND_202.fault)                    # a page of an intermediary (``pages``)
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tillsync_sandbox.changes import DEFAULT_TIMEOUT_SECONDS, ChangeSignal
from tillsync_sandbox.request_log import LoggedRequest, RequestPattern

When = Literal["before", "after"]
"""Before or after the sandbox executes the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. Its steps happen in this order: delay, hang before, disconnect before, execute, hang after, disconnect after, answer."""

    delay_seconds: float = 0.0
    hang: When | None = None
    """The request hangs until :meth:`Script.release`. It continues then, even when its client has disconnected meanwhile."""
    disconnect: When | None = None
    status: int | None = None
    """Status of an answer that replaces the real one. The request is executed only with ``carry_out``."""
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    carry_out: bool = False
    printed_before: str = ""
    """Text before the body of the answer, like a notice of PHP. The headers do not change."""
    truncate: bool = False
    """The answer declares its whole length and ends in the middle of the body."""

    def __post_init__(self) -> None:
        for name in ("hang", "disconnect"):
            if getattr(self, name) not in (None, "before", "after"):
                raise ValueError(f'{name}: "before" or "after", not {getattr(self, name)!r}')
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError(f"status: 200 to 599, not {self.status}")
        if self.delay_seconds < 0:
            raise ValueError(f"delay_seconds: from 0, not {self.delay_seconds}")


class Script:
    """One scripted fault for ``times`` matching requests (None: all), after the first ``skip`` matching requests."""

    def __init__(self, script_id: int, pattern: RequestPattern, fault: Fault, *, times: int | None, skip: int) -> None:
        self.script_id = script_id
        self.pattern = pattern
        self.fault = fault
        self.remaining = times
        self.used = 0
        """Number of requests that met this fault."""
        self._skip = skip
        self._cancelled = False
        self._released = asyncio.Event()
        self._changes = ChangeSignal()

    def try_use(self, request: LoggedRequest) -> bool:
        """Whether the fault happens to this request. It counts the request."""
        if self.is_over or not self.pattern.fits(request):
            return False
        if self._skip > 0:
            self._skip -= 1
            return False
        if self.remaining is not None:
            self.remaining -= 1
        self.used += 1
        self._changes.notify()
        return True

    @property
    def is_over(self) -> bool:
        return self._cancelled or self.remaining == 0

    async def arrived(self, count: int = 1, *, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        """Returns once ``count`` requests have met the fault. Raises TimeoutError."""
        await self._changes.wait_for(lambda: self.used >= count, timeout, lambda: f"{self.pattern} met {self.used} requests, not {count}")

    @property
    def may_hang(self) -> bool:
        """Whether requests may wait for :meth:`release`."""
        return self.fault.hang is not None and not self._released.is_set()

    async def wait_until_released(self) -> None:
        await self._released.wait()

    def release(self) -> None:
        """Lets hanging requests continue. Later requests do not hang."""
        self._released.set()

    def cancel(self) -> None:
        """Ends the script: it affects no further request, and hanging requests continue."""
        self._cancelled = True
        self.release()

    def as_json(self) -> dict[str, Any]:
        return {"script_id": self.script_id, "used": self.used, "left": self.remaining, "over": self.is_over}


class Faults:
    """The scripts of one sandbox. A request meets at most one fault: that of the oldest matching script that is not over."""

    def __init__(self) -> None:
        self._scripts: list[Script] = []
        self._ids = itertools.count(1)

    def script(
        self,
        *,
        method: str | None = None,
        path: str | None = None,
        contains: str | None = None,
        query: Mapping[str, str] | None = None,
        where: Callable[[LoggedRequest], object] | None = None,
        times: int | None = 1,
        skip: int = 0,
        **fault: Any,
    ) -> Script:
        """Adds a script. ``method`` to ``where`` are fields of :class:`RequestPattern`, ``fault`` those of :class:`Fault`.

        Raises ValueError, which names the invalid field.
        """
        if times is not None and times < 1:
            raise ValueError(f"times: from 1, or null for all, not {times}")
        if skip < 0:
            raise ValueError(f"skip: from 0, not {skip}")
        pattern = RequestPattern(method=method, path=path, contains=contains, query=query or {}, where=where)
        try:
            new_fault = Fault(**fault)
        except TypeError as error:
            raise ValueError(str(error).removeprefix("Fault.__init__() ")) from None
        script = Script(next(self._ids), pattern, new_fault, times=times, skip=skip)
        self._scripts = [old for old in self._scripts if not old.is_over or old.may_hang]
        self._scripts.append(script)
        return script

    def script_for(self, request: LoggedRequest) -> Script | None:
        return next((script for script in self._scripts if script.try_use(request)), None)

    def find(self, script_id: int) -> Script | None:
        return next((script for script in self._scripts if script.script_id == script_id), None)

    @property
    def scripts(self) -> list[Script]:
        return list(self._scripts)

    def clear(self) -> None:
        """Cancels all scripts."""
        for script in self._scripts:
            script.cancel()
        self._scripts = []
