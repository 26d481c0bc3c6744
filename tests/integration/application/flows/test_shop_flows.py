"""The flows to the shop on the engine and PostgreSQL, with till and shop in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fakes.clock import LoopClock
from fakes.shop import FakeShop, FakeShopGateway
from fakes.side_history import FakeSideHistory
from fakes.till import FakeTill, FakeTillGateway
from support.engine import EngineWorld
from support.shop_flow_world import shop_account, shop_in_memory, till_customer, till_in_memory
from support.waiting import until
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE
from tillsync_server.adapters.postgres.links.link_reader import PostgresLinks
from tillsync_server.adapters.postgres.links.shop_state import PostgresShopState
from tillsync_server.adapters.postgres.tills.till_knowledge import PostgresTillKnowledge
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.worker import Worker
from tillsync_server.application.flows.dispatcher import FlowHandler
from tillsync_server.application.flows.flow_services import FlowServices
from tillsync_server.application.flows.side_gates import SideWindows
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import EntryState, Outcome, Priority
from tillsync_server.domain.ids import AccountId

pytestmark = pytest.mark.integration
NAME = "shop-1"


@dataclass
class Settings:
    """Implements application.engine.lane_runner.AccountReader for one account, which the test changes."""

    account: Account

    async def at_version(self, account_id: AccountId, config_version: int) -> Account:
        return replace(self.account, config_version=max(config_version, self.account.config_version))


@dataclass
class Flows:
    world: EngineWorld
    till: FakeTill
    shop: FakeShop
    settings: Settings

    async def link(self, *ids: int) -> None:
        """Links each till customer n to shop customer n + 100,000."""
        self.till.put(*(till_customer(epos_id) for epos_id in ids))
        self.shop.users.update(epos_id + 100_000 for epos_id in ids)
        async with self.world.database.acquire() as connection:
            await connection.execute(
                "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) "
                "SELECT $1, id, id + 100000, 3 FROM unnest($2::bigint[]) AS id",
                NAME,
                list(ids),
            )

    async def outcomes(self) -> dict[tuple[Outcome, EntryState], int]:
        rows = await self.world.fetch("SELECT outcome, state, count(*) AS n FROM entry_history GROUP BY 1, 2")
        return {(Outcome(row["outcome"]), EntryState(row["state"])): row["n"] for row in rows}


@asynccontextmanager
async def flows_on(world: EngineWorld) -> AsyncIterator[Flows]:
    await world.add_accounts(NAME)
    await world.fetch("INSERT INTO till (till_id) VALUES ('till-1') ON CONFLICT DO NOTHING")
    clock = LoopClock()
    flows = Flows(world, till_in_memory(clock), shop_in_memory(clock), Settings(shop_account()))
    unused: Any = None
    services = FlowServices(
        tills=FakeTillGateway(flows.till),
        shops=FakeShopGateway(flows.shop),
        windows=SideWindows(first=16),
        side_history=FakeSideHistory(),
        knowledge=PostgresTillKnowledge(world.database),
        intents=unused,
        links=PostgresLinks(world.database),
        shop_state=PostgresShopState(world.database),
        order_linker=unused,
        database_gone=DATABASE_GONE,
    )
    worker = Worker(world.lanes, world.notifications, FlowHandler(services), flows.settings, EngineSettings(), database_gone=DATABASE_GONE)
    worker.start()
    try:
        yield flows
    finally:
        await worker.stop()


async def test_first_bulk_run_costs_few_requests_and_an_unchanged_one_no_shop_request(world: EngineWorld) -> None:
    async with flows_on(world) as flows:
        await flows.link(*range(1, 1_201))
        await world.hint_many(NAME, list(range(1, 1_201)))
        await world.until_idle()
        assert await flows.outcomes() == {(Outcome.UPDATED, EntryState.PROCESSED): 1_200}
        assert len(flows.shop.stored) == 1_200
        assert flows.shop.requests <= 5
        assert flows.till.requests <= 30
        first_run_requests = flows.shop.requests
        await world.hint_many(NAME, list(range(1, 1_201)))
        await world.until_idle()
        assert await flows.outcomes() == {(Outcome.UPDATED, EntryState.PROCESSED): 2_400}
        assert flows.shop.requests == first_run_requests


async def test_settings_changed_during_a_run_decide_the_entry(world: EngineWorld) -> None:
    """Sync is switched off during the read of the till. The earlier decision is dropped, and the entry is decided by the new settings."""
    async with flows_on(world) as flows:
        await flows.link(1)
        flows.till.latency = 1.5
        await world.hint(NAME, 1, priority=Priority.LIVE)
        await until(lambda: flows.till.calls, world.work)
        flows.settings.account = replace(flows.settings.account, customer_sync_enabled=False, config_version=2)
        await world.fetch("UPDATE lane SET config_version = 2 WHERE account_id = $1", NAME)
        await world.until_idle()
        assert await flows.outcomes() == {(Outcome.SYNC_DISABLED, EntryState.SKIPPED): 1}


async def test_bad_customer_of_a_batch_fails_alone(world: EngineWorld) -> None:
    async with flows_on(world) as flows:
        await flows.link(*range(1, 101))
        flows.shop.users.discard(100_050)
        await world.hint_many(NAME, list(range(1, 101)))
        await world.until_idle()
        assert await flows.outcomes() == {
            (Outcome.UPDATED, EntryState.PROCESSED): 99,
            (Outcome.WOO_NOT_UPDATED, EntryState.FAILED): 1,
        }
        [gone_link] = await world.fetch("SELECT woo_customer_id FROM link WHERE woo_gone_at IS NOT NULL")
        assert gone_link["woo_customer_id"] == 100_050
