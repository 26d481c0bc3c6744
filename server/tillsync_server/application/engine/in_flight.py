"""One claimed entry from its claim until its result is stored."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from tillsync_server.ports.lanes import ClaimedEntry


class RunState(Enum):
    BLOCKED = auto()
    """Waits for an entry with a key in common."""
    RUNNING = auto()
    DECIDED = auto()
    """Has its verdict, which is being stored."""


@dataclass(slots=True, eq=False)
class InFlight:
    entry: ClaimedEntry
    state: RunState = RunState.BLOCKED
    started_at: float = 0.0
    is_charged: bool = False
    """The attempt was charged before the run."""
    is_unproven: bool = False
    """Its sides had not shown that they answer when it was claimed."""
