"""Events that a shop's bridge cannot read: kept, told as a warning of the account, and told again when the bridge may have been updated."""

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

    async def order_ends(self, order_id: int) -> None:
        """A guest's: it goes to the default customer."""
        await self.service.client.sync.match_order(ACCOUNT, an_order(order_id, woo_customer_id=0, account_email=""))

    def told(self, order_id: int) -> list[str]:
        return [event.type for event in self.shop.store.events if event.subject == f"order:{order_id}"]

    async def until_warned_of(self, count: int) -> account_pb2.AccountWarning | None:
        """The one warning, once it is of so many events; None for 0."""

        async def is_so() -> bool:
            return sum(warning.count for warning in (await self.account()).warnings) == count

        await until(is_so, self.account)
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


async def test_a_refused_event_is_a_warning_with_its_remedy_and_pauses_nothing(shops: Shops) -> None:
    with captured_lines() as lines:
        await shops.order_ends(1042)
        warning = await shops.until_warned_of(1)
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
    await shops.order_ends(1043)
    assert (await shops.until_warned_of(2)) is not None, "others are still told, and their fate shown"


async def test_the_test_of_an_updated_shop_tells_it_what_was_kept(shops: Shops) -> None:
    await shops.order_ends(1042)
    await shops.until_warned_of(1)
    checked = await shops.service.client.accounts.check_account(ACCOUNT)
    assert [warning.name for warning in checked.warnings if warning.side == vocabulary_pb2.SIDE_SHOP] == ["events_refused"]
    assert shops.told(1042) == []
    shops.shop.switches.event_types = KNOWN_TYPES
    await shops.service.client.accounts.check_account(ACCOUNT)
    await shops.shop.wait_for(lambda: shops.told(1042))
    assert (shops.told(1042), await shops.until_warned_of(0)) == (["order.finished"], None)


async def test_a_shop_that_connects_anew_is_told_what_was_kept(shops: Shops) -> None:
    await shops.order_ends(1042)
    await shops.until_warned_of(1)
    shops.shop.switches.event_types = KNOWN_TYPES
    shops.shop.switches.bridge_secret = "n" * 43
    site = account_pb2.ShopSettings(base_url=shops.shop.origin, bridge_secret="n" * 43)
    await shops.service.client.accounts.update_account(ACCOUNT, account_pb2.Account(shop=site), ["shop.bridge_secret"])
    await shops.shop.wait_for(lambda: shops.told(1042))
    await shops.until_warned_of(0)


async def test_another_shop_is_not_told_of_what_the_former_one_refused(shops: Shops) -> None:
    await shops.order_ends(1042)
    await shops.until_warned_of(1)
    keys = account_pb2.ShopSettings(bridge_secret="", consumer_key="ck", consumer_secret="cs")
    paths = ["shop.bridge_secret", "shop.consumer_key", "shop.consumer_secret"]
    await shops.service.client.accounts.update_account(ACCOUNT, account_pb2.Account(shop=keys), paths)
    assert list((await shops.account()).warnings) == []
