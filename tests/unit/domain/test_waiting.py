"""Notes of a waiting entry: its reason for waiting and the time of its next attempt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from tillsync_server.domain.enums import EntryState, Outcome
from tillsync_server.domain.waiting import next_attempt, shown_notes, waiting_note

AT = datetime(2026, 3, 1, 13, 50, tzinfo=UTC)
NEXT = datetime(2026, 3, 1, 16, 5, tzinfo=timezone(timedelta(hours=2)))
FAILED = ("reading the customer from Epos Now: not reached: DNS", "and more")


def test_entry_before_its_first_attempt_shows_waiting_or_the_pause() -> None:
    assert waiting_note(None, "", AT) == waiting_note(AT, "over", AT) == "waiting"
    assert waiting_note(NEXT, "", AT) == "paused until 14:05"
    assert waiting_note(NEXT, "Epos Now: not reached: DNS", AT) == "paused until 14:05: Epos Now: not reached: DNS"
    assert shown_notes(EntryState.PENDING, None, ("a different order",), "waiting", NEXT, AT) == ("waiting", "a different order")


def test_first_note_between_attempts_names_the_next_attempt() -> None:
    def shown(stored: tuple[str, ...], next_time: datetime | None) -> tuple[str, ...]:
        return shown_notes(EntryState.PENDING, Outcome.EPOS_FETCH_FAILED, stored, "waiting", next_time, AT)

    assert shown(FAILED, NEXT) == ("reading the customer from Epos Now: not reached: DNS; next try 14:05", "and more")
    assert shown(FAILED, NEXT + timedelta(hours=12))[0].endswith("; next try 2026-03-02 02:05")
    assert shown((), NEXT) == ("next try 14:05",)
    assert shown(FAILED, None) == FAILED


def test_finished_or_held_entry_names_no_next_attempt() -> None:
    for state in set(EntryState) - {EntryState.PENDING}:
        assert shown_notes(state, Outcome.EPOS_FETCH_FAILED, FAILED, "waiting", NEXT, AT) == FAILED
        assert next_attempt(state, NEXT, None, AT) is None


def test_next_attempt_is_never_before_the_pause_ends() -> None:
    due = AT + timedelta(minutes=1)
    assert next_attempt(EntryState.PENDING, due, NEXT, AT) == NEXT
    assert next_attempt(EntryState.PENDING, NEXT, due, AT) == NEXT
    assert next_attempt(EntryState.PENDING, AT, None, AT) is None
