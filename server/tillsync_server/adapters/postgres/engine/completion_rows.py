"""Builds the parameters of the statement ``engine/complete`` for a batch of completions.

Most runs of a batch have the same result. The shared part is sent once as a *class*, and each run carries the number of its class.
*Claims* are sent in the same way. A claim is a lease of a lane under one version of the account's settings.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from tillsync_server.domain.entry_decision import EntryDecision
from tillsync_server.domain.enums import Side
from tillsync_server.domain.verdict import AccountProblem
from tillsync_server.ports.lanes import Completion, LaneLease

_CLASS_COLUMNS = 8
Value = TypeVar("Value")


class _Numbered(Generic[Value]):
    """Distinct values by key. Numbers start at 1, in order of first use."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self.values: list[Value] = []

    def number(self, key: Hashable, value: Value) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._numbers) + 1
            self.values.append(value)
        return number


def completion_parameters(completions: Sequence[Completion]) -> list[Any]:
    """Returns the parameters in the order of the statement."""
    claims: _Numbered[tuple[LaneLease, int]] = _Numbered()
    classes: _Numbered[EntryDecision] = _Numbered()
    claim_numbers: list[int] = []
    class_numbers: list[int] = []
    for completion in completions:  # hot loop: it runs for every entry
        lease, version, decision = completion.lease, completion.entry.config_version, completion.decision
        claim_numbers.append(claims.number((id(lease), version), (lease, version)))
        class_numbers.append(classes.number(_class_key(decision), decision))
    revisions = [completion.entry.entry_revision for completion in completions]
    decisions = [completion.decision for completion in completions]
    return [
        [lease.account_id for lease, _ in claims.values],
        [lease.owner for lease, _ in claims.values],
        [lease.token for lease, _ in claims.values],
        [version for _, version in claims.values],
        *_class_columns(classes.values),
        # Encoding is the most expensive part of a write. A column of equal values is left out: unnest fills a shorter column with NULL.
        claim_numbers,
        [completion.entry.entry_id for completion in completions],
        [] if revisions.count(1) == len(revisions) else revisions,
        [] if len(classes.values) == 1 else class_numbers,
        [completion.run_seconds for completion in completions],
        _sparse([decision.epos_customer_id for decision in decisions]),
        _sparse([decision.woo_customer_id for decision in decisions]),
        _sparse([decision.subject_label for decision in decisions]),
        _sparse([decision.delay_seconds or None for decision in decisions]),
        _sparse([decision.retry_after_seconds or None for decision in decisions]),
        _sparse([decision.not_before for decision in decisions]),
        *_problem_columns(completions, claim_numbers),
        [int(completion.entry.kind) for completion in completions],
        [completion.entry.subject_id for completion in completions],
    ]


def without_problem(completion: Completion) -> Completion:
    """Returns the completion without an opened or closed problem of a side."""
    if not completion.recovered and completion.decision.problem is None:
        return completion
    return replace(completion, recovered=frozenset(), decision=replace(completion.decision, problem=None))


def _class_key(decision: EntryDecision) -> Hashable:
    return (
        decision.state,
        decision.outcome,
        decision.cause,
        decision.comment,
        decision.notes,
        decision.charged,
        decision.side,
        decision.upstream_status,
        decision.candidate_ids,
    )


def _class_columns(decisions: Sequence[EntryDecision]) -> list[list[Any]]:
    columns: list[list[Any]] = [[] for _ in range(_CLASS_COLUMNS)]
    for each in decisions:
        text, outcome, side = "\n".join(each.notes), int(each.outcome), each.side and int(each.side)
        attempt = {"o": outcome, "n": text, "g": int(each.charged), "d": side, "u": each.upstream_status, "c": each.comment}
        values = (
            int(each.state),
            outcome,
            each.cause and int(each.cause),
            each.comment,
            text,
            int(each.charged),
            json.dumps({key: value for key, value in attempt.items() if value not in (None, "")}),
            _bigint_array_text(each.candidate_ids) if each.candidate_ids else None,
        )
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    return columns


def _problem_columns(completions: Sequence[Completion], claim_numbers: Sequence[int]) -> list[list[Any]]:
    """Returns at most one change for each claim and side. A problem that opens replaces one that closes."""
    changed: dict[tuple[int, Side], tuple[Completion, AccountProblem | None]] = {}
    for number, completion in zip(claim_numbers, completions, strict=True):
        for side in completion.recovered:
            changed.setdefault((number, side), (completion, None))
        problem = completion.decision.problem
        # invariant: account-wide-failures-make-their-side-wait
        if problem is not None:
            changed[number, problem.side] = (completion, problem)
    rows = list(changed.values())
    return [
        [number for number, _ in changed],
        [int(side) for _, side in changed],
        [completion.pause_seconds if problem else None for completion, problem in rows],
        [problem and int(problem.reason) for _, problem in rows],
        [problem and problem.text for _, problem in rows],
        [completion.entry.entry_id if problem else None for completion, problem in rows],
    ]


def _sparse(column: list[Any]) -> list[Any]:
    return [] if column.count(None) == len(column) else column


def _bigint_array_text(ids: Sequence[int]) -> str:
    """Returns a bigint[] literal. unnest flattens an array of arrays, so each inner array is sent as text."""
    return "{" + ",".join(str(int(value)) for value in ids) + "}"
