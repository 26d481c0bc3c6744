"""The control API of a sandbox till: reads and changes of its data and switches. :mod:`tillsync_sandbox.till` lists the addresses."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from aiohttp import web

from tillsync_sandbox.control import bad_request, not_found, read_json_object
from tillsync_sandbox.till.rows import CUSTOMER_FIELDS, TYPE_FIELDS, Field, customer_json, read_fields, type_json, v2
from tillsync_sandbox.till.stored import StoredCustomer, StoredType, TillStore
from tillsync_sandbox.till.switches import EmailMatch, TillSwitches
from tillsync_sandbox.till.webhooks import Webhooks

_NO_LIMIT = 1_000_000


class ControlApi:
    def __init__(self, store: TillStore, switches: TillSwitches, webhooks: Webhooks) -> None:
        self._store = store
        self._switches = switches
        self._webhooks = webhooks

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/customers", self._list_customers),
            web.post("/sandbox/customers", self._add_customer),
            web.get("/sandbox/customers/{id:[0-9]+}", self._get_customer),
            web.patch("/sandbox/customers/{id:[0-9]+}", self._change_customer),
            web.delete("/sandbox/customers/{id:[0-9]+}", self._delete_customer),
            web.get("/sandbox/customer-types", self._list_types),
            web.post("/sandbox/customer-types", self._add_type),
            web.get("/sandbox/customer-types/{id:[0-9]+}", self._get_type),
            web.patch("/sandbox/customer-types/{id:[0-9]+}", self._change_type),
            web.delete("/sandbox/customer-types/{id:[0-9]+}", self._delete_type),
            web.post("/sandbox/sales", self._sell),
            web.get("/sandbox/webhooks", self._list_webhooks),
            web.get("/sandbox/switches", self._get_switches),
            web.patch("/sandbox/switches", self._set_switches),
        ]

    async def _list_customers(self, request: web.Request) -> web.Response:
        email = request.query.get("email")
        found = list(self._store) if email is None else self._store.find_by_email(email, EmailMatch.CI)
        rows = ",".join(customer_json(customer, v2()) for customer in found)
        return _json(f'{{"customers":[{rows}]}}')

    async def _add_customer(self, request: web.Request) -> web.Response:
        try:
            fields = await _fields(request, CUSTOMER_FIELDS, v2().customer)
            return _customer(self._store.add_customer(**fields), status=201)
        except ValueError as error:
            return bad_request(error)

    async def _get_customer(self, request: web.Request) -> web.Response:
        customer = self._store.customers.get(int(request.match_info["id"]))
        return not_found("customer") if customer is None else _customer(customer)

    async def _change_customer(self, request: web.Request) -> web.Response:
        customer_id = int(request.match_info["id"])
        if customer_id not in self._store.customers:
            return not_found("customer")
        try:
            fields = await _fields(request, CUSTOMER_FIELDS, v2().customer)
            return _customer(self._store.change_customer(customer_id, **fields))
        except ValueError as error:
            return bad_request(error)

    async def _delete_customer(self, request: web.Request) -> web.Response:
        customer_id = int(request.match_info["id"])
        if customer_id not in self._store.customers:
            return not_found("customer")
        self._store.delete_customer(customer_id)
        return _json("{}")

    async def _list_types(self, request: web.Request) -> web.Response:
        rows = ",".join(type_json(stored, v2()) for stored in self._store.types.values())
        return _json(f'{{"customer_types":[{rows}]}}')

    async def _add_type(self, request: web.Request) -> web.Response:
        try:
            fields = await _fields(request, TYPE_FIELDS, v2().type)
            return _type(self._store.add_type(**fields), status=201)
        except ValueError as error:
            return bad_request(error)

    async def _get_type(self, request: web.Request) -> web.Response:
        stored = self._store.types.get(int(request.match_info["id"]))
        return not_found("customer type") if stored is None else _type(stored)

    async def _change_type(self, request: web.Request) -> web.Response:
        type_id = int(request.match_info["id"])
        if type_id not in self._store.types:
            return not_found("customer type")
        try:
            return _type(self._store.change_type(type_id, **await _fields(request, TYPE_FIELDS, v2().type)))
        except ValueError as error:
            return bad_request(error)

    async def _delete_type(self, request: web.Request) -> web.Response:
        type_id = int(request.match_info["id"])
        if type_id not in self._store.types:
            return not_found("customer type")
        self._store.delete_type(type_id)
        return _json("{}")

    async def _sell(self, request: web.Request) -> web.Response:
        try:
            fields = await _fields(request, CUSTOMER_FIELDS, v2().customer)
            customer_id = fields.pop("customer_id", None)
            if customer_id is not None and customer_id not in self._store.customers:
                return not_found("customer")
            sale = self._store.sell(customer_id, **fields)
        except ValueError as error:
            return bad_request(error)
        return _json(f'{{"TransactionID":{sale.transaction_id}}}', status=201)

    async def _list_webhooks(self, request: web.Request) -> web.Response:
        return web.json_response({"webhooks": [dataclasses.asdict(delivery) for delivery in self._webhooks]})

    async def _get_switches(self, request: web.Request) -> web.Response:
        return web.json_response(self._switches.as_json())

    async def _set_switches(self, request: web.Request) -> web.Response:
        try:
            self._switches.update(await read_json_object(request))
        except ValueError as error:
            return bad_request(error)
        return web.json_response(self._switches.as_json())


async def _fields(request: web.Request, fields: Sequence[Field], names: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Reads fields from a request. Raises ValueError, which names the field; unlike the till's API it refuses unknown fields."""
    body = await read_json_object(request)
    known = [name for _, name in names]
    for name in body:
        if name.lower() not in {each.lower() for each in known}:
            raise ValueError(f"{name}: no such field; there are {', '.join(known)}")
    # Decimal keeps the digits of a JSON fraction, so 3.50 is served as 3.50.
    exact = json.loads(await request.read(), parse_float=Decimal)
    read, problems = read_fields(exact, fields, names, by_api=False, max_length=_NO_LIMIT)
    if problems:
        raise ValueError("; ".join(f"{problem.field}: {problem.reason}" for problem in problems))
    return read


def _json(text: str, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=text.encode("utf-8", "replace"), content_type="application/json")


def _customer(customer: StoredCustomer, *, status: int = 200) -> web.Response:
    return _json(customer_json(customer, v2()), status=status)


def _type(stored: StoredType, *, status: int = 200) -> web.Response:
    return _json(type_json(stored, v2()), status=status)
