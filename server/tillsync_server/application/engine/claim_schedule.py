"""When another claim of a lane may bring entries: after news, after a claim that came back full, or when time has passed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from tillsync_server.domain.work_class import WorkClass
from tillsync_server.ports.lanes import ClaimedEntry

_LONGEST_FLOOR = 8
"""Times the floor. A thousand lanes that wait for a till that hangs would otherwise send a thousand claims each second."""


class ClaimSchedule:
    """Of one lease. A claim that brought less than its limit has found all entries that were due: a trickle costs one claim an entry.

    ``floor_seconds``: after so long a claim is worth it whatever was told, because a notification may be lost. Doubled by each claim
    that nothing but the floor asked for and that brought nothing; news make it short again.
    """

    def __init__(self, *, floor_seconds: float, clock: Callable[[], float]) -> None:
        self._shortest_floor = self._floor_seconds = floor_seconds
        self._clock = clock
        self._may_be_due = set(WorkClass)
        self._floor_at = clock() + floor_seconds
        self._next_due_at = math.inf

    def look_again(self) -> None:
        """There was news: entries of each class may be due."""
        self._floor_seconds = self._shortest_floor
        self._all_may_be_due()

    def due_in(self, seconds: float) -> None:
        """An entry of this lane was put off for so long."""
        self._next_due_at = min(self._next_due_at, self._clock() + seconds)

    @property
    def seconds_until_next(self) -> float:
        """Without news no claim is worth it before."""
        return max(min(self._next_due_at, self._floor_at) - self._clock(), 0.0)

    def due_classes(self) -> list[WorkClass]:
        """The classes whose entries a claim may bring now, in their order."""
        if self.seconds_until_next <= 0:
            if self._next_due_at > self._clock():
                self._floor_seconds = min(self._floor_seconds * 2, self._shortest_floor * _LONGEST_FLOOR)
            self._next_due_at = math.inf
            self._all_may_be_due()
        return [work_class for work_class in WorkClass if work_class in self._may_be_due]

    def claim_sent(self, limits: Iterable[WorkClass]) -> None:
        """News that comes before the answer counts for the next claim."""
        self._may_be_due.difference_update(limits)

    def claim_answered(self, limits: Mapping[WorkClass, int], claimed: Sequence[ClaimedEntry]) -> None:
        found = Counter(entry.work_class for entry in claimed)
        self._may_be_due |= {work_class for work_class, limit in limits.items() if found[work_class] >= limit}
        if claimed:
            self._floor_seconds = self._shortest_floor
            self._floor_at = self._clock() + self._floor_seconds

    def _all_may_be_due(self) -> None:
        self._may_be_due = set(WorkClass)
        self._floor_at = self._clock() + self._floor_seconds
