"""Rules about consumer keys that the service relies on, for the real WooCommerce and for the emulator that the service's tests use."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fakes.permit import FakePermit
from support.shop_client import removal, shop_world, write
from tillsync_sandbox.shop import KeyOwner
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.ports.shop import WriteStatus
from wordpress.harness.keyed import ANOTHER_HOME, Caller, KeyedShop, keyed_shop
from wordpress.harness.shop import Shop
from wordpress.test_checkout_conformance import WATCH

pytestmark = pytest.mark.shops("mariadb")  # the emulator once, the real one with either order store

CUSTOMERS = "/wp-json/wc/v3/customers"
AUTHENTICATION, NO_VIEW = "woocommerce_rest_authentication_error", "woocommerce_rest_cannot_view"


@pytest_asyncio.fixture
async def shop(wp_site: Shop) -> AsyncIterator[KeyedShop]:
    async with keyed_shop(wp_site) as made:
        yield made


async def administrators(shop: KeyedShop) -> Caller:
    return Caller(shop, await shop.key_of(KeyOwner.ADMINISTRATOR))


async def test_basic_authentication_counts_only_where_php_sees_tls(shop: KeyedShop) -> None:
    caller = await administrators(shop)
    plain = await caller.basic("GET", CUSTOMERS)
    assert (plain.status, plain.json["code"]) == (401, NO_VIEW)
    assert (await caller.oauth("GET", CUSTOMERS)).status == 200
    shop.php_sees_tls()
    assert (await caller.basic("GET", CUSTOMERS)).status == 200


async def test_signature_for_https_fails_behind_a_proxy_that_ends_tls(shop: KeyedShop) -> None:
    caller = await administrators(shop)
    refused = await caller.oauth("GET", CUSTOMERS, signed_for=shop.origin.replace("http://", "https://"))
    assert (refused.status, refused.json["code"]) == (401, AUTHENTICATION)


async def test_signature_is_checked_against_the_home_address(shop: KeyedShop) -> None:
    caller = await administrators(shop)
    await shop.home_is(ANOTHER_HOME)
    refused = await caller.oauth("GET", CUSTOMERS)
    assert (refused.status, refused.json["code"]) == (401, AUTHENTICATION)
    assert (await caller.oauth("GET", CUSTOMERS, signed_for=f"http://{ANOTHER_HOME}")).status == 200


async def test_keys_need_index_php_with_plain_permalinks(shop: KeyedShop) -> None:
    caller = await administrators(shop)
    await shop.has_plain_permalinks()
    unseen = await caller.oauth("GET", "/?rest_route=/wc/v3/customers")
    assert (unseen.status, unseen.json["code"]) == (401, NO_VIEW)
    pretty = await caller.oauth("GET", CUSTOMERS)
    assert "json" not in pretty.headers.get("Content-Type", "") or pretty.status == 404


async def test_shop_managers_key_may_not_batch_nor_edit_an_administrator(shop: KeyedShop) -> None:
    caller = Caller(shop, await shop.key_of(KeyOwner.SHOP_MANAGER))
    refused = await caller.oauth("POST", f"{CUSTOMERS}/batch", {"update": [{"id": shop.customer, "first_name": "Grace"}]})
    assert (refused.status, refused.json["code"]) == (403, "woocommerce_rest_cannot_batch")
    assert (await caller.oauth("PUT", f"{CUSTOMERS}/{shop.customer}", {"first_name": "Grace"})).status == 200
    refused = await caller.oauth("PUT", f"{CUSTOMERS}/{shop.administrator}", {"first_name": "Grace"})
    assert (refused.status, refused.json["code"]) == (403, "woocommerce_rest_cannot_edit")


async def test_key_of_a_deleted_owner_looks_like_a_stripped_header(shop: KeyedShop) -> None:
    caller = await administrators(shop)
    shop.php_sees_tls()
    assert (await caller.basic("GET", CUSTOMERS)).status == 200
    await shop.owner_is_gone()
    gone = await caller.basic("GET", CUSTOMERS)
    stripped = await caller.basic("GET", CUSTOMERS, headers={"Authorization": ""})
    assert (gone.status, gone.json["code"]) == (stripped.status, stripped.json["code"]) == (401, NO_VIEW)


async def test_method_in_a_header_passes_a_firewall_that_refuses_put(shop: KeyedShop) -> None:
    caller = await administrators(shop)
    shop.php_sees_tls()
    override = {"X-HTTP-Method-Override": "PUT"}
    changed = await caller.basic("POST", f"{CUSTOMERS}/{shop.customer}", {"first_name": "Grace"}, override)
    assert (changed.status, changed.json["first_name"]) == (200, "Grace")


async def test_customer_list_has_staff_only_with_role_all(shop: KeyedShop) -> None:
    caller = await administrators(shop)
    some = {row["id"] for row in (await caller.oauth("GET", f"{CUSTOMERS}?per_page=100")).json}
    everybody = {row["id"] for row in (await caller.oauth("GET", f"{CUSTOMERS}?per_page=100&role=all")).json}
    assert (shop.customer in some, shop.administrator in some) == (True, False)
    assert {shop.customer, shop.administrator} <= everybody


async def test_bad_item_fails_alone_and_an_oversized_batch_fails_whole(shop: KeyedShop) -> None:
    caller = await administrators(shop)
    items = [{"id": 999_999, "first_name": "x"}, {"id": shop.customer, "first_name": "Grace"}]
    answer = await caller.oauth("POST", f"{CUSTOMERS}/batch", {"update": items})
    bad, good = answer.json["update"]
    assert (answer.status, bad["id"], bad["error"]["code"], good["first_name"]) == (200, 999_999, "wc_user_invalid_id", "Grace")
    assert bad["error"]["data"]["status"] == 404
    # the right to edit is checked for each item
    theirs = {"id": shop.administrator, "email": "taken@example.test"}
    [refused] = (await caller.oauth("POST", f"{CUSTOMERS}/batch", {"update": [theirs]})).json["update"]
    assert (refused["id"], refused["error"]["code"]) == (shop.administrator, "woocommerce_rest_cannot_edit")
    many = await caller.oauth("POST", f"{CUSTOMERS}/batch", {"update": [items[1]] * 101})
    assert many.status == 413


async def test_service_writes_and_removes_values_with_keys(shop: KeyedShop) -> None:
    """The service's own client works with a shop without the bridge."""
    key = await shop.key_of(KeyOwner.ADMINISTRATOR)
    settings = ShopSettings(base_url=shop.origin, consumer_key=key.key, consumer_secret=key.secret)
    async with shop_world() as world:
        client = world.gateway.client(Account(account_id=AccountId("shop-a"), till_id=TillId("till-a"), shop=settings))
        await client.probe()
        await client.check_access()
        results = await client.write_customers([write(shop.customer, points="120"), write(999_999)], FakePermit())
        assert [result.status for result in results] == [WriteStatus.UPDATED, WriteStatus.NOT_FOUND]
        assert (await shop.metas(shop.customer))["tillsync_points_balance"] == "120"
        [removed] = await client.write_customers([removal(shop.customer)], FakePermit())
        assert removed.status is WriteStatus.UPDATED
        assert "tillsync_points_balance" not in await shop.metas(shop.customer)


@pytest.mark.shops("real")
async def test_status_hook_of_a_rest_order_sees_its_final_facts(wp_site: Shop) -> None:
    """wc/v3/orders is of the real WooCommerce only; the stand-in's two checkouts are in test_checkout_conformance.py."""
    wp_site.inject(WATCH)
    async with keyed_shop(wp_site) as shop:
        caller = Caller(shop, await shop.key_of(KeyOwner.ADMINISTRATOR))
        content = {"customer_id": shop.customer, "billing": {"email": "ada@example.test", "first_name": "Ada"}, "payment_method": "cod"}
        made = await caller.oauth("POST", "/wp-json/wc/v3/orders", {**content, "set_paid": True})
        assert made.status == 201, made.text
        seen = (wp_site.content / "uploads/seen.jsonl").read_text(encoding="utf-8").splitlines()
        # paid, with nothing to ship, so the order is completed at once
        assert seen == [f'["pending","completed","ada@example.test",{shop.customer}]']
