"""A page of something before the shop, on the real engine, the real stores and a real connection: one problem, and nobody is charged."""

from __future__ import annotations

import asyncio
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
from tillsync_server.adapters.outbound import AllowedHosts, OutboundHttp, OutboundSettings
from tillsync_server.adapters.postgres.links import PostgresLinks
from tillsync_server.adapters.postgres.pool import DATABASE_GONE
from tillsync_server.adapters.postgres.shop_state import PostgresShopState
from tillsync_server.adapters.postgres.till_knowledge import PostgresTillKnowledge
from tillsync_server.adapters.woo import WooGateway
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.worker import Worker
from tillsync_server.application.flows.dispatcher import FlowHandler
from tillsync_server.application.flows.flow_services import FlowServices
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.vocabulary import EntryState, Outcome

pytestmark = pytest.mark.integration
NAME, CUSTOMERS = "shop-1", 500
QUICK = RetryPolicy(base_seconds=1.0)
"""A thirtieth of the usual delays."""


@dataclass
class Settings:
    account: Account

    async def at_version(self, account_id: AccountId, config_version: int) -> Account:
        return replace(self.account, config_version=max(config_version, self.account.config_version))


@asynccontextmanager
async def flows_to(world: EngineWorld, settings: ShopSettings) -> AsyncIterator[FakeTill]:
    """Till customer n is linked to shop customer n + 100,000."""
    await world.add_accounts(NAME)
    await world.fetch("INSERT INTO till (till_id) VALUES ('till-1') ON CONFLICT DO NOTHING")
    clock = LoopClock()
    till = FakeTill(clock)
    till.put(*(till_customer(each) for each in range(1, CUSTOMERS + 1)))
    await world.fetch(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) SELECT $1, id, id + 100000, 3 FROM generate_series(1, $2) id",
        NAME,
        CUSTOMERS,
    )
    shops = WooGateway(OutboundHttp(OutboundSettings(allowed_hosts=AllowedHosts(allow_loopback=True))))
    nothing: Any = None
    services = FlowServices(
        tills=FakeTillGateway(till),
        shops=shops,
        knowledge=PostgresTillKnowledge(world.database),
        intents=nothing,
        links=PostgresLinks(world.database),
        shop_state=PostgresShopState(world.database),
        order_linker=nothing,
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
        await shops.close()


BOT_CHECK = (
    '<html><head><link rel="icon" href="data:,"><meta http-equiv="refresh" content="0;/.well-known/sgcaptcha/?r=%2F"></meta></head></html>'
)


@pytest.mark.parametrize("with_bridge", [True, False])
async def test_a_bot_check_costs_a_handful_of_requests_and_nobody_an_attempt(world: EngineWorld, with_bridge: bool) -> None:
    async with SandboxShop() as shop:
        for each in range(1, CUSTOMERS + 1):
            shop.add_customer(each + 100_000, email=f"c{each}@example.test")
        switches = shop.switches
        keys = ShopSettings(base_url=shop.origin, consumer_key=switches.consumer_key, consumer_secret=switches.consumer_secret)
        by_bridge = ShopSettings(base_url=shop.origin, bridge_secret=switches.bridge_secret)
        page = shop.faults.script(path="*", status=202, body=BOT_CHECK, content_type="text/html", times=None)
        async with flows_to(world, by_bridge if with_bridge else keys):
            await world.hint_many(NAME, list(range(1, CUSTOMERS + 1)))
            await asyncio.sleep(10)
            [row] = await world.fetch("SELECT sum(attempt_count) AS charged, count(*) AS live FROM entry")
            [lane] = await world.fetch("SELECT problem_text, pause_count FROM lane")
            print("BEFORE", with_bridge, shop.log.total, dict(row), dict(lane))
            page.cancel()

            async def done() -> bool:
                rows = await world.fetch("SELECT outcome, state, count(*) AS n FROM entry_history GROUP BY 1, 2")
                return [(each["outcome"], each["state"], each["n"]) for each in rows] == [
                    (Outcome.UPDATED, EntryState.PROCESSED, CUSTOMERS)
                ]

            await until(done, world.work)
