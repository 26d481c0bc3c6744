"""The CustomerType resource. V2 reads are recorded and V2 writes are inferred. No evidence shows it in V4 (``v4_customer_types``)."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tillsync_sandbox.serving import Exchange
from tillsync_sandbox.till.answers import TillError, data, unknown_address
from tillsync_sandbox.till.customers import parse_body, parse_id
from tillsync_sandbox.till.rows import TYPE_FIELDS, RowSchema, read_fields, type_json, v2, v4
from tillsync_sandbox.till.stored import StoredType, TillStore
from tillsync_sandbox.till.switches import DeleteMode, TillSwitches

_MAX_LENGTH = 100


class CustomerTypeResource:
    def __init__(self, store: TillStore, switches: TillSwitches) -> None:
        self._store = store
        self._switches = switches

    async def v2(self, exchange: Exchange, subpath: str) -> web.Response:
        return self._answer(exchange, subpath, v2())

    async def v4(self, exchange: Exchange, subpath: str) -> web.Response:
        if not self._switches.v4_customer_types:
            return unknown_address()
        return self._answer(exchange, subpath, v4(self._switches))

    def _answer(self, exchange: Exchange, subpath: str, schema: RowSchema) -> web.Response:
        """Raises TillError."""
        request = exchange.request
        type_id = parse_id(subpath)
        match (request.method, subpath):
            case ("GET", ""):
                size = self._switches.page_size
                first = (max(parse_id(request.query.get("page", "1")) or 1, 1) - 1) * size
                shown = [stored for _, stored in sorted(self._store.types.items()) if not stored.deleted][first : first + size]
                return data(request, f"[{','.join(type_json(stored, schema) for stored in shown)}]", "CustomerType")
            case ("POST", ""):
                fields = self._read(exchange.body, schema)
                if not fields.get("name"):
                    raise TillError(400, "Name - The Name field is required.")
                stored = self._store.add_type(by_api=True, **fields)
                return data(request, type_json(stored, schema), "CustomerType", status=201)
            case ("GET", _) if type_id is not None:
                return data(request, type_json(self._existing(type_id), schema), "CustomerType")
            case ("PUT", _) if type_id is not None:
                self._existing(type_id)
                stored = self._store.change_type(type_id, by_api=True, **self._read(exchange.body, schema))
                return data(request, type_json(stored, schema), "CustomerType")
            case ("DELETE", _) if type_id is not None:
                self._existing(type_id)
                if self._switches.delete is DeleteMode.REFUSE_IF_USED and self._store.type_is_used(type_id):
                    raise TillError(400, f"CustomerType {type_id} is in use and cannot be deleted.")
                self._store.delete_type(type_id, soft=self._switches.delete is DeleteMode.SOFT, by_api=True)
                return web.Response(status=200)
            case _:
                return unknown_address()

    def _existing(self, type_id: int) -> StoredType:
        stored = self._store.types.get(type_id)
        if stored is None:
            raise TillError(404, f"CustomerType {type_id} was not found.")
        return stored

    def _read(self, body: bytes, schema: RowSchema) -> dict[str, Any]:
        row = parse_body(body)
        if not isinstance(row, dict):
            raise TillError(400, "The request body must be a CustomerType object.")
        fields, problems = read_fields(row, TYPE_FIELDS, schema.type, by_api=True, max_length=_MAX_LENGTH)
        if problems:
            raise TillError(400, "\r\n".join(str(problem) for problem in problems))
        return fields
