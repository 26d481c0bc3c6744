"""Two shops of one WordPress network, each with its own account. They share users and files, but no data of the plugin."""

from __future__ import annotations

from typing import Any

from support.postgres import TestDatabase
from tillsync.v1 import account_pb2, customer_sync_service_pb2, token_pb2, vocabulary_pb2
from wordpress.harness.bridge import BridgedShop, bridged_shop
from wordpress.harness.shop import Shop

BUYER: dict[str, Any] = {"email": "ada@example.test", "first_name": "Ada", "last_name": "Byron"}


async def second_account(bridged: BridgedShop, site: Shop) -> BridgedShop:
    epos = account_pb2.EposSettings(
        base_url=bridged.till.origin, api_key=bridged.till.switches.api_key, api_secret=bridged.till.switches.api_secret
    )
    account = account_pb2.Account(
        customer_sync_enabled=True,
        default_epos_customer_id=bridged.default_customer,
        epos=epos,
        till_id=bridged.account_id,
        shared_till=True,
    )
    await bridged.service.client.accounts.create_account("shop-2", account)
    token = await bridged.service.client.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id="shop-2", name="bridge")
    other = BridgedShop(site, bridged.service, bridged.till, "shop-2", token.connect_string, bridged.default_customer)
    await other.connect()
    return other


async def orders_of(bridged: BridgedShop) -> list[int]:
    request = customer_sync_service_pb2.ListQueueRequest(account_id=bridged.account_id, queue=vocabulary_pb2.QUEUE_ORDERS)
    return [entry.order_id for entry in (await bridged.service.client.sync.list_queue_page(request)).entries]


async def test_each_shop_of_a_network_has_its_own_account(wp_network: tuple[Shop, Shop], database: TestDatabase) -> None:
    first, second = wp_network
    async with bridged_shop(first, database.dsn) as one:
        two = await second_account(one, second)
        assert await one.secret() != await two.secret()
        user = await first.add_user("ada@example.test")
        in_first = await first.add_order(customer_id=user, **BUYER)
        in_second = [await second.add_order(customer_id=user, **BUYER) for _ in range(2)]
        for shop in (one, two):
            await shop.drain()
        assert await orders_of(one) == [in_first]
        assert sorted(await orders_of(two)) == in_second
        # neither shop accepts the other's secret
        assert (await second.signed("GET", "/wc-tillsync/v1/status", None, await two.secret())).json["home_url"] == second.url
        assert (await second.signed("GET", "/wc-tillsync/v1/status", None, await one.secret())).status == 401
        assert (await first.signed("GET", "/wc-tillsync/v1/status", None, await two.secret())).status == 401
        # the same person is one till customer for both, and each shop has its own answer

        async def answered() -> bool:
            await one.drain()
            await two.drain()
            found = [
                (await first.order_meta(in_first)).get("_tillsync_answer"),
                (await second.order_meta(in_second[0])).get("_tillsync_answer"),
            ]
            states = {answer["state"] for answer in found if answer}
            return states == {"ENTRY_STATE_PROCESSED"} and all(found)

        await first.until(answered, 60)
        named = [customer for customer in one.till.store.customers.values() if customer.email_address == "ada@example.test"]
        assert len(named) == 1
        # one disconnects, the other stays connected
        await first.php("Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Connection\\Connector::class )->disconnect();")
        assert (await second.signed("GET", "/wc-tillsync/v1/status", None, await two.secret())).status == 200
        later = await second.add_order(**BUYER)
        await two.drain()
        assert later in await orders_of(two)
