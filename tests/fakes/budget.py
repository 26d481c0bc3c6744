"""Request allowance of a till in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fakes.clock import FakeClock
from tillsync_server.adapters.postgres.tills.till_budget import LONGEST_WAIT_SECONDS, burst, tokens_per_second
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import AllowanceSpent, Throttled
from tillsync_server.domain.ids import TillId
from tillsync_server.ports.tills import TakenRequests


@dataclass
class _Bucket:
    tokens: float
    refilled_at: float
    passed_over: int = 0


@dataclass
class FakeTillBudget:
    """Implements ports.tills.TillBudget with an unlimited allowance. ``reserve`` returns the items of ``waits`` in order, then 0.

    ``is_short``: the allowance is ``per_minute`` instead, without a share for other apps.
    """

    clock: Callable[[], float] = field(default_factory=FakeClock)
    taken: list[tuple[TillId, int, int]] = field(default_factory=list)
    pauses: list[tuple[TillId, float]] = field(default_factory=list)
    refusals: list[tuple[TillId, int]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    is_short: bool = False
    take_calls: int = 0
    """Number of take_available calls."""
    _paused_until: dict[TillId, float] = field(default_factory=dict)
    _buckets: dict[TillId, _Bucket] = field(default_factory=dict)

    async def reserve(self, till_id: TillId, requests: int, *, per_minute: int) -> float:
        self._check_pause(till_id)
        wait = self._book(till_id, requests, per_minute) if self.is_short else 0.0
        self.taken.append((till_id, requests, per_minute))
        return self.waits.pop(0) if self.waits else wait

    def _book(self, till_id: TillId, requests: int, per_minute: int) -> float:
        bucket, rate = self._refilled(till_id, per_minute), tokens_per_second(per_minute)
        wait = max(0.0, requests - bucket.tokens) / rate
        if wait > LONGEST_WAIT_SECONDS:
            raise AllowanceSpent(Side.TILL, "the till's allowance of requests is used up for now", retry_after_seconds=wait)
        bucket.tokens -= requests
        bucket.passed_over = min(9, bucket.passed_over + requests)
        return wait

    async def take_available(self, till_id: TillId, most: int, *, per_minute: int) -> TakenRequests:
        self.take_calls += 1
        self._check_pause(till_id)
        given = self._available(till_id, most, per_minute) if self.is_short else TakenRequests(requests=most)
        self.taken += [(till_id, 1, per_minute)] * given.requests
        return given

    def _available(self, till_id: TillId, most: int, per_minute: int) -> TakenRequests:
        bucket, rate = self._refilled(till_id, per_minute), tokens_per_second(per_minute)
        requests = min(most, int(bucket.tokens)) if bucket.tokens >= 1 else int(bucket.passed_over >= 9)
        wait = max(0.0, requests - bucket.tokens) / rate
        if requests:
            bucket.tokens -= requests
            bucket.passed_over = 0
        until_token, until_turn = max(0.0, 1 - bucket.tokens) / rate, (10 - bucket.passed_over) / rate
        return TakenRequests(requests=requests, wait_seconds=wait, next_seconds=min(until_token, until_turn))

    def _refilled(self, till_id: TillId, per_minute: int) -> _Bucket:
        bucket = self._buckets.setdefault(till_id, _Bucket(0.0, self.clock()))
        tokens = bucket.tokens + (self.clock() - bucket.refilled_at) * tokens_per_second(per_minute)
        bucket.tokens, bucket.refilled_at = min(float(burst(per_minute)), tokens), self.clock()
        return bucket

    async def note_refusal(self, till_id: TillId, *, per_minute: int) -> None:
        self.refusals.append((till_id, per_minute))

    def _check_pause(self, till_id: TillId) -> None:
        paused_seconds = self._paused_until.get(till_id, 0.0) - self.clock()
        if paused_seconds > 0:
            raise Throttled(Side.TILL, "Epos Now said its request limit is reached", retry_after_seconds=paused_seconds)

    async def pause(self, till_id: TillId, seconds: float) -> None:
        self.pauses.append((till_id, seconds))
        self._paused_until[till_id] = max(self._paused_until.get(till_id, 0.0), self.clock() + seconds)
