"""The clients and checks that all flows of one lease and configuration share."""

from __future__ import annotations

from functools import partial

from tillsync_server.application.flows.deletion_check import DeletionCheck
from tillsync_server.application.flows.failure_verdicts import FailureClassifier
from tillsync_server.application.flows.flow_services import FlowServices
from tillsync_server.application.flows.side_gates import ClassGate, SideGates
from tillsync_server.application.flows.till_access import TillAccess
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import Side
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.handler import LaneRun
from tillsync_server.ports.request_gate import RequestGate
from tillsync_server.ports.shop import ShopClient
from tillsync_server.ports.till import TillClient


class _ShopOfAccount:
    """Makes the shop's client at the first call.

    A method of the context would form a reference cycle, and ended leases would fill the memory of a busy worker until the cycle collector
    runs.
    """

    def __init__(self, services: FlowServices, account: Account, gate: RequestGate | None) -> None:
        self._services = services
        self._account = account
        self._gate = gate
        self._client: ShopClient | None = None

    def __call__(self) -> ShopClient:
        if self._client is None:
            self._client = self._services.shops.client(self._account, self._gate)
        return self._client


class LaneContext:
    """One per lease and ``config_version`` of the account. ``gates``: those of the lease."""

    def __init__(self, services: FlowServices, lane: LaneRun, account: Account, gates: SideGates | None = None) -> None:
        self.services = services
        self.lane = lane
        self.account = account
        self.gates = gates or SideGates(account.account_id, services.windows)
        self.till_access = TillAccess(services, account, self.gates[Side.TILL])
        self.deletion_check = DeletionCheck(services, account, self.till_access)
        self._ungated_shop = _ShopOfAccount(services, account, None)
        # ungated: the classifier also probes for an entry that failed before the gate closed
        self.failures = FailureClassifier(
            services, account, partial(services.tills.client, account, RequestClass.ORDER), self._ungated_shop
        )
        self._shops = {each: _ShopOfAccount(services, account, ClassGate(self.gates[Side.SHOP], each)) for each in RequestClass}

    @property
    def till(self) -> TillClient:
        """Client for orders, and for other requests that orders wait for."""
        return self.till_of(RequestClass.ORDER)

    def till_of(self, request_class: RequestClass) -> TillClient:
        return self.till_access.client(request_class)

    def shop_of(self, request_class: RequestClass) -> ShopClient:
        """Makes the client at the first call, so that orders also work for a shop without credentials. Raises CredentialsRefused without
        credentials."""
        return self._shops[request_class]()

    @property
    def shop_of_orders(self) -> ShopClient:
        """Ungated client, because orders need only the till and do not wait for the shop. Raises CredentialsRefused."""
        return self._ungated_shop()
