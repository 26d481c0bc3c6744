"""Finds shop customers by email with ``GET wc/v3/customers?email=``. It needs consumer keys, because the bridge has no such route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tillsync_server.adapters.woo.requests import ShopRequests
from tillsync_server.adapters.woo.rest_answers import list_check, unreadable_error
from tillsync_server.domain.emails import normalise_email
from tillsync_server.domain.errors import Refused
from tillsync_server.domain.ids import WooCustomerId
from tillsync_server.domain.matching import search_texts

_FIELDS = ("id", "email", "role")
_QUERY = f"role=all&per_page=100&_fields={','.join(_FIELDS)}"
"""Without ``role=all`` WooCommerce omits staff who are also customers."""


async def customers_with_email(requests: ShopRequests, email: str) -> list[WooCustomerId]:
    """Returns the ids of the shop customers with this email, in ascending order. Raises UpstreamError.

    A 400 means that WordPress accepts no such email, so no customer has it.
    """
    emails: dict[WooCustomerId, str] = {}
    for text in search_texts(email):
        try:
            rows = await requests.read("/wc/v3/customers", f"email={quote(text, safe='')}&{_QUERY}", is_expected=list_check(*_FIELDS))
        except Refused as refused:
            if refused.status == 400:
                continue
            raise
        emails |= _emails(rows)
    searched = normalise_email(email)
    return [number for number, each in sorted(emails.items()) if normalise_email(each) == searched]


def _emails(value: Any) -> dict[WooCustomerId, str]:
    """Returns the emails by shop user; "" for a row without an email. Raises Unreadable."""
    if not isinstance(value, list):
        raise unreadable_error("the list of its customers is no list")
    return dict(_email(row) for row in value)


def _email(row: Any) -> tuple[WooCustomerId, str]:
    number = row.get("id") if isinstance(row, Mapping) else None
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise unreadable_error("a customer in its list has no id")
    return WooCustomerId(number), str(row.get("email") or "")
