"""Readers of the bridge's wire items. Each item is read on its own, and an invalid item names its field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tillsync_sandbox.shop.stored import BridgeValues, EventAnswer, ShopEvent

_INT64_MAX = 2**63 - 1
_DECIMAL = re.compile(r"-?\d{1,15}(\.\d{1,6})?", re.ASCII)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_PHONE_ALLOWED = re.compile(r"[\s#0-9_\-+/().]*", re.ASCII)

_VALUE_FIELDS = frozenset({"points", "credit", "type_id", "as_of", "first_name", "last_name", "phone"})
_WRITE_FIELDS = _VALUE_FIELDS | {"user_id", "version"}
_REMOVE_FIELDS = frozenset({"user_id", "version", "remove"})
_TYPE_FIELDS = frozenset({"version", "name", "discount", "description"})
_EVENT_FIELDS = frozenset({"event_id", "subject", "sequence", "type", "entry_id", "state", "outcome", "held_count"})


class InvalidFieldError(Exception):
    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerItem:
    """A write of one customer. ``values`` and ``as_of`` are None for a removal."""

    user_id: int
    version: int
    values: BridgeValues | None = None
    as_of: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    registered: str | None = None
    registered_before: str | None = None
    """RFC 3339, like ``registered``. Both identify the person of the values; another person's user id is ``not_found``."""
    epos_customer_id: int | None = None
    left_out: frozenset[str] = frozenset()
    """Fields of points, credit and type_id that the item omits. Their stored values stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeItem:
    version: int
    name: str
    discount: str
    description: str


def customer_item(item: object, *, strict: bool = False) -> CustomerItem:
    """Reads a customer item. Raises InvalidFieldError, with ``strict`` also for a field that version 1 of the wire does not have."""
    fields = _require_object(item, "user_id")
    user_id = fields.get("user_id")
    if isinstance(user_id, bool) or not isinstance(user_id, int) or user_id < 1:
        raise InvalidFieldError("user_id")
    version = int64(fields, "version")
    if "remove" in fields:
        if fields["remove"] is not True:
            raise InvalidFieldError("remove")
        value_field = next((name for name in fields if name in _VALUE_FIELDS), None)
        if value_field is not None:
            raise InvalidFieldError(value_field)
        _check_fields(fields, _REMOVE_FIELDS, strict=strict)
        return CustomerItem(user_id=user_id, version=version)
    _check_fields(fields, _WRITE_FIELDS, strict=strict)
    return CustomerItem(
        user_id=user_id,
        version=version,
        values=_values(fields, strict=strict),
        left_out=frozenset() if strict else frozenset({"points", "credit", "type_id"}.difference(fields)),
        as_of=_time(fields, "as_of"),
        registered=_time(fields, "registered") if "registered" in fields and not strict else None,
        registered_before=_time(fields, "registered_before") if "registered_before" in fields and not strict else None,
        epos_customer_id=int64(fields, "epos_customer_id") if "epos_customer_id" in fields and not strict else None,
        first_name=_optional_text(fields, "first_name"),
        last_name=_optional_text(fields, "last_name"),
        phone=_phone(fields),
    )


def _values(fields: dict[str, Any], *, strict: bool) -> BridgeValues:
    def is_given(name: str) -> bool:
        return strict or name in fields

    return BridgeValues(
        points=_decimal(fields, "points") if is_given("points") else "",
        credit=_decimal(fields, "credit") if is_given("credit") else "",
        type_id=_type_id(fields) if is_given("type_id") else None,
    )


def type_item(body: dict[str, Any], *, strict: bool = False) -> TypeItem:
    """Reads a customer type. Raises InvalidFieldError. ``strict`` as in :func:`customer_item`."""
    version = int64(body, "version")
    _check_fields(body, _TYPE_FIELDS, strict=strict)
    name = _text(body, "name")
    return TypeItem(version=version, name=name, discount=_decimal(body, "discount"), description=_text(body, "description"))


def event_item(item: object, known_types: Sequence[str], *, strict: bool = False) -> ShopEvent:
    """Reads an event. Raises InvalidFieldError. ``strict`` as in :func:`customer_item`."""
    fields = _require_object(item, "event_id")
    _check_fields(fields, _EVENT_FIELDS, strict=strict)
    kind = _text(fields, "type")
    if kind not in known_types:
        raise InvalidFieldError("type")
    held_count = fields.get("held_count")
    if isinstance(held_count, bool) or not isinstance(held_count, int) or held_count < 0:
        raise InvalidFieldError("held_count")
    event_id, subject = _text(fields, "event_id"), _text(fields, "subject")
    if not event_id:
        raise InvalidFieldError("event_id")
    if not subject:
        raise InvalidFieldError("subject")
    return ShopEvent(
        event_id=event_id,
        subject=subject,
        sequence=int64(fields, "sequence"),
        type=kind,
        entry_id=_text(fields, "entry_id"),
        state=_text(fields, "state"),
        outcome=_text(fields, "outcome"),
        held_count=held_count,
        answer=_answer(fields.get("answer")),
    )


def _answer(answer: object) -> EventAnswer | None:
    if answer is None:
        return None
    if not isinstance(answer, dict):
        raise InvalidFieldError("answer")
    causes, note_count = answer.get("causes"), answer.get("note_count")
    if not isinstance(causes, list) or isinstance(note_count, bool) or not isinstance(note_count, int):
        raise InvalidFieldError("answer")
    return EventAnswer(_text(answer, "comment"), tuple(causes), _text(answer, "epos_customer_id"), note_count)


def int64(fields: dict[str, Any], name: str) -> int:
    """Reads a positive int64 from a string. A JSON number would lose digits in 32-bit PHP and in JavaScript."""
    text = fields.get(name)
    if not isinstance(text, str) or re.fullmatch(r"[1-9]\d{0,18}", text, re.ASCII) is None or int(text) > _INT64_MAX:
        raise InvalidFieldError(name)
    return int(text)


def _require_object(item: object, field: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise InvalidFieldError(field)
    return item


def _check_fields(fields: dict[str, Any], known: frozenset[str], *, strict: bool) -> None:
    for name in fields:
        if strict and name not in known:
            raise InvalidFieldError(name)


def _decimal(fields: dict[str, Any], name: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str) or _DECIMAL.fullmatch(text) is None:
        raise InvalidFieldError(name)
    return text


def _type_id(fields: dict[str, Any]) -> int | None:
    value = fields.get("type_id", "")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidFieldError("type_id")
    return value


def _time(fields: dict[str, Any], name: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str) or _RFC3339.fullmatch(text) is None:
        raise InvalidFieldError(name)
    try:
        datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
    except ValueError:
        raise InvalidFieldError(name) from None
    return text


def _text(fields: dict[str, Any], name: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str):
        raise InvalidFieldError(name)
    return text


def _optional_text(fields: dict[str, Any], name: str) -> str | None:
    return _text(fields, name) if name in fields else None


def _phone(fields: dict[str, Any]) -> str | None:
    """Reads a phone that ``WC_Validation::is_phone`` accepts. An empty text clears the phone."""
    phone = _optional_text(fields, "phone")
    if phone is not None and _PHONE_ALLOWED.fullmatch(phone) is None:
        raise InvalidFieldError("phone")
    return phone
