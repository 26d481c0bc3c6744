"""A firewall or bot check answers for the shop with a page. Engine, stores and HTTP are real. The side gets one problem, and no entry is
charged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fakes.clock import LoopClock
from fakes.till import FakeTill, FakeTillGateway
from support.engine import EngineWorld
from support.shop_flow_world import shop_account, till_customer
from support.waiting import until
from tillsync_sandbox import SandboxShop
from tillsync_sandbox.pages import Page
from tillsync_server.adapters.http_client import AllowedHosts, HttpClient, HttpClientSettings
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE
from tillsync_server.adapters.postgres.engine.side_history import PostgresSideHistory
from tillsync_server.adapters.postgres.links.link_reader import PostgresLinks
from tillsync_server.adapters.postgres.links.shop_state import PostgresShopState
from tillsync_server.adapters.postgres.tills.till_knowledge import PostgresTillKnowledge
from tillsync_server.adapters.woo import WooGateway
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.worker import Worker
from tillsync_server.application.flows.dispatcher import FlowHandler
from tillsync_server.application.flows.flow_services import FlowServices
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.enums import EntryState, Outcome, Priority, ProblemReason, Side
from tillsync_server.domain.ids import AccountId

pytestmark = pytest.mark.integration
NAME, CUSTOMERS = "shop-1", 500
QUICK = RetryPolicy(base_seconds=1.0)
"""The delays are a thirtieth of the default."""


@dataclass
class Settings:
    account: Account

    async def at_version(self, account_id: AccountId, config_version: int) -> Account:
        return replace(self.account, config_version=max(config_version, self.account.config_version))


@asynccontextmanager
async def flows_to(world: EngineWorld, settings: ShopSettings) -> AsyncIterator[FakeTill]:
    """Runs a worker with the shop at ``settings``. Each till customer n is linked to shop customer n + 100,000."""
    await world.add_accounts(NAME)
    await world.fetch("INSERT INTO till (till_id) VALUES ('till-1') ON CONFLICT DO NOTHING")
    clock = LoopClock()
    till = FakeTill(clock)
    till.put(*(till_customer(number) for number in range(1, CUSTOMERS + 1)))
    await world.fetch(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) "
        "SELECT $1, id, id + 100000, 3 FROM generate_series(1, $2) id",
        NAME,
        CUSTOMERS,
    )
    http = HttpClient(HttpClientSettings(allowed_hosts=AllowedHosts(allow_loopback=True)))
    unused: Any = None
    services = FlowServices(
        tills=FakeTillGateway(till),
        shops=WooGateway(http),
        knowledge=PostgresTillKnowledge(world.database),
        intents=unused,
        links=PostgresLinks(world.database),
        shop_state=PostgresShopState(world.database),
        order_linker=unused,
        side_history=PostgresSideHistory(world.database),
        database_gone=DATABASE_GONE,
    )
    account = Settings(shop_account(shop=settings))
    worker = Worker(
        world.lanes, world.notifications, FlowHandler(services), account, EngineSettings(retry=QUICK), database_gone=DATABASE_GONE
    )
    worker.start()
    try:
        yield till
    finally:
        await worker.stop()
        await http.close()


@pytest.mark.parametrize(
    ("page", "with_bridge", "priority"),
    [
        (Page.SITEGROUND_202, True, Priority.LIVE),
        (Page.SITEGROUND_202, False, Priority.BULK),
        (Page.ACCESS_DENIED_200, True, Priority.BULK),
    ],
)
async def test_page_in_place_of_data_costs_few_requests_and_no_attempt(
    world: EngineWorld, page: Page, with_bridge: bool, priority: Priority
) -> None:
    async with SandboxShop() as shop:
        for number in range(1, CUSTOMERS + 1):
            shop.add_customer(number + 100_000, email=f"c{number}@example.test")
        switches = shop.switches
        woo_api = ShopSettings(base_url=shop.origin, consumer_key=switches.consumer_key, consumer_secret=switches.consumer_secret)
        bridge = ShopSettings(base_url=shop.origin, bridge_secret=switches.bridge_secret)
        blocked = shop.faults.script(path="*", times=None, **page.fault)
        async with flows_to(world, bridge if with_bridge else woo_api):
            await world.hint_many(NAME, list(range(1, CUSTOMERS + 1)), priority)
            await until(lambda: world.fetch("SELECT 1 FROM account_side WHERE failures >= 3"), world.work)
            [side] = await world.fetch("SELECT problem_reason, side, problem_text, failures FROM account_side")
            assert (side["problem_reason"], side["side"]) == (ProblemReason.UNREACHABLE, Side.SHOP)
            assert side["problem_text"].startswith("the shop: blocked: ")
            assert shop.log.total <= 3 * side["failures"]
            blocked.cancel()

            async def all_updated() -> bool:
                rows = await world.fetch(
                    "SELECT outcome, state, count(*) AS n, sum(attempt_count) AS charged FROM entry_history GROUP BY 1, 2"
                )
                return [tuple(row) for row in rows] == [(Outcome.UPDATED, EntryState.PROCESSED, CUSTOMERS, CUSTOMERS)]

            await until(all_updated, world.work)  # The only attempt of each entry is its successful one.
            [side] = await world.fetch("SELECT problem_reason, failures FROM account_side")
            assert tuple(side) == (None, 0)
