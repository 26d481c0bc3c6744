"""Stray output around the answers of a shop.

The service reads the data all the same. Each write takes one attempt, and one warning of the account has the remedy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from support.postgres import TestDatabase
from support.service import RunningService, running_service
from support.waiting import until
from tillsync.v1 import account_pb2, queue_entry_pb2, vocabulary_pb2
from tillsync_sandbox import SandboxShop, SandboxTill
from tillsync_sandbox.shop import StrayOutput

pytestmark = pytest.mark.integration

ACCOUNT, CUSTOMERS = "shop-1", 5
REMEDY = "Set WP_DEBUG_DISPLAY to false in the shop's wp-config.php, or update the plugin that prints."


@dataclass
class World:
    service: RunningService
    till: SandboxTill
    shop: SandboxShop

    async def sync_all(self) -> list[queue_entry_pb2.QueueEntry]:
        """Changes the points of every linked customer, syncs them, and returns their newest entries once all are processed."""
        for number in range(CUSTOMERS):
            self.till.change_customer(90100 + number, points=str(int(self.till.store.customers[90100 + number].current_points) + 1))
        sync = self.service.client.sync
        for number in range(CUSTOMERS):
            await sync.sync_customer(ACCOUNT, 90100 + number)

        async def entries() -> list[queue_entry_pb2.QueueEntry]:
            return [each async for each in sync.list_queue(ACCOUNT, vocabulary_pb2.QUEUE_CUSTOMERS, full=True)]

        async def all_are_processed() -> bool:
            return all(each.state == vocabulary_pb2.ENTRY_STATE_PROCESSED for each in await entries())

        await until(all_are_processed, entries)
        return (await entries())[:CUSTOMERS]

    async def warnings(self) -> list[account_pb2.AccountWarning]:
        return list((await self.service.client.accounts.get_account(ACCOUNT)).warnings)


@pytest_asyncio.fixture
async def world(database: TestDatabase) -> AsyncIterator[World]:
    async with SandboxTill() as till, SandboxShop() as shop, running_service(database.dsn) as service:
        epos = account_pb2.EposSettings(base_url=till.origin, api_key=till.switches.api_key, api_secret=till.switches.api_secret)
        epos.requests_per_minute = 100_000
        site = account_pb2.ShopSettings(base_url=shop.origin, bridge_secret=shop.switches.bridge_secret)
        await service.client.accounts.create_account(ACCOUNT, account_pb2.Account(customer_sync_enabled=True, epos=epos, shop=site))
        made = World(service, till, shop)
        for number in range(CUSTOMERS):
            till.add_customer(90100 + number, forename="Ada", email=f"ada{number}@example.test")
            shop.add_customer(100 + number, email=f"ada{number}@example.test")
            await service.client.links.create_link(ACCOUNT, 90100 + number, 100 + number)
        await made.sync_all()
        yield made


async def test_stray_output_costs_no_attempt_and_is_one_warning(world: World) -> None:
    world.shop.switches.stray_output = StrayOutput.PHP_NOTICE
    entries = await world.sync_all()
    assert [len(entry.attempts) for entry in entries] == [1] * CUSTOMERS
    assert {row.points for row in world.shop.store.bridge_rows.values()} == {"2"}
    [warning] = await world.warnings()
    assert (warning.reason, warning.side) == (account_pb2.WARNING_REASON_STRAY_OUTPUT, vocabulary_pb2.SIDE_SHOP)
    assert warning.text == (
        "The shop's answers are not only data: a message or other text stands before the data (it names loyal-friends). They are read all "
        "the same."
    )
    assert warning.remedy == REMEDY
    checked = await world.service.client.accounts.check_account(ACCOUNT)
    assert all(step.ok for step in checked.steps)
    assert [(each.name, each.remedy) for each in checked.warnings if each.name == "stray_output"] == [("stray_output", REMEDY)]

    world.shop.switches.stray_output = StrayOutput.NONE
    await world.sync_all()
    await world.service.client.accounts.check_account(ACCOUNT)
    assert await world.warnings() == []
