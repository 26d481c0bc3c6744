"""A shop with stray output around its JSON. Every write is sent once and its result is read, and the output is reported."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fakes.permit import FakePermit
from support.shop_client import ShopWorld, removal, write
from tillsync_sandbox import SandboxShop
from tillsync_sandbox.shop import StrayOutput as Printed
from tillsync_server.domain.account_warnings import StrayKind, StrayOutput
from tillsync_server.domain.customer import TillCustomerType
from tillsync_server.domain.errors import CredentialsRefused
from tillsync_server.domain.ids import EposCustomerTypeId
from tillsync_server.ports.shop import WriteStatus

GOLD = TillCustomerType(epos_customer_type_id=EposCustomerTypeId(4002), name="Gold", discount=Decimal("12.50"), description="Gold card")

TOLD: dict[Printed, StrayOutput | None] = {
    Printed.NONE: None,
    Printed.PHP_NOTICE: StrayOutput(StrayKind.TEXT_BEFORE, "loyal-friends"),
    Printed.TWO_MARKS: StrayOutput(StrayKind.MARKS_BEFORE),
    Printed.NEWLINE_AND_MARK: StrayOutput(StrayKind.MARKS_BEFORE),
    Printed.COMMENT_BEHIND: StrayOutput(StrayKind.TEXT_BEHIND),
    Printed.ZERO_BEHIND: StrayOutput(StrayKind.TEXT_BEHIND),
    Printed.JSON_BEFORE: StrayOutput(StrayKind.TEXT_BEFORE),
    Printed.LATIN_1_BEFORE: StrayOutput(StrayKind.TEXT_BEFORE),
}


@pytest.mark.parametrize("printed", list(Printed))
async def test_bridge_results_inside_stray_output_are_read(shop: SandboxShop, world: ShopWorld, printed: Printed) -> None:
    shop.switches.stray_output = printed
    client = world.with_bridge(shop)
    results = await client.write_customers([write(1), write(2), write(77)], FakePermit())
    assert [each.status for each in results] == [WriteStatus.UPDATED, WriteStatus.UPDATED, WriteStatus.NOT_FOUND]
    assert (await client.put_customer_type(GOLD, 10, FakePermit())).status is WriteStatus.UPDATED
    assert (await client.status()).max_batch == 500
    assert [(route, stray) for route, stray in world.warnings.answers] == [
        ("/wc-tillsync/v1/customers/batch", TOLD[printed]),
        ("/wc-tillsync/v1/customer-types", TOLD[printed]),
        ("/wc-tillsync/v1/status", TOLD[printed]),
    ]
    assert (shop.log.count(method="POST"), shop.log.count(method="PUT")) == (1, 1)


@pytest.mark.parametrize("printed", list(Printed))
async def test_keys_results_inside_stray_output_are_found_by_their_ids(shop: SandboxShop, world: ShopWorld, printed: Printed) -> None:
    shop.switches.stray_output = printed
    client = world.with_keys(shop)
    results = await client.write_customers([write(1), write(77), removal(2)], FakePermit())
    assert [each.status for each in results] == [WriteStatus.UPDATED, WriteStatus.NOT_FOUND, WriteStatus.UPDATED]
    await client.check_access()
    await client.probe()
    assert {stray for _, stray in world.warnings.answers} == {TOLD[printed]}


@pytest.mark.parametrize("printed", list(Printed))
async def test_wordpress_error_inside_stray_output_is_read(shop: SandboxShop, world: ShopWorld, printed: Printed) -> None:
    shop.switches.stray_output = printed
    client = world.with_bridge(shop, secret="another-secret-than-the-shop-has")
    with pytest.raises(CredentialsRefused, match="does not accept our signature"):
        await client.status()
