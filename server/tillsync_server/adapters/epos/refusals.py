"""Classifies error answers of the till as upstream errors, by status, content type and sender.

``throttling.py`` recognises the till's limit. Epos Now's API answers data or one plain sentence. A web page comes from an intermediary,
so it says nothing about the API key.
"""

from __future__ import annotations

import json
import re

from tillsync_server.adapters.epos.throttling import is_throttled
from tillsync_server.adapters.http_client import Answer, IntermediaryKind, error_sentence, intermediary_of, refusal_of
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import (
    Blocked,
    CredentialsRefused,
    Misaddressed,
    Missing,
    Refused,
    ServerFailure,
    Throttled,
    Unanswered,
    UpstreamError,
)

# "Invalid field value for CustomerType: CustomerTypeID" (recorded), and CRLF-separated "Field - reason" lines.
_INVALID_FIELD = re.compile(r"invalid field value for \w+:\s*(\w{1,60})", re.IGNORECASE)
_FIELD_LINE = re.compile(r"^[^\S\n]*([A-Za-z]\w{0,59}) - \S", re.MULTILINE)


def refused_field(text: str) -> str | None:
    """Returns the first field that an error text of the till names, or None. ``text`` must keep its line breaks."""
    match = _INVALID_FIELD.search(text) or _FIELD_LINE.search(text)
    return match[1] if match else None


def _error_summary(answer: Answer) -> str:
    """Returns status and error sentence, for example ``HTTP 400: Invalid field value for CustomerType: CustomerTypeID``.

    The sentence is the plain text of a 4xx (docs/epos-now.md#customers) or the ``Message`` of its web framework. For any other body the
    result is ``Answer.status_text``, which quotes nothing.
    """
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


_CONTENT_STATUSES = frozenset({400, 409, 413, 414, 415, 422, 431})
"""Statuses that concern one request. With them, a web page without a known mark may refuse the content of this request."""
_INTERMEDIARY_TEXTS = {
    IntermediaryKind.BOT_CHECK: "a bot check",
    IntermediaryKind.FIREWALL: "a firewall",
    IntermediaryKind.LOGIN: "a login page",
    IntermediaryKind.HOST: "a page of its host",
    IntermediaryKind.GATEWAY: "a proxy",
    IntermediaryKind.MAINTENANCE: "a maintenance page",
}
_NOT_THE_KEY = "this is not about the API key: wait, and report it to Epos Now if it stays"


def _blocked_error(answer: Answer) -> Blocked | None:
    """Returns Blocked when an intermediary answers. None when the API answers, or when a page may refuse only this request."""
    page, refusal = answer.is_html, refusal_of(answer)
    if answer.is_success and not page and refusal is None:
        return None
    intermediary = intermediary_of(answer)
    if intermediary is None and answer.is_success and refusal is not None:
        detail = f"HTTP {answer.status}: {refusal}" if refusal else answer.status_text
        return _blocked_error_by("a refusal without data", detail, answer)
    if intermediary is None and (not page or answer.is_success or answer.status == 404 or answer.status in _CONTENT_STATUSES):
        return None
    if answer.status >= 500 and (intermediary is None or intermediary.kind not in (IntermediaryKind.BOT_CHECK, IntermediaryKind.FIREWALL)):
        return None
    sender = "a web page" if intermediary is None else _INTERMEDIARY_TEXTS[intermediary.kind]
    named_sender = f"{sender} ({intermediary.name})" if intermediary is not None and intermediary.name else sender
    return _blocked_error_by(named_sender, answer.status_text, answer)


def _blocked_error_by(sender: str, detail: str, answer: Answer) -> Blocked:
    finding = f"{sender} answers instead of Epos Now's API ({detail})"
    wait = answer.retry_after_seconds
    return Blocked(
        Side.TILL,
        f"{finding[: 498 - len(_NOT_THE_KEY)]}: {_NOT_THE_KEY}",
        status=answer.status,
        retry_after_seconds=wait,
        body_text=answer.text,
        remedy=_NOT_THE_KEY,
    )


def error_of(answer: Answer, *, throttle_pause_seconds: float) -> UpstreamError | None:
    """Returns the error of an answer, or None for a success with data. Throttled always has ``retry_after_seconds``."""
    if answer.is_success:
        # A Location header names the created customer, whatever the body is.
        return None if "Location" in answer.headers else _blocked_error(answer)
    if is_throttled(answer):
        wait = answer.retry_after_seconds
        return Throttled(
            Side.TILL,
            f"Epos Now's request limit is used up: {_error_summary(answer)}",
            status=answer.status,
            retry_after_seconds=throttle_pause_seconds if wait is None else max(wait, 1.0),
            body_text=answer.text,
        )
    return _blocked_error(answer) or _status_error(answer)


def _status_error(answer: Answer) -> UpstreamError:
    status, text, body_text = answer.status, _error_summary(answer), answer.text
    match status:
        case 401 | 403:
            return _credentials_error(answer, text)
        # invariant: html-pages-are-no-missing-customer
        case 404 if answer.is_html:
            remedy = "the base address or the API version set for Epos Now is wrong"
            return Misaddressed(Side.TILL, f"{remedy} ({text})"[:500], status=status, body_text=body_text)
        case 404:
            return Missing(Side.TILL, f"not found in Epos Now: {text}"[:500], status=status, body_text=body_text)
        case 408:
            return Unanswered(Side.TILL, f"Epos Now gave up waiting: {text}"[:500], status=status, body_text=body_text)
        case _ if status >= 500:
            intermediary, wait = intermediary_of(answer), answer.retry_after_seconds
            failure = "Epos Now failed"
            if intermediary is not None:
                failure = f"{_INTERMEDIARY_TEXTS[intermediary.kind]} answers instead of Epos Now's API"
            named_failure = f"{failure} ({intermediary.name})" if intermediary is not None and intermediary.name else failure
            return ServerFailure(Side.TILL, f"{named_failure}: {text}"[:500], status=status, retry_after_seconds=wait, body_text=body_text)
        case _:
            field = refused_field(answer.body.decode("utf-8", "replace"))
            reason = f"refused field: {field}: {text}" if field else f"Epos Now refused: {text}"
            return Refused(Side.TILL, reason[:500], status=status, body_text=body_text, field=field)


def _credentials_error(answer: Answer, text: str) -> CredentialsRefused:
    """A 403 with an error sentence may concern the plan or the rights of the API device. The key may be correct then."""
    remedy = "check API key and secret of the account against the API device in Epos Now"
    if answer.status == 403 and text != answer.status_text:
        remedy = "check in Epos Now what the API device and its plan may do, and API key and secret of the account"
    error_text = f"Epos Now refuses the credentials ({text}): {remedy}"[:500]
    return CredentialsRefused(Side.TILL, error_text, status=answer.status, body_text=answer.text)
