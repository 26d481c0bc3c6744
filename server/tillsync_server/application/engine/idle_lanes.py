"""Drained lanes that stay leased for a moment, so that a trickle of work costs no lease and no release.

An idle lane holds its lease and nothing else: no slot, no entry. It never stands in anybody's way: to run again it takes a slot that is
free, and where other lanes wait for one it is given back, to stand in line with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class IdleLane(Protocol):
    def look_up(self) -> None:
        """Something changed: ask again whether to run, to wait or to end."""
        ...

    def end_idle(self) -> None:
        """Be released now."""
        ...


class IdleLanes:
    """One per process. ``leased``: lanes this process holds, idle ones too. ``others_wait``: lanes are ready that found no slot."""

    def __init__(
        self, *, most: int, slots: int, live_reserved_slots: int, leased: Callable[[], int], others_wait: Callable[[], bool]
    ) -> None:
        self._most = most
        self._slots = slots
        self._live_reserved_slots = live_reserved_slots
        self._leased = leased
        self._others_wait = others_wait
        self._lanes: set[IdleLane] = set()
        self._wanting: dict[IdleLane, None] = {}
        """Work has come to them, and there was no slot; in order."""
        self._asked_for = 0

    @property
    def free_slots(self) -> int:
        return self._slots - (self._leased() - len(self._lanes))

    @contextmanager
    def asking_for(self, slots: int) -> Iterator[None]:
        """Lanes are being leased for so many of the free slots: no idle lane takes those meanwhile."""
        self._asked_for = slots
        try:
            yield
        finally:
            self._asked_for = 0
            for lane in list(self._wanting):
                lane.look_up()

    def __len__(self) -> int:
        return len(self._lanes)

    def admit(self, lane: IdleLane) -> bool:
        """Its slot is free then. False: the lane is to be released. While others wait none becomes idle: they come first anyway."""
        if self._others_wait() or len(self._lanes) >= self._most:
            return False
        self._lanes.add(lane)
        self.slot_freed()
        return True

    def leave(self, lane: IdleLane) -> None:
        """Its time is over, or it has been lost."""
        self._lanes.discard(lane)
        self._wanting.pop(lane, None)

    def run_again(self, lane: IdleLane) -> bool:
        """Work has come: the lane leaves with a slot; or it waits for one, and is told. What came may be bulk work, so the last slots are
        not given away here: they are for lanes that are known to have live work. Whether this one has is seen when it is leased again."""
        free = self.free_slots - self._asked_for
        # invariant: idle-lanes-take-no-reserved-slot
        if free > self._live_reserved_slots:
            self.leave(lane)
            return True
        self._wanting[lane] = None
        if free > 0 or self._others_wait():
            lane.end_idle()
        return False

    def slot_freed(self) -> None:
        for lane in self._wanting:
            lane.look_up()
            break

    def stand_in_line(self) -> None:
        """Others wait for slots: who wants one here does not get it before them."""
        for lane in list(self._wanting):
            lane.end_idle()
