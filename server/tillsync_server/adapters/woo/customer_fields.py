"""Customer fields of ``wc/v3``: checks before sending, request bodies, and comparison with the answer.

``domain.shop_values`` already omits values that the shop does not accept; the check here is the last guard. WooCommerce's batch route does
not validate items against the schema: a malformed email erased the stored one. So this module validates each item. Email, password, role
and consent are never sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tillsync_server.adapters.woo.bridge_wire import read_time_of, registered_time
from tillsync_server.adapters.woo.rest_answers import unreadable_error
from tillsync_server.domain.customer import CustomerWrite
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Refused, Unreadable
from tillsync_server.domain.shop_users import whole_seconds
from tillsync_server.domain.shop_values import MAX_TEXT_LENGTH, PHONE
from tillsync_server.ports.shop import WriteResult, WriteStatus

POINTS_META = "tillsync_points_balance"
POINTS_AS_OF_META = "tillsync_points_as_of"
CREDIT_META = "tillsync_credit_balance"
TYPE_META = "tillsync_customer_type_id"

_DECIMAL = re.compile(r"-?\d{1,15}(\.\d{1,6})?", re.ASCII)
_ALTERED_BY_WORDPRESS = re.compile(r"[<\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]|%[a-f0-9]{2}", re.IGNORECASE)
"""Characters that ``sanitize_text_field`` removes or rewrites without an error."""


def invalid_result(write: CustomerWrite) -> WriteResult | None:
    """Returns INVALID with the first field that must not be sent, or None when all fields are valid."""
    values = write.values
    if write.woo_customer_id < 1:
        return _invalid_result("user_id", "is no id of a shop customer")
    if values is None:
        return None
    for name, number in (("points", values.points), ("credit", values.credit)):
        if number is not None and _DECIMAL.fullmatch(number) is None:
            return _invalid_result(name, "is no decimal number of at most 15 digits and 6 places: correct it in Epos Now")
    if values.type_id is not None and values.type_id < 1:
        return _invalid_result("type_id", "is no id of a customer type: correct it in Epos Now")
    for name, text in (("first_name", values.first_name), ("last_name", values.last_name), ("phone", values.phone)):
        if text is not None and (problem := _text_problem(text)):
            return _invalid_result(name, problem)
    if values.phone is not None and PHONE.fullmatch(values.phone) is None:
        return _invalid_result("phone", "is no phone number to WooCommerce: correct it in Epos Now")
    return None


def _text_problem(text: str) -> str | None:
    if len(_normalise_spaces(text)) > MAX_TEXT_LENGTH:
        return f"is longer than {MAX_TEXT_LENGTH} characters: shorten it in Epos Now"
    if _ALTERED_BY_WORDPRESS.search(text):
        return "has characters that WordPress would alter: correct it in Epos Now"
    return None


def customer_body(write: CustomerWrite) -> dict[str, Any]:
    """Returns the body of one update. WooCommerce deletes a meta whose value is null."""
    values = write.values
    if values is None:
        return {"meta_data": _meta_rows({POINTS_META: None, POINTS_AS_OF_META: None, CREDIT_META: None, TYPE_META: None})}
    metas: dict[str, str | None] = {POINTS_AS_OF_META: read_time_of(write)}
    if values.points is not None:
        metas[POINTS_META] = values.points
    if values.credit is not None:
        metas[CREDIT_META] = values.credit
    if not values.keeps_type:
        # usermeta is a text column, so only a text comes back as it was sent.
        metas[TYPE_META] = None if values.type_id is None else str(values.type_id)
    body: dict[str, Any] = {"meta_data": _meta_rows(metas)}
    if values.first_name is not None:
        body["first_name"] = _normalise_spaces(values.first_name)
    if values.last_name is not None:
        body["last_name"] = _normalise_spaces(values.last_name)
    if values.phone is not None:
        body["billing"] = {"phone": _normalise_spaces(values.phone)}
    return body


def stored_result(body: Mapping[str, Any], answer: Mapping[str, Any]) -> WriteResult:
    """Compares ``body`` with ``answer``, the customer as the shop stores it now.

    Returns UPDATED when the metas of ``body`` are stored, otherwise ERROR with the first missing meta. Names and phone that differ are
    listed in ``not_kept``, because a table of three-byte characters drops an emoji without an error and still stores the metas.
    Raises Unreadable when the answer has no metas.
    """
    missing_meta = _first_missing_meta(body, answer)
    if missing_meta is None:
        return WriteResult(status=WriteStatus.UPDATED, not_kept=_not_kept(body, answer))
    error = Unreadable(
        Side.SHOP,
        f"the shop says that it saved the customer, and did not keep {missing_meta}: see which of its plugins alters customers",
        field=missing_meta,
    )
    return WriteResult(status=WriteStatus.ERROR, field=missing_meta, error=error)


def is_another_person(write: CustomerWrite, answer: Mapping[str, Any]) -> bool:
    """Whether the user of ``answer`` registered at another time than the person of the write. Raises Unreadable.

    WooCommerce serves WordPress's ``user_registered``, which is UTC, as the local time ``date_created``.
    """
    registered_at = registered_time(answer.get("date_created")) if "date_created" in answer else None
    if registered_at is None or write.values is None:
        return False
    if write.registered_at is not None:
        return whole_seconds(registered_at) != whole_seconds(write.registered_at)
    return write.registered_before is not None and registered_at > write.registered_before


def _first_missing_meta(body: Mapping[str, Any], answer: Mapping[str, Any]) -> str | None:
    rows = answer.get("meta_data")
    if not isinstance(rows, list):
        raise unreadable_error("a customer without meta_data", field="meta_data")
    for meta in body["meta_data"]:
        key, sent = meta["key"], meta["value"]
        stored = {str(row.get("value")) for row in rows if isinstance(row, Mapping) and row.get("key") == key}
        if stored != (set() if sent is None else {sent}):
            return str(key)
    return None


def _not_kept(body: Mapping[str, Any], answer: Mapping[str, Any]) -> tuple[str, ...]:
    found = [name for name in ("first_name", "last_name") if name in body and answer.get(name) != body[name]]
    if "billing" in body:
        billing = answer.get("billing")
        if not isinstance(billing, Mapping) or billing.get("phone") != body["billing"]["phone"]:
            found.append("phone")
    return tuple(found)


def _meta_rows(values: Mapping[str, str | None]) -> list[dict[str, str | None]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _normalise_spaces(text: str) -> str:
    """Normalises white space as ``sanitize_text_field`` stores it: trimmed, each inner run one space."""
    return " ".join(text.split())


def _invalid_result(field: str, problem: str) -> WriteResult:
    error = Refused(Side.SHOP, f"refused field: {field}: it {problem}", field=field)
    return WriteResult(status=WriteStatus.INVALID, field=field, error=error)
