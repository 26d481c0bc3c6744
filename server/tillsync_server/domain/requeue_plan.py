"""The plan of a retry: what it does to each entry of a chunk, decided from the stored rows before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from tillsync_server.domain.enums import EntryKind, EntryState, Priority
from tillsync_server.domain.ids import AccountId, EntryId
from tillsync_server.domain.order import OrderFacts

Subject = tuple[EntryKind, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    account_id: AccountId
    entry_id: EntryId
    kind: EntryKind
    subject_id: int
    state: EntryState
    priority: Priority
    force: bool
    facts: OrderFacts | None

    @property
    def subject(self) -> Subject:
        return self.kind, self.subject_id


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The order_match of an order: its current entry and how that stands."""

    entry_id: EntryId
    state: EntryState


class Step(Enum):
    REQUEUE = auto()
    """A live entry runs again."""
    HINT = auto()
    """A finished customer or type: a hint, which makes a successor."""
    COALESCE_HINT = auto()
    """The same, its subject has a live entry (or gets one in this chunk)."""
    ORDER_SUCCESSOR = auto()
    REQUEUE_LIVE_ORDER = auto()
    """The order has a live entry (or gets one in this chunk), which runs again."""
    LEAVE_UNCHANGED = auto()
    MISSING = auto()


@dataclass(frozen=True, slots=True)
class PlannedStep:
    step: Step
    entry: StoredEntry | None
    live_entry_id: EntryId | None = None
    """The live entry that was there before; None where the chunk makes it."""


def plan_requeues(
    entry_ids: Sequence[EntryId],
    stored: Mapping[EntryId, StoredEntry],
    live: Mapping[Subject, EntryId],
    answers: Mapping[int, StoredAnswer],
) -> list[PlannedStep]:
    """By position. The customer of a PROCESSED order does not change by a retry, not even by that of an older entry of the order."""
    planned: list[PlannedStep] = []
    begun: set[Subject] = set()
    for entry_id in entry_ids:
        entry = stored.get(entry_id)
        if entry is None:
            planned.append(PlannedStep(Step.MISSING, None))
        elif entry.state.is_live:
            planned.append(PlannedStep(Step.REQUEUE, entry))
        elif entry.kind is EntryKind.ORDER_CUSTOMER:
            planned.append(_plan_order(entry, live.get(entry.subject), answers.get(entry.subject_id), entry.subject in begun))
        else:
            live_entry_id = live.get(entry.subject)
            step = Step.HINT if live_entry_id is None and entry.subject not in begun else Step.COALESCE_HINT
            planned.append(PlannedStep(step, entry, live_entry_id))
        if planned[-1].step in (Step.HINT, Step.ORDER_SUCCESSOR) and entry is not None:
            begun.add(entry.subject)
    return planned


def _plan_order(entry: StoredEntry, live: EntryId | None, answer: StoredAnswer | None, begun: bool) -> PlannedStep:
    if entry.state is EntryState.PROCESSED:
        return PlannedStep(Step.LEAVE_UNCHANGED, entry)
    if live is not None or begun:
        return PlannedStep(Step.REQUEUE_LIVE_ORDER, entry, live)
    if entry.facts is None or (answer is not None and answer.state is EntryState.PROCESSED):
        return PlannedStep(Step.LEAVE_UNCHANGED, entry)
    return PlannedStep(Step.ORDER_SUCCESSOR, entry)
