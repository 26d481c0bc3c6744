"""The till's request allowance in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from fakes.clock import FakeClock
from tillsync_server.domain.errors import Throttled
from tillsync_server.domain.ids import TillId
from tillsync_server.domain.vocabulary import Side


@dataclass
class FakeTillBudget:
    """Implements ports.tills.TillBudget with an allowance that never runs out. ``waits`` are handed out in order, then 0."""

    clock: FakeClock = field(default_factory=FakeClock)
    taken: list[tuple[TillId, int, int]] = field(default_factory=list)
    pauses: list[tuple[TillId, float]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    _paused_until: dict[TillId, float] = field(default_factory=dict)

    async def take(self, till_id: TillId, requests: int, *, per_minute: int) -> float:
        paused_seconds = self._paused_until.get(till_id, 0.0) - self.clock()
        if paused_seconds > 0:
            raise Throttled(Side.TILL, "Epos Now said its request limit is reached", retry_after_seconds=paused_seconds)
        self.taken.append((till_id, requests, per_minute))
        return self.waits.pop(0) if self.waits else 0.0

    async def pause(self, till_id: TillId, seconds: float) -> None:
        self.pauses.append((till_id, seconds))
        self._paused_until[till_id] = max(self._paused_until.get(till_id, 0.0), self.clock() + seconds)
