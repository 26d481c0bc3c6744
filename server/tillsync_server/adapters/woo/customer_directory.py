"""Who has an email in the shop: ``GET wc/v3/customers?email=``, by consumer keys. The bridge has no such route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tillsync_server.adapters.woo.requests import ShopRequests
from tillsync_server.adapters.woo.rest_answers import is_list_of, unreadable
from tillsync_server.domain.emails import normalise_email
from tillsync_server.domain.errors import Refused
from tillsync_server.domain.ids import WooCustomerId
from tillsync_server.domain.matching import search_texts
from tillsync_server.ports.shop import ShopCustomer

_FIELDS = ("id", "email", "role")
_QUERY = f"role=all&per_page=100&_fields={','.join(_FIELDS)}"
"""Without ``role=all`` WooCommerce leaves out staff who also shop."""


async def customers_with_email(requests: ShopRequests, email: str) -> list[ShopCustomer]:
    """Raises UpstreamError. WooCommerce refuses what WordPress takes for no email (400): nobody has it."""
    found: dict[int, ShopCustomer] = {}
    for text in search_texts(email):
        try:
            rows = await requests.read("/wc/v3/customers", f"email={quote(text, safe='')}&{_QUERY}", ours=is_list_of(*_FIELDS))
        except Refused as refused:
            if refused.status == 400:
                continue
            raise
        found |= {row.woo_customer_id: row for row in _customers(rows)}
    wanted = normalise_email(email)
    return [found[number] for number in sorted(found) if normalise_email(found[number].email) == wanted]


def _customers(value: Any) -> list[ShopCustomer]:
    if not isinstance(value, list):
        raise unreadable("the list of its customers is no list")
    return [_customer(row) for row in value]


def _customer(row: Any) -> ShopCustomer:
    number = row.get("id") if isinstance(row, Mapping) else None
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise unreadable("a customer in its list has no id")
    email, role = row.get("email"), row.get("role")
    return ShopCustomer(woo_customer_id=WooCustomerId(number), email=str(email or ""), role=str(role or ""))
