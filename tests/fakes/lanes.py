"""A leased lane in memory, as the flows use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fakes.clock import FakeClock
from fakes.permit import allowed
from fakes.script import Faults, Step, no_step, raise_fault
from tillsync_server.domain.account import Account
from tillsync_server.domain.errors import LeaseTooShort
from tillsync_server.domain.ids import EntryId
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.handler import EntryHandler, LaneWork
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease

LEASE_SECONDS = 30.0


class FakeLane:
    """Implements ports.handler.LaneRun and VerdictSink, with a lease that tests shorten.

    ``finished``: the verdicts in order of arrival.
    """

    def __init__(
        self,
        clock: FakeClock,
        account: Account,
        step: Step = no_step,
        *,
        owner: str = "worker-1",
        token: int = 1,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        """``lease_seconds`` may be infinite."""
        self._clock = clock
        self._step = step
        self._lease = LaneLease(account.account_id, owner, token, lapses=0)
        self._lease_seconds = lease_seconds
        self.account_now = account
        self.lease_ends_at = clock() + lease_seconds
        self.lost = False
        """The process knows that another process owns the lane."""
        self.taken_over = False
        """In the database another process owns the lane, after this lease has expired."""
        self.lapses = 0
        self.claimed: dict[EntryId, ClaimedEntry] = {}
        self.finished: dict[EntryId, Verdict] = {}
        self.faults: Faults = {}
        self.settings_reads = 0

    def open(self, handler: EntryHandler) -> LaneWork:
        """Opens the handler's work, as the engine does. Entries that run in it count as claimed by this lease."""
        return _ClaimedWork(self, handler.open(self, self))

    @property
    def lease(self) -> LaneLease:
        return replace(self._lease, lapses=self.lapses)

    @property
    def owner_tag(self) -> str:
        return f"{self._lease.owner}:{self._lease.account_id}:{self._lease.token}"

    def seconds_allowed(self, setting_seconds: float) -> float:
        if self.lost:
            raise LeaseTooShort("the lane has another owner")
        return allowed(setting_seconds, self.lease_ends_at - self._clock())

    async def account(self, entry: ClaimedEntry) -> Account:
        self.settings_reads += 1
        raise_fault(self.faults, "account")
        if entry.config_version > self.account_now.config_version:
            return replace(self.account_now, config_version=entry.config_version)
        return self.account_now

    async def renew_if_needed(self) -> None:
        await self._step("lane.renew")
        if self.lost:
            raise LeaseTooShort("the lane has another owner")
        if self.lease_ends_at - self._clock() < self._lease_seconds / 2:
            if self.taken_over:
                self.lost = True
                raise LeaseTooShort("the lane has another owner")
            # The database also renews an expired lease if no other process has taken the lane.
            self.lease_ends_at = self._clock() + self._lease_seconds

    def finish(self, entry: ClaimedEntry, verdict: Verdict) -> None:
        if self.claimed.get(entry.entry_id) is not entry or entry.entry_id in self.finished:
            raise ValueError(f"entry {entry.entry_id} has its verdict already, or was never claimed here")
        self.finished[entry.entry_id] = verdict


@dataclass
class _ClaimedWork:
    lane: FakeLane
    work: LaneWork

    async def run(self, entries: Sequence[ClaimedEntry]) -> None:
        self.lane.claimed.update((entry.entry_id, entry) for entry in entries)
        await self.work.run(entries)

    async def close(self) -> None:
        await self.work.close()
