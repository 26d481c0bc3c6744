"""Write permit with a lease whose length the test sets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from tillsync_server.domain.errors import LeaseTooShort, RunInterrupted

WRITE_MINIMUM_SECONDS, WRITE_MARGIN_SECONDS = 5.0, 2.0


def allowed(setting_seconds: float, seconds_left: float) -> float:
    """Applies the rule of ports.till.WritePermit. Returns seconds. Raises LeaseTooShort."""
    if seconds_left < WRITE_MINIMUM_SECONDS:
        raise LeaseTooShort(f"{seconds_left:.1f} s of the lease are left")
    return min(setting_seconds, seconds_left - WRITE_MARGIN_SECONDS)


@dataclass
class FakePermit:
    """Implements ports.till.WritePermit. ``asked`` records the ``setting_seconds`` of each call.

    ``seconds_left`` returns the seconds left of the lease, by default infinite. ``script`` replaces it: each call takes the next answer,
    and the last answer is repeated.
    """

    seconds_left: Callable[[], float] = lambda: math.inf
    requests: list[float] = field(default_factory=list)
    script: list[float | RunInterrupted] = field(default_factory=list)

    def seconds_allowed(self, setting_seconds: float) -> float:
        self.requests.append(setting_seconds)
        if not self.script:
            return allowed(setting_seconds, self.seconds_left())
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, RunInterrupted):
            raise answer
        return answer

    @classmethod
    def of_seconds(cls, seconds: float) -> FakePermit:
        return cls(lambda: seconds)
