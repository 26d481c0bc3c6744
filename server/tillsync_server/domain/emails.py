"""Emails are stored raw, compared in one normalised form, and shown masked.

The normalised form is a key of create intents and of the columns by which entries and answers are found. An order's facts hash contains it
too. So the form has a version, ``EMAIL_FORM``. For one release after a change :func:`email_forms` also returns the previous form.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata

import idna
from email_validator import EmailNotValidError, validate_email

TILL_EMAIL_MAX_LENGTH = 50
"""The till stores at most 50 characters (docs/epos-now.md#customers, grade C). A longer email is never cut: its order is held."""

EMAIL_FORM = 2
"""Version of the form of :func:`normalise_email`. Form 1 was trimmed and case-folded. Raise it with each change, and keep the old form."""

_HIDDEN = "•••"

_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
"""Control characters except blanks, and Unicode's Default_Ignorable_Code_Point without the two joiners."""
_OUTSIDE = r"[^\x00-\x7f\s\u200c\u200d]"
_LOOSE_JOINERS = re.compile(rf"(?<!{_OUTSIDE})[\u200c\u200d]+|[\u200c\u200d]+(?!{_OUTSIDE})")
"""Joiners (U+200C, U+200D) beside ASCII, beside blanks or at the ends. There they are invisible. Between letters of some scripts they have
a meaning."""
_SINGLETONS = re.compile("([\u037e\u1fef\u212a])")
"""NFC maps these to ASCII (``;``, `````, ``K``), which would make different mailboxes equal."""
_ASCII_LOWER = str.maketrans({upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)})
_SEPARATORS = re.compile(r"[\s<>()\[\],;:\\\"«»“”„]+")
"""Characters that end an address inside a longer text. A domain and an unquoted local part contain none of them."""
_ONE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9.+_-]*[a-zA-Z0-9])?@(?:[a-zA-Z0-9-]+\.)*[a-zA-Z0-9]+")
"""One plain address and no other text, as most emails are."""
_AROUND_LOCAL = "'`*|/=!?#.‘’"
_DOMAIN_END = re.compile(r"[^\w.\-。．｡]")


def visible_email(raw: str) -> str:
    """The email as a person sees it: NFC, without zero-width characters, without Unicode blanks at the ends. Capitals stay. This form is
    searched for and sent."""
    if raw.isascii() and raw.isprintable():
        return raw.strip()
    text = _LOOSE_JOINERS.sub("", _nfc(_INVISIBLE.sub("", raw))).strip()
    return _nfc(text)


def normalise_email(raw: str) -> str:
    """The form for comparisons: :func:`visible_email`, its domain in IDNA (UTS 46) ASCII, ASCII letters of its local part in lower case.

    Idempotent. Differences that a mail system may respect stay: letters outside ASCII, dots, plus-tags. A text that is no email stays a
    comparable text, and an empty text stays empty.
    """
    local, at, domain = visible_email(raw).rpartition("@")
    if not at:
        return domain.translate(_ASCII_LOWER)
    return f"{local.translate(_ASCII_LOWER)}@{_ascii_domain(domain)}"


def email_form_before(raw: str) -> str:
    """The previous release's form of the same email (form 1): trimmed, case-folded, with the domain in IDNA ASCII."""
    text = raw.strip().casefold()
    local, at, domain = text.rpartition("@")
    if not at:
        return text
    with contextlib.suppress(idna.IDNAError):
        domain = idna.encode(domain, uts46=True).decode("ascii").lower()
    return f"{local}@{domain}"


def email_forms(email: str) -> tuple[str, ...]:
    """The present form, then the differing forms that the previous release stored for spellings of this email.

    The spellings are: as given, visible, with decomposed accents, with the domain in Unicode. ``email`` may be raw or normalised. Most
    emails have one form. A blank email has none.
    """
    visible = visible_email(email)
    spellings = [email, visible]
    if not visible.isascii() or "xn--" in visible.lower():
        local, at, domain = visible.rpartition("@")
        spellings.append(unicodedata.normalize("NFD", visible))
        with contextlib.suppress(UnicodeError):  # The text is no domain.
            spellings.append(f"{local}{at}{idna.decode(_ascii_domain(domain))}")
    return tuple(form for form in dict.fromkeys((normalise_email(email), *map(email_form_before, spellings))) if form)


def addresses_in(text: str) -> frozenset[str]:
    """The normalised addresses in ``text``: the text itself, and those inside ``mailto:…``, ``Ada <…>``, ``…;…`` or before a dot."""
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
    """The normalised form with letters outside ASCII in lower case too. A letter changes only if it is the capital of its lower case."""
    return "".join(low if (low := each.lower()) != each and low.upper() == each else each for each in normalised)


def email_problem(raw: str) -> str | None:
    """Why ``raw`` is no usable email address, in plain words, or None. Checks only the syntax, without DNS. ``.test`` is allowed."""
    try:
        validate_email(visible_email(raw), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        return re.sub(r"\s+", " ", str(error))
    return None


def mask_email(raw: str) -> str:
    """Masks an email: ``ada.byron@example.test`` → ``a•••@e•••.test``. An empty text stays empty."""
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
    """The domain in ASCII. An ASCII domain only becomes lower case. A name that IDNA 2008 rejects (with a heart, for example) gets UTS 46
    mapping, then Punycode for each label."""
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
