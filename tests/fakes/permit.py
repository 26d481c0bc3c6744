"""The right to write outside, on a lease whose length the test decides."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from tillsync_server.domain.errors import LeaseTooShort, RunInterrupted

WRITE_MINIMUM_SECONDS, WRITE_MARGIN_SECONDS = 5.0, 2.0


def allowed(setting_seconds: float, seconds_left: float) -> float:
    """The rule of ports.till.WritePermit."""
    if seconds_left < WRITE_MINIMUM_SECONDS:
        raise LeaseTooShort(f"{seconds_left:.1f} s of the lease are left")
    return min(setting_seconds, seconds_left - WRITE_MARGIN_SECONDS)


@dataclass
class FakePermit:
    """Implements ports.till.WritePermit. ``asked``: the settings it was asked with.

    ``seconds_left``: of the lease, at each question; without end unless given. ``script``: answers in its place, in order; the last one
    stays.
    """

    seconds_left: Callable[[], float] = lambda: math.inf
    asked: list[float] = field(default_factory=list)
    script: list[float | RunInterrupted] = field(default_factory=list)

    def seconds_allowed(self, setting_seconds: float) -> float:
        self.asked.append(setting_seconds)
        if not self.script:
            return allowed(setting_seconds, self.seconds_left())
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, RunInterrupted):
            raise answer
        return answer

    @classmethod
    def of_seconds(cls, seconds: float) -> FakePermit:
        return cls(lambda: seconds)
