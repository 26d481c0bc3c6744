"""The Customer resource in V2 and V4."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from aiohttp import web

from tillsync_sandbox.serving import Exchange
from tillsync_sandbox.till.answers import TillError, data, unknown_address
from tillsync_sandbox.till.rows import CUSTOMER_FIELDS, RowSchema, customer_json, read_fields, v2, v4
from tillsync_sandbox.till.stored import StoredCustomer, TillStore
from tillsync_sandbox.till.switches import DeleteMode, EmailMatch, EmailMiss, PostReply, PutMode, TillSwitches

_REQUIRED = ("forename", "max_credit", "sign_up_date")
_FILTERS = {each.v2.lower(): each.attribute for each in CUSTOMER_FIELDS}


def parse_body(body: bytes) -> Any:
    """Parses a request body. Raises TillError."""
    try:
        return json.loads(body, parse_float=Decimal)
    except ValueError:
        raise TillError(400, "The request body is not valid JSON.") from None


def parse_id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


class CustomerResource:
    def __init__(self, store: TillStore, switches: TillSwitches) -> None:
        self._store = store
        self._switches = switches

    async def v2(self, exchange: Exchange, subpath: str) -> web.Response:
        """Answers a request of V2. ``subpath`` is the path after ``Customer/``. Raises TillError."""
        request, schema = exchange.request, v2()
        customer_id = parse_id(subpath)
        match (request.method, subpath):
            case ("GET", ""):
                return self._page_answer(request, self._apply_filter(request.query), schema)
            case ("POST", ""):
                body = parse_body(exchange.body)
                if not isinstance(body, dict):
                    raise TillError(400, "The request body must be a Customer object.")
                await self._delay_create(exchange)
                (customer,) = self._create([body], schema)
                location = f"{request.url.origin()}/api/V2/Customer/{customer.customer_id}"
                return self._customer_answer(request, customer, schema, status=201, headers={"Location": location})
            case ("GET", _) if customer_id is not None:
                return self._customer_answer(request, self._existing(customer_id), schema)
            case ("PUT", _) if customer_id is not None:
                body = parse_body(exchange.body)
                if not isinstance(body, dict):
                    raise TillError(400, "The request body must be a Customer object.")
                return self._customer_answer(request, self._change(customer_id, body, schema, PutMode.PARTIAL), schema)
            case ("DELETE", _) if customer_id is not None:
                self._delete(customer_id)
                return web.Response(status=200)
            case _:
                return unknown_address()

    async def v4(self, exchange: Exchange, subpath: str) -> web.Response:
        """Answers a request of V4. ``subpath`` is the path after ``Customer/``. Raises TillError."""
        request, schema = exchange.request, v4(self._switches)
        customer_id = parse_id(subpath)
        match (request.method, subpath.lower()):
            case ("GET", ""):
                return self._page_answer(request, None, schema)
            case ("GET", "getbyemail"):
                return self._answer_by_email(request, schema)
            case ("GET", _) if customer_id is not None:
                return self._customer_answer(request, self._existing(customer_id), schema)
            case ("POST", ""):
                rows = _require_rows(exchange.body)
                await self._delay_create(exchange)
                return self._customers_answer(request, self._create(rows, schema), schema, status=201)
            case ("PUT", ""):
                changed = [self._change(_require_id(row), row, schema, self._switches.v4_put) for row in _require_rows(exchange.body)]
                return self._customers_answer(request, changed, schema)
            case ("DELETE", ""):
                for row in _require_rows(exchange.body):
                    self._delete(_require_id(row))
                return web.Response(status=200)
            case _:
                return unknown_address()

    # -- reading

    def _page_answer(self, request: web.Request, found: list[StoredCustomer] | None, schema: RowSchema) -> web.Response:
        """Answers one page as a bare array, empty beyond the end. ``found`` None means all customers."""
        size = self._switches.page_size
        number = max(parse_id(request.query.get("page", "1")) or 1, 1)
        first = max((number - 1) * (size - self._switches.page_drift), 0)
        shown = self._store.list_customers(first, size) if found is None else found[first : first + size]
        return data(request, f"[{','.join(customer_json(customer, schema) for customer in shown)}]", "Customer")

    def _apply_filter(self, query: Mapping[str, str]) -> list[StoredCustomer] | None:
        """Applies the generic filter ``?Property=Value`` and ignores unknown properties. Returns None without a filter."""
        filters = {attribute: value for name, value in query.items() if (attribute := _FILTERS.get(name.lower())) is not None}
        if not filters or self._switches.email_match is EmailMatch.IGNORED:
            return None
        email = filters.pop("email_address", None)
        found: Iterable[StoredCustomer]
        found = self._store if email is None else self._found_by_email(email)
        return [customer for customer in found if all(_has_value(customer, attribute, value) for attribute, value in filters.items())]

    def _answer_by_email(self, request: web.Request, schema: RowSchema) -> web.Response:
        email = request.query.get("email", "")
        if not email:
            raise TillError(400, "email - The email field is required.")
        found = self._found_by_email(email)
        if not found and self._switches.getbyemail_miss is EmailMiss.NOT_FOUND:
            raise TillError(404, "No customer was found with this email address.")
        return self._page_answer(request, found, schema)

    def _found_by_email(self, email: str) -> list[StoredCustomer]:
        switches = self._switches
        found = self._store.find_by_email(email, switches.email_match)
        if switches.email_match is EmailMatch.IGNORED:
            return found
        longest = switches.search_blind_from or math.inf
        candidates = [(customer, customer.email_address or "") for customer in found]
        return [customer for customer, text in candidates if len(text) < longest and not set(switches.search_blind_to) & set(text)]

    def _existing(self, customer_id: int) -> StoredCustomer:
        customer = self._store.customers.get(customer_id)
        if customer is None:
            raise TillError(404, f"Customer {customer_id} was not found.")
        return customer

    # -- writing

    async def _delay_create(self, exchange: Exchange) -> None:
        """Delays a create until ``late_create_seconds`` after its client has disconnected."""
        seconds = self._switches.late_create_seconds
        if seconds is not None:
            await exchange.client_gone.wait()
            await asyncio.sleep(seconds)

    def _create(self, rows: list[dict[str, Any]], schema: RowSchema) -> list[StoredCustomer]:
        """Stores all customers, or none when one is invalid. Raises TillError."""
        read = [self._read(row, schema) for row in rows]
        for row, fields in zip(rows, read, strict=True):
            given = {name.lower() for name, value in row.items() if value is not None}
            names = dict(schema.customer)
            missing = [names[attribute] for attribute in _REQUIRED if names[attribute].lower() not in given]
            if missing:
                raise TillError(400, "\r\n".join(f"{name} - The {name} field is required." for name in missing))
            self._check_type(fields)
        return [self._store.add_customer(by_api=True, **fields) for fields in read]

    def _change(self, customer_id: int, row: dict[str, Any], schema: RowSchema, mode: PutMode) -> StoredCustomer:
        self._existing(customer_id)
        fields = self._read(row, schema)
        self._check_type(fields)
        if mode is PutMode.REPLACE:
            blank = StoredCustomer(customer_id=customer_id)
            written = [each.attribute for each in CUSTOMER_FIELDS if each.by_api]
            fields = {attribute: getattr(blank, attribute) for attribute in written} | fields
        return self._store.change_customer(customer_id, by_api=True, **fields)

    def _delete(self, customer_id: int) -> None:
        customer = self._existing(customer_id)
        if customer.deleted:
            raise TillError(404, f"Customer {customer_id} was not found.")
        used = customer.current_points != 0 or customer.current_balance != 0
        if self._switches.delete is DeleteMode.REFUSE_IF_USED and used:
            raise TillError(400, f"Customer {customer_id} is in use and cannot be deleted.")
        self._store.delete_customer(customer_id, soft=self._switches.delete is DeleteMode.SOFT, by_api=True)

    def _read(self, row: dict[str, Any], schema: RowSchema) -> dict[str, Any]:
        fields, problems = read_fields(row, CUSTOMER_FIELDS, schema.customer, by_api=True, max_length=self._switches.max_length)
        if problems:
            raise TillError(400, "\r\n".join(str(problem) for problem in problems))
        return fields

    def _check_type(self, fields: Mapping[str, Any]) -> None:
        type_id = fields.get("type_id")
        if type_id is not None and (type_id not in self._store.types or self._store.types[type_id].deleted):
            raise TillError(400, "Invalid field value for CustomerType: CustomerTypeID")  # recorded word for word

    # -- answering

    def _customer_answer(
        self,
        request: web.Request,
        customer: StoredCustomer,
        schema: RowSchema,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> web.Response:
        return data(request, customer_json(customer, schema), "Customer", status=status, headers=headers)

    def _customers_answer(
        self, request: web.Request, customers: list[StoredCustomer], schema: RowSchema, *, status: int = 200
    ) -> web.Response:
        if len(customers) == 1 and self._switches.v4_post_reply is PostReply.OBJECT:
            return self._customer_answer(request, customers[0], schema, status=status)
        return data(request, f"[{','.join(customer_json(customer, schema) for customer in customers)}]", "Customer", status=status)


def _require_rows(body: bytes) -> list[dict[str, Any]]:
    rows = parse_body(body)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise TillError(400, "The request body must be an array of Customer objects.")
    return rows


def _require_id(row: dict[str, Any]) -> int:
    value = next((value for name, value in row.items() if name.lower() == "id"), None)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TillError(400, "Id - The Id field is required.")
    return value


def _has_value(customer: StoredCustomer, attribute: str, value: str) -> bool:
    stored = getattr(customer, attribute)
    return stored is not None and str(stored).casefold() == value.casefold()
