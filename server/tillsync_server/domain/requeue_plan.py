"""Plans how a chunk of entries is requeued. It decides one step for each entry from the stored rows, before any write."""

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
    """The order_match of an order: its current entry and that entry's state."""

    entry_id: EntryId
    state: EntryState


class Step(Enum):
    REQUEUE = auto()
    """The live entry becomes due now."""
    HINT = auto()
    """A hint for a finished customer or type. The hint creates a successor."""
    COALESCE_HINT = auto()
    """A hint for a subject that has a live entry, or gets one in this chunk."""
    ORDER_SUCCESSOR = auto()
    REQUEUE_LIVE_ORDER = auto()
    """The order has a live entry, or gets one in this chunk. That entry becomes due now."""
    LEAVE_UNCHANGED = auto()
    MISSING = auto()


@dataclass(frozen=True, slots=True)
class PlannedStep:
    step: Step
    entry: StoredEntry | None
    live_entry_id: EntryId | None = None
    """The live entry from before this chunk. None: there is none, or the chunk creates it."""


def plan_requeues(
    entry_ids: Sequence[EntryId],
    stored: Mapping[EntryId, StoredEntry],
    live: Mapping[Subject, EntryId],
    answers: Mapping[int, StoredAnswer],
) -> list[PlannedStep]:
    """One step for each of ``entry_ids``, in the same order.

    A requeue never changes the customer of a PROCESSED order, even if it names an older entry of that order.
    """
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
