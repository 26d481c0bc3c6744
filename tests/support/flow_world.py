"""In-memory dependencies of the order flow, with accounts, orders and entries for its tests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from fakes.clock import FakeClock
from fakes.intents import FakeIntents
from fakes.knowledge import FakeKnowledge
from fakes.lanes import FakeLane
from fakes.links import FakeLinks
from fakes.script import Step
from fakes.shop import FakeShop, FakeShopGateway
from fakes.shop_state import FakeShopState
from fakes.side_history import FakeSideHistory
from fakes.till import FakeTill, FakeTillGateway
from tillsync_server.application.flows.flow_services import FlowServices, FlowSettings
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.application.flows.side_gates import SideWindows
from tillsync_server.domain.account import Account, EposSettings, ShopSettings
from tillsync_server.domain.enums import EntryKind, Priority
from tillsync_server.domain.ids import AccountId, EposCustomerId, OrderId, TillId, WooCustomerId, new_entry_id
from tillsync_server.domain.order import OrderFacts
from tillsync_server.ports.lanes import ClaimedEntry

DEFAULT_CUSTOMER = EposCustomerId(7)
TILL = TillId("till-1")


def _windows() -> SideWindows:
    return SideWindows(first=1000)


async def _no_step(_step: str) -> None:
    await asyncio.sleep(0)


@dataclass
class FlowWorld:
    """In-memory dependencies of the order flow. Every fake awaits ``step`` before each answer."""

    settings: FlowSettings = field(default_factory=FlowSettings)
    step: Step = _no_step

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.till = FakeTill(self.clock, self._step)
        self.knowledge = FakeKnowledge(self.clock, self._step)
        self.intents = FakeIntents(self.clock, self._step)
        self.links = FakeLinks(self.clock, self._step)
        self.shop = FakeShop(self.clock)
        self.services = FlowServices(
            tills=FakeTillGateway(self.till),
            shops=FakeShopGateway(self.shop),
            windows=_windows(),
            side_history=FakeSideHistory(),
            knowledge=self.knowledge,
            intents=self.intents,
            links=self.links,
            shop_state=FakeShopState(self.clock, self.links),
            order_linker=self.links,
            settings=self.settings,
            now=self.clock.now,
            clock=self.clock,
        )

    async def _step(self, name: str) -> None:
        await self.step(name)

    def start_process(self) -> None:
        """Starts a new process. Requests of a dead process take no slot in it."""
        self.services = replace(self.services, windows=_windows())

    def context(self, account: Account, lane: FakeLane | None = None) -> LaneContext:
        return LaneContext(self.services, lane or self.lane(account), account)

    def lane(self, account: Account, *, owner: str = "worker-1", token: int = 1) -> FakeLane:
        """A new lease of the account's lane. The previous lease becomes stale."""
        lane = FakeLane(self.clock, account, self._step, owner=owner, token=token)
        self.links.give_lane_to(lane.lease)
        return lane


def till_account(name: str = "shop-1", **settings: object) -> Account:
    """An account with till credentials. All such accounts share the till ``TILL``."""
    usual = {
        "account_id": AccountId(name),
        "till_id": TILL,
        "default_epos_customer_id": DEFAULT_CUSTOMER,
        "epos": EposSettings(base_url="https://till.example.test", api_key="key-0001", api_secret="secret"),
        "shop": ShopSettings(base_url="https://shop.example.test", bridge_secret="secret"),
    }
    return Account(**{**usual, **settings})  # type: ignore[arg-type]


def order_facts(order_id: int = 1042, *, email: str = "ada@example.test", **changed: object) -> OrderFacts:
    """Facts of an order of shop customer 12, with the billing email as the account email."""
    usual = {
        "order_id": OrderId(order_id),
        "order_key": "ab" * 32,
        "order_number": str(order_id),
        "create_time": datetime(2026, 2, 27, 9, 30, 15, tzinfo=UTC),
        "woo_customer_id": WooCustomerId(12),
        "account_email": email,
        "billing_email": email,
        "first_name": "Ada",
        "last_name": "Byron",
        "phone": "01200000000",
    }
    return OrderFacts(**{**usual, **changed})  # type: ignore[arg-type]


def guest_facts(order_id: int = 1042, *, email: str = "ada@example.test", **changed: object) -> OrderFacts:
    return order_facts(order_id, email=email, **{"woo_customer_id": None, "account_email": "", **changed})


def order_entry(account: Account, facts: OrderFacts, *, chosen: int | None = None, revision: int = 1) -> ClaimedEntry:
    return ClaimedEntry(
        account_id=account.account_id,
        entry_id=new_entry_id(),
        kind=EntryKind.ORDER_CUSTOMER,
        subject_id=facts.order_id,
        priority=Priority.LIVE,
        entry_revision=revision,
        config_version=account.config_version,
        attempt_count=0,
        coalesced_count=0,
        force=False,
        account_email=facts.account_email_normalised,
        billing_email=facts.billing_email_normalised,
        woo_customer_id=facts.woo_customer_id,
        epos_customer_id=None,
        facts=facts,
        chosen_epos_customer_id=None if chosen is None else EposCustomerId(chosen),
    )
