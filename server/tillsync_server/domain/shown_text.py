"""A text from outside for the eyes of people: what cannot be seen is written out as ``[U+202E]``. What is synced and compared stays raw.

The one function of the service for it: whatever an answer holds that people read goes through :func:`shown` (``adapters/grpc/messages``),
so that no terminal and no page has to know of it. The command line's JSON writes the same characters as JSON escapes.

The two joiners stay where scripts need them (Persian, the Indic scripts, joined emoji): between two characters that are no Latin ones.
Variation selectors stay too: they choose how the character before them looks.
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
    """One line of at most ``most`` characters; line ends and runs of blanks are one space."""
    start = text[: 4 * most]
    # isprintable() is False for each of them: most texts have none
    line = start if start.isprintable() else _written_out(start)
    return " ".join(line.split())[:most].rstrip()


def first_letter(text: str) -> str:
    """The first character that can be seen, or nothing."""
    return _UNSEEN.sub("", _BLANKS.sub(" ", text)).strip()[:1]


def _written_out(text: str) -> str:
    return _UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", _BLANKS.sub(" ", text))
