"""Decides an entry's state from the verdict of a run. Only this module counts attempts (invariant 8)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.enums import EntryState, Outcome, Side
from tillsync_server.domain.ids import EposCustomerId, WooCustomerId
from tillsync_server.domain.verdict import AccountProblem, Disposition, Verdict

MAX_NOTES = 12
MAX_NOTE_LENGTH = 500


@dataclass(slots=True, kw_only=True)
class EntryDecision:
    """The values that the store writes for one run. A PENDING entry runs next ``delay_seconds`` after the write, or at ``not_before``.

    No code changes an instance. The class is not frozen, because every entry needs one and a frozen one takes four times as long to make.
    """

    state: EntryState
    outcome: Outcome
    comment: str
    cause: Outcome | None
    notes: tuple[str, ...]
    charged: bool
    delay_seconds: float = 0.0
    retry_after_seconds: float = 0.0
    """A later hint does not run the entry before this delay is over."""
    not_before: datetime | None = None
    """Takes precedence over ``delay_seconds``. Neither a hint nor a person runs the entry earlier."""
    side: Side | None = None
    upstream_status: int | None = None
    epos_customer_id: EposCustomerId | None = None
    woo_customer_id: WooCustomerId | None = None
    subject_label: str | None = None
    candidate_ids: tuple[EposCustomerId, ...] = ()
    problem: AccountProblem | None = None
    sides_proven: frozenset[Side] = frozenset()
    """Sides that worked in this run. The store closes their account problems."""


def decide_entry(verdict: Verdict, *, attempts_before: int, policy: RetryPolicy, paused: Collection[Side] = ()) -> EntryDecision:
    """Decides the entry's next state.

    ``attempts_before``: charged attempts of the entry before this run. ``paused``: sides that had a problem at any time during the run.
    """
    charged, delay, retry_after = True, 0.0, 0.0
    state, not_before = verdict.state, None
    attempts = attempts_before + 1
    match verdict.disposition:
        case Disposition.FINISH | Disposition.HOLD:
            pass
        case Disposition.RETRY:
            # invariant: the-end-of-a-problem-charges-nobody
            if not verdict.sides_answered.isdisjoint(paused):
                charged = False  # The side had a problem that is over now. The entry is retried at once.
            elif policy.is_exhausted(attempts):
                state = EntryState.FAILED
            else:
                retry_after = verdict.retry_after_seconds or 0.0
                delay = policy.delay_seconds(attempts, retry_after)
        case Disposition.POSTPONE:
            charged, state, not_before, delay = False, EntryState.PENDING, verdict.not_before, verdict.wait_seconds
        case Disposition.PAUSE_SIDE:
            charged, state = False, EntryState.PENDING
        case _:
            assert_never(verdict.disposition)
    return EntryDecision(
        state=state,
        outcome=verdict.outcome,
        comment=verdict.comment,
        cause=verdict.causes[0] if verdict.causes else None,
        notes=tuple([" ".join(note.split())[:MAX_NOTE_LENGTH] for note in verdict.notes[:MAX_NOTES]]) if verdict.notes else (),
        charged=charged,
        delay_seconds=delay,
        retry_after_seconds=retry_after,
        not_before=not_before,
        side=verdict.side,
        upstream_status=verdict.upstream_status,
        epos_customer_id=verdict.epos_customer_id,
        woo_customer_id=verdict.woo_customer_id,
        subject_label=verdict.subject_label,
        candidate_ids=verdict.candidate_ids,
        problem=verdict.problem,
        sides_proven=_sides_proven(verdict, state),
    )


def _sides_proven(verdict: Verdict, state: EntryState) -> frozenset[Side]:
    """A side works too if it refuses this one entry permanently, or proves that the entry's customer is gone."""
    if verdict.outcome is Outcome.UPDATED and state is EntryState.PROCESSED:
        return frozenset({Side.TILL, Side.SHOP}) if verdict.sides_met is None else verdict.sides_met
    if verdict.disposition is Disposition.FINISH and state is EntryState.FAILED and verdict.upstream_status is not None:
        return frozenset() if verdict.side is None else frozenset({verdict.side})
    if verdict.outcome in (Outcome.MATCHED_EMAIL, Outcome.CUSTOMER_CREATED, Outcome.DUPLICATE_EMAIL):
        return frozenset({Side.TILL})
    return verdict.sides_answered
