"""What all flows of one lease share under one configuration: clients, the judge of their failures, the proof of what is gone."""

from __future__ import annotations

from tillsync_server.application.flows.failure_verdicts import FailureJudge
from tillsync_server.application.flows.flow_services import FlowServices
from tillsync_server.application.flows.gone import GoneProof
from tillsync_server.application.flows.lane_halt import HaltingShop, HaltingTill, LaneHalt
from tillsync_server.domain.account import Account
from tillsync_server.ports.handler import LaneRun
from tillsync_server.ports.shop import ShopClient
from tillsync_server.ports.till import TillClient


class LaneContext:
    """Made anew when the account's ``config_version`` changes within a lease; ``halt`` is the lease's."""

    def __init__(self, services: FlowServices, lane: LaneRun, account: Account, halt: LaneHalt | None = None) -> None:
        self.services = services
        self.lane = lane
        self.account = account
        self.halt = halt or LaneHalt()
        till = services.tills.client(account)
        self.till: TillClient = HaltingTill(till, self.halt)
        self.gone = GoneProof(services, account, self.till)
        # the judge probes also for an entry that met its failure before the halt
        self.judge = FailureJudge(services, account, till, self._bare_shop)
        self._shop: ShopClient | None = None
        self._halting_shop: ShopClient | None = None

    @property
    def shop(self) -> ShopClient:
        """Made when first asked for: a shop without credentials does not hinder orders. Raises CredentialsRefused without any."""
        if self._halting_shop is None:
            self._halting_shop = HaltingShop(self._bare_shop(), self.halt)
        return self._halting_shop

    def _bare_shop(self) -> ShopClient:
        if self._shop is None:
            self._shop = self.services.shops.client(self.account)
        return self._shop
