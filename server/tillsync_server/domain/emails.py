"""Emails: compared in one normalised form, stored raw, shown masked.

The form is a key: of create intents, and of the columns that entries and answers are looked up by. It is also part of an order's facts
hash. So it has a version, ``EMAIL_FORM``, and for one release :func:`email_forms` also gives the form of the release before.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata

import idna
from email_validator import EmailNotValidError, validate_email

TILL_EMAIL_MAX_LENGTH = 50
"""The till stores at most 50 characters (docs/epos-now.md#customers, grade C); longer ones are held, never truncated."""

EMAIL_FORM = 2
"""Version of what :func:`normalise_email` makes. 1: trimmed, case-folded. Raise it with every change, and keep the form before."""

_HIDDEN = "•••"

_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
"""Control characters that are no blanks, and Unicode's Default_Ignorable_Code_Point without the two joiners."""
_OUTSIDE = r"[^\x00-\x7f\s\u200c\u200d]"
_LOOSE_JOINERS = re.compile(rf"(?<!{_OUTSIDE})[\u200c\u200d]+|[\u200c\u200d]+(?!{_OUTSIDE})")
"""Joiners (U+200C, U+200D) carry meaning between letters of some scripts, and are invisible beside ASCII, blanks and at the ends."""
_SINGLETONS = re.compile("([\u037e\u1fef\u212a])")
"""NFC makes ASCII of these (``;``, `````, ``K``), which would join mailboxes that differ."""
_ASCII_LOWER = str.maketrans({upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)})
_SEPARATORS = re.compile(r"[\s<>()\[\],;:\\\"«»“”„]+")
"""What ends an address inside a longer text: none of these stands unquoted in a local part, nor in a domain."""
_ONE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9.+_-]*[a-zA-Z0-9])?@(?:[a-zA-Z0-9-]+\.)*[a-zA-Z0-9]+")
"""Most emails of a list: one address, and nothing else."""
_AROUND_LOCAL = "'`*|/=!?#.‘’"
_DOMAIN_END = re.compile(r"[^\w.\-。．｡]")


def visible_email(raw: str) -> str:
    """As a person sees it: NFC, trimmed of all Unicode blanks, without what has no width. Capitals stay. This is searched for and sent."""
    if raw.isascii() and raw.isprintable():
        return raw.strip()
    text = _LOOSE_JOINERS.sub("", _nfc(_INVISIBLE.sub("", raw))).strip()
    return _nfc(text)


def normalise_email(raw: str) -> str:
    """The form to compare by: :func:`visible_email`, the domain as IDNA (UTS 46) ASCII, the local part with ASCII letters in lower case.

    Idempotent. Nothing is folded that the mail system may tell apart: letters outside ASCII, dots, plus-tags. What is no email at all is
    still comparable text; an empty string stays empty.
    """
    local, at, domain = visible_email(raw).rpartition("@")
    if not at:
        return domain.translate(_ASCII_LOWER)
    return f"{local.translate(_ASCII_LOWER)}@{_ascii_domain(domain)}"


def email_form_before(raw: str) -> str:
    """What the release before stored for the same email (form 1): trimmed, case-folded, domain to IDNA ASCII."""
    text = raw.strip().casefold()
    local, at, domain = text.rpartition("@")
    if not at:
        return text
    with contextlib.suppress(idna.IDNAError):
        domain = idna.encode(domain, uts46=True).decode("ascii").lower()
    return f"{local}@{domain}"


def email_forms(email: str) -> tuple[str, ...]:
    """The present form, then the forms that the release before stored for spellings of this email, where they differ: as given, as seen,
    with accents decomposed, with the domain in Unicode. Raw or normalised. For most emails it is one; for a blank one it is none."""
    visible = visible_email(email)
    spellings = [email, visible]
    if not visible.isascii() or "xn--" in visible.lower():
        local, at, domain = visible.rpartition("@")
        spellings.append(unicodedata.normalize("NFD", visible))
        with contextlib.suppress(UnicodeError):  # no domain: nothing to write out
            spellings.append(f"{local}{at}{idna.decode(_ascii_domain(domain))}")
    return tuple(form for form in dict.fromkeys((normalise_email(email), *map(email_form_before, spellings))) if form)


def addresses_in(text: str) -> frozenset[str]:
    """The normalised addresses that ``text`` holds: itself, and those inside ``mailto:…``, ``Ada <…>``, ``…;…`` or with a dot behind."""
    found = {normalise_email(text)}
    if _ONE.fullmatch(text):
        return frozenset(found)
    visible = re.sub(r"\s*@\s*", "@", visible_email(text))
    for part in _SEPARATORS.split(visible):
        local, at, domain = part.rpartition("@")
        if not at:
            continue
        domain = _DOMAIN_END.split(domain, maxsplit=1)[0].strip(".。．｡-_")
        if local and domain:
            found |= {normalise_email(f"{each}@{domain}") for each in (local, local.strip(_AROUND_LOCAL)) if each}
    return frozenset(found)


def without_capitals(normalised: str) -> str:
    """The form with letters outside ASCII in lower case too, where that joins nothing but a letter and its own capital."""
    return "".join(low if (low := each.lower()) != each and low.upper() == each else each for each in normalised)


def email_problem(raw: str) -> str | None:
    """Why ``raw`` is no usable email address, in plain words, or None. Syntax only: no DNS is asked, ``.test`` is allowed."""
    try:
        validate_email(visible_email(raw), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        return re.sub(r"\s+", " ", str(error))
    return None


def mask_email(raw: str) -> str:
    """``ada.byron@example.test`` → ``a•••@e•••.test``; an empty string stays empty."""
    local, at, domain = visible_email(raw).rpartition("@")
    if not at:
        return _HIDDEN if domain else ""
    name, dot, top = domain.rpartition(".")
    masked_domain = f"{name[:1]}{_HIDDEN}{dot}{top}" if dot else f"{domain[:1]}{_HIDDEN}"
    return f"{local[:1]}{_HIDDEN}@{masked_domain}"


def _nfc(text: str) -> str:
    if text.isascii():
        return text
    return "".join(part if _SINGLETONS.fullmatch(part) else unicodedata.normalize("NFC", part) for part in _SINGLETONS.split(text))


def _ascii_domain(domain: str) -> str:
    """ASCII goes to lower case and no further. A name that IDNA 2008 refuses (with a heart) still has one ASCII form: UTS 46 mapping, then
    Punycode label by label."""
    if domain.isascii():
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except UnicodeError:
        pass
    try:
        mapped = idna.uts46_remap(domain, std3_rules=False, transitional=False)
    except UnicodeError:
        mapped = domain
    labels = mapped.translate(_ASCII_LOWER).split(".")
    return ".".join(each if each.isascii() else f"xn--{each.encode('punycode').decode('ascii')}" for each in labels)
