"""Creates till clients. All clients of a process share one HTTP client."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from tillsync_server.adapters.epos.client import EposClient
from tillsync_server.adapters.epos.requests import TillRequests
from tillsync_server.adapters.epos.seen_pages import SeenPages
from tillsync_server.adapters.epos.settings import EposAdapterSettings
from tillsync_server.adapters.epos.till_gate import Sleep, TillGate
from tillsync_server.adapters.http_client import HttpClient
from tillsync_server.application.concurrency.recent import Recent
from tillsync_server.domain.account import Account
from tillsync_server.domain.ids import TillId
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.request_gate import RequestGate
from tillsync_server.ports.till import TillClient
from tillsync_server.ports.tills import TillBudget

MAX_SEEN_PAGES = 20_000
"""Maximum number of :class:`SeenPages` that are kept, one per till and configuration."""


class EposGateway:
    """Implements ``ports.till.TillGateway``. ``sleep`` waits for the budget and between retries."""

    def __init__(
        self, http: HttpClient, budget: TillBudget, settings: EposAdapterSettings | None = None, *, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._http = http
        self._budget = budget
        self._settings = settings or EposAdapterSettings()
        self._sleep = sleep
        self._gates: WeakValueDictionary[TillId, TillGate] = WeakValueDictionary()
        """Gates by till. A gate lives as long as a client that uses it."""
        self._seen_pages: Recent[tuple[TillId, str], SeenPages] = Recent(MAX_SEEN_PAGES)
        """Keyed by till and ``Account.till_configuration``."""

    def client(self, account: Account, request_class: RequestClass, gate: RequestGate | None = None) -> TillClient:
        epos, till_gate = account.epos, self._gate_of(account.till_id)
        requests = TillRequests(
            self._http, self._budget, till_gate, self._settings, account.till_id, epos, request_class, gate, self._sleep
        )
        key = account.till_id, account.till_configuration
        seen_pages = self._seen_pages.keep(key, self._seen_pages.get(key) or SeenPages())
        return EposClient(requests, seen_pages, epos.customer_api_version, epos.customer_type_api_version, epos.v4_type_field)

    def _gate_of(self, till_id: TillId) -> TillGate:
        gate = self._gates.get(till_id)
        if gate is None:
            gate = TillGate(self._budget, till_id, max_in_flight=self._settings.requests_in_flight, sleep=self._sleep)
            self._gates[till_id] = gate
        return gate
