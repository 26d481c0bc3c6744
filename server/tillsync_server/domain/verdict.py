"""The result of one run of an entry. Flows return verdicts. Only the engine turns them into stored states."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto

from tillsync_server.domain.catalogue import comment_of
from tillsync_server.domain.enums import EntryState, Outcome, ProblemReason, Side
from tillsync_server.domain.ids import EposCustomerId, WooCustomerId


class Disposition(Enum):
    FINISH = auto()
    """The entry finishes with ``state`` PROCESSED, SKIPPED or FAILED (a permanent refusal)."""
    HOLD = auto()
    """The entry becomes HELD and waits for a person."""
    RETRY = auto()
    """Charges an attempt. The entry is PENDING with backoff while attempts remain, then FAILED."""
    POSTPONE = auto()
    """Charges no attempt. The entry is PENDING until ``not_before`` (settle time, budget, changed configuration), or for ``wait_seconds``
    if its obstacle may go sooner (a missing search proof)."""
    PAUSE_SIDE = auto()
    """Charges no attempt. All work of the account that needs the side of ``problem`` waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountProblem:
    """An account-wide failure that one entry found (invariant 8)."""

    reason: ProblemReason
    side: Side
    text: str
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of one run. If the work is not done, the first note names stage and cause. ``domain.waiting`` appends ``next try …``."""

    disposition: Disposition
    outcome: Outcome
    comment: str
    state: EntryState = EntryState.PROCESSED
    causes: tuple[Outcome, ...] = ()
    notes: tuple[str, ...] = ()
    side: Side | None = None
    upstream_status: int | None = None
    retry_after_seconds: float | None = None
    not_before: datetime | None = None
    """POSTPONE only: the earliest next run. A person cannot run the entry sooner. None: the entry is due at once."""
    wait_seconds: float = 0.0
    """POSTPONE only, in place of ``not_before``: the delay until the next run. A person can run the entry at once."""
    problem: AccountProblem | None = None
    sides_met: frozenset[Side] | None = None
    """PROCESSED only: the sides that did the entry's work. None: all sides that its outcome involves."""
    sides_answered: frozenset[Side] = frozenset()
    """RETRY only: sides whose status check passed after the failure."""
    epos_customer_id: EposCustomerId | None = None
    woo_customer_id: WooCustomerId | None = None
    subject_label: str | None = None
    candidate_ids: tuple[EposCustomerId, ...] = ()

    def for_customer(self, customer_id: EposCustomerId) -> Verdict:
        """The same verdict with ``customer_id`` as the order's till customer."""
        return replace(self, epos_customer_id=customer_id)

    @classmethod
    def finished(cls, outcome: Outcome, *notes: str, state: EntryState = EntryState.PROCESSED) -> Verdict:
        return cls(disposition=Disposition.FINISH, outcome=outcome, comment=comment_of(outcome), notes=notes, state=state)

    @classmethod
    def skipped(cls, outcome: Outcome, *notes: str) -> Verdict:
        return cls.finished(outcome, *notes, state=EntryState.SKIPPED)

    @classmethod
    def failed(cls, outcome: Outcome, *notes: str, comment: str | None = None) -> Verdict:
        """A permanent refusal. Further attempts cannot succeed."""
        verdict = cls.finished(outcome, *notes, state=EntryState.FAILED)
        return verdict if comment is None else replace(verdict, comment=comment)

    @classmethod
    def held(cls, outcome: Outcome, *notes: str, candidate_ids: tuple[EposCustomerId, ...] = ()) -> Verdict:
        return cls(
            disposition=Disposition.HOLD,
            outcome=outcome,
            comment=comment_of(outcome),
            state=EntryState.HELD,
            notes=notes,
            candidate_ids=candidate_ids,
        )

    @classmethod
    def retry(
        cls,
        outcome: Outcome,
        *notes: str,
        comment: str | None = None,
        side: Side | None = None,
        upstream_status: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> Verdict:
        return cls(
            disposition=Disposition.RETRY,
            outcome=outcome,
            comment=comment_of(outcome) if comment is None else comment,
            state=EntryState.PENDING,
            notes=notes,
            side=side,
            upstream_status=upstream_status,
            retry_after_seconds=retry_after_seconds,
        )

    @classmethod
    def postponed(
        cls, outcome: Outcome, *notes: str, not_before: datetime | None = None, wait_seconds: float = 0.0, side: Side | None = None
    ) -> Verdict:
        return cls(
            disposition=Disposition.POSTPONE,
            outcome=outcome,
            comment=comment_of(outcome),
            state=EntryState.PENDING,
            notes=notes,
            not_before=not_before,
            wait_seconds=wait_seconds,
            side=side,
        )

    @classmethod
    def paused(cls, outcome: Outcome, problem: AccountProblem, *notes: str, comment: str | None = None) -> Verdict:
        return cls(
            disposition=Disposition.PAUSE_SIDE,
            outcome=outcome,
            comment=comment_of(outcome) if comment is None else comment,
            state=EntryState.PENDING,
            notes=notes or (problem.text,),
            side=problem.side,
            problem=problem,
        )
