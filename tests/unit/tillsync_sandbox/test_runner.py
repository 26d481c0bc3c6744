"""``tillsync sandbox`` starts two servers on loopback, with customers that match by email."""

from __future__ import annotations

import pytest
from support.sandbox import caller
from tillsync_sandbox import TillSwitches
from tillsync_sandbox.runner import SeedOptions, loopback_address, run_sandbox


async def test_till_and_shop_have_the_same_people() -> None:
    async with run_sandbox(seed=SeedOptions(till_customers=20, shop_customers=25, twins=3)) as running:
        till, shop = running.till, running.shop
        assert till.store.customer_count == 20 + 3 + 1
        copies = [len(till.customers_by_email(user.email)) for user in shop.store.users.values()]
        assert copies == [2] * 3 + [1] * 17 + [0] * 5
        async with caller(till.origin) as till_call, caller(shop.origin) as shop_call:
            shown = (await till_call("GET", "/sandbox/customers")).json["customers"]
            assert all(row["EmailAddress"] is None or row["EmailAddress"].endswith("@example.test") for row in shown)
            assert len((await shop_call("GET", "/sandbox/customers")).json["customers"]) == 25
        printed = "\n".join(running.lines)
        for part in (till.origin, shop.origin, till.switches.api_secret, shop.switches.bridge_secret, str(running.default_customer_id)):
            assert part in printed


async def test_same_seed_makes_the_same_people() -> None:
    async def people(seed: int) -> list[tuple[str | None, int]]:
        async with run_sandbox(seed=SeedOptions(seed=seed)) as running:
            return [(customer.email_address, int(customer.current_points)) for customer in running.till.store]

    assert await people(1) == await people(1)
    assert await people(1) != await people(2)


async def test_switches_and_addresses_are_applied() -> None:
    switches = TillSwitches(page_size=7, webhook_url="http://127.0.0.1:1/")
    async with run_sandbox("localhost:0", "[::1]:0", till_switches=switches) as running:
        assert running.till.switches.page_size == 7
        assert running.till.webhooks.deliveries == []
        running.till.add_customer()
        assert len(running.till.webhooks.deliveries) == 1
        assert running.shop.origin.startswith("http://[::1]:")


@pytest.mark.parametrize("listen", ["0.0.0.0:8081", "192.0.2.1:80", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "till:80", ":80"])
def test_listen_address_beyond_loopback_is_refused(listen: str) -> None:
    with pytest.raises(ValueError, match=r"loopback|127\.0\.0\.1"):
        loopback_address(listen)


async def test_occupied_port_raises_and_leaves_no_server() -> None:
    async with run_sandbox() as running:
        port = running.till.origin.rpartition(":")[2]
        with pytest.raises(OSError, match="in use"):
            async with run_sandbox(shop_listen=f"127.0.0.1:{port}"):
                pass


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="twins"):
        SeedOptions(twins=-1)
