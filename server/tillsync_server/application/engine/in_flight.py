"""The claimed entries of one lane, each from its claim until its result is stored."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from tillsync_server.application.engine.concurrency_keys import ConcurrencyKeys
from tillsync_server.application.engine.slots import Slots
from tillsync_server.domain.ids import EntryId
from tillsync_server.domain.work_class import WorkClass
from tillsync_server.ports.lanes import ClaimedEntry


class RunState(Enum):
    BLOCKED = auto()
    """Waits for another run that holds one of its keys."""
    RUNNING = auto()
    DECIDED = auto()
    """Its verdict is being stored."""


@dataclass(slots=True, eq=False)
class InFlight:
    entry: ClaimedEntry
    state: RunState = RunState.BLOCKED
    started_at: float = 0.0
    is_charged: bool = False
    """The attempt was charged before the run."""
    is_unproven: bool = False
    """Its sides were not proven to answer when it was claimed."""


class RunsInFlight:
    """Shared by the parts of a lane that start runs, decide them and store their results. ``changed``: set when a run ends."""

    def __init__(self, changed: asyncio.Event, slots: Slots) -> None:
        self._changed = changed
        self._slots = slots
        self._keys = ConcurrencyKeys()
        self._runs: dict[EntryId, InFlight] = {}
        self._classes: Counter[WorkClass] = Counter()

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, run: InFlight) -> bool:
        """Compares by identity: an entry whose result is stored may have been claimed again."""
        return self._runs.get(run.entry.entry_id) is run

    def of(self, entry: ClaimedEntry) -> InFlight | None:
        return self._runs.get(entry.entry_id)

    @property
    def entry_ids(self) -> tuple[EntryId, ...]:
        return tuple(self._runs)

    @property
    def classes(self) -> list[WorkClass]:
        return [work_class for work_class, count in self._classes.items() if count]

    @property
    def running_classes(self) -> set[WorkClass]:
        """Classes that have at least one entry that is not blocked."""
        return {run.entry.work_class for run in self._runs.values() if run.state is not RunState.BLOCKED}

    def count(self, work_class: WorkClass) -> int:
        return self._classes[work_class]

    def add(self, claimed: Sequence[ClaimedEntry], *, is_unproven: bool) -> None:
        """``claimed``: entries of one class. They start with the next :meth:`unblock`."""
        if not claimed:
            return
        for entry in claimed:
            self._runs[entry.entry_id] = InFlight(entry, is_unproven=is_unproven)
        self._classes[claimed[0].work_class] += len(claimed)
        self._slots.acquire(len(claimed), len(claimed) * is_unproven)

    def unblock(self, claimed: Sequence[ClaimedEntry]) -> list[InFlight]:
        """The runs that may start: blocked ones whose keys are free, then those of ``claimed`` that no other run blocks."""
        return [self._runs[entry.entry_id] for entry in self._keys.acquire(claimed)]

    def end(self, run: InFlight) -> None:
        """Ends a run whose result is stored, or whose entry stays as it was, and releases its keys."""
        if run in self:
            self._drop(run)
            self._keys.release(run.entry.entry_id)
        self._changed.set()

    def drop_blocked(self) -> None:
        for run in [run for run in self._runs.values() if run.state is RunState.BLOCKED]:
            self._drop(run)

    def clear(self) -> None:
        self._slots.release(len(self._runs), sum(run.is_unproven for run in self._runs.values()))
        self._runs.clear()

    def _drop(self, run: InFlight) -> None:
        del self._runs[run.entry.entry_id]
        self._classes[run.entry.work_class] -= 1
        self._slots.release(1, int(run.is_unproven))
