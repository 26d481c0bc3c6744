"""The runs of one lane: claimed entries from the claim until their results are stored. Implements ports.handler.VerdictSink."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum, auto
from functools import partial

import structlog

from tillsync_server.application.engine.claim_schedule import ClaimSchedule
from tillsync_server.application.engine.concurrency_keys import ConcurrencyKeys
from tillsync_server.application.engine.lane_sides import LaneSides
from tillsync_server.application.engine.lane_statements import LaneStatements
from tillsync_server.application.engine.leased_lane import LaneState, LeasedLane
from tillsync_server.application.engine.slots import Slots
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.errors import Unavailable
from tillsync_server.domain.ids import EntryId
from tillsync_server.domain.settlement import Settlement, settle
from tillsync_server.domain.verdict import Verdict
from tillsync_server.domain.vocabulary import EntryState
from tillsync_server.domain.work_class import WorkClass
from tillsync_server.ports.lanes import ClaimedEntry, Completion, Written

_LOG = structlog.get_logger(__name__)


class RunState(Enum):
    BLOCKED = auto()
    """Waits for an entry with a key in common."""
    RUNNING = auto()
    DECIDED = auto()
    """Has its verdict, which is being stored."""


@dataclass(slots=True, eq=False)
class InFlight:
    entry: ClaimedEntry
    state: RunState = RunState.BLOCKED
    started_at: float = 0.0
    is_charged: bool = False
    """The attempt was charged before the run."""
    is_unproven: bool = False
    """Its sides had not shown that they answer when it was claimed."""


class LaneRuns:
    """``fault_verdict``: the verdict of an entry on which the service itself fails. ``changed`` of the lane is set whenever a run ends."""

    def __init__(
        self,
        lane: LeasedLane,
        schedule: ClaimSchedule,
        statements: LaneStatements,
        fault_verdict: Callable[[ClaimedEntry], Verdict],
        policy: RetryPolicy,
        sides: LaneSides,
        slots: Slots,
    ) -> None:
        self._lane = lane
        self._schedule = schedule
        self._statements = statements
        self._fault_verdict = fault_verdict
        self._policy = policy
        self._keys = ConcurrencyKeys()
        self._in_flight: dict[EntryId, InFlight] = {}
        self._classes: Counter[WorkClass] = Counter()
        self._sides = sides
        self._slots = slots

    def __len__(self) -> int:
        return len(self._in_flight)

    @property
    def entry_ids(self) -> tuple[EntryId, ...]:
        return tuple(self._in_flight)

    @property
    def classes(self) -> list[WorkClass]:
        """Of the entries in flight."""
        return [work_class for work_class, count in self._classes.items() if count]

    def count(self, work_class: WorkClass) -> int:
        """In flight."""
        return self._classes[work_class]

    def take(self, claimed: Sequence[ClaimedEntry]) -> None:
        """These, of one class, are in flight now, and start with the next :meth:`start`."""
        if not claimed:
            return
        work_class = claimed[0].work_class
        is_unproven = not self._sides.are_proven(work_class)
        for entry in claimed:
            self._in_flight[entry.entry_id] = InFlight(entry, is_unproven=is_unproven)
        self._classes[work_class] += len(claimed)
        self._slots.take(len(claimed), len(claimed) * is_unproven)

    def start(self, claimed: Sequence[ClaimedEntry]) -> list[InFlight]:
        """The entries that run now: those that waited for a key that is free, then those of ``claimed`` that need not wait."""
        started: list[InFlight] = []
        now = self._lane.clock.now()
        for run in [self._in_flight[entry.entry_id] for entry in self._keys.take(claimed)]:
            if self._sides.is_any_ill and not self._sides.start(run.entry.work_class, self._classes_that_run()):
                self.leave(run)  # its side became ill while it was blocked, or is probed by another entry
                continue
            run.state, run.started_at = RunState.RUNNING, now
            started.append(run)
        return started

    def leave_blocked(self) -> None:
        """The lane ends: what waits for a key is not going to run here."""
        for run in [run for run in self._in_flight.values() if run.state is RunState.BLOCKED]:
            self._drop(run)

    def _classes_that_run(self) -> set[WorkClass]:
        return {run.entry.work_class for run in self._in_flight.values() if run.state is not RunState.BLOCKED}

    def needs_verdict(self, run: InFlight) -> bool:
        """By identity: while a long run goes on, its early verdict may be stored and the entry claimed again (a hint came)."""
        return run.state is RunState.RUNNING and self._in_flight.get(run.entry.entry_id) is run

    def finish(self, entry: ClaimedEntry, verdict: Verdict) -> None:
        """Stores the verdict together with its neighbours'. ValueError for an entry that has one, or does not run here."""
        run = self._in_flight.get(entry.entry_id)
        if run is None or run.entry is not entry or run.state is not RunState.RUNNING:
            raise ValueError(f"entry {entry.entry_id} has its verdict already, or was never claimed here")
        failures = 0
        if verdict.problem is not None:
            failed = self._sides.failed(verdict.problem.side, run.started_at)
            if failed is None:  # the problem is known: the entry waits as it is, and keeps what it showed
                self._forget(run)
                return
            failures = failed
        self._store(run, verdict, failures)

    def close(self) -> None:
        """The lease ends: what is left in flight stays as it was."""
        self._slots.give_back(len(self._in_flight), sum(run.is_unproven for run in self._in_flight.values()))
        self._in_flight.clear()
        self._sides.close()

    def leave(self, run: InFlight) -> None:
        """The entry stays as it was, without a verdict: it is still due."""
        self._schedule.look_again()
        self._forget(run)

    def _store(self, run: InFlight, verdict: Verdict, failures: int = 0) -> None:
        completion = self._completion(run, verdict, failures)
        # the database refused the first verdict where there is one already
        done = self._stored if run.state is RunState.DECIDED else self._first_stored
        self._statements.complete(completion, partial(done, run, completion))
        run.state = RunState.DECIDED

    def _completion(self, run: InFlight, verdict: Verdict, failures: int) -> Completion:
        """``failures``: of the side whose problem the verdict tells, in a row."""
        ill = self._sides.ill_since(run.started_at)
        settlement = settle(verdict, attempts_before=run.entry.attempt_count, policy=self._policy, ill=ill)
        if run.is_charged:
            settlement = replace(settlement, charged=False)
        pause = 0.0
        if settlement.problem is not None:
            pause = self._policy.pause_seconds(failures, settlement.problem.retry_after_seconds)
        mended = self._sides.worked(settlement.sides_proven)
        if mended:
            self._schedule.look_again()
        return Completion(self._lane.lease, run.entry, settlement, self._lane.clock.now() - run.started_at, pause, mended)

    def _first_stored(self, run: InFlight, completion: Completion, stored: Written | BaseException) -> None:
        if not isinstance(stored, Exception) or isinstance(stored, Unavailable):
            self._stored(run, completion, stored)
            return
        self._not_stored(completion)
        # the database refuses what the verdict says: that costs an attempt, or the entry would run in a circle for ever
        self._log_refused(run, stored)
        self._store(run, self._fault_verdict(run.entry))

    def _stored(self, run: InFlight, completion: Completion, stored: Written | BaseException) -> None:
        if isinstance(stored, Exception):
            self._log_refused(run, stored)
            self._not_stored(completion)
            self._lane.end(LaneState.STOPPING)  # the entry stays as it was, and runs again after the lease
        # invariant: moved-entries-are-claimed-again
        elif stored is not Written.DONE:
            if stored is not Written.MOVED_ON:
                self._not_stored(completion)
            self._schedule.look_again()
        elif completion.settlement.state is EntryState.PENDING:
            # invariant: postponed-entries-wake-their-lane
            self._schedule.due_in(_seconds_until_due(completion.settlement))
        if (problem := completion.settlement.problem) is not None:
            self._sides.failure_stored(problem.side, completion.pause_seconds)
            self._schedule.due_in(self._sides.seconds_until_probe)
        self._forget(run)

    def _log_refused(self, run: InFlight, error: Exception) -> None:
        _LOG.error("completion_failed", account_id=run.entry.account_id, entry_id=str(run.entry.entry_id), exc_info=error)

    def _not_stored(self, completion: Completion) -> None:
        problem = completion.settlement.problem
        self._sides.not_stored(completion.mended, None if problem is None else problem.side)

    def _forget(self, run: InFlight) -> None:
        if self._in_flight.get(run.entry.entry_id) is run:
            self._drop(run)
            self._keys.free(run.entry.entry_id)
        self._lane.changed.set()

    def _drop(self, run: InFlight) -> None:
        del self._in_flight[run.entry.entry_id]
        self._classes[run.entry.work_class] -= 1
        self._slots.give_back(1, int(run.is_unproven))


def _seconds_until_due(settlement: Settlement) -> float:
    """As it is stored, by this process's clock."""
    if settlement.not_before is not None:
        return max((settlement.not_before - datetime.now(UTC)).total_seconds(), 0.0)
    return settlement.delay_seconds
