"""The sides of one account (till, shop) as its lane may use them: well, ill until a probe, or being probed."""

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
class _Ill:
    failures: int
    probe_at: float
    is_probed: bool = False
    stored_at: float = -math.inf
    """Infinite while its completion is on the way: the database does not know of the problem yet."""


class LaneSides:
    """Of one lease. A side that is probed runs one entry at a time until one has proven that it works. ``changed``: set when a probe that
    waits for a slot may start."""

    def __init__(
        self,
        account_id: AccountId,
        ill: Mapping[Side, PausedSide],
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
        self._ill: dict[Side, _Ill] = {}
        self._mended_at: dict[Side, float] = {}
        self._answered: set[Side] = set()
        """Known to be proven."""
        self.update(ill, now())

    @property
    def seconds_until_probe(self) -> float:
        """Infinite where no ill side waits for its probe."""
        return min((each.probe_at for each in self._ill.values() if not each.is_probed), default=math.inf) - self._now()

    def update(self, ill: Mapping[Side, PausedSide], asked_at: float) -> None:
        """As the database had them at ``asked_at`` or later: a person may have mended a side."""
        for side in [side for side, each in self._ill.items() if each.stored_at < asked_at and side not in ill]:
            self._forget(side)
        for side, each in ill.items():
            known, probe_at = self._ill.get(side), self._now() + each.seconds_until_probe
            if known is not None and known.stored_at < asked_at:
                known.probe_at = min(known.probe_at, probe_at)  # new settings have it probed at once
            elif known is None and side not in self._mended_at:
                self._ill[side] = _Ill(each.failures, probe_at)

    @property
    def is_any_ill(self) -> bool:
        return bool(self._ill)

    def room(self, work_class: WorkClass, room: int, running: Iterable[WorkClass]) -> int:
        """How many entries of the class may start, of ``room``. 0 while a side that they need is ill, 1 when it may be probed."""
        ill = [self._ill[side] for side in work_class.sides if side in self._ill]
        if not ill:
            return room
        waiting = [each for each in ill if not each.is_probed]
        if any(each.probe_at > self._now() for each in waiting):
            return 0
        # invariant: probes-have-a-bounded-share
        if len(waiting) > self._probes.free:
            self._probes.wake_when_free(self._changed)
            return 0
        is_busy = any(other.sides & self._ill.keys() for other in running)
        return 0 if is_busy else min(room, 1)

    def start(self, work_class: WorkClass, running: Iterable[WorkClass]) -> bool:
        """An entry of the class starts, as a probe where a side that it needs is ill. False: it may not."""
        if self.room(work_class, 1, running) == 0:
            return False
        for side in work_class.sides & self._ill.keys():
            ill = self._ill[side]
            ill.is_probed = ill.is_probed or self._probes.take()
        return True

    def failed(self, side: Side, started_at: float) -> int | None:
        """The side's failures in a row, this one included. None: it is known already, or older than the side's mending."""
        known = self._ill.get(side)
        if (known is not None and not known.is_probed) or started_at < self._mended_at.get(side, -math.inf):
            return None
        failures = 1 if known is None else known.failures + 1
        self._forget(side)
        self._mended_at.pop(side, None)
        self._proven.drop(self._account_id, side)
        self._answered.discard(side)
        self._ill[side] = _Ill(failures, math.inf, stored_at=math.inf)
        return failures

    def ill_since(self, started_at: float) -> Set[Side]:
        """The sides that have had a problem since then."""
        if not self._ill and not self._mended_at:  # this runs for every entry
            return _NONE
        return {*self._ill, *(side for side, at in self._mended_at.items() if started_at < at)}

    def failure_stored(self, side: Side, pause_seconds: float) -> None:
        known = self._ill.get(side)
        if known is not None and known.stored_at == math.inf:
            known.stored_at, known.probe_at = self._now(), self._now() + pause_seconds

    def are_proven(self, work_class: WorkClass) -> bool:
        """The sides that the class needs have answered this process a while ago."""
        return self._proven.has(self._account_id, work_class.sides)

    def worked(self, sides: Collection[Side]) -> frozenset[Side]:
        """These evidently work. Returns those that were ill."""
        if not self._answered.issuperset(sides):  # once a lease: this runs for every entry
            self._answered.update(sides)
            self._proven.note(self._account_id, sides)
        if not self._ill:
            return _NONE
        mended = frozenset(side for side in sides if side in self._ill and self._ill[side].stored_at < math.inf)
        for side in mended:
            self._forget(side)
            self._mended_at[side] = self._now()
        return mended

    def not_stored(self, mended: Iterable[Side], failed: Side | None) -> None:
        """A completion that mended these sides, or told the problem of this one, was dropped: what the database says counts again."""
        for side in mended:
            self._mended_at.pop(side, None)
        known = None if failed is None else self._ill.get(failed)
        if failed is not None and known is not None and known.stored_at == math.inf:
            self._forget(failed)

    def close(self) -> None:
        for side in list(self._ill):
            self._forget(side)

    def _forget(self, side: Side) -> None:
        ill = self._ill.pop(side, None)
        if ill is not None and ill.is_probed:
            self._probes.give_back()
