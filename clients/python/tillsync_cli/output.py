"""Prints the results of commands: tables that wrap and never cut, and canonical proto JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp

console = Console(highlight=False, markup=False)
"""A console without markup, because notes may contain brackets, such as the ``[redacted]`` of a credential."""

_KEPT = "\n\u200c\u200d"
"""Characters that stay: the JSON document's line ends, and the joiners of scripts and emoji."""
_json_highlighter = JSONHighlighter()
_UTC = re.compile(r"\s*UTC(?P<offset>[+-]\d\d:\d\d)?$")
"""A zone as :func:`when` writes it."""

_STATE_STYLES = {
    "PENDING": "yellow",
    "PROCESSED": "green",
    "SKIPPED": "cyan",
    "HELD": "bold magenta",
    "FAILED": "bold red",
    "DISMISSED": "dim",
}


def as_json(message: Message) -> Any:
    """Prints canonical proto JSON: lowerCamelCase, int64 as texts, enums by name. Fields without presence are included even if empty."""
    from google.protobuf.json_format import MessageToDict  # Commands that run the service print no proto message.

    return MessageToDict(message, always_print_fields_with_no_presence=True)


def print_json(value: Message | Sequence[Message] | dict[str, Any]) -> None:
    if isinstance(value, dict):
        plain: Any = value
    elif isinstance(value, Sequence):
        plain = [as_json(message) for message in value]
    else:
        plain = as_json(value)
    text = Text(_without_unseen(json.dumps(plain, ensure_ascii=False, indent=2)))
    console.print(_json_highlighter(text), soft_wrap=True)


def _without_unseen(document: str) -> str:
    """Replaces characters that a terminal would obey or hide by JSON escapes. The document keeps its meaning."""
    return "".join(character if character.isprintable() or character in _KEPT else _escaped(character) for character in document)


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]


def table(*columns: str | tuple[str, dict[str, Any]], title: str | None = None) -> Table:
    """A table whose cells wrap, so that comments are complete even at 80 columns."""
    made = Table(title=title, title_justify="left", title_style="bold", pad_edge=False, show_lines=False)
    for column in columns:
        name, extra = (column, {}) if isinstance(column, str) else column
        made.add_column(name, **{"overflow": "fold", **extra})
    return made


def code_name(enum: Any, number: int) -> str:
    """Returns the contract's name of an enum value, or the number itself: a newer service knows values that this client does not."""
    try:
        name: str = enum.Name(number)
    except ValueError:
        return str(number)
    return name


def state_text(state: str) -> Text:
    """``ENTRY_STATE_HELD`` or ``HELD``, in its colour."""
    word = state.removeprefix("ENTRY_STATE_")
    return Text(word, style=_STATE_STYLES.get(word, ""))


def when(stamp: Timestamp, *, empty: str = "") -> str:
    """Local time to the second with its zone, because notes have UTC: ``2026-03-01 09:30:00 UTC+01:00``. ``empty`` if the time is not set.
    Options for times accept this form."""
    if not stamp.seconds:
        return empty
    local = stamp.ToDatetime(UTC).astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S} UTC{local.isoformat()[-6:] if local.utcoffset() else ''}"


def counted(count: int, one: str, many: str) -> str:
    """``1 entry``, ``2 entries``."""
    return f"{count} {one if count == 1 else many}"


def entries_counted(count: int) -> str:
    return counted(count, "entry", "entries")


def word(name: str, prefix: str) -> str:
    """``TOKEN_ROLE_SITE`` → ``site``."""
    return name.removeprefix(f"{prefix}_").lower().replace("_", " ")


def comment_cell(comment: str, notes: Iterable[str]) -> Text:
    """The comment, and its notes below in grey."""
    text = Text(comment or "(no attempt yet)", style="" if comment else "dim")
    for note in notes:
        text.append(f"\n{note}", style="dim")
    return text


def parse_time(text: str | None, option: str) -> datetime | None:
    """Parses ISO 8601. A text without a zone is local time, and a date alone is its midnight. Raises ValueError, which names the option."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(_UTC.sub(lambda found: found["offset"] or "Z", text))
    except ValueError:
        raise ValueError(f"{option}: {text!r} is no time such as 2026-03-01 or 2026-03-01T09:30") from None
    return moment if moment.tzinfo is not None else moment.astimezone()
