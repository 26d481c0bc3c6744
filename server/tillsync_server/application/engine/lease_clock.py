"""Measures how much of a lease is left on the process's own monotonic clock, also after the process was suspended."""

from __future__ import annotations

import time
from collections.abc import Callable

from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.domain.errors import LeaseTooShort

_BEFORE_THE_CHECK_SECONDS = 0.5
"""Time for a statement or two and a connection between the renewal and the last check."""


class LeaseClock:
    """``asked_at``: monotonic time before the lease or its renewal was requested. So the lease ends here before it ends in the database."""

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
        """True when half of the lease is over, or too little is left to start a write.

        Without the second condition a short lease would refuse every second write.
        """
        return self.seconds_left < max(self._settings.lease_seconds / 2, self._settings.write_minimum_seconds + _BEFORE_THE_CHECK_SECONDS)

    def seconds_allowed(self, setting_seconds: float) -> float:
        """Returns the total timeout of an outside write that starts now: min(setting, lease left − margin). Raises LeaseTooShort."""
        left = self.seconds_left
        # invariant: writes-need-enough-lease
        if left < self._settings.write_minimum_seconds:
            raise LeaseTooShort(f"{left:.1f} s of the lease are left")
        return min(setting_seconds, left - self._settings.write_margin_seconds)
