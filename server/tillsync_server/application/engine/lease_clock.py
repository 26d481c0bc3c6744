"""How much of a lease is left, on the process's own monotonic clock: also right after the process was stopped for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.domain.errors import LeaseTooShort

_BEFORE_THE_CHECK_SECONDS = 0.5
"""Between the renewal and the last check lie a statement or two and a connection."""


class LeaseClock:
    """``asked_at``: monotonic time before the lease or its renewal was asked for, so that ours always runs out first."""

    def __init__(self, settings: EngineSettings, asked_at: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self.now = clock
        self._expires_at = asked_at + settings.lease_seconds

    def renewed(self, asked_at: float) -> None:
        self._expires_at = asked_at + self._settings.lease_seconds

    @property
    def seconds_left(self) -> float:
        return self._expires_at - self.now()

    @property
    def wants_renewal(self) -> bool:
        return self.seconds_left < self._settings.lease_seconds * 2 / 3

    @property
    def wants_renewal_before_write(self) -> bool:
        """Half of it is gone, or so much that a write could not start: a short lease would refuse every other one."""
        return self.seconds_left < max(self._settings.lease_seconds / 2, self._settings.write_minimum_seconds + _BEFORE_THE_CHECK_SECONDS)

    def seconds_allowed(self, setting_seconds: float) -> float:
        """Total timeout of an outside write that starts now: min(setting, lease left − margin); LeaseTooShort when too little is left."""
        left = self.seconds_left
        # invariant: writes-need-enough-lease
        if left < self._settings.write_minimum_seconds:
            raise LeaseTooShort(f"{left:.1f} s of the lease are left")
        return min(setting_seconds, left - self._settings.write_margin_seconds)
