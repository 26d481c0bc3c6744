"""Removes emails, credentials and control characters from a text that is logged. This is the last safeguard; ``logs`` has the rules."""

from __future__ import annotations

import re
from typing import Final

MAX_TEXT: Final = 500
_READ: Final = 4 * MAX_TEXT

_OUTSIDE_OF_EMAILS = r"\s@\uff20%<>\"'(),;:=/|{}\[\]"
_EMAIL = re.compile(rf"(?<![^{_OUTSIDE_OF_EMAILS}])[^{_OUTSIDE_OF_EMAILS}]+(?:@|\uff20|%40)[^{_OUTSIDE_OF_EMAILS}]+", re.IGNORECASE)
_CREDENTIALS = re.compile(
    r"""(?ix)
    \b(?:bearer|basic)\s+[\w\-.~+/]{6,}=*             # Authorization
    | \b(?:ck|cs)_[0-9a-z]{8,}                        # WooCommerce keys
    | \btillsync1\.[\w\-]+                            # connect string
    | \btls_[\w\-]{8,}                                # our tokens
    | \beyJ[\w\-]{6,}(?:\.[\w\-]+)*                   # JSON web tokens
    | (?<=://)[^\s/]+@                                # user:password@ of an address
    | (?<![\w\-])[\w\-]*(?:password|passwd|secret|token|key|signature)["']?\s*[=:]\s*["']?[^\s,;&"']+
    | \b(?:[0-9a-f]{32,}|(?-i:(?![a-z_]+\b))[a-z0-9+_\-]{40,}=*)  # long random strings, except names of functions
    """
)


def scrubbed(text: str) -> str:
    """Returns ``text`` with emails and credentials replaced, without control and invisible characters, as one line of at most MAX_TEXT
    characters."""
    shortened = text[: 2 * _READ]
    if not shortened.isprintable():
        shortened = "".join(each if each.isprintable() or each.isspace() else "" for each in shortened)
    line = " ".join(shortened.split())
    if len(line) > _READ or len(text) > 2 * _READ:
        line = line[:_READ].rpartition(" ")[0] or "[long]"  # cut at a space, because half an email or token is not recognised
    return _EMAIL.sub("[email]", _CREDENTIALS.sub("[redacted]", line))[:MAX_TEXT]
