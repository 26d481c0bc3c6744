"""When another claim of a lane may bring entries: after news, after a claim that came back full, or when time has passed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from tillsync_server.domain.vocabulary import Priority
from tillsync_server.ports.lanes import ClaimedEntry


class ClaimSchedule:
    """Of one lease. A claim that brought less than its limit has found all entries that were due: a trickle costs one claim an entry.

    ``floor_seconds``: after so long a claim is worth it whatever was told, because a notification may be lost.
    """

    def __init__(self, *, floor_seconds: float, clock: Callable[[], float]) -> None:
        self._floor_seconds = floor_seconds
        self._clock = clock
        self._may_be_due = set(Priority)
        self._floor_at = clock() + floor_seconds
        self._next_due_at = math.inf

    def look_again(self) -> None:
        """Entries of each priority may be due."""
        self._may_be_due = set(Priority)
        self._floor_at = self._clock() + self._floor_seconds

    def due_in(self, seconds: float) -> None:
        """An entry of this lane was put off for so long."""
        self._next_due_at = min(self._next_due_at, self._clock() + seconds)

    @property
    def seconds_until_next(self) -> float:
        """Without news no claim is worth it before."""
        return max(min(self._next_due_at, self._floor_at) - self._clock(), 0.0)

    def worth_claiming(self, room: Mapping[Priority, int]) -> dict[Priority, int]:
        """The limits of the next claim; empty when none would bring anything. ``room``: how many entries of each priority may start."""
        if self.seconds_until_next <= 0:
            self._next_due_at = math.inf
            self.look_again()
        return {priority: room[priority] for priority in self._may_be_due if room[priority] > 0}

    def claim_sent(self, limits: Mapping[Priority, int]) -> None:
        """News that comes before the answer counts for the next claim."""
        self._may_be_due -= limits.keys()

    def claim_answered(self, limits: Mapping[Priority, int], claimed: Sequence[ClaimedEntry]) -> None:
        found = Counter(entry.priority for entry in claimed)
        self._may_be_due |= {priority for priority, limit in limits.items() if found[priority] >= limit}
