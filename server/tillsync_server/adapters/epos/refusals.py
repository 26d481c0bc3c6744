"""From an error answer of the till to the upstream error tree, by status (throttling apart, see ``throttling.py``)."""

from __future__ import annotations

import json
import re

from tillsync_server.adapters.epos.throttling import is_throttled
from tillsync_server.adapters.outbound import Answer, error_sentence
from tillsync_server.domain.errors import (
    CredentialsRefused,
    Misaddressed,
    Missing,
    Refused,
    ServerFailure,
    Throttled,
    Unanswered,
    UpstreamError,
)
from tillsync_server.domain.vocabulary import Side

# "Invalid field value for CustomerType: CustomerTypeID" (recorded), and CRLF-separated "Field - reason" lines.
_INVALID_FIELD = re.compile(r"invalid field value for \w+:\s*(\w{1,60})", re.IGNORECASE)
_FIELD_LINE = re.compile(r"^[^\S\n]*([A-Za-z]\w{0,59}) - \S", re.MULTILINE)


def refused_field(text: str) -> str | None:
    """The field an error text of the till names first, or None. ``text`` has its line breaks."""
    match = _INVALID_FIELD.search(text) or _FIELD_LINE.search(text)
    return match[1] if match else None


def _told(answer: Answer) -> str:
    """``HTTP 400: Invalid field value for CustomerType: CustomerTypeID``: the till tells refusals in one plain sentence (eposnow-api
    section 2), or in a ``Message`` as its web framework does. Of anything else only what it is."""
    sentence = ""
    if 400 <= answer.status < 500 and not answer.is_html:
        body = answer.body.decode("utf-8", "replace").strip()
        sentence = error_sentence(_message_in(body), answer.secrets)
    return f"HTTP {answer.status}: {sentence}" if sentence else answer.status_text


def _message_in(body: str) -> str:
    if not body.startswith("{"):
        return "" if "<" in body else body
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    message = next((value[key] for key in ("Message", "message") if isinstance(value.get(key), str)), "")
    return str(message)


def error_of(answer: Answer, *, throttle_pause_seconds: float) -> UpstreamError | None:
    """The error an answer stands for; None for 2xx. A Throttled always says for how long."""
    if answer.is_success:
        return None
    status, text, said = answer.status, _told(answer), answer.text
    if is_throttled(answer):
        wait = answer.retry_after_seconds
        return Throttled(
            Side.TILL,
            f"Epos Now's request limit is used up: {text}",
            status=status,
            retry_after_seconds=throttle_pause_seconds if wait is None else max(wait, 1.0),
            body_text=said,
        )
    match status:
        case 401 | 403:
            remedy = "check API key and secret of the account against the API device in Epos Now"
            return CredentialsRefused(
                Side.TILL, f"Epos Now refuses the credentials ({text}): {remedy}"[:500], status=status, body_text=said
            )
        # invariant: html-pages-are-no-missing-customer
        case 404 if answer.is_html:
            remedy = "the base address or the API version set for Epos Now is wrong"
            return Misaddressed(Side.TILL, f"{remedy} ({text})"[:500], status=status, body_text=said)
        case 404:
            return Missing(Side.TILL, f"not found in Epos Now: {text}"[:500], status=status, body_text=said)
        case 408:
            return Unanswered(Side.TILL, f"Epos Now gave up waiting: {text}"[:500], status=status, body_text=said)
        case _ if status >= 500:
            wait = answer.retry_after_seconds
            return ServerFailure(Side.TILL, f"Epos Now failed: {text}"[:500], status=status, retry_after_seconds=wait, body_text=said)
        case _:
            field = refused_field(answer.body.decode("utf-8", "replace"))
            reason = f"refused field: {field}: {text}" if field else f"Epos Now refused: {text}"
            return Refused(Side.TILL, reason[:500], status=status, body_text=said, field=field)
