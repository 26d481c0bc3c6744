"""How the till's adapter behaves, the same for all accounts. What differs per account is in ``domain.account.EposSettings``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EposAdapterSettings:
    timeout_seconds: float = 15.0
    """TILLSYNC_TILL_TIMEOUT_SECONDS: total per request. Timeouts seen in the field lie between 8 and 20 s."""
    requests_in_flight: int = 16
    """Of one till and process, over all its accounts and kinds of work."""
    throttle_pause_seconds: float = 120.0
    """Pause of the whole till after a limit answer without Retry-After: no window is published, so minutes."""
    read_attempts: int = 3
    """Most tries of one read inside the adapter, the first included. 1 turns retrying off. A create has exactly one."""
    read_retry_seconds: float = 3.0
    """No further try of a read starts later than this after the first began."""
    read_retry_first_wait_seconds: float = 0.2
    """Doubles with each try, plus up to as much again by chance."""
