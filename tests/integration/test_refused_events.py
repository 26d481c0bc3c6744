"""Events that a shop's bridge refuses.

The service keeps them, shows a warning of the account, and resends them when the bridge may have been updated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from support.grpc_server import an_order
from support.logs import captured_lines
from support.postgres import TestDatabase
from support.service import RunningService, running_service
from support.waiting import until
from tillsync.v1 import account_pb2, vocabulary_pb2
from tillsync_sandbox import SandboxShop, SandboxTill

pytestmark = pytest.mark.integration

ACCOUNT = "shop-1"
KNOWN_TYPES = ("order.finished", "decision.needed", "decision.closed")


@dataclass
class Shops:
    service: RunningService
    shop: SandboxShop

    async def account(self) -> account_pb2.Account:
        return await self.service.client.accounts.get_account(ACCOUNT)

    async def finish_order(self, order_id: int) -> None:
        """Matches an order of a guest, which goes to the default customer."""
        await self.service.client.sync.match_order(ACCOUNT, an_order(order_id, woo_customer_id=0, account_email=""))

    def received(self, order_id: int) -> list[str]:
        return [event.type for event in self.shop.store.events if event.subject == f"order:{order_id}"]

    async def until_refused(self, count: int) -> account_pb2.AccountWarning | None:
        """Waits until the account's warning counts ``count`` events, and returns the warning. Returns None for 0."""

        async def has_count() -> bool:
            return sum(warning.count for warning in (await self.account()).warnings) == count

        await until(has_count, self.account)
        return next(iter((await self.account()).warnings), None)


@pytest_asyncio.fixture
async def shops(database: TestDatabase) -> AsyncIterator[Shops]:
    async with SandboxTill() as till, SandboxShop() as shop, running_service(database.dsn) as service:
        default = till.add_customer(forename="Web", surname="Orders", email="")
        epos = account_pb2.EposSettings(base_url=till.origin, api_key=till.switches.api_key, api_secret=till.switches.api_secret)
        site = account_pb2.ShopSettings(base_url=shop.origin, bridge_secret=shop.switches.bridge_secret)
        account = account_pb2.Account(customer_sync_enabled=True, default_epos_customer_id=default, epos=epos, shop=site)
        await service.client.accounts.create_account(ACCOUNT, account)
        shop.switches.event_types = ()
        yield Shops(service, shop)


async def test_refused_event_is_a_warning_with_its_remedy_and_pauses_nothing(shops: Shops) -> None:
    with captured_lines() as lines:
        await shops.finish_order(1042)
        warning = await shops.until_refused(1)
    [line] = lines.of("event_refused")
    assert (line["account_id"], line["type"], line["field"]) == (ACCOUNT, "order.finished", "type")
    assert line["event_id"].startswith("order:1042:")
    assert not [each for each in lines.all() if "dropped" in each]
    assert warning is not None
    assert (warning.reason, warning.side) == (account_pb2.WARNING_REASON_EVENTS_REFUSED, vocabulary_pb2.SIDE_SHOP)
    assert warning.text == (
        "The tillsync bridge in the shop does not understand what it is told of an order (field type). The service keeps it and tells it "
        "again every hour."
    )
    assert warning.remedy == "Update the tillsync bridge plugin in the shop, then test the connection there."
    assert warning.since.seconds > 0
    account = await shops.account()
    assert not account.HasField("problem")
    [listed] = [each async for each in shops.service.client.accounts.list_accounts()]
    assert listed.warnings == account.warnings
    await shops.finish_order(1043)
    assert (await shops.until_refused(2)) is not None, "the service still sends the events of other orders"


async def test_check_of_an_updated_shop_resends_its_refused_events(shops: Shops) -> None:
    await shops.finish_order(1042)
    await shops.until_refused(1)
    checked = await shops.service.client.accounts.check_account(ACCOUNT)
    assert [warning.name for warning in checked.warnings if warning.side == vocabulary_pb2.SIDE_SHOP] == ["events_refused"]
    assert shops.received(1042) == []
    shops.shop.switches.event_types = KNOWN_TYPES
    await shops.service.client.accounts.check_account(ACCOUNT)
    await shops.shop.wait_for(lambda: shops.received(1042))
    assert (shops.received(1042), await shops.until_refused(0)) == (["order.finished"], None)


async def test_new_bridge_secret_resends_the_refused_events(shops: Shops) -> None:
    await shops.finish_order(1042)
    await shops.until_refused(1)
    shops.shop.switches.event_types = KNOWN_TYPES
    shops.shop.switches.bridge_secret = "n" * 43
    site = account_pb2.ShopSettings(base_url=shops.shop.origin, bridge_secret="n" * 43)
    await shops.service.client.accounts.update_account(ACCOUNT, account_pb2.Account(shop=site), ["shop.bridge_secret"])
    await shops.shop.wait_for(lambda: shops.received(1042))
    await shops.until_refused(0)


async def test_removed_bridge_secret_closes_the_warning(shops: Shops) -> None:
    await shops.finish_order(1042)
    await shops.until_refused(1)
    keys = account_pb2.ShopSettings(bridge_secret="", consumer_key="ck", consumer_secret="cs")
    paths = ["shop.bridge_secret", "shop.consumer_key", "shop.consumer_secret"]
    await shops.service.client.accounts.update_account(ACCOUNT, account_pb2.Account(shop=keys), paths)
    assert list((await shops.account()).warnings) == []
