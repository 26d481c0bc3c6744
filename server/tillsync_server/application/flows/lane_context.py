"""What all flows of one lease share under one configuration: clients, the judge of their failures, the proof of what is gone."""

from __future__ import annotations

from functools import partial

from tillsync_server.application.flows.failure_verdicts import FailureJudge
from tillsync_server.application.flows.flow_services import FlowServices
from tillsync_server.application.flows.gone import GoneProof
from tillsync_server.application.flows.lane_halt import HaltingShop, HaltingTill, LaneHalt
from tillsync_server.domain.account import Account
from tillsync_server.ports.handler import LaneRun
from tillsync_server.ports.shop import ShopClient
from tillsync_server.ports.till import TillClient


class _ShopOfAccount:
    """Its client, made when first asked for. Not the context's own method: judge and context would hold each other, and a busy worker's
    memory be full of ended leases that wait for the cycle collector."""

    def __init__(self, services: FlowServices, account: Account) -> None:
        self._services = services
        self._account = account
        self._client: ShopClient | None = None

    def __call__(self) -> ShopClient:
        if self._client is None:
            self._client = self._services.shops.client(self._account)
        return self._client


class LaneContext:
    """Made anew when the account's ``config_version`` changes within a lease; ``halt`` is the lease's."""

    def __init__(self, services: FlowServices, lane: LaneRun, account: Account, halt: LaneHalt | None = None) -> None:
        self.services = services
        self.lane = lane
        self.account = account
        self.halt = halt or LaneHalt()
        till = services.tills.client(account)
        self.till: TillClient = HaltingTill(till, self.halt, partial(services.knowledge.note_list_page, account.till_id))
        self.gone = GoneProof(services, account, self.till)
        # the judge probes also for an entry that met its failure before the halt
        self._bare_shop = _ShopOfAccount(services, account)
        self.judge = FailureJudge(services, account, till, self._bare_shop)
        self._halting_shop: ShopClient | None = None

    @property
    def shop(self) -> ShopClient:
        """Made when first asked for: a shop without credentials does not hinder orders. Raises CredentialsRefused without any."""
        if self._halting_shop is None:
            self._halting_shop = HaltingShop(self._bare_shop(), self.halt)
        return self._halting_shop
