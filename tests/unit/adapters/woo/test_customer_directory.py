"""Shop customers are found by email with consumer keys, on the emulator."""

from __future__ import annotations

import pytest
from support.shop_client import shop_world
from tillsync_sandbox import SandboxShop
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.errors import CredentialsRefused
from tillsync_server.domain.ids import AccountId, TillId


def account(shop: SandboxShop, *, keys: bool = True) -> Account:
    """An account with a bridge, which gets no request."""
    key, secret = (shop.switches.consumer_key, shop.switches.consumer_secret) if keys else ("", "")
    settings = ShopSettings(base_url=shop.origin, consumer_key=key, consumer_secret=secret, bridge_secret=shop.switches.bridge_secret)
    return Account(account_id=AccountId("shop-a"), till_id=TillId("till-a"), shop=settings)


async def test_customer_is_found_with_any_role_and_spelling() -> None:
    async with SandboxShop() as shop, shop_world() as world:
        shop.add_customer(12, email="Ada+shop@Example.test", role="administrator")
        shop.add_customer(13, email="ada@example.test")
        assert await world.gateway.customers_with_email(account(shop), " ada+SHOP@example.test") == [12]
        assert await world.gateway.customers_with_email(account(shop), "nobody@example.test") == []


async def test_email_that_wordpress_refuses_finds_no_customer() -> None:
    async with SandboxShop() as shop, shop_world() as world:
        shop.add_customer(12, email="ada@example.test")
        assert await world.gateway.customers_with_email(account(shop), "ada@localhost") == []


async def test_missing_keys_are_refused_without_a_request() -> None:
    async with SandboxShop() as shop, shop_world() as world:
        with pytest.raises(CredentialsRefused):
            await world.gateway.customers_with_email(account(shop, keys=False), "ada@example.test")
        assert shop.log.total == 0
