"""Stores the results of a lane's runs, and handles those that were not stored as decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import structlog

from tillsync_server.application.engine.claim_schedule import ClaimSchedule
from tillsync_server.application.engine.in_flight import InFlight, RunsInFlight, RunState
from tillsync_server.application.engine.lane_sides import LaneSides
from tillsync_server.application.engine.lane_statements import LaneStatements
from tillsync_server.application.engine.leased_lane import LaneState, LeasedLane
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.entry_decision import EntryDecision, decide_entry
from tillsync_server.domain.enums import EntryState
from tillsync_server.domain.errors import Unavailable
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry, Completion, CompletionResult

_LOG = structlog.get_logger(__name__)


class LaneResults:
    """``fault_verdict``: returns the verdict of an entry on which the service itself fails."""

    def __init__(
        self,
        lane: LeasedLane,
        in_flight: RunsInFlight,
        schedule: ClaimSchedule,
        statements: LaneStatements,
        fault_verdict: Callable[[ClaimedEntry], Verdict],
        policy: RetryPolicy,
        sides: LaneSides,
    ) -> None:
        self._lane = lane
        self._in_flight = in_flight
        self._schedule = schedule
        self._statements = statements
        self._fault_verdict = fault_verdict
        self._policy = policy
        self._sides = sides

    def store(self, run: InFlight, verdict: Verdict, failures: int) -> None:
        """Ends the run once its result is stored or refused. ``failures``: of the side whose problem the verdict names, in a row."""
        completion = self._completion(run, verdict, failures)
        # a callback and no future: with thousands of entries at once, a future for each would cost more than all else
        # a run that is decided already stores its second verdict: the database refused the first one
        handle = self._handle_result if run.state is RunState.DECIDED else self._handle_first_result
        self._statements.complete(completion, partial(handle, run, completion))
        run.state = RunState.DECIDED

    def _completion(self, run: InFlight, verdict: Verdict, failures: int) -> Completion:
        paused = self._sides.paused_since(run.started_at)
        decision = decide_entry(verdict, attempts_before=run.entry.attempt_count, policy=self._policy, paused=paused)
        if run.is_charged:
            decision = replace(decision, charged=False)
        pause = 0.0
        if decision.problem is not None:
            pause = self._policy.pause_seconds(failures, decision.problem.retry_after_seconds)
        recovered = self._sides.record_success(decision.sides_proven)
        if recovered:
            self._schedule.wake()
        return Completion(self._lane.lease, run.entry, decision, self._lane.clock.now() - run.started_at, pause, recovered)

    def _handle_first_result(self, run: InFlight, completion: Completion, result: CompletionResult | BaseException) -> None:
        if not isinstance(result, Exception) or isinstance(result, Unavailable):
            self._handle_result(run, completion, result)
            return
        self._undo_sides(completion)
        # the database refuses the verdict: this charges an attempt, or the entry would run again for ever
        self._log_refused(run, result)
        self.store(run, self._fault_verdict(run.entry), 0)

    def _handle_result(self, run: InFlight, completion: Completion, result: CompletionResult | BaseException) -> None:
        if isinstance(result, Exception):
            self._log_refused(run, result)
            self._undo_sides(completion)
            self._lane.end(LaneState.STOPPING)  # the entry stays as it was, and runs again in the next lease
        # invariant: moved-entries-are-claimed-again
        elif result is not CompletionResult.DONE:
            if result is not CompletionResult.MOVED_ON:
                self._undo_sides(completion)
            self._schedule.wake()
        elif completion.decision.state is EntryState.PENDING:
            # invariant: postponed-entries-wake-their-lane
            self._schedule.due_in(_seconds_until_due(completion.decision))
        if (problem := completion.decision.problem) is not None:
            self._sides.confirm_failure(problem.side, completion.pause_seconds)
            self._schedule.due_in(self._sides.seconds_until_probe)
        self._in_flight.end(run)

    def _log_refused(self, run: InFlight, error: Exception) -> None:
        _LOG.error("completion_failed", account_id=run.entry.account_id, entry_id=str(run.entry.entry_id), exc_info=error)

    def _undo_sides(self, completion: Completion) -> None:
        problem = completion.decision.problem
        self._sides.undo(completion.recovered, None if problem is None else problem.side)


def _seconds_until_due(decision: EntryDecision) -> float:
    """Returns the stored due time as a delay on this process's clock."""
    if decision.not_before is not None:
        return max((decision.not_before - datetime.now(UTC)).total_seconds(), 0.0)
    return decision.delay_seconds
