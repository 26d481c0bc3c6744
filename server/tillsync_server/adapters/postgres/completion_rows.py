"""The column arrays of a batch of completions: what `finish_fenced.sql`, `finish.sql` and `reschedule.sql` take.

Most entries of a batch end alike, so what they have in common is sent once, as a *class*, and each entry names its class. So it is with
the *claims* they come from: a lease of a lane, under one version of the account's settings.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tillsync_server.domain.settlement import Settlement
from tillsync_server.domain.vocabulary import EntryState
from tillsync_server.ports.lanes import Completion, LaneLease

_SHORTEST_WAIT = timedelta(seconds=1)
"""Waits are told by the process's clock. Where that is slow they may be over already, and the entry would run again without a pause."""
_CLASS_COLUMNS = 8


class CompletionRows:
    """Columns in the order of the statements' parameters."""

    def __init__(self, completions: Sequence[Completion]) -> None:
        self._completions = completions
        self._claims: dict[tuple[int, int], tuple[LaneLease, int]] = {}
        self._classes: dict[tuple[Any, ...], int] = {}
        claim_numbers: dict[tuple[int, int], int] = {}
        self._claim_numbers: list[int] = []
        self._class_numbers: list[int] = []
        for completion in completions:  # this runs for every entry
            lease, version, settlement = completion.lease, completion.entry.config_version, completion.settlement
            claim = (id(lease), version)
            number = claim_numbers.get(claim)
            if number is None:
                number = claim_numbers[claim] = len(claim_numbers) + 1
                self._claims[claim] = (lease, version)
            self._claim_numbers.append(number)
            alike = (
                settlement.state,
                settlement.outcome,
                settlement.cause,
                settlement.comment,
                settlement.notes,
                settlement.charged,
                settlement.side,
                settlement.upstream_status,
                settlement.candidate_ids,
            )
            self._class_numbers.append(self._classes.setdefault(alike, len(self._classes) + 1))

    def fenced_parameters(self) -> list[Any]:
        """For `finish_fenced.sql`."""
        claims = self._claims.values()
        owners = [[lease.owner for lease, _ in claims], [lease.token for lease, _ in claims]]
        return [*self._parameters([version for _, version in claims]), *owners]

    def finish_parameters(self, at: datetime) -> list[Any]:
        return self._parameters(at)

    def reschedule_parameters(self, at: datetime) -> list[Any]:
        return [
            *self._parameters(at),
            [_due(completion, at) for completion in self._completions],
            [_not_before(completion.settlement, at) for completion in self._completions],
        ]

    def _parameters(self, eighth: object) -> list[Any]:
        completions = self._completions
        revisions = [completion.entry.entry_revision for completion in completions]
        # what is the same everywhere is left out: unnest fills a shorter column up with NULL, and encoding is the dearest part of a write
        return [
            self._claim_numbers,
            [completion.entry.entry_id for completion in completions],
            [] if revisions.count(1) == len(revisions) else revisions,
            [] if len(self._classes) == 1 else self._class_numbers,
            [completion.run_seconds for completion in completions],
            _sparse([completion.settlement.epos_customer_id for completion in completions]),
            _sparse([completion.settlement.woo_customer_id for completion in completions]),
            eighth,
            _sparse([completion.settlement.subject_label for completion in completions]),
            [lease.account_id for lease, _ in self._claims.values()],
            *self._class_columns(),
        ]

    def _class_columns(self) -> list[list[Any]]:
        columns: list[list[Any]] = [[] for _ in range(_CLASS_COLUMNS)]
        for state, outcome, cause, comment, notes, charged, side, upstream_status, candidates in self._classes:
            text = "\n".join(notes)
            attempt = {"o": int(outcome), "n": text, "g": int(charged), "d": side and int(side), "u": upstream_status, "c": comment}
            columns[0].append(int(state))
            columns[1].append(int(outcome))
            columns[2].append(cause and int(cause))
            columns[3].append(comment)
            columns[4].append(text)
            columns[5].append(int(charged))
            columns[6].append(json.dumps({key: value for key, value in attempt.items() if value not in (None, "")}))
            columns[7].append(bigint_array_text(candidates) if candidates else None)
        return columns


def _sparse(column: list[Any]) -> list[Any]:
    return [] if column.count(None) == len(column) else column


def _due(completion: Completion, at: datetime) -> datetime:
    settlement = completion.settlement
    if settlement.not_before is not None:
        return max(settlement.not_before, at + _SHORTEST_WAIT)
    return at + timedelta(seconds=max(settlement.delay_seconds, completion.pause_seconds))


def _not_before(settlement: Settlement, at: datetime) -> datetime | None:
    return at + timedelta(seconds=settlement.retry_after_seconds) if settlement.retry_after_seconds else settlement.not_before


def bigint_array_text(ids: Sequence[int]) -> str:
    """A bigint[] literal: arrays of arrays cannot be unnested, so they travel as text."""
    return "{" + ",".join(str(int(value)) for value in ids) + "}"


def is_finish(completion: Completion) -> bool:
    state = completion.settlement.state
    return state is not EntryState.PENDING and state is not EntryState.HELD


def is_nothing_but_finish(completion: Completion) -> bool:
    """Its end is all there is to write: no account problem that it closes."""
    return is_finish(completion) and completion.lease.problem_side is None
