"""Caps per account: how much may wait, and how fast it may come. No query a request: waiting entries are counted now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from tillsync_server.domain.errors import ResourceExhausted
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.queues import WaitingCounter


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionSettings:
    """0 turns a cap off; then one noisy account can fill the disk, or keep every other account's calls waiting."""

    max_waiting_entries: int = 200_000
    """PENDING entries of one account. Over it by at most 1 % and one batch for each process, since counts are sampled."""
    entries_per_second: float = 5_000.0
    """Entries one account may hand to one process, on average; a batch counts as its entries."""
    burst_entries: float = 100_000.0
    """What it may hand over at once after a quiet time: a sweep over all customers of a large till."""


RECOUNT_SECONDS = 2.0
"""An account over its cap is not counted more often than this, however often it asks."""
_SAMPLE_SHARE = 100
_MAX_ACCOUNTS = 50_000


@dataclass(slots=True)
class _Standing:
    tokens: float
    refilled_at: float
    waiting: int = 0
    """As last counted, and since then every admitted entry added: too high rather than too low."""
    admitted: int = 0
    """Since the last count."""
    counted_at: float | None = None
    counting: asyncio.Lock | None = None


class Admission:
    """One per process. ``clock`` is monotonic."""

    def __init__(
        self, counter: WaitingCounter, settings: AdmissionSettings | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._counter = counter
        self._settings = settings or AdmissionSettings()
        self._clock = clock
        self._standings: dict[AccountId, _Standing] = {}
        self._sample_after = max(self._settings.max_waiting_entries // _SAMPLE_SHARE, 1)

    async def admit(self, account_id: AccountId, entries: int = 1) -> None:
        """ResourceExhausted with the time to come back. Coalescing ones count too: nobody knows yet that they will."""
        now = self._clock()
        standing = self._standings.get(account_id)
        if standing is None:
            standing = self._standing_of_new(account_id, now)
        self._take_tokens(account_id, standing, entries, now)
        cap = self._settings.max_waiting_entries
        if cap and (standing.admitted >= self._sample_after or standing.waiting + entries > cap):
            await self._check_waiting(account_id, standing, entries)
        standing.waiting += entries
        standing.admitted += entries

    def _take_tokens(self, account_id: AccountId, standing: _Standing, entries: int, now: float) -> None:
        rate = self._settings.entries_per_second
        if not rate:
            return
        standing.tokens = min(self._settings.burst_entries, standing.tokens + (now - standing.refilled_at) * rate)
        standing.refilled_at = now
        missing = entries - standing.tokens
        if missing > 0:
            raise ResourceExhausted(
                f"account {account_id} sends more than {rate:g} entries a second; come back later",
                reason="RATE_EXCEEDED",
                metadata={"entries_per_second": f"{rate:g}"},
                retry_after_seconds=max(missing / rate, 0.1),
            )
        standing.tokens -= entries

    async def _check_waiting(self, account_id: AccountId, standing: _Standing, entries: int) -> None:
        cap = self._settings.max_waiting_entries
        if standing.counting is None:
            standing.counting = asyncio.Lock()
        async with standing.counting:
            sample_due = standing.admitted >= self._sample_after or standing.waiting + entries > cap
            if sample_due and (standing.counted_at is None or self._clock() - standing.counted_at >= RECOUNT_SECONDS):
                standing.admitted = 0
                standing.waiting = await self._counter.waiting_entries(account_id, cap)
                standing.counted_at = self._clock()
        if standing.waiting + entries > cap:
            raise ResourceExhausted(
                f"account {account_id} has {cap} waiting entries already; come back when they are worked off",
                reason="TOO_MANY_WAITING_ENTRIES",
                metadata={"max_waiting_entries": str(cap)},
                retry_after_seconds=30.0,
            )

    def _standing_of_new(self, account_id: AccountId, now: float) -> _Standing:
        if len(self._standings) >= _MAX_ACCOUNTS:
            self._standings.clear()  # everybody begins again with a full burst and a count within 1 % of the cap
        standing = self._standings[account_id] = _Standing(self._settings.burst_entries, now)
        return standing
