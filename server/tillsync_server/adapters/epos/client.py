"""The till client of one account. It uses the resources of the API versions that the account configures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from tillsync_server.adapters.epos.customer_types import CustomerTypeResource, CustomerTypeV2, CustomerTypeV4
from tillsync_server.adapters.epos.customers import CustomerResource, CustomerV2, CustomerV4
from tillsync_server.adapters.epos.name_search import search_by_name
from tillsync_server.adapters.epos.requests import TillRequests
from tillsync_server.adapters.epos.rows import unreadable_error
from tillsync_server.adapters.epos.seen_pages import SeenPages
from tillsync_server.adapters.epos.transactions import TransactionResource
from tillsync_server.domain.customer import NewTillCustomer, TillCustomer, TillCustomerType
from tillsync_server.domain.enums import Side, TillApiVersion, TillTypeField
from tillsync_server.domain.errors import Misaddressed, Missing
from tillsync_server.domain.ids import EposCustomerId, EposCustomerTypeId
from tillsync_server.ports.till import CustomerPage, EmailSearch, NameSearch, WritePermit


def _customers(version: TillApiVersion, requests: TillRequests, seen_pages: SeenPages, v4_type_field: TillTypeField) -> CustomerResource:
    match version:
        case TillApiVersion.V2:
            return CustomerV2(requests, seen_pages)
        case TillApiVersion.V4:
            return CustomerV4(requests, seen_pages, v4_type_field)
        case _:
            assert_never(version)


def _types(version: TillApiVersion, requests: TillRequests) -> CustomerTypeResource:
    match version:
        case TillApiVersion.V2:
            return CustomerTypeV2(requests)
        case TillApiVersion.V4:
            return CustomerTypeV4(requests)
        case _:
            assert_never(version)


class EposClient:
    """Implements ``ports.till.TillClient``."""

    def __init__(
        self,
        requests: TillRequests,
        seen_pages: SeenPages,
        customer_version: TillApiVersion,
        type_version: TillApiVersion,
        v4_type_field: TillTypeField = TillTypeField.AUTO,
    ) -> None:
        self._requests = requests
        self._customers = _customers(customer_version, requests, seen_pages, v4_type_field)
        self._types = _types(type_version, requests)
        self._transactions = TransactionResource(requests, customer_version)

    async def read_customer(self, customer_id: EposCustomerId) -> TillCustomer:
        return await self._customers.read(customer_id)

    async def list_customers(self, page: int) -> CustomerPage:
        return await self._customers.list_page(page)

    async def search_by_email(self, text: str) -> EmailSearch:
        return await self._customers.search(text)

    async def search_by_name(self, text: str, *, limit: int) -> NameSearch:
        return await search_by_name(self._requests, self._customers.path, text, limit=limit)

    async def create_customer(self, customer: NewTillCustomer, permit: WritePermit) -> EposCustomerId:
        return await self._customers.create(customer, permit)

    async def read_customer_type(self, type_id: EposCustomerTypeId) -> TillCustomerType:
        return await self._types.read(type_id)

    async def list_customer_types(self) -> Sequence[TillCustomerType]:
        return await self._types.list_all()

    async def read_buyer(self, transaction_id: int) -> EposCustomerId | None:
        return await self._transactions.read_buyer(transaction_id)

    async def probe(self) -> None:
        try:
            answer = await self._requests.get("/api/v4/TokenInfo")
        except Missing as error:
            text = f"Epos Now is not at this base address ({error.text}): check it"[:500]
            raise Misaddressed(Side.TILL, text, status=error.status, body_text=error.body_text) from error
        if answer.is_html:
            raise unreadable_error(f"TokenInfo is a page for people: {answer.description}")
