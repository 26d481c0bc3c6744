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
        """By identity: an entry whose result is stored may have been claimed again."""
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
        """Without the classes of which all entries are blocked."""
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
        self._slots.take(len(claimed), len(claimed) * is_unproven)

    def unblock(self, claimed: Sequence[ClaimedEntry]) -> list[InFlight]:
        """The runs that may start: blocked ones whose keys are free, then those of ``claimed`` that no other run blocks."""
        return [self._runs[entry.entry_id] for entry in self._keys.take(claimed)]

    def end(self, run: InFlight) -> None:
        """Its result is stored, or the entry stays as it was. Its keys are free."""
        if run in self:
            self._drop(run)
            self._keys.free(run.entry.entry_id)
        self._changed.set()

    def drop_blocked(self) -> None:
        for run in [run for run in self._runs.values() if run.state is RunState.BLOCKED]:
            self._drop(run)

    def clear(self) -> None:
        self._slots.give_back(len(self._runs), sum(run.is_unproven for run in self._runs.values()))
        self._runs.clear()

    def _drop(self, run: InFlight) -> None:
        del self._runs[run.entry.entry_id]
        self._classes[run.entry.work_class] -= 1
        self._slots.give_back(1, int(run.is_unproven))
