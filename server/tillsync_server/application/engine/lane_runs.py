"""The runs of one lane: claimed entries from the claim until their results are stored. Implements ports.handler.VerdictSink."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tillsync_server.application.engine.claim_schedule import ClaimSchedule
from tillsync_server.application.engine.concurrency_keys import ConcurrencyKeys
from tillsync_server.application.engine.in_flight import InFlight, RunState
from tillsync_server.application.engine.lane_results import LaneResults
from tillsync_server.application.engine.lane_sides import LaneSides
from tillsync_server.application.engine.leased_lane import LeasedLane
from tillsync_server.application.engine.slots import Slots
from tillsync_server.domain.ids import EntryId
from tillsync_server.domain.verdict import Verdict
from tillsync_server.domain.work_class import WorkClass
from tillsync_server.ports.lanes import ClaimedEntry


class LaneRuns:
    """``changed`` of the lane is set whenever a run ends."""

    def __init__(self, lane: LeasedLane, schedule: ClaimSchedule, sides: LaneSides, slots: Slots, results: LaneResults) -> None:
        self._lane = lane
        self._schedule = schedule
        self._results = results
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
        self._results.store(run, verdict, failures, self._forget)

    def close(self) -> None:
        """The lease ends: what is left in flight stays as it was."""
        self._slots.give_back(len(self._in_flight), sum(run.is_unproven for run in self._in_flight.values()))
        self._in_flight.clear()
        self._sides.close()

    def leave(self, run: InFlight) -> None:
        """The entry stays as it was, without a verdict: it is still due."""
        self._schedule.look_again()
        self._forget(run)

    def _forget(self, run: InFlight) -> None:
        if self._in_flight.get(run.entry.entry_id) is run:
            self._drop(run)
            self._keys.free(run.entry.entry_id)
        self._lane.changed.set()

    def _drop(self, run: InFlight) -> None:
        del self._in_flight[run.entry.entry_id]
        self._classes[run.entry.work_class] -= 1
        self._slots.give_back(1, int(run.is_unproven))
