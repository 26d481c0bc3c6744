"""Cleans texts of the till or shop for notes and comments. It removes markup, control characters and credentials, and masks emails."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from urllib.parse import quote, quote_plus

from tillsync_server.domain.emails import mask_email

MAX_TEXT_LENGTH = 500
_MAX_RAW_LENGTH = 32_768
"""Maximum characters of a text that are read. It bounds the work that a hostile answer can cause."""

_REDACTED = "[redacted]"
_HTML = re.compile(r"<(?:!doctype\s+html|html|head|title|body)\b", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
"""Comments are removed before parsing, because thousands of unclosed comments cost the parser a second."""
_TAG = re.compile(r"<[A-Za-z/!?][^<>]*>")
# Characters of the categories Cc and Cf, including bidi overrides and zero-width characters, and lone surrogates.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_BASIC = re.compile(r"\bBasic\s+([A-Za-z0-9+/_-]{6,}={0,2})")
_BEARER = re.compile(r"\b(Bearer)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_WOO_KEY = re.compile(r"\bc[ks]_[A-Za-z0-9]{6,}")
_CONNECT_STRING = re.compile(r"\btillsync1\.[A-Za-z0-9_-]+")
_USERINFO = re.compile(r"(?<=://)[^\s/@<>]{1,300}@")
_NAMED_SECRET = re.compile(
    r"""\b((?:consumer|api|oauth|access|bridge|webhook|client)?[_-]?(?:key|secret|token|password|passwd|signature))
        (["']?\s*[=:]\s*["']?)([^\s"'&,;<>]{4,})""",
    re.IGNORECASE | re.VERBOSE,
)
_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}?(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}", re.IGNORECASE)


class _Page(HTMLParser):
    """Collects the title and the visible text of an HTML page."""

    _HIDDEN_TAGS = frozenset({"script", "style", "head", "noscript", "template", "svg"})
    _MAX_DEPTH = 50

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.text: list[str] = []
        self._open_hidden_tags: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and not self.title:
            self._in_title = True
        elif tag in self._HIDDEN_TAGS and len(self._open_hidden_tags) < self._MAX_DEPTH:
            self._open_hidden_tags.append(tag)
        elif tag == "body":
            self._open_hidden_tags.clear()
        self.text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag in self._open_hidden_tags:
            del self._open_hidden_tags[self._open_hidden_tags.index(tag) :]
        self.text.append(" ")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._open_hidden_tags:
            self.text.append(data)


def is_html(text: str) -> bool:
    """Whether a text is an HTML page."""
    return _HTML.search(text[:2048]) is not None


def _parse_page(text: str) -> _Page:
    page = _Page()
    page.feed(text)
    page.close()
    return page


def _strip_markup(text: str) -> str:
    if "<" not in text and "&" not in text:
        return text
    html = is_html(text)
    text = _COMMENT.sub(" ", text)
    try:
        page = _parse_page(text)
    except AssertionError:  # html.parser raises it for an invalid marked section such as "<![0".
        page = _parse_page(text.replace("<![", " "))
    title = _to_one_line("".join(page.title))
    body = _TAG.sub(" ", "".join(page.text))  # Resolving entities can create new tags.
    if not html:
        return f"{title} {body}" if title else body
    return f"HTML page: {title or _to_one_line(body) or 'without a text'}"


def _to_one_line(text: str) -> str:
    return " ".join(_CONTROL.sub("", text.replace("\u2028", " ").replace("\u2029", " ")).split())


def _redact_basic(match: re.Match[str]) -> str:
    # Texts of the till may contain words such as "Basic customer". Only a token that decodes to "user:password" is a credential.
    token = match[1]
    try:
        decoded = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_" if set(token) & set("-_") else None)
    except (binascii.Error, ValueError):
        return match[0]
    return f"Basic {_REDACTED}" if b":" in decoded else match[0]


def _spellings(secret: str) -> set[str]:
    raw = base64.b64encode(secret.encode()).decode()
    return {secret, quote(secret, safe=""), quote_plus(secret), raw, raw.rstrip("=")}


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Removes ``secrets`` (also base64- and URL-encoded) and everything that looks like a credential, and masks emails."""
    all_spellings = {spelling for secret in secrets if len(secret) >= 4 for spelling in _spellings(secret)}
    for spelling in sorted(all_spellings, key=len, reverse=True):
        text = text.replace(spelling, _REDACTED)
    text = _BASIC.sub(_redact_basic, text)
    text = _BEARER.sub(rf"\1 {_REDACTED}", text)
    text = _WOO_KEY.sub(_REDACTED, text)
    text = _CONNECT_STRING.sub(_REDACTED, text)
    text = _USERINFO.sub(f"{_REDACTED}@", text)
    text = _NAMED_SECRET.sub(rf"\1\2{_REDACTED}", text)
    return _EMAIL.sub(lambda match: mask_email(re.sub("%40", "@", match[0], flags=re.IGNORECASE)), text)


def clean_text(text: str, secrets: Iterable[str] = (), *, max_length: int = MAX_TEXT_LENGTH) -> str:
    """Returns one plain line of at most ``max_length`` characters. An HTML page becomes ``HTML page: <its title>``."""
    line = _to_one_line(redact(_to_one_line(_strip_markup(text[:_MAX_RAW_LENGTH])), secrets))
    return line if len(line) <= max_length else line[: max_length - 1].rstrip() + "…"
