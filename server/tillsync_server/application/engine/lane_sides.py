"""The sides of one account (till, shop) during a lease. Each side works, is paused until a probe, or is being probed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass

from tillsync_server.application.engine.slots import Probes, ProvenSides
from tillsync_server.domain.enums import Side
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.work_class import WorkClass
from tillsync_server.ports.lanes import PausedSide

_NONE: frozenset[Side] = frozenset()


@dataclass(slots=True)
class _Pause:
    failures: int
    probe_at: float
    is_probed: bool = False
    stored_at: float = -math.inf
    """Infinite while the completion that opens the problem is not stored yet."""


class LaneSides:
    """The sides during one lease. While a side is probed, one entry that needs it runs at a time, until one proves that the side works.

    ``changed``: set when a probe slot becomes free for which this lane waits.
    """

    def __init__(
        self,
        account_id: AccountId,
        paused_sides: Mapping[Side, PausedSide],
        probes: Probes,
        proven: ProvenSides,
        now: Callable[[], float],
        changed: asyncio.Event,
    ) -> None:
        self._account_id = account_id
        self._probes = probes
        self._proven = proven
        self._now = now
        self._changed = changed
        self._pauses: dict[Side, _Pause] = {}
        self._resumed_at: dict[Side, float] = {}
        self._recorded_proven: set[Side] = set()
        """Sides that this lease has recorded as proven."""
        self.update(paused_sides, now())

    @property
    def seconds_until_probe(self) -> float:
        """Infinite if no paused side waits for its probe."""
        return min((each.probe_at for each in self._pauses.values() if not each.is_probed), default=math.inf) - self._now()

    def update(self, paused_sides: Mapping[Side, PausedSide], asked_at: float) -> None:
        """Takes over the paused sides as the database had them at ``asked_at`` or later. A person may have resumed a side."""
        for side in [side for side, each in self._pauses.items() if each.stored_at < asked_at and side not in paused_sides]:
            self._forget(side)
        for side, each in paused_sides.items():
            pause, probe_at = self._pauses.get(side), self._now() + each.seconds_until_probe
            if pause is not None and pause.stored_at < asked_at:
                pause.probe_at = min(pause.probe_at, probe_at)  # after a change of settings the side is probed at once
            elif pause is None and side not in self._resumed_at:
                self._pauses[side] = _Pause(each.failures, probe_at)

    @property
    def is_any_paused(self) -> bool:
        return bool(self._pauses)

    def room(self, work_class: WorkClass, room: int, running: Iterable[WorkClass]) -> int:
        """Returns how many of ``room`` entries of the class may start: 0 while a side that they need is paused, 1 when it may be probed."""
        pauses = [self._pauses[side] for side in work_class.sides if side in self._pauses]
        if not pauses:
            return room
        waiting = [each for each in pauses if not each.is_probed]
        if any(each.probe_at > self._now() for each in waiting):
            return 0
        # invariant: probes-have-a-bounded-share
        if len(waiting) > self._probes.free:
            self._probes.set_when_free(self._changed)
            return 0
        is_busy = any(other.sides & self._pauses.keys() for other in running)
        return 0 if is_busy else min(room, 1)

    def try_start(self, work_class: WorkClass, running: Iterable[WorkClass]) -> bool:
        """Starts an entry of the class, as a probe if a side that it needs is paused. False: the entry may not start."""
        if self.room(work_class, 1, running) == 0:
            return False
        for side in work_class.sides & self._pauses.keys():
            pause = self._pauses[side]
            pause.is_probed = pause.is_probed or self._probes.acquire()
        return True

    def record_failure(self, side: Side, started_at: float) -> int | None:
        """Returns the side's failures in a row, this one included. None: the problem is open already, or the run began before the side
        resumed."""
        pause = self._pauses.get(side)
        if (pause is not None and not pause.is_probed) or started_at < self._resumed_at.get(side, -math.inf):
            return None
        failures = 1 if pause is None else pause.failures + 1
        self._forget(side)
        self._resumed_at.pop(side, None)
        self._proven.drop(self._account_id, side)
        self._recorded_proven.discard(side)
        self._pauses[side] = _Pause(failures, math.inf, stored_at=math.inf)
        return failures

    def paused_since(self, started_at: float) -> Set[Side]:
        """Returns the sides that have been paused at any time since then."""
        if not self._pauses and not self._resumed_at:  # this runs for every entry
            return _NONE
        return {*self._pauses, *(side for side, at in self._resumed_at.items() if started_at < at)}

    def confirm_failure(self, side: Side, pause_seconds: float) -> None:
        pause = self._pauses.get(side)
        if pause is not None and pause.stored_at == math.inf:
            pause.stored_at, pause.probe_at = self._now(), self._now() + pause_seconds

    def are_proven(self, work_class: WorkClass) -> bool:
        """Whether this process has had answers from the sides that the class needs, and no failure since."""
        return self._proven.has(self._account_id, work_class.sides)

    def record_success(self, sides: Collection[Side]) -> frozenset[Side]:
        """Records that these sides work. Returns those among them that were paused."""
        if not self._recorded_proven.issuperset(sides):  # once a lease, because this runs for every entry
            self._recorded_proven.update(sides)
            self._proven.note(self._account_id, sides)
        if not self._pauses:
            return _NONE
        recovered = frozenset(side for side in sides if side in self._pauses and self._pauses[side].stored_at < math.inf)
        for side in recovered:
            self._forget(side)
            self._resumed_at[side] = self._now()
        return recovered

    def undo(self, recovered: Iterable[Side], failed: Side | None) -> None:
        """Undoes what a dropped completion changed: the sides that it resumed, or the side whose problem it opened. The state in the
        database counts again."""
        for side in recovered:
            self._resumed_at.pop(side, None)
        pause = None if failed is None else self._pauses.get(failed)
        if failed is not None and pause is not None and pause.stored_at == math.inf:
            self._forget(failed)

    def close(self) -> None:
        for side in list(self._pauses):
            self._forget(side)

    def _forget(self, side: Side) -> None:
        pause = self._pauses.pop(side, None)
        if pause is not None and pause.is_probed:
            self._probes.release()
