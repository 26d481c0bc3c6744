"""The till of one lease and configuration: clients behind the side's gate, and the lists that several flows read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from tillsync_server.application.flows.flow_services import FlowServices
from tillsync_server.application.flows.side_gates import ClassGate, SideGate
from tillsync_server.domain.account import Account
from tillsync_server.domain.customer import TillCustomerType
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.till import CustomerPage, TillClient


class TillAccess:
    def __init__(self, services: FlowServices, account: Account, gate: SideGate) -> None:
        self._services = services
        self._account = account
        self._gate = gate
        self._clients: dict[RequestClass, TillClient] = {}

    def client(self, request_class: RequestClass) -> TillClient:
        client = self._clients.get(request_class)
        if client is None:
            gate = ClassGate(self._gate, request_class)
            client = self._clients[request_class] = self._services.tills.client(self._account, request_class, gate)
        return client

    async def list_types(self) -> Sequence[TillCustomerType]:
        return await self.client(RequestClass.ORDER).list_customer_types()

    async def list_page(self, number: int, request_class: RequestClass = RequestClass.ORDER) -> CustomerPage:
        """Returns a page of the till's customers, and records which of its rows cannot be read."""
        page = await self.client(request_class).list_customers(number)
        with suppress(*self._services.database_gone):  # the page itself was read, and is used
            await self._services.knowledge.note_list_page(self._account.till_id, page)
        return page
