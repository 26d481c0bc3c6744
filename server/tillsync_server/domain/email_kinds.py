"""Kinds of emails for which a till's search may fail although it finds plain ones: by a sign, by letters outside ASCII, by length."""

from __future__ import annotations

import re
from collections.abc import Collection

from tillsync_server.domain.emails import TILL_EMAIL_MAX_LENGTH, visible_email

PLAIN_LENGTH = 30
"""Longer emails are a separate kind, because a search may cut or refuse a long text."""
OUTSIDE_ASCII = "outside ascii"

_PLAIN = re.compile(r"[a-zA-Z0-9.@-]+")


def email_kinds(email: str) -> frozenset[str]:
    """The kinds of ``email``: each sign except ``.`` and ``-``, ``outside ascii``, and a length over 30 in digits. Empty: a plain email.

    ``o'neil+shop@example.test`` → ``{"'", "+"}``. A search that works for each of the kinds is assumed to work for the email.
    """
    seen = visible_email(email)
    kinds = set(_PLAIN.sub("", seen)) if seen.isascii() else {each for each in _PLAIN.sub("", seen) if each.isascii()} | {OUTSIDE_ASCII}
    if "xn--" in seen:
        kinds.add(OUTSIDE_ASCII)
    if len(seen) > PLAIN_LENGTH:
        kinds.add(str(min(len(seen), TILL_EMAIL_MAX_LENGTH)))
    return frozenset(kinds)


def covers(proven: Collection[str], kind: str) -> bool:
    """Whether ``proven`` includes ``kind``. A search that finds an email of 50 characters also finds one of 40."""
    if not kind.isdigit():
        return kind in proven
    return any(each.isdigit() and int(each) >= int(kind) for each in proven)
