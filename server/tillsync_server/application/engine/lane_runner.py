"""One lane while this process holds its lease: claim, run, hand over, until nothing is due or another lane's turn has come.

Order per customer, batching, fairness and isolation come from here: one runner per account, several entries in flight, live before bulk,
at most one at a time per subject, email and shop customer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from zlib import crc32

import structlog

from tillsync_server.application.concurrency.micro_batcher import MicroBatcher
from tillsync_server.application.engine.exclusion import Exclusion
from tillsync_server.application.engine.idle_lanes import IdleLanes
from tillsync_server.application.engine.lease_clock import LeaseClock
from tillsync_server.application.engine.lookout import Lookout
from tillsync_server.application.engine.service_faults import service_fault, stopped_each_time
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.domain.account import Account
from tillsync_server.domain.errors import LeaseTooShort, RunInterrupted, Unavailable
from tillsync_server.domain.ids import AccountId, EntryId
from tillsync_server.domain.settlement import Settlement, settle
from tillsync_server.domain.verdict import Disposition, Verdict
from tillsync_server.domain.vocabulary import EntryState, Priority
from tillsync_server.ports.handler import EntryHandler
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, Completion, LaneLease, Written

_LOG = structlog.get_logger(__name__)

_TIMER_SECONDS = 0.01
"""A timer may go off so much too early."""


class AccountReader(Protocol):
    async def at_version(self, account_id: AccountId, config_version: int) -> Account:
        """The account's settings, no older than ``config_version``."""
        ...


@dataclass(frozen=True, slots=True)
class LaneServices:
    """What all runners of a process share."""

    settings: EngineSettings
    handler: EntryHandler
    accounts: AccountReader
    claims: MicroBatcher[ClaimRequest, list[ClaimedEntry]]
    completions: Sequence[MicroBatcher[Completion, Written]]
    """A lane uses one of them: its completions are written in order, beside those of other lanes."""
    renew: Callable[[LaneLease], Awaitable[bool]]
    charge_first: Callable[[LaneLease, ClaimedEntry, float], Awaitable[bool]]
    others_wait: Callable[[], bool]
    """Lanes are ready that found no slot: a bulk lease is capped."""
    idle: IdleLanes
    clock: Callable[[], float] = time.monotonic


def _seconds_until_due(settlement: Settlement, pause_seconds: float) -> float:
    """As it is written, by this process's clock."""
    if settlement.not_before is not None:
        return max((settlement.not_before - datetime.now(UTC)).total_seconds(), 0.0)
    return max(settlement.delay_seconds, pause_seconds)


class LaneRunner:
    """Implements ports.handler.LaneRun for the flows."""

    def __init__(self, services: LaneServices, lease: LaneLease, lease_clock: LeaseClock) -> None:
        self._services = services
        self._lease = lease
        self.lease_clock = lease_clock
        self._completions = services.completions[crc32(lease.account_id.encode()) % len(services.completions)]
        self._single = lease.lapses >= services.settings.lapses_before_single or lease.problem_side is not None
        # invariant: crashing-entries-are-charged-first
        self._charges_first = lease.lapses >= services.settings.lapses_before_single
        self._lookout = Lookout(lease, floor_seconds=services.settings.poll_floor_seconds, clock=lease_clock.clock)
        self._running: dict[EntryId, ClaimedEntry] = {}
        """Claimed and not yet written: left out of further claims."""
        self._exclusion = Exclusion()
        self._started: dict[EntryId, float] = {}
        self._finished: set[EntryId] = set()
        self._charged_first: set[EntryId] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._writing = 0
        self._poisoned = False
        """A completion could not be written: end this lease instead of running the same entry in a circle."""
        self._paused = False
        self._lost = False
        self._stopping = False
        self._idle_is_over = False
        self.drained = False
        """Nothing was due any more when it ended: the lapses are forgotten."""

    # ports.handler.LaneRun

    @property
    def lease(self) -> LaneLease:
        return self._lease

    @property
    def owner_tag(self) -> str:
        # invariant: intent-owners-name-the-account
        account_id = self._lease.account_id  # the lanes of one process share its owner, and their tokens may be equal
        return f"{self._lease.owner}:{account_id}:{self._lease.token}"

    def seconds_allowed(self, setting_seconds: float) -> float:
        if self._lost:
            raise LeaseTooShort("the lane has another owner")
        return self.lease_clock.seconds_allowed(setting_seconds)

    async def account(self, entry: ClaimedEntry) -> Account:
        return await self._services.accounts.at_version(entry.account_id, entry.config_version)

    async def renew_if_needed(self) -> None:
        if self._lost:
            raise LeaseTooShort("the lane has another owner")
        if self.lease_clock.wants_renewal_before_write and not await self._services.renew(self._lease):
            self.lose()
            raise LeaseTooShort("the lane has another owner")

    def finish(self, entry: ClaimedEntry, verdict: Verdict) -> None:
        if not self._awaits_verdict(entry):
            raise ValueError(f"entry {entry.entry_id} has its verdict already, or was never claimed here")
        self._finished.add(entry.entry_id)
        if verdict.disposition is Disposition.PAUSE_LANE:
            if self._paused:  # told once; the others wait as they are and keep what they showed
                self._forget(entry)
                return
            self._paused = True
        self._write(entry, verdict)

    # life

    async def run(self) -> None:
        """Returns when the lane is to be released; every claimed entry is then written or left as it was."""
        work = self._services.handler.open(self)
        first_at: float | None = None  # from the first batch on: every lease gets something done
        try:
            while not self._is_ending:
                self._wake.clear()  # on every turn: an event left set would spin this loop without ever yielding
                had_seconds = 0.0 if first_at is None or not self._services.others_wait() else self._services.clock() - first_at
                if first_at is not None and had_seconds > self._services.settings.live_lease_seconds:
                    break  # a flood of live work: the others' turn
                live_only = first_at is not None and had_seconds > self._services.settings.bulk_lease_seconds
                claimed = await self._look(live_only=live_only)
                if claimed and first_at is None:
                    first_at = self._services.clock()
                runnable = self._exclusion.take(claimed)
                if runnable:
                    self._start(work.run, runnable)
                    await asyncio.sleep(0)
                    if not self._lookout.is_exhausted:
                        continue
                if self._running:
                    await self._woken_or_worth_a_look()
                elif not self._lookout.wants(1, 0 if live_only else 1):
                    self.drained = not live_only
                    if not (self.drained and await self._stay_idle()):
                        break
            await self._wind_down()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await work.close()

    @property
    def _is_ending(self) -> bool:
        return self._stopping or self._lost or self._paused or self._poisoned

    def poke(self) -> None:
        """Work came: look again, be the lane idle or its entries running."""
        # invariant: idle-lanes-hear-of-new-work
        self._lookout.tell()
        self._wake.set()

    def look_up(self) -> None:
        """A slot is free: an idle lane that waited for one may have it."""
        self._wake.set()

    def end_idle(self) -> None:
        """Its time is over, or others wait for a slot: an idle lane is released now."""
        self._idle_is_over = True
        self._wake.set()

    def stop(self) -> None:
        """Claim nothing more; what runs may end."""
        self._stopping = True
        # invariant: stops-release-idle-lanes
        self._wake.set()

    def lose(self) -> None:
        """The lane has another owner: stop at once; whatever would be written is dropped by the fence."""
        self._lost = True
        self._wake.set()

    @property
    def is_lost(self) -> bool:
        return self._lost

    # claiming

    async def _look(self, *, live_only: bool) -> list[ClaimedEntry]:
        settings, held = self._services.settings, len(self._running) + self._exclusion.parked_count
        if self._single:
            live_limit = 1 - held
            bulk_limit = 0 if live_only else live_limit
        else:
            live_limit = min(settings.claim_limit, settings.in_flight_limit - held)
            room_for_bulk = settings.in_flight_limit - settings.live_reserved_in_flight - held
            bulk_limit = 0 if live_only else min(settings.claim_limit, room_for_bulk)
        if not self._lookout.wants(live_limit, bulk_limit):
            return []
        in_flight = [*self._running.values(), *self._exclusion.parked]
        claimed = await self._lookout.look(self._services.claims.submit, live_limit, bulk_limit, in_flight)
        if self._single and claimed:
            self._lookout.start_over()  # of one live and one bulk entry, one runs
            return claimed[:1]
        return claimed

    async def _stay_idle(self) -> bool:
        """Nothing is due: keep the lease for a moment. True: look again. False: release the lane, and the database looks again.

        Not after a lapse nor with an open problem: what the lease says of them holds until its end.
        """
        idle, settings, clock = self._services.idle, self._services.settings, self._services.clock
        if settings.idle_lane_seconds <= 0 or self._single or self._lease.lapses or self._is_ending or not idle.admit(self):
            return False
        if not self._lookout.is_sure:
            idle.leave(self)
            self._lookout.start_over()
            return True
        self._idle_is_over = False
        seconds = min(settings.idle_lane_seconds, self._lookout.again_at - clock())
        timer = asyncio.get_running_loop().call_later(max(seconds, 0.0), self.end_idle)
        try:
            while not (self._idle_is_over or self._is_ending):
                if not self._lookout.is_exhausted and idle.run_again(self):
                    # a process that was stopped for a while may have lost the lane without knowing it yet
                    return self.lease_clock.seconds_left > 0
                self._wake.clear()
                if not self._idle_is_over:
                    await self._wake.wait()
            is_due = self._lookout.again_at - clock() < _TIMER_SECONDS
            return is_due and not self._is_ending and self.lease_clock.seconds_left > 0 and idle.run_again(self)
        finally:
            timer.cancel()
            idle.leave(self)

    async def _woken_or_worth_a_look(self) -> None:
        """Also while entries run, however long: what was put off comes due, and a word from outside may have been lost."""
        # a timer, not a timeout: this is waited for with every batch
        timer = asyncio.get_running_loop().call_later(self._lookout.seconds_until_worth, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    # running

    def _start(self, run: Callable[[Sequence[ClaimedEntry]], Awaitable[None]], entries: list[ClaimedEntry]) -> None:
        now = self._services.clock()
        for entry in entries:
            self._running[entry.entry_id] = entry
            self._started[entry.entry_id] = now
        # live ones apart: a bulk entry that raises must not take them along
        for priority in (Priority.LIVE, Priority.BULK):
            part = [entry for entry in entries if entry.priority is priority]
            if part:
                self._tasks.add(task := asyncio.create_task(self._run_part(run, part)))
                task.add_done_callback(self._task_done)

    async def _run_part(self, run: Callable[[Sequence[ClaimedEntry]], Awaitable[None]], entries: list[ClaimedEntry]) -> None:
        if self._charges_first:
            entries = await self._charged(entries)
        fault: Exception | None = None
        try:
            if entries:
                await run(entries)
        except RunInterrupted as interrupted:
            fault = interrupted
        except Exception as error:  # noqa: BLE001 - a fault of ours: told, charged, tried again; never a crash of the lane
            _LOG.exception("run_failed", account_id=self._lease.account_id, entry_id=[str(entry.entry_id) for entry in entries])
            fault = error
        for entry in entries:
            if self._awaits_verdict(entry):
                self._finish_unfinished(entry, fault)

    def _awaits_verdict(self, entry: ClaimedEntry) -> bool:
        """By identity: while a long run goes on, an early verdict may be written and the same entry claimed again (a hint came)."""
        return self._running.get(entry.entry_id) is entry and entry.entry_id not in self._finished

    def _finish_unfinished(self, entry: ClaimedEntry, fault: Exception | None) -> None:
        if isinstance(fault, RunInterrupted):
            self._leave(entry)
            return
        self.finish(entry, service_fault(entry))

    async def _charged(self, entries: list[ClaimedEntry]) -> list[ClaimedEntry]:
        """Those that may run now. Where the database fails none does: they stay as they are, and the lease ends."""
        try:
            return [entry for entry in entries if await self._charge(entry)]
        except Exception:  # noqa: BLE001 - whatever it is, an entry that is left in flight would hang the lane
            _LOG.exception("charge_failed", account_id=self._lease.account_id)
            self._poisoned = True
            for entry in entries:
                if self._awaits_verdict(entry):
                    self._leave(entry)
            return []

    async def _charge(self, entry: ClaimedEntry) -> bool:
        delay = self._services.settings.retry.delay_seconds(entry.attempt_count + 1)
        if self._services.settings.retry.is_exhausted(entry.attempt_count):
            self.finish(entry, stopped_each_time(entry))
            return False
        if not await self._services.charge_first(self._lease, entry, delay):
            self._leave(entry)
            return False
        self._charged_first.add(entry.entry_id)
        return True

    def _write(self, entry: ClaimedEntry, verdict: Verdict, *, is_substitute: bool = False) -> None:
        settings, charged = self._services.settings, entry.entry_id in self._charged_first
        settlement = settle(verdict, attempts_before=entry.attempt_count, policy=settings.retry, already_charged=charged)
        pause = 0.0
        if settlement.problem is not None:
            pause = settings.retry.pause_seconds(self._lease.pause_count + 1, settlement.problem.retry_after_seconds)
        elif self._lease.problem_side in settlement.sides_proven and not self._charges_first:
            self._single = False
        now = self._services.clock()
        # a future, not a task: this runs for every entry
        written = self._completions.submit_nowait(
            Completion(self._lease, entry, settlement, now - self._started.get(entry.entry_id, now), pause)
        )
        self._writing += 1
        again = None if settlement.state is not EntryState.PENDING else _seconds_until_due(settlement, pause)
        written.add_done_callback(lambda future: self._written(entry, future, again, is_substitute=is_substitute))

    def _written(self, entry: ClaimedEntry, written: asyncio.Future[Written], again: float | None, *, is_substitute: bool) -> None:
        self._writing -= 1
        if not written.cancelled() and (error := written.exception()) is not None:
            _LOG.error("completion_failed", account_id=entry.account_id, entry_id=str(entry.entry_id), exc_info=error)
            if not (is_substitute or isinstance(error, Unavailable)):
                # the database refuses what this verdict says: that costs an attempt, or the entry would run in a circle for ever
                self._write(entry, service_fault(entry), is_substitute=True)
                return
            self._poisoned = True  # the entry stays as it was and runs again after the lease
        # invariant: moved-entries-are-claimed-again
        elif written.cancelled() or written.result() is not Written.DONE:
            self._lookout.start_over()  # it did not end as decided: it may be due now
        elif again is not None:
            # invariant: postponed-entries-wake-idle-lanes
            self._lookout.due_in(again)
        self._forget(entry)

    def _leave(self, entry: ClaimedEntry) -> None:
        """As it was, without a verdict: it is still due."""
        self._lookout.start_over()
        self._forget(entry)

    def _forget(self, entry: ClaimedEntry) -> None:
        self._running.pop(entry.entry_id, None)
        self._started.pop(entry.entry_id, None)
        self._finished.discard(entry.entry_id)
        self._charged_first.discard(entry.entry_id)
        self._exclusion.release(entry.entry_id)
        self._wake.set()

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("lane_task_failed", account_id=self._lease.account_id, exc_info=error)
        self._wake.set()

    async def writes_ended(self) -> None:
        """After a fault: what was done is written before the lane is given back, or it would be done again. Bounded by the lease."""
        while self._writing and not self._lost and self.lease_clock.seconds_left > 0:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self.lease_clock.seconds_left)

    async def _wind_down(self) -> None:
        """Let what runs end (bounded by the worker's stop and the lease), unless the lane is lost."""
        while (self._tasks or self._writing) and not self._lost:
            self._wake.clear()
            await self._wake.wait()
