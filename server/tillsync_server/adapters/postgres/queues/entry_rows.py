"""Maps rows of the view ``queue_entry`` to :class:`tillsync_server.domain.entry.Entry`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from tillsync_server.domain.account import Problem
from tillsync_server.domain.entry import Attempt, Entry
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome, Priority, ProblemReason, Side
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, WooCustomerId
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.waiting import WAITING_NOTE, next_attempt, shown_notes, waiting_note
from tillsync_server.domain.work_class import sides_needed

_SIDES = ((Side.TILL, "till"), (Side.SHOP, "shop"))
"""Sides with the prefix of their columns in ``account_state``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStatus:
    """Why entries of the account wait. ``at`` is the database's time."""

    at: datetime
    probe_times: Mapping[Side, datetime]
    """The time of the next probe of each paused side."""
    problems: tuple[Problem, ...]
    """Open problems, the oldest first."""

    def blocked_until(self, kind: EntryKind) -> datetime | None:
        """Returns until when entries of this kind wait for a side that they need. None: they do not wait."""
        return max((time for side, time in self.probe_times.items() if side in sides_needed(kind)), default=None)

    def waiting_note(self, kind: EntryKind) -> str:
        until = self.blocked_until(kind)
        texts = {problem.side: problem.text for problem in self.problems}
        side = next((side for side, time in self.probe_times.items() if time == until and side in sides_needed(kind)), None)
        return waiting_note(until, "" if side is None else texts.get(side, ""), self.at)


def lane_status(row: asyncpg.Record) -> LaneStatus:
    probe_times = {side: row[f"{name}_probe_at"] for side, name in _SIDES if row[f"{name}_probe_at"] is not None}
    problems = [_problem(row, side, name) for side, name in _SIDES if row[f"{name}_reason"] is not None]
    return LaneStatus(at=row["at"], probe_times=probe_times, problems=tuple(sorted(problems, key=lambda problem: problem.since)))


def _problem(row: asyncpg.Record, side: Side, name: str) -> Problem:
    probe_at, entry_id = row[f"{name}_probe_at"], row[f"{name}_entry_id"]
    return Problem(
        reason=ProblemReason(row[f"{name}_reason"]),
        side=side,
        text=row[f"{name}_text"] or "",
        since=row[f"{name}_since"],
        next_try_time=probe_at if probe_at is not None and probe_at > row["at"] else None,
        oldest_entry_id=None if entry_id is None else EntryId(entry_id),
    )


def entry_from(row: asyncpg.Record, lane: LaneStatus | None) -> Entry:
    """Maps one row. PENDING entries need ``lane``, which says until when they wait."""
    kind, state = EntryKind(row["kind"]), EntryState(row["state"])
    outcome = None if row["outcome"] is None else Outcome(row["outcome"])
    notes, next_time = lines(row["notes"]), None
    if lane is None:
        notes = shown_notes(state, outcome, notes, WAITING_NOTE, None, row["update_time"])
    else:
        if row["due_at"] is not None:
            next_time = next_attempt(state, row["due_at"], lane.blocked_until(kind), lane.at)
        notes = shown_notes(state, outcome, notes, lane.waiting_note(kind), next_time, lane.at)
    facts = row["facts"]
    return Entry(
        account_id=AccountId(row["account_id"]),
        entry_id=EntryId(row["entry_id"]),
        kind=kind,
        subject_id=row["subject_id"],
        state=state,
        priority=Priority(row["priority"]),
        entry_revision=row["entry_revision"],
        outcome=outcome,
        comment=row["comment"],
        causes=() if row["cause"] is None else (Outcome(row["cause"]),),
        notes=notes,
        attempt_count=row["attempt_count"],
        coalesced_count=row["coalesced_count"],
        next_attempt_time=next_time,
        create_time=row["create_time"],
        update_time=row["update_time"],
        finish_time=row["finish_time"],
        retried_from=None if row["retried_from"] is None else EntryId(row["retried_from"]),
        epos_customer_id=EposCustomerId(row["subject_id"]) if kind is EntryKind.CUSTOMER else _epos_customer(row["epos_customer_id"]),
        woo_customer_id=None if row["woo_customer_id"] is None else WooCustomerId(row["woo_customer_id"]),
        subject_label=row["subject_label"],
        account_email=row["account_email"] or "",
        billing_email=row["billing_email"] or "",
        candidate_ids=tuple(EposCustomerId(value) for value in row["candidate_ids"] or ()),
        facts=None if facts is None else OrderFacts.from_json(json.loads(facts)),
        attempts=() if row["attempts"] is None else attempts_from(json.loads(row["attempts"]), row["attempt_count"]),
    )


def lines(text: str) -> tuple[str, ...]:
    """Splits stored notes, which are joined by newline."""
    return tuple(text.split("\n")) if text else ()


def attempts_from(stored: list[dict[str, Any]], attempt_count: int) -> tuple[Attempt, ...]:
    """Maps stored attempts. Only the newest 30 are kept, so the first number is higher if older charged attempts are gone."""
    gone = max(0, attempt_count - sum(bool(one.get("g")) for one in stored))
    return tuple(
        Attempt(
            number=gone + position,
            outcome=Outcome(one["o"]),
            comment=one.get("c", ""),
            notes=lines(one.get("n", "")),
            start_time=datetime.fromisoformat(one["s"]),
            finish_time=datetime.fromisoformat(one["f"]),
            charged=bool(one.get("g")),
            upstream_status=one.get("u"),
            side=None if one.get("d") is None else Side(one["d"]),
        )
        for position, one in enumerate(stored, start=1)
    )


def _epos_customer(value: int | None) -> EposCustomerId | None:
    return None if value is None else EposCustomerId(value)
