"""Limits of each account: its waiting entries, and its entries a second. Waiting entries are counted now and then, not at each request."""

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
    """Limits of each account. 0 turns a limit off; then one noisy account can fill the disk, or delay every other account's calls."""

    max_waiting_entries: int = 200_000
    """PENDING entries of one account. Counts are sampled, so an account may exceed it by at most 1 % and one batch for each process."""
    entries_per_second: float = 5_000.0
    """Entries that one account may send to one process, on average. A batch counts as its entries."""
    burst_entries: float = 100_000.0
    """Entries that one account may send at once after a quiet time, such as a sweep over all customers of a large till."""


RECOUNT_SECONDS = 2.0
"""Least time between two counts of an account over its limit, for any number of calls."""
_SAMPLE_SHARE = 100
_MAX_ACCOUNTS = 50_000


@dataclass(slots=True)
class _AccountLoad:
    tokens: float
    refilled_at: float
    waiting: int = 0
    """The last count and every entry admitted since, so it may be too high, but not too low."""
    admitted: int = 0
    """Entries admitted since the last count."""
    counted_at: float | None = None
    counting: asyncio.Lock | None = None


class Admission:
    """Admits or refuses entries. One per process. ``clock`` is monotonic, in seconds."""

    def __init__(
        self, counter: WaitingCounter, settings: AdmissionSettings | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._counter = counter
        self._settings = settings or AdmissionSettings()
        self._clock = clock
        self._loads: dict[AccountId, _AccountLoad] = {}
        self._sample_after = max(self._settings.max_waiting_entries // _SAMPLE_SHARE, 1)

    async def admit(self, account_id: AccountId, entries: int = 1) -> None:
        """Admits entries. Raises ResourceExhausted with a retry delay. Entries that will coalesce count too, because that is not known
        yet."""
        now = self._clock()
        load = self._loads.get(account_id)
        if load is None:
            load = self._new_load(account_id, now)
        self._use_tokens(account_id, load, entries, now)
        cap = self._settings.max_waiting_entries
        if cap and (load.admitted >= self._sample_after or load.waiting + entries > cap):
            await self._check_waiting(account_id, load, entries)
        load.waiting += entries
        load.admitted += entries

    def _use_tokens(self, account_id: AccountId, load: _AccountLoad, entries: int, now: float) -> None:
        rate = self._settings.entries_per_second
        if not rate:
            return
        load.tokens = min(self._settings.burst_entries, load.tokens + (now - load.refilled_at) * rate)
        load.refilled_at = now
        missing = entries - load.tokens
        if missing > 0:
            raise ResourceExhausted(
                f"account {account_id} sends more than {rate:g} entries a second; call again later",
                reason="RATE_EXCEEDED",
                metadata={"entries_per_second": f"{rate:g}"},
                retry_after_seconds=max(missing / rate, 0.1),
            )
        load.tokens -= entries

    async def _check_waiting(self, account_id: AccountId, load: _AccountLoad, entries: int) -> None:
        cap = self._settings.max_waiting_entries
        if load.counting is None:
            load.counting = asyncio.Lock()
        async with load.counting:
            sample_due = load.admitted >= self._sample_after or load.waiting + entries > cap
            if sample_due and (load.counted_at is None or self._clock() - load.counted_at >= RECOUNT_SECONDS):
                load.admitted = 0
                load.waiting = await self._counter.waiting_entries(account_id, cap)
                load.counted_at = self._clock()
        if load.waiting + entries > cap:
            raise ResourceExhausted(
                f"account {account_id} has {cap} waiting entries already; call again when they have run",
                reason="TOO_MANY_WAITING_ENTRIES",
                metadata={"max_waiting_entries": str(cap)},
                retry_after_seconds=30.0,
            )

    def _new_load(self, account_id: AccountId, now: float) -> _AccountLoad:
        if len(self._loads) >= _MAX_ACCOUNTS:
            self._loads.clear()  # every account starts again with a full burst, and is counted after 1 % of the cap
        load = self._loads[account_id] = _AccountLoad(self._settings.burst_entries, now)
        return load
