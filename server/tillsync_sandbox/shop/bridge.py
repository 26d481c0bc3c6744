"""The bridge's routes ``wc-tillsync/v1``: batches of customers, customer types, status, events.

Versions order the writes. A higher version is applied. The stored version with the same values is ``unchanged``. Every other write is
``stale``, and its answer has the stored version. A removal keeps a tombstone with its version, so that a late older write is refused.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

from aiohttp import web

from tillsync_sandbox.shop.bridge_auth import check_bridge_signature
from tillsync_sandbox.shop.bridge_history import BridgeHistory, linked_at
from tillsync_sandbox.shop.bridge_items import CustomerItem, InvalidFieldError, customer_item, event_item, int64, type_item
from tillsync_sandbox.shop.rest import RestError, RestRequest, invalid_params, json_response, missing_params, no_route
from tillsync_sandbox.shop.stored import BridgeRow, BridgeValues, ShopStore, ShopUser, TypeRow
from tillsync_sandbox.shop.switches import ShopSwitches

NAMESPACE = "wc-tillsync/v1"
EVENTS_LIMIT = 500
USERS_LIMIT = 100


class BridgePlugin:
    def __init__(self, store: ShopStore, switches: ShopSwitches, home_url: str) -> None:
        self._store = store
        self._switches = switches
        self._home_url = home_url
        self._history = BridgeHistory(store, switches)

    async def handle(self, request: RestRequest) -> web.Response:
        """Answers a request to a route under ``/wc-tillsync/v1``. Raises RestError."""
        subpath = request.route.removeprefix(f"/{NAMESPACE}")
        match (request.method, subpath):
            case ("GET", "/status"):
                self._authorize(request)
                return json_response(self._status())
            case ("GET", "/customers") if not self._is_strict:
                self._authorize(request)
                return json_response({"customers": self._users(request.query.get("ids", ""))})
            case ("GET", _) if (history := self._history.answer(subpath)) is not None:
                self._authorize(request)
                return json_response(history)
            case ("POST", "/customers/batch"):
                self._authorize(request)
                items = _read_items(request, "items", self._switches.max_batch)
                return json_response({"results": await self._write_customers(items)})
            case ("POST", "/events"):
                self._authorize(request)
                return json_response({"results": [self._apply_event(item) for item in _read_items(request, "events", EVENTS_LIMIT)]})
            case ("POST", "/outbox/drain"):
                self._authorize(request)
                self._store.drains += 1
                self._store.notify()
                return json_response({"next_due_in": self._switches.outbox_next_due_in})
            case ("PUT" | "DELETE", path) if re.fullmatch(r"/customer-types/\d{1,18}", path, re.ASCII):
                self._authorize(request)
                type_id = int(path.rpartition("/")[2])
                write = self._put_type if request.method == "PUT" else self._delete_type
                return json_response({"id": type_id, **write(type_id, request.json())})
            case _:
                raise no_route()

    def _authorize(self, request: RestRequest) -> None:
        # WordPress parses the body before it calls the permission callback, so malformed JSON is 400 for every caller.
        request.json()
        check_bridge_signature(request, self._switches.bridge_secret)

    @property
    def _is_strict(self) -> bool:
        """Whether the bridge refuses unknown fields, as a bridge of API 1 does."""
        return self._switches.bridge_api < 2

    def _status(self) -> dict[str, object]:
        newer: dict[str, object] = {"apis": list(range(1, self._switches.bridge_api + 1))} if self._switches.bridge_api > 1 else {}
        return {
            "bridge_version": self._switches.bridge_version,
            "api": 1,
            **newer,
            "home_url": self._home_url,
            "wordpress": self._switches.wordpress_version,
            "woocommerce": self._switches.woocommerce_version,
            "max_batch": self._switches.max_batch,
            "price_decimals": self._switches.price_decimals,
        }

    def _users(self, ids: str) -> list[dict[str, object]]:
        requested = ids.split(",")
        if not all(re.fullmatch(r"[1-9]\d{0,17}", each, re.ASCII) for each in requested) or len(requested) > USERS_LIMIT:
            raise invalid_params({"ids": f"1 to {USERS_LIMIT} user ids, separated by commas."})
        users = [self._store.users[int(each)] for each in requested if int(each) in self._store.users]
        return [{"user_id": user.user_id, "registered": f"{user.registered}Z"} for user in users]

    async def _write_customers(self, items: list[object]) -> list[dict[str, object]]:
        began = time.monotonic()
        results: list[dict[str, object]] = []
        for position, item in enumerate(items):
            if self._switches.item_latency_seconds:
                await asyncio.sleep(self._switches.item_latency_seconds)
            user_id = item.get("user_id", 0) if isinstance(item, dict) else 0
            results.append({"user_id": user_id, **(self._not_done(position, began) or self._write_customer(item))})
        return results

    def _not_done(self, position: int, began: float) -> dict[str, object] | None:
        count, seconds = self._switches.not_done_after, self._switches.not_done_after_seconds
        over = (count is not None and position >= count) or (seconds is not None and time.monotonic() - began >= seconds)
        return {"status": "not_done"} if over else None

    def _write_customer(self, raw: object) -> dict[str, object]:
        try:
            item = customer_item(raw, strict=self._is_strict)
        except InvalidFieldError as error:
            return {"status": "invalid", "field": error.field}
        user = self._store.users.get(item.user_id)
        if user is None or not _is_same_person(user, item):
            return {"status": "not_found"}
        stored = self._store.bridge_rows.get(item.user_id)
        item = _with_stored_values(item, stored)
        same = _same_values(stored, item)
        named = _changes_names(user, item)
        if stored is not None and item.version <= stored.version:
            repeated = item.version == stored.version and same and not named
            return {"status": "unchanged"} if repeated else {"status": "stale", "version": str(stored.version)}
        if item.values is None:
            row = BridgeRow(version=item.version, removed=True)
        elif same and stored is not None:
            # as_of is the time of the read that brought the values, so an unchanged write changes only the version.
            row = replace(stored, version=item.version)
        else:
            values = item.values
            row = BridgeRow(version=item.version, points=values.points, credit=values.credit, type_id=values.type_id, as_of=item.as_of)
        row = replace(row, epos_customer_id=item.epos_customer_id)
        self._store.bridge_rows[item.user_id] = replace(row, linked_at=linked_at(stored, row))
        not_kept = _set_names(user, item, three_byte_tables=self._switches.three_byte_tables)
        self._store.notify()
        return {"status": "unchanged" if same and not named else "updated", **({"not_kept": not_kept} if not_kept else {})}

    def _put_type(self, type_id: int, body: dict[str, Any]) -> dict[str, object]:
        try:
            item = type_item(body, strict=self._is_strict)
        except InvalidFieldError as error:
            return {"status": "invalid", "field": error.field}
        row = TypeRow(version=item.version, name=item.name, discount=item.discount, description=item.description)
        return self._store_type(type_id, row)

    def _delete_type(self, type_id: int, body: dict[str, Any]) -> dict[str, object]:
        try:
            version = int64(body, "version")
        except InvalidFieldError as error:
            return {"status": "invalid", "field": error.field}
        return self._store_type(type_id, TypeRow(version=version, removed=True))

    def _store_type(self, type_id: int, row: TypeRow) -> dict[str, object]:
        stored = self._store.customer_types.get(type_id)
        same = row.removed if stored is None else replace(stored, version=row.version) == row
        if stored is not None and row.version <= stored.version:
            if row.version == stored.version and same:
                return {"status": "unchanged"}
            return {"status": "stale", "version": str(stored.version)}
        self._store.customer_types[type_id] = row
        self._store.notify()
        return {"status": "unchanged" if same else "updated"}

    def _apply_event(self, raw: object) -> dict[str, object]:
        event_id = raw.get("event_id", "") if isinstance(raw, dict) else ""
        try:
            event = event_item(raw, self._switches.event_types, strict=self._is_strict)
        except InvalidFieldError as error:
            return {"event_id": event_id, "status": "invalid", "field": error.field}
        stored = self._store.event_sequences.get(event.subject, 0)
        if event.sequence == stored:
            return {"event_id": event_id, "status": "unchanged"}
        if event.sequence < stored:
            return {"event_id": event_id, "status": "stale", "version": str(stored)}
        self._store.event_sequences[event.subject] = event.sequence
        self._store.events.append(event)
        self._store.notify()
        return {"event_id": event_id, "status": "updated"}


def _read_items(request: RestRequest, name: str, limit: int) -> list[object]:
    items = request.json().get(name)
    if items is None:
        raise missing_params(name)
    if not isinstance(items, list):
        raise invalid_params({name: f"{name} is not of type array."})
    if len(items) > limit:
        raise RestError(413, "tillsync_batch_too_large", f"Unable to accept more than {limit} {name} for this request.")
    return items


def _with_stored_values(item: CustomerItem, stored: BridgeRow | None) -> CustomerItem:
    """Returns the item with stored values for omitted fields."""
    if item.values is None or not item.left_out or stored is None or stored.values is None:
        return item
    old = stored.values
    values = BridgeValues(
        points=old.points if "points" in item.left_out else item.values.points,
        credit=old.credit if "credit" in item.left_out else item.values.credit,
        type_id=old.type_id if "type_id" in item.left_out else item.values.type_id,
    )
    return replace(item, values=values)


def _is_same_person(user: ShopUser, item: CustomerItem) -> bool:
    """Whether the user is the person of the item. A removal applies to any person."""
    registered = datetime.fromisoformat(f"{user.registered}+00:00")
    if item.registered is not None and datetime.fromisoformat(item.registered) != registered:
        return False
    return item.registered_before is None or registered <= datetime.fromisoformat(item.registered_before)


def _same_values(stored: BridgeRow | None, item: CustomerItem) -> bool:
    """Whether the item changes no value. A removal without a stored row changes none, but still leaves its tombstone."""
    return (None if stored is None else stored.values) == item.values


def _changes_names(user: ShopUser, item: CustomerItem) -> bool:
    changes = (
        (item.first_name, user.first_name),
        (item.last_name, user.last_name),
        (item.phone, user.billing.get("phone", "")),
    )
    return any(new is not None and new != old for new, old in changes)


def _set_names(user: ShopUser, item: CustomerItem, *, three_byte_tables: bool) -> list[str]:
    """Stores names and phone. Returns the names that the shop does not store, as the bridge's read-back finds them."""
    names = {"first_name": item.first_name, "last_name": item.last_name}
    not_kept = [
        name
        for name, text in names.items()
        if text is not None and three_byte_tables and any(ord(character) > 0xFFFF for character in text)
    ]
    for name, text in names.items():
        if text is not None and name not in not_kept:
            setattr(user, name, text)
    if item.phone is not None:
        user.billing["phone"] = item.phone
    return not_kept
