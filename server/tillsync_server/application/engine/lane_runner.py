"""Runs one leased lane. The runner claims due entries and passes them to the flows until no entry is due or the time slice is used up.

An account has one runner, which runs several entries at once, live before bulk, and one at a time per subject, email and shop customer.
Order per customer, batching, fairness and isolation follow from that.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import structlog

from tillsync_server.application.engine.claim_schedule import ClaimSchedule
from tillsync_server.application.engine.in_flight import InFlight, RunsInFlight
from tillsync_server.application.engine.lane_results import LaneResults
from tillsync_server.application.engine.lane_runs import LaneRuns
from tillsync_server.application.engine.lane_sides import LaneSides
from tillsync_server.application.engine.lane_statements import LaneStatements
from tillsync_server.application.engine.leased_lane import LaneState, LeasedLane
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.slots import Probes, ProvenSides, Slots
from tillsync_server.domain.errors import RunInterrupted
from tillsync_server.domain.work_class import WorkClass
from tillsync_server.ports.handler import EntryHandler, LaneWork
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LaneServices:
    """The services that all runners of a process share."""

    settings: EngineSettings
    handler: EntryHandler
    statements: LaneStatements
    slots: Slots
    probes: Probes
    proven: ProvenSides


class _LaneLost(Exception):
    """Cancels the runs of a lane at once."""


class LaneRunner:
    """:meth:`run` is called once. :meth:`LeasedLane.end` ends it early."""

    def __init__(self, services: LaneServices, lane: LeasedLane, entries: Sequence[ClaimedEntry] = ()) -> None:
        settings, lease = services.settings, lane.lease
        self._services = services
        self._settings = settings
        self._leased_entries = entries
        """Entries that were claimed with the lease, for the first turn."""
        self.lane = lane
        # invariant: crashing-entries-are-charged-first
        self._charges_first = lease.lapses >= settings.lapses_before_single
        self._limit = 1 if self._charges_first else settings.in_flight_limit
        self._reserve = min(settings.reserved_in_flight, (self._limit - 1) // len(WorkClass))
        self._schedule = ClaimSchedule(floor_seconds=settings.poll_floor_seconds, clock=lane.clock.now)
        if entries:
            self._schedule.claim_sent(WorkClass)
        self._sides = LaneSides(lease.account_id, lease.paused_sides, services.probes, services.proven, lane.clock.now, lane.changed)
        self._schedule.due_in(self._sides.seconds_until_probe)
        self._in_flight = RunsInFlight(lane.changed, services.slots)
        results = LaneResults(
            lane, self._in_flight, self._schedule, services.statements, services.handler.fault_verdict, settings.retry, self._sides
        )
        self._runs = LaneRuns(lane, self._in_flight, self._schedule, self._sides, results)
        self._calls_under_way = 0
        """Number of calls of the flows under way."""
        self._reloads_sides = False
        """New work was announced: a person may have resumed a side for which every class waits."""
        self._first_at: float | None = None
        """Time of the first claimed entries. The time slice begins there, so that every lease makes progress."""

    def wake(self) -> None:
        """To call when new work of the lane is announced."""
        # invariant: leased-lanes-hear-of-new-work
        self._schedule.wake()
        self._reloads_sides = True
        self.lane.changed.set()

    async def run(self) -> None:
        """Returns when the lane is to be released. Every claimed entry is then stored, or left as it was."""
        # the flows give each verdict to the runs by a plain call: a stream of verdicts would cost a queue and a wake-up for every entry
        work = self._services.handler.open(self.lane, self._runs)
        try:
            async with asyncio.TaskGroup() as calls:
                while self.lane.is_claiming:
                    self.lane.changed.clear()  # on every turn: an event that stays set would make this loop spin without yielding
                    await self._turn(work, calls)
                await self._runs_ended()
        except* _LaneLost:
            pass
        finally:
            self._runs.close()
            await work.close()

    async def _turn(self, work: LaneWork, calls: asyncio.TaskGroup) -> None:
        started = self._runs.start(await self._claim())
        # live entries run in a call of their own: a bulk entry that raises must not end them
        live, bulk = list[InFlight](), list[InFlight]()
        for run in started:
            (bulk if run.entry.work_class.is_bulk else live).append(run)
        for group in filter(None, (live, bulk)):
            self._calls_under_way += 1
            calls.create_task(self._run_group(work, group))
        if started:
            await asyncio.sleep(0)
        if self._claim_limits():
            return
        if len(self._in_flight) or self._calls_under_way:
            await self._changed_or_due()
        else:
            self.lane.end(LaneState.YIELDED if self._seconds_over_slice() > 0 else LaneState.DRAINED)

    def _room(self, work_class: WorkClass) -> int:
        """Returns how many more entries of the class may start, by the limits of the lane, of the process and of their sides."""
        if self._seconds_over_slice(work_class) > 0:
            return 0
        runs, slots = self._in_flight, self._services.slots
        running, of_class = len(runs), runs.count(work_class)
        # invariant: no-class-fills-the-lane
        kept = sum(max(self._reserve - runs.count(other), 0) for other in WorkClass if other is not work_class)
        is_proven = self._sides.are_proven(work_class)
        of_process = slots.entries_of_proven(of_class) if is_proven else slots.entries_of_unproven(of_class, running)
        limit = min(self._limit - running - kept, of_process, self._settings.claim_limit)
        return self._sides.room(work_class, limit, runs.classes)

    def _seconds_over_slice(self, work_class: WorkClass = WorkClass.BULK) -> float:
        """Returns the seconds beyond the time slice of the class (negative: still left). 0 while no other lane waits for a slot."""
        if self._first_at is None or not self._services.slots.lanes_wait:
            return 0.0
        limit = self._settings.bulk_lease_seconds if work_class.is_bulk else self._settings.live_lease_seconds
        return self.lane.clock.now() - self._first_at - limit

    def _claim_limits(self) -> dict[WorkClass, int]:
        """Returns the most entries of each class for the next claim; empty when a claim would bring nothing."""
        return {work_class: limit for work_class in self._schedule.due_classes() if (limit := self._room(work_class)) > 0}

    async def _claim(self) -> list[ClaimedEntry]:
        if self._leased_entries:
            entries, self._leased_entries = self._leased_entries, ()
            return self._admit(entries)
        limits = self._claim_limits()
        if not limits and not (self._reloads_sides and self._sides.is_any_paused):
            return []
        self._reloads_sides = False
        self._schedule.claim_sent(limits)
        asked_at = self.lane.clock.now()
        unproven = [limit for work_class, limit in limits.items() if not self._sides.are_proven(work_class)]
        try:
            with self._services.slots.reserved(max(limits.values(), default=0), max(unproven, default=0)):
                answer = await self._services.statements.claim(ClaimRequest(self.lane.lease, limits, self._in_flight.entry_ids))
        except self._services.statements.database_gone:
            self.lane.end(LaneState.STOPPING)  # running entries may end, and are stored once the database answers
            return []
        if answer.paused_sides is None:
            self.lane.end(LaneState.LOST)
            return []
        self._sides.update(answer.paused_sides, asked_at)
        self._schedule.claim_answered(limits, answer.entries)
        return self._admit(answer.entries)

    def _admit(self, claimed: Sequence[ClaimedEntry]) -> list[ClaimedEntry]:
        """Returns the entries that fit now. Each class was claimed without the others, and other lanes claim at the same time."""
        admitted: list[ClaimedEntry] = []
        for work_class, entries in itertools.groupby(claimed, key=attrgetter("work_class")):
            of_class = list(itertools.islice(entries, max(self._room(work_class), 0)))
            self._in_flight.add(of_class, is_unproven=not self._sides.are_proven(work_class))
            admitted += of_class
        if len(admitted) < len(claimed):
            self._schedule.wake()
        if admitted and self._first_at is None:
            self._first_at = self.lane.clock.now()
        return admitted

    async def _changed_or_due(self) -> None:
        """Waits also while entries run for long: postponed entries become due, and a notification may be lost."""
        # a timer, which is cheaper than a timeout: this wait happens with every batch
        timer = asyncio.get_running_loop().call_later(self._schedule.seconds_until_next, self.lane.changed.set)
        try:
            await self.lane.changed.wait()
        finally:
            timer.cancel()

    async def _runs_ended(self) -> None:
        """Waits for the running entries. The worker's stop and the lease bound the wait. Blocked entries do not start any more."""
        # invariant: ended-lanes-leave-blocked-entries
        self._in_flight.drop_blocked()
        while (len(self._in_flight) or self._calls_under_way) and not self.lane.is_lost:
            self.lane.changed.clear()
            await self.lane.changed.wait()
        if self.lane.is_lost:
            raise _LaneLost

    async def _run_group(self, work: LaneWork, runs: Sequence[InFlight]) -> None:
        end_run = self._fail
        try:
            may_run = await self._charged(runs) if self._charges_first else runs
            if may_run:
                await work.run([run.entry for run in may_run])
        except RunInterrupted:
            end_run = self._runs.leave
        except Exception:  # noqa: BLE001 - a bug: logged, charged and retried, never a crash of the lane
            _LOG.exception("run_failed", account_id=self.lane.lease.account_id, entry_id=[str(run.entry.entry_id) for run in runs])
        finally:
            self._calls_under_way -= 1
            self.lane.changed.set()
        for run in runs:
            if self._runs.needs_verdict(run):
                end_run(run)

    def _fail(self, run: InFlight) -> None:
        self._runs.finish(run.entry, self._services.handler.fault_verdict(run.entry))

    # entries that may crash the process

    async def _charged(self, runs: Sequence[InFlight]) -> list[InFlight]:
        """Returns the runs that may start. If a statement fails, ends the lane and raises RunInterrupted: no run may start."""
        try:
            return [run for run in runs if await self._charge(run)]
        except Exception as error:
            _LOG.exception("charge_failed", account_id=self.lane.lease.account_id)
            self.lane.end(LaneState.STOPPING)
            raise RunInterrupted("the attempt could not be charged") from error

    async def _charge(self, run: InFlight) -> bool:
        """Charges the attempt and its delay before the run, because the run may crash the process."""
        retry, attempts = self._settings.retry, run.entry.attempt_count
        if retry.is_exhausted(attempts):
            self._runs.finish(run.entry, self._services.handler.stopped_verdict(run.entry))
            return False
        run.is_charged = await self._services.statements.charge_first(self.lane.lease, run.entry, retry.delay_seconds(attempts + 1))
        if not run.is_charged:
            self._runs.leave(run)
        return run.is_charged
