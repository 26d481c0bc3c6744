"""What a lane's runner knows of the entries that wait for it: whether a look would find any, from where on, and when to look again.

A look that brought less than it might have has found all there was. Only a word from outside (new work), an entry that did not end as it
was decided, or time makes it worth looking again: a trickle of work then costs one claim an entry. A look that brought all it might have
is gone on with behind its last entry: a deep lane costs what it brings, however much of it is in flight.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

from tillsync_server.domain.vocabulary import Priority
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, LaneLease, Position

Claim = Callable[[ClaimRequest], Awaitable[list[ClaimedEntry]]]


class Lookout:
    """Of one lease. ``floor_seconds``: after so long a look from the first is worth it whatever was told, for a word from outside may be
    lost, and an entry that was committed late may be due before those that were looked at."""

    def __init__(self, lease: LaneLease, *, floor_seconds: float, clock: Callable[[], float]) -> None:
        self._lease = lease
        self._floor_seconds = floor_seconds
        self._clock = clock
        self._began_at = clock()
        self._live_more = self._bulk_more = True
        """Some may be due."""
        self._live_after: Position | None = None
        self._bulk_after: Position | None = None
        self._news = 0
        self._again_at = math.inf
        self.is_sure = True
        """The looks since the last one from the first missed nothing: none went on behind an entry."""

    @property
    def is_exhausted(self) -> bool:
        return not (self._live_more or self._bulk_more)

    @property
    def again_at(self) -> float:
        """When the next entry that this lease put off is due, on the clock."""
        return self._again_at

    @property
    def seconds_until_worth(self) -> float:
        """So long a look is not worth it without a word: until something is due again, or the floor."""
        return max(min(self._again_at, self._began_at + self._floor_seconds) - self._clock(), 0.0)

    def tell(self) -> None:
        """New work came. Live work is looked for from the first; bulk work stands behind what was claimed."""
        self._news += 1
        self._live_more = self._bulk_more = True
        self._live_after = None

    def start_over(self) -> None:
        """Look for everything from the first."""
        self.tell()
        self._bulk_after = None
        self._began_at = self._clock()
        self.is_sure = True

    def due_in(self, seconds: float) -> None:
        """An entry was put off for so long."""
        self._again_at = min(self._again_at, self._clock() + seconds)

    def wants(self, live_limit: int, bulk_limit: int) -> bool:
        """Whether a look with these limits may bring something."""
        now = self._clock()
        if now >= self._again_at:
            self._again_at = math.inf
            self.start_over()
        elif now - self._began_at >= self._floor_seconds:
            self.start_over()
        return (self._live_more and live_limit > 0) or (self._bulk_more and bulk_limit > 0)

    async def look(self, claim: Claim, live_limit: int, bulk_limit: int, in_flight: Sequence[ClaimedEntry]) -> list[ClaimedEntry]:
        """Due entries, of each priority at most its limit, none of them ``in_flight``."""
        live_limit, bulk_limit, news = max(live_limit, 0), max(bulk_limit, 0), self._news
        starts = {Priority.LIVE: self._live_after is None, Priority.BULK: self._bulk_after is None}
        left_out = tuple(entry.entry_id for entry in in_flight if starts[entry.priority])
        claimed = await claim(ClaimRequest(self._lease, live_limit, bulk_limit, left_out, self._live_after, self._bulk_after))
        if news == self._news:  # else there is more, whatever this look says
            if live_limit:
                self._live_after, self._live_more = self._rest(claimed, Priority.LIVE, live_limit, self._live_after)
            if bulk_limit:
                self._bulk_after, self._bulk_more = self._rest(claimed, Priority.BULK, bulk_limit, self._bulk_after)
        # by what was in flight when it was asked: an entry may have ended since, and the answer is older than that
        flying = {entry.entry_id for entry in in_flight}
        fresh = [entry for entry in claimed if entry.entry_id not in flying] if flying else claimed
        if len(fresh) < len(claimed):  # changed its priority or its time meanwhile: once more, without it
            self.start_over()
        return fresh

    def _rest(
        self, claimed: Sequence[ClaimedEntry], priority: Priority, limit: int, began_after: Position | None
    ) -> tuple[Position | None, bool]:
        """Where to go on, and whether there may be more."""
        if began_after is not None:
            # invariant: deep-lanes-are-read-from-the-start
            self.is_sure = False
        part = [entry for entry in claimed if entry.priority is priority]
        if len(part) < limit:
            return began_after, False
        return max((entry.due_at, entry.entry_id) for entry in part), True
