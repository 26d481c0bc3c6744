"""Reads from PostgreSQL's log why a server ended: one message, without the values that it quotes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

NO_REASON: Final = "PostgreSQL's log names none"
DISK_FULL: Final = "the disk of the data directory is full"
_MIN_FREE_BYTES: Final = 1_048_576
_READ_BYTES: Final = 262_144
_MAX_LENGTH: Final = 300

_MESSAGE = re.compile(r"^(?:.* )?\[(?P<pid>\d+)\] (?P<level>FATAL|PANIC|LOG): +(?P<text>.*)$")
_PROGRAM = re.compile(r"^postgres: (?P<text>.*)$")
"""Form of a failure before the log is set up: it has no time and no process id."""
_ENDED_CHILD = re.compile(r"\(PID (?P<pid>\d+)\) (?:exited|was terminated)")
_SHUTDOWN = re.compile(r"(?:performing|received) \w+ shutdown")
_QUOTED = re.compile(r'(?P<parameter>parameter )?"(?P<value>[^"]*)"')
_FILE = re.compile(r"/[\w./+-]*|(?:base|global|pg_\w+)/[\w./-]*|postmaster\.(?:pid|opts)|\w+\.conf|PG_VERSION")
_VALUES = re.compile(r"=\s*\([^)]*\)|'[^']*'")


def exit_reason(log: Path, since: int, postmaster: int) -> str:
    """Returns the first FATAL or PANIC message of the server, else of the child that the server ended with, else the first PANIC. Without
    any, returns what the server says about the child or about a shutdown.

    ``since``: the size of the log in bytes when this server started. ``postmaster``: its process id. A session's FATAL ends only that
    session, so it is no reason. A full disk takes no log, so the free space is checked. Quoted texts may be values, and are left out unless
    they name a file of PostgreSQL. The result has at most 300 characters.
    """
    lines = _lines_of(log, since)
    found = [match for line in lines if (match := _MESSAGE.match(line)) is not None]
    fatal = [match for match in found if match["level"] != "LOG"]
    of_server = [match["text"] for match in found if match["pid"] == str(postmaster)]
    ended = {child["pid"] for text in of_server if (child := _ENDED_CHILD.search(text))}
    candidates = (
        *(match["text"] for match in fatal if match["pid"] == str(postmaster)),
        *(match["text"] for match in fatal if match["pid"] in ended),
        *(match["text"] for match in fatal if match["level"] == "PANIC"),
        *(match["text"] for line in lines if (match := _PROGRAM.match(line)) is not None),
        *(text for text in of_server if _ENDED_CHILD.search(text) or _SHUTDOWN.search(text)),
    )
    reason = next((without_values(text) for text in candidates if text), NO_REASON)
    return DISK_FULL if reason == NO_REASON and _is_full(log.parent) else reason


def without_values(text: str) -> str:
    """Keeps ``could not write lock file "postmaster.pid": …``; removes the value in ``invalid input syntax for type integer: "Ada"``."""

    def keep_or_hide(match: re.Match[str]) -> str:
        return match[0] if match["parameter"] or _FILE.fullmatch(match["value"]) else '"…"'

    named = _QUOTED.sub(keep_or_hide, text)
    return _VALUES.sub("…", named)[:_MAX_LENGTH]


def _is_full(directory: Path) -> bool:
    try:
        return shutil.disk_usage(directory).free < _MIN_FREE_BYTES
    except OSError:
        return False


def _lines_of(log: Path, since: int) -> list[str]:
    """Returns the lines of the log. Of a long log it reads the beginning, where a failed start is, and the end, where a crash is."""
    try:
        with log.open("rb") as file:
            file.seek(since)
            data = file.read(_READ_BYTES)
            size = file.seek(0, 2)
            if size - since > 2 * _READ_BYTES:
                file.seek(size - _READ_BYTES)
                data += b"\n"
            else:
                file.seek(since + len(data))
            data += file.read(_READ_BYTES)
    except OSError:
        return []
    return data.decode("utf-8", errors="replace").splitlines()
