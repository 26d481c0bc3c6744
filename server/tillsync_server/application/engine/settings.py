"""What the engine can be tuned by. Units in the names."""

from __future__ import annotations

from dataclasses import dataclass, field

from tillsync_server.domain.backoff import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    lease_seconds: float = 30.0
    """A killed worker's lanes resume after so long. Renewed at a third."""
    lane_slots: int = 2048
    """Lanes leased at once by one process."""
    live_reserved_slots: int = 512
    """Of these, kept for lanes with live work: bulk never takes the last ones."""
    entry_slots: int = 16_384
    """Entries that run at once in one process."""
    probe_slots: int = 32
    """Probes of ill sides under way at once in one process."""
    in_flight_limit: int = 1200
    """Entries of one lane that run at once; most of them wait for a shop batch to fill."""
    reserved_in_flight: int = 100
    """Of these, kept for each class of work while others fill the lane."""
    claim_limit: int = 500
    bulk_lease_seconds: float = 10.0
    """A lane with bulk work goes to the back of the line after so long when others wait."""
    live_lease_seconds: float = 30.0
    """So does a lane that is never out of live work."""
    poll_floor_seconds: float = 1.0
    """How often a process looks for ready lanes when no NOTIFY reaches it."""
    sweep_seconds: float = 60.0
    lapses_before_single: int = 2
    """After so many lapses in a row, one entry at a time, its attempt charged first."""
    write_margin_seconds: float = 2.0
    """An outside write must be over so long before the lease is."""
    write_minimum_seconds: float = 5.0
    """With less of the lease left, nothing is sent."""
    stop_grace_seconds: float = 10.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
