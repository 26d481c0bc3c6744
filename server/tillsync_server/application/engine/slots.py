"""Room of one process: for lanes, for running entries, and for probes of ill sides."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tillsync_server.application.concurrency.recent import Recent
from tillsync_server.domain.enums import Side
from tillsync_server.domain.ids import AccountId

_PIECE = 50
_UNPROVEN_OF_LANE = 250
_UNPROVEN_PART = 2
_PROVEN_KEPT = 20_000


@dataclass(slots=True)
class Slots:
    """A lane is small and leased by the thousand. A slot belongs to a running entry."""

    lanes: int
    live_reserved_lanes: int
    """Of these, kept for lanes with live work."""
    entries: int
    lanes_taken: int = 0
    entries_taken: int = 0
    unproven_taken: int = 0
    """Of these, entries whose sides had not shown that they answer when they were claimed."""
    are_missing: bool = False
    """Lanes are ready that found no room: a lane that runs yields after its time."""

    @property
    def free_lanes(self) -> int:
        return self.lanes - self.lanes_taken

    @property
    def free_lanes_for_bulk(self) -> int:
        # invariant: bulk-work-takes-no-reserved-slot
        return max(self.free_lanes - self.live_reserved_lanes, 0)

    def entries_of_proven(self, of_class: int) -> int:
        """How many more entries of a class a lane may start that runs ``of_class`` of them: at least one of each class."""
        return max(self.entries - self.entries_taken, 1 - of_class)

    def entries_of_unproven(self, of_class: int, of_lane: int) -> int:
        """The same where the sides have not shown that they answer, for a lane that runs ``of_lane`` in all: no more than a few requests
        read and write, and half of the process for all such lanes. Thousands of accounts whose till or shop hangs leave room for
        the others."""
        free = min(self.entries - self.entries_taken, self.entries // _UNPROVEN_PART - self.unproven_taken)
        # not the crumbs of a full process: what starts one by one shares neither a list page nor a shop request
        most = min(free, _UNPROVEN_OF_LANE - of_lane) if free >= _PIECE else 0
        return max(most, 1 - of_class)

    @contextmanager
    def kept_for(self, entries: int, unproven: int) -> Iterator[None]:
        """While a claim of at most so many is on its way: others that claim meanwhile would read the same room full, and leave most of it.
        Most claims bring far fewer than they may. Room for all of it would be a full process for the others: they would start one entry
        each, and customers that could share a list page and a shop request would not meet."""
        kept = min(entries, _PIECE), min(unproven, _PIECE)
        self.take(*kept)
        try:
            yield
        finally:
            self.give_back(*kept)

    def take(self, entries: int, unproven: int) -> None:
        """``unproven``: how many of the entries are."""
        self.entries_taken += entries
        self.unproven_taken += unproven

    def give_back(self, entries: int, unproven: int) -> None:
        self.entries_taken -= entries
        self.unproven_taken -= unproven


@dataclass(slots=True)
class Probes:
    """Probes of ill sides under way at once in this process: they may each take a whole time-out."""

    most: int
    taken: int = 0
    _waiting: set[asyncio.Event] = field(default_factory=set)

    @property
    def free(self) -> int:
        return self.most - self.taken

    def take(self) -> bool:
        if self.free <= 0:
            return False
        self.taken += 1
        return True

    def wake_when_free(self, event: asyncio.Event) -> None:
        self._waiting.add(event)

    def give_back(self) -> None:
        self.taken -= 1
        waiting, self._waiting = self._waiting, set()
        for event in waiting:
            # invariant: free-probe-slots-are-told
            event.set()


@dataclass(slots=True)
class ProvenSides:
    """Which sides have answered this process, and not failed since; the oldest are forgotten."""

    _sides: Recent[tuple[AccountId, Side], None] = field(default_factory=lambda: Recent(_PROVEN_KEPT))

    def has(self, account_id: AccountId, sides: Collection[Side]) -> bool:
        return all((account_id, side) in self._sides for side in sides)

    def note(self, account_id: AccountId, sides: Collection[Side]) -> None:
        for side in sides:
            self._sides.keep((account_id, side), None)

    def drop(self, account_id: AccountId, side: Side) -> None:
        self._sides.pop((account_id, side), None)
