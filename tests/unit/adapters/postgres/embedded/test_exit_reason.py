"""The exit reason of an embedded PostgreSQL is the server's own message in its log, without values of statements."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from tillsync_server.adapters.postgres.embedded.exit_reason import DISK_FULL, NO_REASON, exit_reason, without_values

SERVER, CHILD, SESSION = 4711, 4720, 4800


def line(pid: int, level: str, text: str) -> str:
    return f"2026-01-05 09:00:00.000 UTC [{pid}] {level}:  {text}\n"


def reason_of(directory: Path, *lines: str, before: str = "") -> str:
    log = directory / "postgres.log"
    log.write_text(before + "".join(lines), encoding="utf-8")
    return exit_reason(log, len(before.encode()), SERVER)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            [
                line(SERVER, "LOG", "starting PostgreSQL"),
                line(SERVER, "FATAL", 'could not write lock file "postmaster.pid": No space left on device'),
            ],
            'could not write lock file "postmaster.pid": No space left on device',
        ),
        (
            [line(SERVER, "FATAL", "could not create shared memory segment: No space left on device"), line(SERVER, "FATAL", "second")],
            "could not create shared memory segment: No space left on device",
        ),
        (
            [
                line(SESSION, "FATAL", "terminating connection due to administrator command"),
                line(CHILD, "PANIC", "could not locate a valid checkpoint record at 0/15A2F38"),
                line(SERVER, "LOG", f"startup process (PID {CHILD}) was terminated by signal 6: Aborted"),
                line(SERVER, "LOG", "aborting startup due to startup process failure"),
            ],
            "could not locate a valid checkpoint record at 0/15A2F38",
        ),
        (
            [
                line(SESSION, "FATAL", 'role "ada" does not exist'),
                line(SERVER, "LOG", "server process (PID 4800) was terminated by signal 9: Killed"),
            ],
            'role "…" does not exist',
        ),
        (
            [line(SERVER, "LOG", "checkpointer process (PID 4721) was terminated by signal 9: Killed")],
            "checkpointer process (PID 4721) was terminated by signal 9: Killed",
        ),
        (
            [line(SERVER, "LOG", "performing immediate shutdown because data directory lock file is invalid")],
            "performing immediate shutdown because data directory lock file is invalid",
        ),
        (
            ["postgres: could not find the database system\n", 'Expected to find it in the directory "/srv/data",\n'],
            "could not find the database system",
        ),
        ([line(SESSION, "ERROR", 'invalid input syntax for type integer: "Ada Byron"')], NO_REASON),
        ([line(SESSION, "FATAL", 'password authentication failed for user "ada"')], NO_REASON),
        ([], NO_REASON),
    ],
)
def test_reason_is_the_message_of_the_server_process(tmp_path: Path, lines: list[str], reason: str) -> None:
    assert reason_of(tmp_path, *lines) == reason


def test_log_of_an_earlier_server_is_ignored(tmp_path: Path) -> None:
    assert reason_of(tmp_path, before=line(SERVER, "FATAL", "of before")) == NO_REASON


def test_a_log_of_any_size_is_read_at_both_ends(tmp_path: Path) -> None:
    much = line(SESSION, "ERROR", "x" * 200) * 20_000
    assert reason_of(tmp_path, much, line(SERVER, "FATAL", "at the end")) == "at the end"
    assert reason_of(tmp_path, line(SERVER, "FATAL", "at the beginning"), much) == "at the beginning"
    assert reason_of(tmp_path, line(SESSION, "ERROR", "x" * 200) * 1_500, line(SERVER, "FATAL", "in between")) == "in between"


def test_full_disk_without_a_log_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=4_096))
    assert reason_of(tmp_path) == DISK_FULL
    assert reason_of(tmp_path, line(SERVER, "FATAL", "what it says goes first")) == "what it says goes first"


def test_missing_log_gives_no_reason(tmp_path: Path) -> None:
    assert exit_reason(tmp_path / "none.log", 0, SERVER) == NO_REASON


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ('data directory "/srv/tillsync/postgres" has invalid permissions', None),
        ('could not open file "base/16384/2619": Input/output error', None),
        ('configuration file "/srv/tillsync/postgres/postgresql.conf" contains errors', None),
        ('invalid value for parameter "shared_buffers": "Ada"', 'invalid value for parameter "shared_buffers": "…"'),
        ('duplicate key "person_pkey": Key (email)=(ada@example.test) exists', 'duplicate key "…": Key (email)… exists'),
        ("refused 'Ada Byron'", "refused …"),
        ("x" * 1_000, "x" * 300),
    ],
)
def test_values_are_removed_and_file_names_are_kept(text: str, clean: str | None) -> None:
    assert without_values(text) == (text if clean is None else clean)
