"""The first note of a waiting entry, and the time of its next attempt (UTC). Enqueueing and reading both use this module."""

from __future__ import annotations

from datetime import UTC, datetime

from tillsync_server.domain.enums import EntryState, Outcome

WAITING_NOTE = "waiting"


def waiting_note(paused_until: datetime | None, problem_text: str, at: datetime) -> str:
    """``waiting``, or ``paused until 14:05: …`` (UTC) while the entry's side is paused. ``at``: the database's time of the read."""
    if paused_until is None or paused_until <= at:
        return WAITING_NOTE
    until = f"paused until {paused_until.astimezone(UTC):%H:%M}"
    return f"{until}: {problem_text}" if problem_text else until


def shown_notes(
    state: EntryState, outcome: Outcome | None, stored: tuple[str, ...], note: str, next_time: datetime | None, at: datetime
) -> tuple[str, ...]:
    """The notes of an entry as readers see them.

    Before the first attempt of a PENDING entry, ``note`` (from :func:`waiting_note`) comes first. After it, the stored first note does. If
    the entry waits for its next attempt, that note ends with the time: ``not reached: DNS; next try 14:05``. ``next_time`` comes from
    :func:`next_attempt`.
    """
    if state is not EntryState.PENDING:
        return stored
    if outcome is None:
        return (note, *stored)
    if next_time is None:
        return stored
    time = next_time.astimezone(UTC)
    next_try = f"next try {time:%H:%M}" if time.date() == at.astimezone(UTC).date() else f"next try {time:%Y-%m-%d %H:%M}"
    return (f"{stored[0]}; {next_try}", *stored[1:]) if stored else (next_try,)


def next_attempt(state: EntryState, due_at: datetime, paused_until: datetime | None, at: datetime) -> datetime | None:
    """The time of a PENDING entry's next attempt: its due time, or the end of the pause if that is later. None: the entry is due now, or is
    not PENDING."""
    if state is not EntryState.PENDING:
        return None
    due = due_at if paused_until is None or paused_until <= due_at else paused_until
    return due if due > at else None
