"""An answer of the other side told without quoting it: what it is, how long, the names of its keys or of its first tag.

A body may hold a person (a row of the till, a cached page that greets somebody), and neither export nor erasure looks into notes. So a note
says of a body what this module says. It quotes nothing but an *error sentence*: the one field or line in which the other side is documented
to tell what is wrong, without whatever may be a value. The comment of TYPE_REQUEST_FAILED is the answer's own text, as its catalogue entry
says: customer types are no persons.
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
"""Five digits and more: a phone, a card, a date of birth. Ids of customers are no loss: the note has them from elsewhere."""
_STRUCTURE = re.compile(r"[{}<>\[\]]")
UNKNOWN_NAME = "…"


def name_of(text: object) -> str:
    """A key, field or code as it may stand in a note: an identifier, or "…"."""
    return text if isinstance(text, str) and _NAME.fullmatch(text) else UNKNOWN_NAME


def described(body: str, *, is_page: bool) -> str:
    """``JSON object with Forename, Surname and 3 more keys, 512 characters``, ``HTML page of 1,204 characters``, ``no text``."""
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
    return f"{_json_kind(value)}, {size}"


def _json_kind(value: Any) -> str:
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
    """The other side's own sentence about what is wrong, without what may be a value: quoted text, five digits and more, credentials;
    emails are masked. Empty where it is no sentence but data or markup, or too long for one. What is left can still name a person in plain
    words: no system that we know does that, and a person's name there is not told from any other word."""
    line = clean_text(text, secrets, max_length=MAX_SENTENCE_LENGTH + 1)
    if len(line) > MAX_SENTENCE_LENGTH or _STRUCTURE.search(line.replace("[redacted]", "")):
        return ""
    return _NUMBER.sub(UNKNOWN_NAME, _QUOTED.sub(UNKNOWN_NAME, line))
