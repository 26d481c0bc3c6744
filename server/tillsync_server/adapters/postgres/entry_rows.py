"""From rows of the view ``queue_entry`` to :class:`tillsync_server.domain.entry.Entry`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from tillsync_server.domain.account import Problem
from tillsync_server.domain.entry import Attempt, Entry
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, WooCustomerId
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.vocabulary import EntryKind, EntryState, Outcome, Priority, ProblemReason, Side
from tillsync_server.domain.waiting import WAITING_NOTE, next_attempt, shown_notes, waiting_note


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStatus:
    """Whether the account waits; ``at`` is the database's time."""

    at: datetime
    paused_until: datetime | None
    problem: Problem | None

    @property
    def waiting_note(self) -> str:
        return waiting_note(self.paused_until, "" if self.problem is None else self.problem.text, self.at)


def lane_status(row: asyncpg.Record) -> LaneStatus:
    problem = None
    if row["problem_reason"] is not None:
        paused_until: datetime | None = row["paused_until"]
        problem = Problem(
            reason=ProblemReason(row["problem_reason"]),
            side=Side(row["problem_side"]),
            text=row["problem_text"] or "",
            since=row["problem_since"],
            next_try_time=paused_until if paused_until is not None and paused_until > row["at"] else None,
            oldest_entry_id=None if row["problem_entry_id"] is None else EntryId(row["problem_entry_id"]),
        )
    return LaneStatus(at=row["at"], paused_until=row["paused_until"], problem=problem)


def entry_from(row: asyncpg.Record, lane: LaneStatus | None) -> Entry:
    """``lane`` is needed for PENDING entries: it says until when they wait."""
    kind, state = EntryKind(row["kind"]), EntryState(row["state"])
    outcome = None if row["outcome"] is None else Outcome(row["outcome"])
    notes, next_time = lines(row["notes"]), None
    if lane is None:
        notes = shown_notes(state, outcome, notes, WAITING_NOTE, None, row["update_time"])
    else:
        if row["due_at"] is not None:
            next_time = next_attempt(state, row["due_at"], lane.paused_until, lane.at)
        notes = shown_notes(state, outcome, notes, lane.waiting_note, next_time, lane.at)
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
    """Notes are stored joined by newline."""
    return tuple(text.split("\n")) if text else ()


def attempts_from(stored: list[dict[str, Any]], attempt_count: int) -> tuple[Attempt, ...]:
    """Only the newest 30 attempts are kept: where more were charged than are there, the numbers begin behind the ones that are gone."""
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
