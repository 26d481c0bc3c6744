"""The column arrays of a batch of completions: what `finish.sql` and `reschedule.sql` take.

Most entries of a batch end alike, so what they have in common is sent once, as a *class*, and each entry names its class.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tillsync_server.domain.settlement import Settlement
from tillsync_server.domain.vocabulary import EntryState
from tillsync_server.ports.lanes import Completion

_SHORTEST_WAIT = timedelta(seconds=1)
"""Waits are told by the process's clock. Where that is slow they may be over already, and the entry would run again without a pause."""


@dataclass(slots=True)
class CompletionRows:
    """Columns in the order of the statements' parameters."""

    at: datetime
    account_numbers: dict[str, int] = field(default_factory=dict)
    classes: dict[tuple[Any, ...], int] = field(default_factory=dict)
    entries: list[Completion] = field(default_factory=list)
    _columns: tuple[list[Any], ...] = field(default_factory=lambda: tuple([] for _ in range(10)))

    def add(self, completion: Completion) -> None:
        settlement, entry = completion.settlement, completion.entry
        account_number = self.account_numbers.setdefault(entry.account_id, len(self.account_numbers) + 1)
        columns = self._columns
        columns[0].append(account_number)
        columns[1].append(entry.entry_id)
        columns[2].append(entry.entry_revision)
        columns[3].append(self._class_number(settlement))
        columns[4].append(self.at - timedelta(seconds=completion.run_seconds))
        columns[5].append(settlement.epos_customer_id)
        columns[6].append(settlement.woo_customer_id)
        columns[7].append(settlement.subject_label)
        columns[8].append(self._due(settlement, completion))
        columns[9].append(
            self.at + timedelta(seconds=settlement.retry_after_seconds) if settlement.retry_after_seconds else settlement.not_before
        )
        self.entries.append(completion)

    def _due(self, settlement: Settlement, completion: Completion) -> datetime:
        if settlement.not_before is not None:
            return max(settlement.not_before, self.at + _SHORTEST_WAIT)
        return self.at + timedelta(seconds=max(settlement.delay_seconds, completion.pause_seconds))

    def _class_number(self, settlement: Settlement) -> int:
        key = (
            int(settlement.state),
            int(settlement.outcome),
            settlement.cause and int(settlement.cause),
            settlement.comment,
            "\n".join(settlement.notes),
            int(settlement.charged),
            settlement.side and int(settlement.side),
            settlement.upstream_status,
            settlement.candidate_ids,
        )
        return self.classes.setdefault(key, len(self.classes) + 1)

    def finish_parameters(self) -> list[Any]:
        c = self._columns
        # what is the same everywhere is left out: unnest fills a shorter column up with NULL, and encoding is the dearest part of a write
        revisions = c[2] if any(revision != 1 for revision in c[2]) else []
        classes = c[3] if len(self.classes) > 1 else []
        found = [[] if column.count(None) == len(column) else column for column in c[5:8]]
        return [*c[:2], revisions, classes, c[4], *found[:2], self.at, found[2], list(self.account_numbers), *self._class_columns()]

    def reschedule_parameters(self) -> list[Any]:
        return [*self.finish_parameters(), self._columns[8], self._columns[9]]

    def _class_columns(self) -> list[list[Any]]:
        columns: list[list[Any]] = [[] for _ in range(8)]
        for state, outcome, cause, comment, notes, charged, side, upstream_status, candidates in self.classes:
            attempt = {"o": outcome, "n": notes, "g": charged, "d": side, "u": upstream_status, "c": comment}
            columns[0].append(state)
            columns[1].append(outcome)
            columns[2].append(cause)
            columns[3].append(comment)
            columns[4].append(notes)
            columns[5].append(charged)
            columns[6].append(json.dumps({key: value for key, value in attempt.items() if value not in (None, "")}))
            columns[7].append(bigint_array_text(candidates) if candidates else None)
        return columns


def bigint_array_text(ids: Sequence[int]) -> str:
    """A bigint[] literal: arrays of arrays cannot be unnested, so they travel as text."""
    return "{" + ",".join(str(int(value)) for value in ids) + "}"


def is_finish(completion: Completion) -> bool:
    return completion.settlement.state not in (EntryState.PENDING, EntryState.HELD)
