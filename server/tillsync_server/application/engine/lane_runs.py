"""Starts and ends the runs of one lane. Implements ports.handler.VerdictSink."""

from __future__ import annotations

from collections.abc import Sequence

from tillsync_server.application.engine.claim_schedule import ClaimSchedule
from tillsync_server.application.engine.in_flight import InFlight, RunsInFlight, RunState
from tillsync_server.application.engine.lane_results import LaneResults
from tillsync_server.application.engine.lane_sides import LaneSides
from tillsync_server.application.engine.leased_lane import LeasedLane
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry


class LaneRuns:
    def __init__(self, lane: LeasedLane, in_flight: RunsInFlight, schedule: ClaimSchedule, sides: LaneSides, results: LaneResults) -> None:
        self._lane = lane
        self._in_flight = in_flight
        self._schedule = schedule
        self._sides = sides
        self._results = results

    def start(self, claimed: Sequence[ClaimedEntry]) -> list[InFlight]:
        """Starts the entries that neither another run nor a paused side blocks: earlier blocked ones first, then those of ``claimed``."""
        started: list[InFlight] = []
        now = self._lane.clock.now()
        for run in self._in_flight.unblock(claimed):
            if self._sides.is_any_paused and not self._sides.try_start(run.entry.work_class, self._in_flight.running_classes):
                self.leave(run)  # its side was paused while it was blocked, or another entry probes the side
                continue
            run.state, run.started_at = RunState.RUNNING, now
            started.append(run)
        return started

    def needs_verdict(self, run: InFlight) -> bool:
        """While a long run goes on, its early verdict may be stored and its entry claimed again after a hint."""
        return run.state is RunState.RUNNING and run in self._in_flight

    def finish(self, entry: ClaimedEntry, verdict: Verdict) -> None:
        """Stores the verdict together with others. Raises ValueError for an entry that has a verdict, or does not run here."""
        run = self._in_flight.of(entry)
        if run is None or run.entry is not entry or run.state is not RunState.RUNNING:
            raise ValueError(f"entry {entry.entry_id} has its verdict already, or was never claimed here")
        failures = 0
        if verdict.problem is not None:
            failed = self._sides.record_failure(verdict.problem.side, run.started_at)
            if failed is None:  # the problem is open already: the entry stays as it was and waits
                self._in_flight.end(run)
                return
            failures = failed
        self._results.store(run, verdict, failures)

    def leave(self, run: InFlight) -> None:
        """Ends the run without a verdict. The entry stays as it was, and is still due."""
        self._schedule.wake()
        self._in_flight.end(run)

    def close(self) -> None:
        """The lease ends. The entries still in flight stay as they were."""
        self._in_flight.clear()
        self._sides.close()
