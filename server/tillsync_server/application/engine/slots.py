"""Capacity of one process for lanes, for running entries, and for probes of paused sides."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tillsync_server.application.concurrency.recent import Recent
from tillsync_server.domain.enums import Side
from tillsync_server.domain.ids import AccountId

_SLOTS_AT_ONCE = 50
"""The most slots that a claim reserves. With fewer free slots than this a lane gets no further unproven entries."""
_MAX_UNPROVEN_OF_LANE = 250
_UNPROVEN_DIVISOR = 2
_MAX_PROVEN = 20_000


@dataclass(slots=True)
class Slots:
    """Slots for lanes and for running entries. A process leases thousands of lanes, because a lane is small."""

    lanes: int
    live_reserved_lanes: int
    """Slots among ``lanes`` that only lanes with live work get."""
    entries: int
    lanes_taken: int = 0
    entries_taken: int = 0
    unproven_taken: int = 0
    """Entries among ``entries_taken`` whose sides were not proven to answer when they were claimed."""
    lanes_wait: bool = False
    """Ready lanes got no slot, so that a running lane yields after its time slice."""

    @property
    def free_lanes(self) -> int:
        return self.lanes - self.lanes_taken

    @property
    def free_lanes_for_bulk(self) -> int:
        # invariant: bulk-work-takes-no-reserved-slot
        return max(self.free_lanes - self.live_reserved_lanes, 0)

    def entries_of_proven(self, of_class: int) -> int:
        """Returns how many more entries of a class a lane may start that runs ``of_class`` of them: at least one of each class."""
        return max(self.entries - self.entries_taken, 1 - of_class)

    def entries_of_unproven(self, of_class: int, of_lane: int) -> int:
        """Like :meth:`entries_of_proven`, for sides that are not proven to answer. ``of_lane``: entries that the lane runs in all.

        A lane gets no more entries than a few requests read and write, and all such lanes get half of the process. So thousands of
        accounts whose till or shop hangs leave capacity for the others.
        """
        free = min(self.entries - self.entries_taken, self.entries // _UNPROVEN_DIVISOR - self.unproven_taken)
        # a nearly full process gives none: entries that start one by one share neither a list page nor a shop request
        limit = min(free, _MAX_UNPROVEN_OF_LANE - of_lane) if free >= _SLOTS_AT_ONCE else 0
        return max(limit, 1 - of_class)

    @contextmanager
    def reserved(self, entries: int, unproven: int) -> Iterator[None]:
        """Reserves slots during a claim of at most these entries, because other claims would otherwise count the same free slots.

        It reserves at most 50, because most claims bring far fewer entries than they may. If it reserved all, the process would look full
        to the other lanes. They would start one entry each, and their customers would share neither a list page nor a shop request.
        """
        reserved = min(entries, _SLOTS_AT_ONCE), min(unproven, _SLOTS_AT_ONCE)
        self.acquire(*reserved)
        try:
            yield
        finally:
            self.release(*reserved)

    def acquire(self, entries: int, unproven: int) -> None:
        """``unproven``: how many of the entries have sides that are not proven to answer."""
        self.entries_taken += entries
        self.unproven_taken += unproven

    def release(self, entries: int, unproven: int) -> None:
        self.entries_taken -= entries
        self.unproven_taken -= unproven


@dataclass(slots=True)
class Probes:
    """Slots for probes of paused sides. A probe may take a whole time-out."""

    limit: int
    taken: int = 0
    _waiting: set[asyncio.Event] = field(default_factory=set)

    @property
    def free(self) -> int:
        return self.limit - self.taken

    def acquire(self) -> bool:
        if self.free <= 0:
            return False
        self.taken += 1
        return True

    def set_when_free(self, event: asyncio.Event) -> None:
        self._waiting.add(event)

    def release(self) -> None:
        self.taken -= 1
        waiting, self._waiting = self._waiting, set()
        for event in waiting:
            # invariant: free-probe-slots-are-told
            event.set()


@dataclass(slots=True)
class ProvenSides:
    """Sides that have answered this process and have not failed since. The oldest of more than 20,000 are dropped."""

    _sides: Recent[tuple[AccountId, Side], None] = field(default_factory=lambda: Recent(_MAX_PROVEN))

    def has(self, account_id: AccountId, sides: Collection[Side]) -> bool:
        return all((account_id, side) in self._sides for side in sides)

    def note(self, account_id: AccountId, sides: Collection[Side]) -> None:
        for side in sides:
            self._sides.keep((account_id, side), None)

    def drop(self, account_id: AccountId, side: Side) -> None:
        self._sides.pop((account_id, side), None)
