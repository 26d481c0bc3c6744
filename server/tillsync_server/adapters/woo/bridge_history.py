"""Asks the bridge what it stored since a time, after the service's database was restored from a backup (docs/bridge/wire.md#routes).

The answers of these routes have personal data, so every parameter is in the route, which the signature covers. A query would not be signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from tillsync_server.adapters.http_client import clean_text
from tillsync_server.adapters.woo.bridge_client import NAMESPACE, BridgeClient
from tillsync_server.adapters.woo.bridge_wire import API_WITH_HISTORY, registered_time
from tillsync_server.adapters.woo.requests import ShopRequests
from tillsync_server.adapters.woo.rest_answers import unreadable_error
from tillsync_server.domain.enums import EntryState, Outcome, Side
from tillsync_server.domain.errors import Refused
from tillsync_server.domain.ids import EntryId, EposCustomerId, EposCustomerTypeId, OrderId, WooCustomerId
from tillsync_server.domain.restored import ShopLink, ShopOrder, ShopState
from tillsync_server.ports.restores import ShopLinks, ShopOrders

_Enum = TypeVar("_Enum", EntryState, Outcome)

_MAX_NOTES, _MAX_NOTE_LENGTH = 20, 500
_MAX_TEXT = 320
_INT64_MAX = 2**63 - 1
_TOO_OLD = "the tillsync bridge plugin in the shop cannot say what it stored: update it, and run the command again"
_SETTINGS = {
    "customerSyncEnabled": ("customer_sync_enabled", ""),
    "defaultEposCustomerId": ("default_epos_customer_id", ""),
    "matchEmail": ("match_email", "MATCH_EMAIL_"),
    "guestPolicy": ("guest_policy", "GUEST_POLICY_"),
    "autoLink": ("auto_link", ""),
    "syncNames": ("sync_names", ""),
    "syncPhone": ("sync_phone", ""),
    "trustedAccounts": ("trusted_accounts", "TRUSTED_ACCOUNTS_"),
}
"""Settings in the contract's JSON, with our name and the prefix of an enum's values."""


class BridgeHistory:
    """Implements ``ports.restores.ShopHistory``."""

    def __init__(self, requests: ShopRequests, client: BridgeClient) -> None:
        self._requests = requests
        self._client = client

    async def orders_since(self, since: datetime, *, after: OrderId | None) -> ShopOrders:
        answer = await self._read(f"orders-since/{int(since.timestamp())}/{after or 0}", "orders")
        next_after = _next(answer, after)
        return ShopOrders(tuple(_order(row) for row in answer["orders"]), None if next_after is None else OrderId(next_after))

    async def links_since(self, since: datetime, *, after: WooCustomerId | None) -> ShopLinks:
        answer = await self._read(f"links-since/{int(since.timestamp())}/{after or 0}", "links")
        next_after = _next(answer, after)
        return ShopLinks(tuple(_link(row) for row in answer["links"]), None if next_after is None else WooCustomerId(next_after))

    async def state(self) -> ShopState:
        status = await self._client.status()
        if status.api < API_WITH_HISTORY:
            raise Refused(Side.SHOP, _TOO_OLD)
        answer = await self._read("account-state", "type_ids")
        token_hash = answer.get("token_hash")
        if not isinstance(token_hash, str) or len(token_hash) != 64 or not set(token_hash) <= set("0123456789abcdef"):
            raise unreadable_error("it has no hash of the token", field="token_hash")
        settings = answer.get("settings")
        return ShopState(
            token_hash=bytes.fromhex(token_hash),
            settings=_settings(settings if isinstance(settings, Mapping) else {}),
            type_ids=tuple(EposCustomerTypeId(_number(each, "type_ids")) for each in answer["type_ids"]),
        )

    async def _read(self, subpath: str, name: str) -> Mapping[str, Any]:
        """Returns an answer with a list ``name``."""
        answer = await self._requests.read(
            f"{NAMESPACE}/{subpath}", is_expected=lambda value: isinstance(value, Mapping) and isinstance(value.get(name), list)
        )
        if not isinstance(answer, Mapping) or not isinstance(answer.get(name), list):
            raise unreadable_error(f"it has no list of {name}")
        return answer


def _next(answer: Mapping[str, Any], after: int | None) -> int | None:
    """Returns the id to read on from. Raises Unreadable for an id that would make the service read the same page for ever."""
    given = answer.get("next_after")
    if given is None:
        return None
    if (next_after := _number(given, "next_after")) <= (after or 0):
        raise unreadable_error("its pages do not go on", field="next_after")
    return next_after


def _order(row: Any) -> ShopOrder:
    fields = _object(row)
    answer = fields.get("answer")
    order = ShopOrder(
        order_id=OrderId(_number(fields.get("order_id"), "order_id")),
        order_key=_text(fields, "order_key"),
        order_number=_text(fields, "order_number"),
        woo_customer_id=_optional_customer(fields.get("user_id")),
        account_email=_text(fields, "account_email"),
        billing_email=_text(fields, "billing_email"),
        entry_id=_entry_id(fields.get("entry_id")),
    )
    if not isinstance(answer, Mapping) or order.entry_id is None:
        return order
    notes, causes = answer.get("notes"), answer.get("causes")
    return replace(
        order,
        state=_member(EntryState, answer.get("state"), "ENTRY_STATE_"),
        outcome=_member(Outcome, answer.get("outcome"), "OUTCOME_"),
        cause=_member(Outcome, causes[0] if isinstance(causes, list) and causes else None, "OUTCOME_"),
        notes=tuple(clean_text(note, max_length=_MAX_NOTE_LENGTH) for note in notes[:_MAX_NOTES] if isinstance(note, str))
        if isinstance(notes, list)
        else (),
        epos_customer_id=_till_customer(answer.get("epos_customer_id")),
    )


def _link(row: Any) -> ShopLink:
    fields = _object(row)
    changed_at = registered_time(fields.get("changed"))
    if changed_at is None:
        raise unreadable_error("a link has no time of its change", field="changed")
    return ShopLink(
        woo_customer_id=WooCustomerId(_number(fields.get("user_id"), "user_id")),
        epos_customer_id=_till_customer(fields.get("epos_customer_id")),
        is_removed=fields.get("removed") is True,
        registered_at=registered_time(fields.get("registered")),
        changed_at=changed_at,
    )


def _settings(shown: Mapping[str, Any]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for theirs, (ours, prefix) in _SETTINGS.items():
        value = shown.get(theirs)
        if isinstance(value, bool):
            texts[ours] = "on" if value else "off"
        elif isinstance(value, str):
            texts[ours] = clean_text(value.removeprefix(prefix).lower(), max_length=40)
    return texts


def _object(row: Any) -> Mapping[str, Any]:
    if not isinstance(row, Mapping):
        raise unreadable_error("a row is no object")
    return row


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise unreadable_error(f"{name} is no text", field=name)
    return value


def _number(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _INT64_MAX:
        raise unreadable_error(f"{name} is no number of a row", field=name)
    return value


def _optional_customer(value: Any) -> WooCustomerId | None:
    return None if value is None else WooCustomerId(_number(value, "user_id"))


def _till_customer(value: Any) -> EposCustomerId | None:
    """Returns the till customer of a text as int64 has in JSON. None and "0": there is none."""
    if value is None:
        return None
    if not isinstance(value, str) or not (value.isascii() and value.isdigit() and len(value) <= 19 and int(value) <= _INT64_MAX):
        raise unreadable_error("a till customer is no number", field="epos_customer_id")
    return EposCustomerId(int(value)) if int(value) else None


def _entry_id(value: Any) -> EntryId | None:
    """Returns the entry. None: the shop has none, or a text that no service wrote."""
    try:
        return EntryId(UUID(value)) if isinstance(value, str) and value else None
    except ValueError:
        return None


def _member(kind: type[_Enum], value: Any, prefix: str) -> _Enum | None:
    """Returns the member of the contract's name. None: another name, for example of a later release."""
    name = value.removeprefix(prefix) if isinstance(value, str) else ""
    return kind.__members__.get(name)
