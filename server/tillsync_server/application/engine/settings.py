"""Settings of the engine. Units are in the names."""

from __future__ import annotations

from dataclasses import dataclass, field

from tillsync_server.domain.backoff import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    lease_seconds: float = 30.0
    """Length of a lease, after which a killed worker's lanes resume. Renewed when a third of it is over."""
    lane_slots: int = 2048
    """Lanes leased at once by one process."""
    live_reserved_slots: int = 512
    """Slots among ``lane_slots`` that only lanes with live work get."""
    entry_slots: int = 16_384
    """Entries that run at once in one process."""
    probe_slots: int = 32
    """Probes of paused sides that run at once in one process."""
    in_flight_limit: int = 1200
    """Entries of one lane that run at once. Most of them wait for a shop batch to fill."""
    reserved_in_flight: int = 100
    """Entries among ``in_flight_limit`` that each class of work keeps while other classes fill the lane."""
    claim_limit: int = 500
    bulk_lease_seconds: float = 10.0
    """Time slice of bulk work while other lanes wait for a slot."""
    live_lease_seconds: float = 30.0
    """Time slice of live work while other lanes wait for a slot."""
    poll_floor_seconds: float = 1.0
    """Longest pause between two searches for ready lanes when no NOTIFY arrives."""
    sweep_seconds: float = 60.0
    lapses_before_single: int = 2
    """Number of lapses in a row after which the lane runs one entry at a time, and charges its attempt before the run."""
    write_margin_seconds: float = 2.0
    """Least time between the end of an outside write and the end of the lease."""
    write_minimum_seconds: float = 5.0
    """No outside write starts with less of the lease left."""
    stop_grace_seconds: float = 10.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
