"""Decides when another claim of a lane may bring entries: after a wake-up, after a claim that came back full, or after some time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from tillsync_server.domain.work_class import WorkClass
from tillsync_server.ports.lanes import ClaimedEntry

_LONGEST_FLOOR = 8
"""Longest floor, as a multiple of the shortest. Without it a thousand lanes that wait for a hung till send a thousand claims a second."""


class ClaimSchedule:
    """The schedule of one lease. A claim that brought fewer entries than its limit has found all due entries.

    So entries that come one by one cost one claim each. ``floor_seconds``: longest time without a claim, because a notification may be
    lost. Each claim that only the floor caused and that brought nothing doubles it. A wake-up resets it.
    """

    def __init__(self, *, floor_seconds: float, clock: Callable[[], float]) -> None:
        self._shortest_floor = self._floor_seconds = floor_seconds
        self._clock = clock
        self._may_be_due = set(WorkClass)
        self._floor_at = clock() + floor_seconds
        self._next_due_at = math.inf

    def wake(self) -> None:
        """To call on a wake-up: entries of each class may be due."""
        self._floor_seconds = self._shortest_floor
        self._mark_all_due()

    def due_in(self, seconds: float) -> None:
        """To call when an entry of this lane was postponed."""
        self._next_due_at = min(self._next_due_at, self._clock() + seconds)

    @property
    def seconds_until_next(self) -> float:
        """Seconds until the next claim, unless a wake-up comes first."""
        return max(min(self._next_due_at, self._floor_at) - self._clock(), 0.0)

    def due_classes(self) -> list[WorkClass]:
        """Returns the classes of which a claim may bring entries now, in their order."""
        if self.seconds_until_next <= 0:
            if self._next_due_at > self._clock():
                self._floor_seconds = min(self._floor_seconds * 2, self._shortest_floor * _LONGEST_FLOOR)
            self._next_due_at = math.inf
            self._mark_all_due()
        return [work_class for work_class in WorkClass if work_class in self._may_be_due]

    def claim_sent(self, limits: Iterable[WorkClass]) -> None:
        """A wake-up between this call and the answer counts for the next claim."""
        self._may_be_due.difference_update(limits)

    def claim_answered(self, limits: Mapping[WorkClass, int], claimed: Sequence[ClaimedEntry]) -> None:
        found = Counter(entry.work_class for entry in claimed)
        self._may_be_due |= {work_class for work_class, limit in limits.items() if found[work_class] >= limit}
        if claimed:
            self._floor_seconds = self._shortest_floor
            self._floor_at = self._clock() + self._floor_seconds

    def _mark_all_due(self) -> None:
        self._may_be_due = set(WorkClass)
        self._floor_at = self._clock() + self._floor_seconds
