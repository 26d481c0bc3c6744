"""Room of one process for lanes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Slots:
    total: int
    live_reserved: int
    """Of these, kept for lanes with live work."""
    taken: int = 0
    are_missing: bool = False
    """Lanes are ready that found no slot: a lane that runs yields after its time."""

    @property
    def free(self) -> int:
        return self.total - self.taken

    @property
    def free_for_bulk(self) -> int:
        # invariant: bulk-work-takes-no-reserved-slot
        return max(self.free - self.live_reserved, 0)
