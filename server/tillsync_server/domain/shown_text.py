"""Makes texts from outside safe to display. An invisible character becomes, for example, ``[U+202E]``. Synced and compared texts stay raw.

Every text of an answer that people read goes through :func:`shown` (``adapters/grpc/messages``), so terminals and pages need no escaping of
their own. The command line's JSON writes the same characters as JSON escapes.

The two joiners stay between two characters outside Latin, where scripts need them (Persian, Indic scripts, joined emoji).
Variation selectors stay too, because they select the form of the character before them.
"""

from __future__ import annotations

import re

_BLANKS = re.compile(r"[\t\n\x0b\x0c\r\x85\u2028\u2029]+")
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters: escape sequences begin with one
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u3164\uffa0"  # soft hyphen, joiners and fillers of scripts
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"  # zero width, marks and overrides of direction, the byte-order mark
    "\ufff9-\ufffb\ud800-\udfff"  # annotations, lone surrogates
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"  # formats of shorthand and music, tags
    "|(?<![^\x00-\u02ff\u2000-\u206f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\u02ff\u2000-\u206f])"
)
MAX_SHOWN_LENGTH = 255


def shown(text: str, *, most: int = MAX_SHOWN_LENGTH) -> str:
    """One line of at most ``most`` characters. Line ends and runs of blanks become one space."""
    start = text[: 4 * most]
    # isprintable() is False for every invisible character. Most texts have none.
    line = start if start.isprintable() else _written_out(start)
    return " ".join(line.split())[:most].rstrip()


def first_letter(text: str) -> str:
    """The first visible character, or an empty text."""
    return _UNSEEN.sub("", _BLANKS.sub(" ", text)).strip()[:1]


def _written_out(text: str) -> str:
    return _UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", _BLANKS.sub(" ", text))
