"""Writes of customers with unknown values, for a bridge of each wire version."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fakes.permit import FakePermit
from support.shop_client import shop_world, write
from tillsync_sandbox import SandboxShop
from tillsync_server.domain.errors import Refused
from tillsync_server.domain.ids import WooCustomerId
from tillsync_server.ports.shop import WriteStatus


async def test_older_bridge_gets_the_other_customers_and_the_gap_is_named() -> None:
    async with SandboxShop() as shop, shop_world() as world:
        for number in (1, 2, 3):
            shop.add_customer(number)
        shop.switches.bridge_api = 1
        client = world.with_bridge(shop)
        results = await client.write_customers([write(1), write(2, points=None), write(3)], FakePermit())
        assert [result.status for result in results] == [WriteStatus.UPDATED, WriteStatus.INVALID, WriteStatus.UPDATED]
        assert (results[1].field, results[1].error is not None and "update the tillsync bridge plugin" in results[1].error.text) == (
            "points",
            True,
        )
        assert set(shop.store.bridge_rows) == {1, 3}


async def test_bridge_version_is_read_once_and_only_for_gaps() -> None:
    async with SandboxShop() as shop, shop_world() as world:
        for number in (1, 2):
            shop.add_customer(number)
        client = world.with_bridge(shop)
        await client.write_customers([write(1)], FakePermit())
        assert shop.log.count(path="*/status") == 0
        for version in (11, 12):
            await client.write_customers([write(1, version=version), write(2, version=version, credit=None)], FakePermit())
        assert shop.log.count(path="*/status") == 1
        row = shop.store.bridge_rows[2]
        assert (row.points, row.credit) == ("10", "")


async def test_downgraded_plugin_gets_values_without_the_registration_time() -> None:
    """An older plugin release was installed again. It refuses unknown fields and reports its version."""
    async with SandboxShop() as shop, shop_world() as world:
        for number in (1, 2):
            shop.add_customer(number)
        client = world.with_bridge(shop)
        await client.status()
        shop.switches.bridge_api = 1
        writes = [replace(write(1), registered_at=datetime(2026, 1, 5, 9, 30, tzinfo=UTC)), write(2)]
        results = await client.write_customers(writes, FakePermit())
        assert [result.status for result in results] == [WriteStatus.UPDATED, WriteStatus.UNCHANGED]
        assert set(shop.store.bridge_rows) == {1, 2}


async def test_older_bridge_refuses_to_read_users() -> None:
    async with SandboxShop() as shop, shop_world() as world:
        shop.switches.bridge_api = 1
        with pytest.raises(Refused, match="update it"):
            await world.with_bridge(shop).read_users([WooCustomerId(1)])
