"""The Transaction resource, limited to fields that concern the customer. The fields are inferred from the pattern of Customer."""

from __future__ import annotations

from aiohttp import web

from tillsync_sandbox.serving import Exchange
from tillsync_sandbox.till.answers import TillError, data, unknown_address
from tillsync_sandbox.till.customers import parse_id
from tillsync_sandbox.till.rows import RowSchema, customer_json, v2, v4
from tillsync_sandbox.till.stored import StoredTransaction, TillStore
from tillsync_sandbox.till.switches import TillSwitches, TransactionApi, TransactionBody


def transaction_json(sale: StoredTransaction, schema: RowSchema, *, customer: bool = True, nested: bool = False) -> str:
    """Returns a sale as JSON. ``customer`` includes the customer, ``nested`` as an object instead of an id."""
    is_v2 = schema.name == "V2"
    id_name = "TransactionID" if is_v2 else schema.id_name
    customer_name = "CustomerID" if is_v2 else "CustomerId" if schema.id_name == "Id" else "customerId"
    pairs = [f'"{id_name}":{sale.transaction_id}', '"DateTime":"2026-01-02T10:30:00"', '"TotalAmount":12.50']
    if customer and nested:
        buyer = "null" if sale.customer is None else customer_json(sale.customer, schema)
        pairs.append(f'"{customer_name[:-2]}":{buyer}')
    elif customer:
        pairs.append(f'"{customer_name}":{"null" if sale.customer is None else sale.customer.customer_id}')
    return "{" + ",".join(pairs) + "}"


def webhook_body(sale: StoredTransaction, switches: TillSwitches, schema: RowSchema) -> str:
    form = switches.transaction_body
    if form is TransactionBody.ID:
        return str(sale.transaction_id)
    return transaction_json(sale, schema, customer=form is not TransactionBody.TRANSACTION, nested=form is TransactionBody.CUSTOMER)


class TransactionResource:
    """Answers reads by id."""

    def __init__(self, store: TillStore, switches: TillSwitches) -> None:
        self._store = store
        self._switches = switches

    async def v2(self, exchange: Exchange, subpath: str) -> web.Response:
        return self._answer(exchange, subpath, v2(), TransactionApi.V2)

    async def v4(self, exchange: Exchange, subpath: str) -> web.Response:
        return self._answer(exchange, subpath, v4(self._switches), TransactionApi.V4)

    def _answer(self, exchange: Exchange, subpath: str, schema: RowSchema, version: TransactionApi) -> web.Response:
        """Raises TillError."""
        transaction_id = parse_id(subpath)
        served = self._switches.transaction_api in (TransactionApi.BOTH, version)
        if not served or exchange.request.method != "GET" or transaction_id is None:
            return unknown_address()
        sale = self._store.transactions.get(transaction_id)
        if sale is None:
            raise TillError(404, f"Transaction {transaction_id} was not found.")
        nested = self._switches.transaction_body is TransactionBody.CUSTOMER
        return data(exchange.request, transaction_json(sale, schema, nested=nested), "Transaction")
