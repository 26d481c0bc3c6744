"""Failure modes of a site. Each raises one error class with a remedy, through the bridge and with keys."""

from __future__ import annotations

from decimal import Decimal

import pytest
import pytest_asyncio
from fakes.permit import FakePermit
from support.shop_client import ShopWorld, write
from tillsync_sandbox import SandboxShop
from tillsync_sandbox.shop import FailureMode
from tillsync_server.domain.customer import TillCustomerType
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import CredentialsRefused, Misaddressed, ServerFailure, Unreadable, UpstreamError
from tillsync_server.domain.ids import EposCustomerTypeId
from tillsync_server.ports.shop import ShopClient

GOLD = TillCustomerType(epos_customer_type_id=EposCustomerTypeId(4002), name="Gold", discount=Decimal("12.50"), description="Gold card")

WITH_BRIDGE: dict[FailureMode, tuple[type[UpstreamError], str]] = {
    FailureMode.MAINTENANCE: (ServerFailure, "maintenance or overloaded.*wait until it is done"),
    FailureMode.MOVED_301: (Misaddressed, r"redirects \(HTTP 301\).*https://www\.shop\.example\.test: .*set the address it points to"),
    FailureMode.MOVED_302: (Misaddressed, r"redirects \(HTTP 302\).*set the address it points to"),
    FailureMode.MOVED_308: (Misaddressed, r"redirects \(HTTP 308\).*set the address it points to"),
    FailureMode.REST_OFF_401: (CredentialsRefused, "REST API is switched off.*allow /wp-json/ in the security plugin"),
    FailureMode.REST_OFF_403: (CredentialsRefused, "REST API is switched off.*allow /wp-json/ in the security plugin"),
    FailureMode.REST_OFF_404: (Misaddressed, "no WordPress REST API.*correct the base address, or show the hidden REST API"),
    FailureMode.FIREWALL: (Misaddressed, "firewall before the shop refuses.*have its host allow"),
    FailureMode.CHALLENGE: (Misaddressed, "bot check stands before the shop.*except /wp-json/"),
    FailureMode.FORBIDDEN: (CredentialsRefused, "does not accept our signature.*connect the plugin again.*compare the clocks"),
    FailureMode.CACHED_HTML: (Unreadable, "web page in place of data.*exclude /wp-json/ from the caches"),
    FailureMode.CRITICAL_ERROR: (ServerFailure, "the shop failed.*PHP error log"),
    FailureMode.DATABASE_DOWN: (ServerFailure, "site failed before its REST API.*HTTP 500, HTML page of .*ask its host"),
}

WITH_KEYS = WITH_BRIDGE | {FailureMode.FORBIDDEN: (CredentialsRefused, "does not accept the consumer key.*check key, secret and its owner")}


@pytest_asyncio.fixture
async def client(world: ShopWorld, shop: SandboxShop) -> ShopClient:
    return world.with_bridge(shop)


def test_only_the_stripped_header_is_not_a_bridge_failure() -> None:
    """A stripped header affects only Basic over TLS (test_keys_client.py)."""
    assert set(FailureMode) - set(WITH_BRIDGE) == {FailureMode.HEADER_STRIPPED}


@pytest.mark.parametrize("trouble", list(WITH_BRIDGE))
async def test_every_failure_mode_through_the_bridge_has_an_error_and_a_remedy(
    shop: SandboxShop, client: ShopClient, trouble: FailureMode
) -> None:
    error, text = WITH_BRIDGE[trouble]
    shop.switches.trouble = trouble
    for ask in (
        lambda: client.write_customers([write(1), write(2)], FakePermit()),
        lambda: client.put_customer_type(GOLD, 10, FakePermit()),
        client.status,
        client.probe,
    ):
        with pytest.raises(error, match=text) as caught:
            await ask()
        assert caught.value.side is Side.SHOP
        assert len(caught.value.text) <= 500
        assert shop.switches.bridge_secret not in caught.value.text
        assert "<" not in caught.value.text
    assert shop.store.bridge_rows == {}
    shop.switches.trouble = None
    assert (await client.status()).max_batch == 500


@pytest.mark.parametrize("trouble", list(WITH_KEYS))
async def test_every_failure_mode_with_keys_has_an_error_and_a_remedy(shop: SandboxShop, world: ShopWorld, trouble: FailureMode) -> None:
    error, text = WITH_KEYS[trouble]
    shop.switches.trouble = trouble
    client = world.with_keys(shop)
    for ask in (lambda: client.write_customers([write(1), write(2)], FakePermit()), client.probe):
        with pytest.raises(error, match=text) as caught:
            await ask()
        assert len(caught.value.text) <= 500
        assert shop.switches.consumer_secret not in caught.value.text
    assert [bool(shop.store.users[number].meta.rows) for number in (1, 2)] == [False, False]
    shop.switches.trouble = None
    await client.probe()


async def test_maintenance_error_has_the_retry_delay(shop: SandboxShop, client: ShopClient, world: ShopWorld) -> None:
    shop.switches.update({"trouble": "maintenance", "retry_after_seconds": 600})
    with pytest.raises(ServerFailure) as caught:
        await client.status()
    assert (caught.value.status, caught.value.retry_after_seconds) == (503, 600.0)
    assert world.waited == []  # longer than a retry within seconds
