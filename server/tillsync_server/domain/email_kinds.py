"""Kinds of emails that a till's search may be wrong for, although it is right for plain ones: a sign, letters outside ASCII, the length."""

from __future__ import annotations

import re
from collections.abc import Collection

from tillsync_server.domain.emails import TILL_EMAIL_MAX_LENGTH, visible_email

PLAIN_LENGTH = 30
"""Longer emails are of a kind of their own: a search may cut, or refuse, what it is asked for."""
OUTSIDE_ASCII = "outside ascii"

_PLAIN = re.compile(r"[a-zA-Z0-9.@-]+")


def email_kinds(email: str) -> frozenset[str]:
    """Each sign but ``.`` and ``-``, ``outside ascii``, and the length in digits where it is over 30. Empty: a plain email.

    ``o'neil+shop@example.test`` → ``{"'", "+"}``. A search that is right for each of them is taken to be right for the email.
    """
    seen = visible_email(email)
    kinds = set(_PLAIN.sub("", seen)) if seen.isascii() else {each for each in _PLAIN.sub("", seen) if each.isascii()} | {OUTSIDE_ASCII}
    if "xn--" in seen:
        kinds.add(OUTSIDE_ASCII)
    if len(seen) > PLAIN_LENGTH:
        kinds.add(str(min(len(seen), TILL_EMAIL_MAX_LENGTH)))
    return frozenset(kinds)


def covers(proven: Collection[str], kind: str) -> bool:
    """Whether ``kind`` is among ``proven``. What finds an email of 50 characters finds one of 40."""
    if not kind.isdigit():
        return kind in proven
    return any(each.isdigit() and int(each) >= int(kind) for each in proven)
