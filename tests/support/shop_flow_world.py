"""In-memory dependencies of the flows to the shop, on virtual time (``support.virtual_time``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from fakes.clock import START, LoopClock
from fakes.intents import FakeIntents
from fakes.knowledge import FakeKnowledge
from fakes.lanes import FakeLane
from fakes.links import FakeLinks
from fakes.shop import FakeShop, FakeShopGateway
from fakes.shop_state import FakeShopState
from fakes.side_history import FakeSideHistory
from fakes.till import FakeTill, FakeTillGateway
from tillsync_server.application.flows.dispatcher import FlowHandler
from tillsync_server.application.flows.flow_services import FlowServices, FlowSettings
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.application.flows.side_gates import SideWindows
from tillsync_server.domain.account import Account, EposSettings, ShopSettings
from tillsync_server.domain.customer import CustomerWrite, TillCustomer, TillCustomerType
from tillsync_server.domain.enums import EntryKind, Priority
from tillsync_server.domain.ids import (
    AccountId,
    EposCustomerId,
    EposCustomerTypeId,
    TillId,
    WooCustomerId,
    new_entry_id,
)
from tillsync_server.domain.link import Link, LinkOrigin
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry

TILL_LATENCY_SECONDS, SHOP_LATENCY_SECONDS = 0.01, 0.05


class DatabaseAway(Exception):
    """An error of the database driver."""


def present() -> datetime:
    return LoopClock().now()


def till_in_memory(clock: LoopClock) -> FakeTill:
    return FakeTill(clock, latency=TILL_LATENCY_SECONDS)


def shop_in_memory(clock: LoopClock) -> FakeShop:
    return FakeShop(clock, latency=SHOP_LATENCY_SECONDS, before_write=_each_customer_once)


def _each_customer_once(writes: Sequence[CustomerWrite]) -> None:
    assert len({write.woo_customer_id for write in writes}) == len(writes)


class ShopWorld:
    """Must be made inside a virtual-time test. The lane's lease does not expire."""

    def __init__(self, account: Account | None = None, *, settings: FlowSettings | None = None, **changed: Any) -> None:
        self.account = account or shop_account(**changed)
        self.clock = clock = LoopClock()
        self.till, self.shop, self.knowledge = till_in_memory(clock), shop_in_memory(clock), FakeKnowledge(clock)
        self.links = FakeLinks(clock)
        self.state = FakeShopState(clock, self.links)
        self.lane = FakeLane(clock, self.account, lease_seconds=math.inf)
        self.history = FakeSideHistory()
        self.services = FlowServices(
            tills=FakeTillGateway(self.till),
            shops=FakeShopGateway(self.shop),
            windows=SideWindows(first=16),
            side_history=self.history,
            knowledge=self.knowledge,
            intents=FakeIntents(clock),
            links=self.links,
            shop_state=self.state,
            order_linker=self.links,
            settings=settings or FlowSettings(),
            database_gone=(DatabaseAway,),
            now=clock.now,
            clock=clock,
        )

    def context(self) -> LaneContext:
        return LaneContext(self.services, self.lane, self.account)

    def put(self, *ids: int, **more: Any) -> None:
        """Stores till customers."""
        self.till.put(*(till_customer(each, **more) for each in ids))

    def link(self, epos: int, woo: int | None = None, **changed: Any) -> Link:
        """Makes a usable link with both customers present."""
        woo = epos + 100_000 if woo is None else woo
        if epos not in self.till.customers:
            self.put(epos)
        self.shop.users.add(woo)
        usual = {
            "account_id": self.account.account_id,
            "epos_customer_id": EposCustomerId(epos),
            "woo_customer_id": WooCustomerId(woo),
            "origin": LinkOrigin.BY_HAND,
            "create_time": START,
        }
        return self.links.put(Link(**{**usual, **changed}))

    async def run(self, *entries: ClaimedEntry) -> list[Verdict]:
        """Runs the entries under a new lease, as the engine does."""
        work = self.lane.open(FlowHandler(self.services))
        try:
            await work.run(entries)
        finally:
            await work.close()
        return [self.lane.finished[entry.entry_id] for entry in entries]

    async def sync(self, epos: int, **changed: Any) -> Verdict:
        [verdict] = await self.run(entry_of(epos, **changed))
        return verdict

    async def sync_type(self, type_id: int, **changed: Any) -> Verdict:
        [verdict] = await self.run(entry_of(type_id, kind=EntryKind.CUSTOMER_TYPE, **changed))
        return verdict


def shop_account(**changed: Any) -> Account:
    usual = {
        "account_id": AccountId("shop-1"),
        "till_id": TillId("till-1"),
        "default_epos_customer_id": EposCustomerId(7),
        "epos": EposSettings(base_url="https://till.example.test", api_key="key-0001", api_secret="secret"),
        "shop": ShopSettings(base_url="https://shop.example.test", bridge_secret="secret"),
    }
    return Account(**{**usual, **changed})


def till_customer(customer_id: int, *, points: int = 10, **more: Any) -> TillCustomer:
    usual = {"forename": "Ada", "surname": "Byron", "email": "ada@example.test", "balance": Decimal("3.5"), "phone": "01200000000"}
    return TillCustomer(epos_customer_id=EposCustomerId(customer_id), points=Decimal(points), **{**usual, **more})


def till_type(type_id: int = 4001, name: str = "Basic", discount: str = "10.0") -> TillCustomerType:
    return TillCustomerType(
        epos_customer_type_id=EposCustomerTypeId(type_id), name=name, discount=Decimal(discount), description="Basic customer"
    )


def entry_of(
    subject_id: int,
    *,
    kind: EntryKind = EntryKind.CUSTOMER,
    priority: Priority = Priority.LIVE,
    force: bool = False,
    config_version: int = 1,
    facts: OrderFacts | None = None,
) -> ClaimedEntry:
    return ClaimedEntry(
        account_id=AccountId("shop-1"),
        entry_id=new_entry_id(),
        kind=kind,
        subject_id=subject_id,
        priority=priority,
        entry_revision=1,
        config_version=config_version,
        attempt_count=0,
        coalesced_count=0,
        force=force,
        account_email="",
        billing_email="",
        woo_customer_id=None if facts is None else facts.woo_customer_id,
        epos_customer_id=None,
        facts=facts,
    )


def bulk(*subjects: int) -> list[ClaimedEntry]:
    return [entry_of(each, priority=Priority.BULK) for each in subjects]
