"""Readers of a WordPress site's answers: JSON, also with stray output around it, and error objects."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from tillsync_server.adapters.http_client import Answer, error_sentence, intermediary_of, name_of, refusal_of
from tillsync_server.adapters.woo.pages import blocked_error
from tillsync_server.domain.account_warnings import StrayKind, StrayOutput
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Blocked, ShopCause, Unreadable

AnswerCheck = Callable[[Any], bool]
"""Checks whether a value has the envelope of the expected answer."""

_MAX_STRAY = 64 * 1024
"""Maximum characters of stray output before the next JSON value."""
_MAX_STARTS, _MAX_WASTED_CHARACTERS = 200, 2 * 1024 * 1024
"""Limits of the work on a hostile answer: brackets tried, and characters read without a value. Each bracket may begin a text that parses
almost to its end."""
_START = re.compile(r"[{\[]")
_PLUGIN = re.compile(r"wp-content/(?:plugins|themes)/([A-Za-z0-9][A-Za-z0-9._-]{0,59})")


@dataclass(frozen=True, slots=True)
class WpError:
    """WordPress's error object ``{"code", "message", "data": {"status", "params"}}``."""

    code: str
    message: str
    """The result of :func:`error_sentence`; empty when the message is no sentence."""
    status: int | None = None
    field: str | None = None
    """The first refused parameter, or None."""

    @property
    def summary(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


def unreadable_error(text: str, *, field: str | None = None) -> Unreadable:
    return Unreadable(Side.SHOP, f"the shop's answer is not understood: {text}"[:500], field=field)


def list_check(*fields: str) -> AnswerCheck:
    """Returns a check for a list of wc/v3 whose rows have exactly the requested ``fields``. wc/v3 has no envelope of tillsync."""
    return lambda value: isinstance(value, list) and all(isinstance(row, Mapping) and set(row) == set(fields) for row in value)


def wp_error_of(value: Any, secrets: tuple[str, ...] = ()) -> WpError | None:
    """Reads an error object. Returns None when ``value`` is no such object."""
    if not isinstance(value, Mapping):
        return None
    code, message, data = value.get("code"), value.get("message"), value.get("data")
    if not isinstance(code, str) or not isinstance(message, str):
        return None
    status = data.get("status") if isinstance(data, Mapping) else None
    params = data.get("params") if isinstance(data, Mapping) else None
    # Invalid parameters are an object keyed by name, missing ones a list of names.
    first = next(iter(params), None) if isinstance(params, Mapping | list) else None
    return WpError(
        code=name_of(code),
        message=error_sentence(message, secrets),
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
        field=name_of(first) if isinstance(first, str) else None,
    )


@dataclass(frozen=True, slots=True)
class AnswerData:
    """The JSON value of an answer and its stray output, or None without stray output."""

    value: Any
    stray: StrayOutput | None = None


def find_answer(answer: Answer, is_expected: AnswerCheck) -> AnswerData | None:
    """Finds the expected object or array among stray output. Returns None when no value or more than one passes ``is_expected``.

    ``is_expected`` makes the search safe. Output of a plugin may contain JSON, and a truncated answer contains complete inner values.
    Neither has the envelope of the answer. Callers still compare ids and count with the request.
    """
    text = answer.body.decode("utf-8-sig", "surrogateescape")
    found: tuple[Any, int, int] | None = None
    try:
        for value, start, end in _outer_values(text):
            # invariant: stray-json-is-no-answer
            if is_expected(value):
                if found is not None:
                    return None
                found = value, start, end
    except _SearchTooCostly:
        return None
    if found is None or not _is_utf8(text[found[1] : found[2]]):
        return None
    return AnswerData(found[0], _stray_output(text[: found[1]], text[found[2] :]))


class _SearchTooCostly(Exception):
    """The search would exceed its limits of work."""


def _outer_values(text: str) -> Iterator[tuple[Any, int, int]]:
    """Yields outer objects and arrays with start and end. It stops when more than ``_MAX_STRAY`` characters lead to the next one.

    Raises _SearchTooCostly.
    """
    decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)
    position, starts, wasted_characters = 0, 0, 0
    until = _MAX_STRAY
    while (start := _START.search(text, position, until)) is not None:
        starts += 1
        if starts > _MAX_STARTS or wasted_characters > _MAX_WASTED_CHARACTERS:
            raise _SearchTooCostly
        try:
            value, end = decoder.raw_decode(text, start.start())
        except json.JSONDecodeError as error:
            wasted_characters += error.pos - start.start()
            position = start.end()
            continue
        except (ValueError, RecursionError):  # These errors have no position.
            wasted_characters += len(text) - start.start()
            position = start.end()
            continue
        yield value, start.start(), end
        position, until = end, end + _MAX_STRAY


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _stray_output(before: str, behind: str) -> StrayOutput | None:
    printed, added = _visible_text(before), _visible_text(behind)
    if not printed and not added:
        # One byte-order mark and blanks around JSON are harmless.
        return StrayOutput(StrayKind.MARKS_BEFORE) if before.strip() or behind.strip() else None
    named = _PLUGIN.search(before if printed else behind)
    return StrayOutput(StrayKind.TEXT_BEFORE if printed else StrayKind.TEXT_BEHIND, named[1] if named else "")


def _visible_text(text: str) -> str:
    return text.replace("\ufeff", "").strip()


def json_or_none(answer: Answer, is_expected: AnswerCheck) -> Any:
    """Returns the JSON of an answer, also among stray output, or None. Use it for decisions, never for results."""
    try:
        return answer.json()
    except Unreadable:
        found = find_answer(answer, is_expected)
        return None if found is None else found.value


def wp_error_in(answer: Answer) -> WpError | None:
    """Returns WordPress's error object. None means that the answer does not come from WordPress's REST API."""
    return wp_error_of(json_or_none(answer, lambda value: wp_error_of(value) is not None), answer.secrets)


def read_data(answer: Answer, is_expected: AnswerCheck) -> AnswerData:
    """Reads the JSON of a success, also among stray output.

    Raises Blocked when an intermediary answers, and Unreadable for other bodies. In both cases the effect of a write is unknown.
    """
    try:
        found = AnswerData(answer.json())
    except Unreadable as error:
        expected = find_answer(answer, is_expected)
        if expected is not None:
            return expected
        raise _no_data_error(answer, error) from error
    if not is_expected(found.value) and (refusal_of(answer) is not None or intermediary_of(answer) is not None):
        raise blocked_error(answer, intermediary_of(answer))
    return found


def _no_data_error(answer: Answer, error: Unreadable) -> Blocked | Unreadable:
    if (intermediary := intermediary_of(answer)) is not None:
        return blocked_error(answer, intermediary)
    cause: ShopCause | None = None
    if find_answer(answer, lambda value: isinstance(value, dict | list)) is not None:
        cause = ShopCause.PHP_MESSAGE
        finding = "the shop's answer has other output around its data, and the data is not the answer to this request"
        remedy = "set WP_DEBUG_DISPLAY to false in the shop, or mend the plugin that prints"
    elif answer.is_html:
        cause = ShopCause.WEB_PAGE
        finding = f"the shop answers with a web page in place of data ({answer.status_text})"
        remedy = "exclude /wp-json/ from the caches and from plugins that print into every answer"
    else:
        finding, remedy = error.text[:300], "see the shop's PHP error log"
    text = f"{finding}: {remedy}"[:500]
    return Unreadable(Side.SHOP, text, status=answer.status, body_text=answer.status_text, cause=cause, remedy=remedy)
