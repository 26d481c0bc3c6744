"""Settings of the till adapter for all accounts. ``domain.account.EposSettings`` has the settings of one account."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EposAdapterSettings:
    timeout_seconds: float = 15.0
    """TILLSYNC_TILL_TIMEOUT_SECONDS: total time of one request. Timeouts seen in the field are between 8 and 20 s."""
    requests_in_flight: int = 16
    """Maximum per till and process, over all accounts and classes of work."""
    throttle_pause_seconds: float = 120.0
    """Pause of the whole till after a limit answer without Retry-After. Epos Now publishes no window, so the pause takes minutes."""
    read_attempts: int = 3
    """Maximum attempts of one read inside the adapter, including the first. 1 turns retries off. A create has one attempt."""
    read_retry_seconds: float = 3.0
    """A retry of a read starts at most this long after the first attempt began."""
    read_retry_first_wait_seconds: float = 0.2
    """Wait before the first retry. It doubles with each retry; a random part of up to this value is added."""
