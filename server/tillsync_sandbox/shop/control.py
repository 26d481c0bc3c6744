"""The control API of a sandbox shop: reads and changes of its data and switches. :mod:`tillsync_sandbox.shop` lists the addresses."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from aiohttp import web

from tillsync_sandbox.control import bad_request, not_found, read_json_object
from tillsync_sandbox.shop.stored import ShopStore, ShopUser
from tillsync_sandbox.shop.switches import ShopSwitches

_ROLES = ("customer", "subscriber", "shop_manager", "administrator")


class ControlApi:
    def __init__(self, store: ShopStore, switches: ShopSwitches) -> None:
        self._store = store
        self._switches = switches

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/customers", self._list_customers),
            web.post("/sandbox/customers", self._add_customer),
            web.get("/sandbox/customers/{user_id:[0-9]+}", self._get_customer),
            web.patch("/sandbox/customers/{user_id:[0-9]+}", self._change_customer),
            web.delete("/sandbox/customers/{user_id:[0-9]+}", self._delete_customer),
            web.get("/sandbox/bridge/rows", self._bridge_rows),
            web.get("/sandbox/bridge/customer-types", self._customer_types),
            web.get("/sandbox/bridge/events", self._events),
            web.get("/sandbox/switches", self._get_switches),
            web.patch("/sandbox/switches", self._set_switches),
        ]

    async def _list_customers(self, request: web.Request) -> web.Response:
        return web.json_response({"customers": [self._customer(user) for user in self._store.users.values()]})

    async def _add_customer(self, request: web.Request) -> web.Response:
        try:
            fields = await read_json_object(request)
            user = self._store.add_user(**_new_user(fields))
        except ValueError as error:
            return bad_request(error)
        return web.json_response(self._customer(user), status=201)

    async def _get_customer(self, request: web.Request) -> web.Response:
        user = self._store.users.get(int(request.match_info["user_id"]))
        return not_found("customer") if user is None else web.json_response(self._customer(user))

    async def _change_customer(self, request: web.Request) -> web.Response:
        user_id = int(request.match_info["user_id"])
        if user_id not in self._store.users:
            return not_found("customer")
        try:
            user = self._store.change_user(user_id, **_changes(await read_json_object(request)))
        except ValueError as error:
            return bad_request(error)
        return web.json_response(self._customer(user))

    async def _delete_customer(self, request: web.Request) -> web.Response:
        user_id = int(request.match_info["user_id"])
        if user_id not in self._store.users:
            return not_found("customer")
        self._store.delete_user(user_id)
        return web.json_response({})

    async def _bridge_rows(self, request: web.Request) -> web.Response:
        return web.json_response({"rows": {str(user_id): dataclasses.asdict(row) for user_id, row in self._store.bridge_rows.items()}})

    async def _customer_types(self, request: web.Request) -> web.Response:
        types = {str(type_id): dataclasses.asdict(row) for type_id, row in self._store.customer_types.items()}
        return web.json_response({"customer_types": types})

    async def _events(self, request: web.Request) -> web.Response:
        return web.json_response({"events": [dataclasses.asdict(event) for event in self._store.events]})

    async def _get_switches(self, request: web.Request) -> web.Response:
        return web.json_response(self._switches.as_json())

    async def _set_switches(self, request: web.Request) -> web.Response:
        try:
            self._switches.update(await read_json_object(request))
        except ValueError as error:
            return bad_request(error)
        return web.json_response(self._switches.as_json())

    def _customer(self, user: ShopUser) -> dict[str, Any]:
        row = self._store.bridge_rows.get(user.user_id)
        return {
            "user_id": user.user_id,
            "email": user.email,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "phone": user.billing.get("phone", ""),
            "role": user.role,
            "registered": user.registered,
            "meta": user.meta.as_dict(),
            "bridge": None if row is None else dataclasses.asdict(row),
        }


def _new_user(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of ``ShopStore.add_user``. Raises ValueError, which names the field."""
    known = {"user_id", "email", "first_name", "last_name", "phone", "role", "registered", "meta"}
    for name in fields:
        if name not in known:
            raise ValueError(f"{name}: no such field; there are {', '.join(sorted(known))}")
    user_id = fields.get("user_id")
    if user_id is not None and (isinstance(user_id, bool) or not isinstance(user_id, int)):
        raise ValueError(f"user_id: a whole number, not {user_id!r}; leave it out to have one chosen")
    texts = {name: fields.get(name, "") for name in ("email", "first_name", "last_name", "phone")}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise ValueError(f"{name}: a text, not {value!r}")
    role = fields.get("role", "customer")
    if role not in _ROLES:
        raise ValueError(f"role: one of {', '.join(_ROLES)}, not {role!r}")
    registered = fields.get("registered", "2026-01-05T09:30:00")
    if not isinstance(registered, str) or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", registered, re.ASCII) is None:
        raise ValueError(f"registered: a UTC time such as 2026-01-05T09:30:00, not {registered!r}")
    meta = fields.get("meta", {})
    if not isinstance(meta, dict):
        raise ValueError(f"meta: an object of key and value, not {meta!r}")
    return {"user_id": user_id, **texts, "role": role, "registered": registered, "meta": list(meta.items())}


def _changes(fields: dict[str, Any]) -> dict[str, str]:
    """Returns the arguments of ``ShopStore.change_user``. Raises ValueError, which names the field."""
    known = ("email", "first_name", "last_name", "phone")
    for name, value in fields.items():
        if name not in known:
            raise ValueError(f"{name}: cannot be changed; there are {', '.join(known)}")
        if not isinstance(value, str):
            raise ValueError(f"{name}: a text, not {value!r}")
    return fields
