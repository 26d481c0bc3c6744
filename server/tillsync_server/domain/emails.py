"""Emails: compared normalised, stored raw, shown masked."""

from __future__ import annotations

import contextlib
import re

import idna
from email_validator import EmailNotValidError, validate_email

TILL_EMAIL_MAX_LENGTH = 50
"""The till stores at most 50 characters (eposnow-api, grade C); longer ones are held, never truncated."""

_HIDDEN = "•••"


def normalise_email(raw: str) -> str:
    """Trim, case-fold, domain to IDNA ASCII. For comparing only; an empty string stays empty.

    Nothing is folded that the mail system may tell apart (dots, plus-tags), and what is no email at all is still comparable text.
    """
    text = raw.strip().casefold()
    local, at, domain = text.rpartition("@")
    if not at:
        return text
    with contextlib.suppress(idna.IDNAError):  # not a domain: the folded text itself still compares exactly
        domain = idna.encode(domain, uts46=True).decode("ascii").lower()
    return f"{local}@{domain}"


def email_problem(raw: str) -> str | None:
    """Why ``raw`` is no usable email address, in plain words, or None. Syntax only: no DNS is asked, ``.test`` is allowed."""
    try:
        validate_email(raw.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        return re.sub(r"\s+", " ", str(error))
    return None


def mask_email(raw: str) -> str:
    """``ada.byron@example.test`` → ``a•••@e•••.test``; an empty string stays empty."""
    local, at, domain = raw.strip().rpartition("@")
    if not at:
        return _HIDDEN if raw.strip() else ""
    name, dot, top = domain.rpartition(".")
    masked_domain = f"{name[:1]}{_HIDDEN}{dot}{top}" if dot else f"{domain[:1]}{_HIDDEN}"
    return f"{local[:1]}{_HIDDEN}@{masked_domain}"
