"""A till's text for the eyes of people: without what would steer a terminal or turn the direction of a line. What is synced stays raw."""

from __future__ import annotations

import re

_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
"""Control characters (escape sequences begin with one), marks and overrides of direction, line separators."""
MAX_SHOWN_LENGTH = 255


def shown(text: str, *, most: int = MAX_SHOWN_LENGTH) -> str:
    """One line of at most ``most`` characters."""
    return " ".join(_STEERING.sub(" ", text[: 4 * most]).split())[:most].rstrip()
