"""Reading what a WordPress site answers: its JSON, also behind a PHP notice, and its error objects."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tillsync_server.adapters.outbound import Answer, clean_text
from tillsync_server.domain.errors import ShopCause, Unreadable
from tillsync_server.domain.vocabulary import Side

_MAX_STRAY_BYTES = 64 * 1024
_MAX_STARTS, _MAX_READ_IN_VAIN = 200, 2 * 1024 * 1024
"""Bound the work on a hostile answer: one that is all brackets, and one of which every bracket begins what reads well nearly to its end."""
_START = re.compile(r"[{\[]")


@dataclass(frozen=True, slots=True)
class WpError:
    """WordPress's error object ``{"code", "message", "data": {"status", "params"}}``."""

    code: str
    message: str
    """Clean: no markup, no credentials."""
    status: int | None = None
    field: str | None = None
    """The first refused parameter, where it names some."""


def unreadable(text: str, *, field: str | None = None) -> Unreadable:
    return Unreadable(Side.SHOP, f"the shop's answer is not understood: {text}"[:500], field=field)


def wp_error_of(value: Any, secrets: tuple[str, ...] = ()) -> WpError | None:
    """None when ``value`` is no such object."""
    if not isinstance(value, Mapping):
        return None
    code, message, data = value.get("code"), value.get("message"), value.get("data")
    if not isinstance(code, str) or not isinstance(message, str):
        return None
    status = data.get("status") if isinstance(data, Mapping) else None
    params = data.get("params") if isinstance(data, Mapping) else None
    # An object by name for invalid parameters, a list of names for missing ones.
    first = next(iter(params), None) if isinstance(params, Mapping | list) else None
    return WpError(
        code=clean_text(code, secrets, max_length=100),
        message=clean_text(message, secrets, max_length=300),
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
        field=clean_text(first, secrets, max_length=60) if isinstance(first, str) else None,
    )


def json_after_stray_output(answer: Answer) -> tuple[Any, str] | None:
    """``(value, what stands before it)`` where something printed text in front of an otherwise whole JSON object or array.

    Unambiguous: the first bracket from which JSON reaches exactly to the end of the body. A bracket inside it cannot do that, as the
    outer one's closing bracket would be left over.
    """
    try:
        text = answer.body.decode("utf-8-sig").rstrip()
    except UnicodeDecodeError:
        return None
    decoder = json.JSONDecoder(parse_float=Decimal)
    read_in_vain = 0
    for count, start in enumerate(_START.finditer(text[:_MAX_STRAY_BYTES])):
        if count >= _MAX_STARTS or read_in_vain > _MAX_READ_IN_VAIN:
            return None
        if start.start() == 0:
            continue
        try:
            value, end = decoder.raw_decode(text, start.start())
        except json.JSONDecodeError as error:
            read_in_vain += error.pos - start.start()
            continue
        except (ValueError, RecursionError):  # which do not say how far they came
            read_in_vain += len(text) - start.start()
            continue
        if end == len(text):
            return value, clean_text(text[: start.start()], answer.secrets, max_length=150)
        read_in_vain += end - start.start()
    return None


def any_json(answer: Answer) -> Any:
    """The JSON of an answer, also behind stray output; None when it has none. For what is read to decide, never for results."""
    try:
        return answer.json()
    except Unreadable:
        found = json_after_stray_output(answer)
        return None if found is None else found[0]


def error_object(answer: Answer) -> WpError | None:
    """The error object of an answer. None: it does not come from WordPress's REST API."""
    return wp_error_of(any_json(answer), answer.secrets)


def data_of(answer: Answer) -> Any:
    """The JSON of a success. Raises Unreadable, with the effect of a write unknown, saying what stands in its place."""
    try:
        return answer.json()
    except Unreadable as error:
        found = json_after_stray_output(answer)
        cause: ShopCause | None = None
        if found is not None:
            cause = ShopCause.PHP_MESSAGE
            finding = (
                f"PHP prints a message before the data of the shop's answer ({found[1] or 'without a text'}): the data behind it is "
                "complete but not trusted"
            )
            remedy = "set WP_DEBUG_DISPLAY to false in the shop, or mend the plugin the message names"
        elif answer.is_html:
            cause = ShopCause.WEB_PAGE
            finding = f"the shop answers with a web page in place of data ({answer.status_text[:200]})"
            remedy = "exclude /wp-json/ from the caches and from plugins that print into every answer"
        else:
            finding, remedy = error.text[:300], "see the shop's PHP error log"
        raise Unreadable(
            Side.SHOP, f"{finding}: {remedy}"[:500], status=answer.status, body_text=answer.text, cause=cause, remedy=remedy
        ) from error
