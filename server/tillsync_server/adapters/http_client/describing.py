"""Descriptions of bodies that do not quote them: kind, size, and the names of JSON keys or of the first tag.

A body may hold personal data (a row of the till, a cached page with a name), and export and erasure do not search notes. So notes use the
descriptions of this module. Only an *error sentence* is quoted. It is the field or line in which the other side is documented to state the
error, and possible values are removed from it. The comment of TYPE_REQUEST_FAILED is the answer's own text, as its catalogue entry says,
because customer types are no personal data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from tillsync_server.adapters.http_client.cleaning import clean_text

MAX_SENTENCE_LENGTH = 200
_MAX_KEYS = 5
_TAG = re.compile(r"<([A-Za-z][A-Za-z0-9:-]{0,29})")
_NAME = re.compile(r"[A-Za-z_][A-Za-z_.-]{0,79}[0-9]{0,2}")
_QUOTED = re.compile(r""""[^"]*"|(?<!\w)'[^']*'|“[^”]*”|‘[^’]*’|«[^»]*»|`[^`]*`""")
_NUMBER = re.compile(r"\+?\d(?:[\s()./-]?\d){4,}")
"""Numbers of five or more digits: a phone, a card, a date of birth. A removed customer id is no loss, because the note states it too."""
_STRUCTURE = re.compile(r"[{}<>\[\]]")
UNKNOWN_NAME = "…"


def name_of(text: object) -> str:
    """Returns a key, field or code when it is an identifier, else "…". Notes may contain the result."""
    return text if isinstance(text, str) and _NAME.fullmatch(text) else UNKNOWN_NAME


def describe_body(body: str, *, is_page: bool) -> str:
    """Returns kind and size of a body.

    Examples: ``JSON object with Forename, Surname and 3 more keys, 512 characters``, ``HTML page of 1,204 characters``, ``no text``.
    """
    text = body.strip().removeprefix("\ufeff").strip()
    if not text:
        return "no text"
    size = f"{len(text):,} character{'' if len(text) == 1 else 's'}"
    if is_page:
        return f"HTML page of {size}"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        tag = _TAG.match(text)
        return f"text of {size} that begins with the tag {tag[1]}" if tag else f"text of {size}"
    return f"{_describe_json(value)}, {size}"


def _describe_json(value: Any) -> str:
    match value:
        case dict() if value:
            keys = [name_of(key) for key in list(value)[:_MAX_KEYS]]
            more = f" and {len(value) - _MAX_KEYS} more keys" if len(value) > _MAX_KEYS else ""
            return f"JSON object with {', '.join(keys)}{more}"
        case dict():
            return "JSON object without keys"
        case list():
            return f"JSON array of {len(value)}"
        case _:
            return "JSON value"


def error_sentence(text: str, secrets: Iterable[str] = ()) -> str:
    """Returns the other side's error sentence. Quoted text, numbers of five or more digits and credentials are removed; emails are masked.

    It returns "" when ``text`` is data or markup, or longer than MAX_SENTENCE_LENGTH. A name of a person in plain words would stay, because
    it looks like any other word. No known system puts one there.
    """
    line = clean_text(text, secrets, max_length=MAX_SENTENCE_LENGTH + 1)
    if len(line) > MAX_SENTENCE_LENGTH or _STRUCTURE.search(line.replace("[redacted]", "")):
        return ""
    return _NUMBER.sub(UNKNOWN_NAME, _QUOTED.sub(UNKNOWN_NAME, line))
