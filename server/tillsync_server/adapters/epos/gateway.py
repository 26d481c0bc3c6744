"""Makes till clients over the process's one outbound connection pool."""

from __future__ import annotations

import asyncio

from tillsync_server.adapters.epos.client import EposClient
from tillsync_server.adapters.epos.requests import Sleep, TillRequests
from tillsync_server.adapters.epos.seen_pages import SeenPages
from tillsync_server.adapters.epos.settings import EposAdapterSettings
from tillsync_server.adapters.outbound import OutboundHttp
from tillsync_server.domain.account import Account
from tillsync_server.domain.ids import TillId
from tillsync_server.ports.request_gate import RequestGate
from tillsync_server.ports.till import TillClient
from tillsync_server.ports.tills import TillBudget


class EposGateway:
    """Implements ``ports.till.TillGateway``. ``sleep`` is where waits for the budget and between tries are spent."""

    def __init__(
        self, http: OutboundHttp, budget: TillBudget, settings: EposAdapterSettings | None = None, *, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._http = http
        self._budget = budget
        self._settings = settings or EposAdapterSettings()
        self._sleep = sleep
        self._seen: dict[tuple[TillId, str], SeenPages] = {}
        """By till and ``Account.till_configuration``."""

    def client(self, account: Account, gate: RequestGate | None = None) -> TillClient:
        epos = account.epos
        requests = TillRequests(self._http, self._budget, self._settings, account.till_id, epos, gate, self._sleep)
        seen = self._seen.setdefault((account.till_id, account.till_configuration), SeenPages())
        return EposClient(requests, seen, epos.customer_api_version, epos.customer_type_api_version, epos.v4_type_field)

    async def close(self) -> None:
        """Closes the outbound pool, which may be shared: closing it twice is harmless."""
        await self._http.close()
