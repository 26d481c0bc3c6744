"""The shop's adapter through the bridge, over real HTTP: versions, results per item, and the learnt properties of a site."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from fakes.permit import FakePermit
from support.shop_client import ShopWorld, removal, write
from tillsync_sandbox import SandboxShop
from tillsync_sandbox.shop import Permalinks
from tillsync_server.domain.customer import TillCustomerType
from tillsync_server.domain.errors import (
    BridgeMissing,
    LeaseTooShort,
    Refused,
    ServerFailure,
    Throttled,
    Unanswered,
    Unreachable,
    Unreadable,
)
from tillsync_server.domain.ids import EposCustomerTypeId
from tillsync_server.ports.shop import ShopClient, WriteStatus

BATCH = "/wc-tillsync/v1/customers/batch"
GOLD = TillCustomerType(epos_customer_type_id=EposCustomerTypeId(4002), name="Gold", discount=Decimal("12.50"), description="Gold card")


@pytest_asyncio.fixture
async def client(world: ShopWorld, shop: SandboxShop) -> ShopClient:
    return world.with_bridge(shop)


# -- values


async def test_values_are_stored_as_sent(shop: SandboxShop, client: ShopClient) -> None:
    (result,) = await client.write_customers([write(1, version=10, points="12.5", credit="-3.10")], FakePermit())
    assert result.status is WriteStatus.UPDATED
    row = shop.store.bridge_rows[1]
    assert (row.version, row.points, row.credit, row.type_id, row.as_of) == (10, "12.5", "-3.10", 4001, "2026-01-02T03:04:05Z")
    assert (shop.store.users[1].first_name, shop.store.users[1].email) == ("Ada", "c1@example.test")


async def test_names_and_phone_are_written_only_if_given(shop: SandboxShop, client: ShopClient) -> None:
    await client.write_customers([write(1, first_name="Augusta", phone="01632 960000"), write(2)], FakePermit())
    assert (shop.store.users[1].first_name, shop.store.users[1].last_name) == ("Augusta", "Byron")
    assert shop.store.users[1].billing["phone"] == "01632 960000"
    assert shop.store.users[2].first_name == "Ada"


async def test_five_hundred_writes_are_one_request(shop: SandboxShop, client: ShopClient) -> None:
    for number in range(4, 501):
        shop.add_customer(number)
    results = await client.write_customers([write(number) for number in range(1, 501)], FakePermit())
    assert {result.status for result in results} == {WriteStatus.UPDATED}
    assert shop.log.count() == 1
    with pytest.raises(ValueError, match="at most 500"):
        await client.write_customers([write(1)] * 501, FakePermit())


async def test_removal_makes_older_writes_stale(shop: SandboxShop, client: ShopClient) -> None:
    await client.write_customers([write(1, version=10)], FakePermit())
    (removed,) = await client.write_customers([removal(1, version=20)], FakePermit())
    (late,) = await client.write_customers([write(1, version=15)], FakePermit())
    assert (removed.status, late.status, late.version) == (WriteStatus.UPDATED, WriteStatus.STALE, 20)
    assert shop.store.bridge_rows[1].points is None


async def test_bad_item_does_not_fail_other_items(shop: SandboxShop, client: ShopClient) -> None:
    writes = [write(1), write(99), write(2, points="1e9"), write(3, phone="not a phone!"), write(3)]
    results = await client.write_customers(writes, FakePermit())
    assert [(result.status, result.field) for result in results] == [
        (WriteStatus.UPDATED, None),
        (WriteStatus.NOT_FOUND, None),
        (WriteStatus.INVALID, "points"),
        (WriteStatus.INVALID, "phone"),
        (WriteStatus.UPDATED, None),
    ]


async def test_items_the_shop_had_no_time_for_are_not_done(shop: SandboxShop, client: ShopClient) -> None:
    shop.switches.not_done_after = 2
    results = await client.write_customers([write(number) for number in (1, 2, 3)], FakePermit())
    assert [result.status for result in results] == [WriteStatus.UPDATED, WriteStatus.UPDATED, WriteStatus.NOT_DONE]
    assert 3 not in shop.store.bridge_rows


# -- customer types, status


async def test_types_are_written_and_deleted_in_version_order(shop: SandboxShop, client: ShopClient) -> None:
    assert (await client.put_customer_type(GOLD, 10, FakePermit())).status is WriteStatus.UPDATED
    row = shop.store.customer_types[4002]
    assert (row.name, row.discount, row.description, row.version) == ("Gold", "12.5", "Gold card", 10)
    assert (await client.put_customer_type(GOLD, 11, FakePermit())).status is WriteStatus.UNCHANGED
    assert (await client.delete_customer_type(GOLD.epos_customer_type_id, 12, FakePermit())).status is WriteStatus.UPDATED
    late = await client.put_customer_type(GOLD, 11, FakePermit())
    assert (late.status, late.version) == (WriteStatus.STALE, 12)
    assert shop.store.customer_types[4002].removed


async def test_status_has_versions_and_home_url(shop: SandboxShop, client: ShopClient) -> None:
    status = await client.status()
    assert (status.bridge_version, status.wordpress, status.woocommerce, status.max_batch) == ("1.0.0", "6.9", "10.5.0", 500)
    assert status.home_url == shop.origin
    await client.probe()


# -- learnt properties of a site


async def test_smaller_batch_size_is_learnt_from_a_refusal(shop: SandboxShop, client: ShopClient) -> None:
    for number in range(4, 251):
        shop.add_customer(number)
    shop.switches.max_batch = 100
    results = await client.write_customers([write(number) for number in range(1, 251)], FakePermit())
    assert {result.status for result in results} == {WriteStatus.UPDATED}
    assert client.max_batch == 100
    sizes = [len(json.loads(request.body)["items"]) for request in shop.log.matching(method="POST")]
    assert sizes == [250, 100, 100, 50]


async def test_byte_limit_halves_the_batch(shop: SandboxShop, client: ShopClient) -> None:
    page = "<html><title>413 Request Entity Too Large</title></html>"
    shop.faults.script(where=lambda request: len(request.body) > 200, status=413, body=page, content_type="text/html", times=None)
    results = await client.write_customers([write(1), write(2), write(3)], FakePermit())
    assert {result.status for result in results} == {WriteStatus.UPDATED}
    assert client.max_batch == 1


async def test_single_item_over_the_byte_limit_is_refused(shop: SandboxShop, client: ShopClient) -> None:
    shop.faults.script(method="POST", status=413, times=None)
    with pytest.raises(Refused, match=r"too large.*raise its limit"):
        await client.write_customers([write(1)], FakePermit())


@pytest.mark.parametrize("permalinks", list(Permalinks))
@pytest.mark.parametrize("slash", ["", "/"])
async def test_rest_address_is_found_with_all_permalinks(shop: SandboxShop, world: ShopWorld, permalinks: Permalinks, slash: str) -> None:
    shop.switches.permalinks = permalinks
    client = world.with_bridge(shop, base_url=shop.origin + slash)
    for version in (10, 11):
        (result,) = await client.write_customers([write(1, version=version, points=str(version))], FakePermit())
        assert result.status is WriteStatus.UPDATED
    # The first write: a refused write, the index of each further address form, the write. The address is then known: one request.
    requests, writes = {Permalinks.PRETTY: (2, 2), Permalinks.PLAIN: (4, 3), Permalinks.PLAIN_REWRITTEN: (5, 3)}[permalinks]
    assert shop.log.total == requests
    assert len([request for request in shop.log if request.method == "POST"]) == writes


async def test_put_and_delete_are_tunnelled_through_post(shop: SandboxShop, client: ShopClient) -> None:
    shop.switches.firewall_refuses_put_and_delete = True
    assert (await client.put_customer_type(GOLD, 10, FakePermit())).status is WriteStatus.UPDATED
    assert (await client.delete_customer_type(GOLD.epos_customer_type_id, 11, FakePermit())).status is WriteStatus.UPDATED
    assert [(request.method, request.headers.get("x-http-method-override")) for request in shop.log] == [
        ("PUT", None),
        ("POST", "PUT"),
        ("POST", "DELETE"),
    ]


async def test_content_blocked_by_a_firewall_fails_only_its_write(shop: SandboxShop, client: ShopClient) -> None:
    page = "<html><title>403 Forbidden</title>blocked</html>"
    shop.faults.script(contains="union select", status=403, body=page, content_type="text/html", times=None)
    with pytest.raises(Refused, match="refuses the content of this request"):
        await client.write_customers([write(1, last_name="union select")], FakePermit())
    (result,) = await client.write_customers([write(2)], FakePermit())
    assert result.status is WriteStatus.UPDATED


# -- failures of a site


async def test_inactive_plugin_is_bridge_missing_without_a_fallback(shop: SandboxShop, client: ShopClient) -> None:
    shop.switches.bridge_installed = False
    for ask in (
        lambda: client.write_customers([write(1)], FakePermit()),
        lambda: client.put_customer_type(GOLD, 1, FakePermit()),
        client.probe,
    ):
        with pytest.raises(BridgeMissing, match=r"plugin is not active.*activate or update it"):
            await ask()
    assert shop.log.count(path="*/wc/v3/*") == 0
    assert shop.store.users[1].meta.rows == []


@pytest.mark.parametrize("answer", [{"status": 429, "headers": {"Retry-After": "7"}}, {"status": 429}])
async def test_request_limit_of_the_host_is_throttled(shop: SandboxShop, client: ShopClient, answer: dict[str, Any]) -> None:
    shop.faults.script(path="*", **answer)
    with pytest.raises(Throttled, match="ask it to allow this service more") as caught:
        await client.write_customers([write(1)], FakePermit())
    assert caught.value.retry_after_seconds == (7.0 if "headers" in answer else 60.0)


@pytest.mark.parametrize(
    ("fault", "stored"), [({"disconnect": "before"}, False), ({"disconnect": "after"}, True), ({"truncate": True}, True)]
)
async def test_lost_answer_is_unanswered_and_the_repeated_write_is_harmless(
    shop: SandboxShop, client: ShopClient, fault: dict[str, Any], stored: bool
) -> None:
    shop.faults.script(method="POST", **fault)
    with pytest.raises(Unanswered):
        await client.write_customers([write(1)], FakePermit())
    assert shop.log.count() == 1
    assert (1 in shop.store.bridge_rows) is stored
    (again,) = await client.write_customers([write(1)], FakePermit())
    assert again.status is (WriteStatus.UNCHANGED if stored else WriteStatus.UPDATED)


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        '{"results":[]}',
        '{"results":[{"user_id":2,"status":"updated"}]}',
        '{"results":[{"user_id":1,"status":"merged"}]}',
        '{"results":[{"user_id":1,"status":"stale"}]}',
        '{"results":[{"user_id":true,"status":"updated"}]}',
        '{"results":[null]}',
        "",
    ],
)
async def test_invalid_answer_is_unreadable(shop: SandboxShop, client: ShopClient, body: str) -> None:
    shop.faults.script(method="POST", status=200, body=body, content_type="application/json")
    with pytest.raises(Unreadable):
        await client.write_customers([write(1)], FakePermit())


@pytest.mark.catches("shop-writes-need-a-permit")
async def test_refused_permit_sends_no_write(shop: SandboxShop, client: ShopClient) -> None:
    permit = FakePermit.of_seconds(3.0)
    with pytest.raises(LeaseTooShort):
        await client.write_customers([write(1)], permit)
    with pytest.raises(LeaseTooShort):
        await client.put_customer_type(GOLD, 10, permit)
    assert shop.log.count() == 0


async def test_split_batch_keeps_known_results_when_the_lease_ends(shop: SandboxShop, client: ShopClient) -> None:
    permit = FakePermit(lambda: 3.0 if shop.log.count(method="POST") >= 1 else 30.0)
    shop.switches.max_batch = 1
    await client.status()
    results = await client.write_customers([write(1), write(2)], permit)
    assert [result.status for result in results] == [WriteStatus.UPDATED, WriteStatus.NOT_DONE]


async def test_split_batch_keeps_known_results_when_the_shop_fails(shop: SandboxShop, client: ShopClient) -> None:
    shop.switches.max_batch = 1
    await client.status()
    shop.faults.script(method="POST", skip=1, status=500)
    results = await client.write_customers([write(1), write(2), write(3)], FakePermit())
    assert [result.status for result in results] == [WriteStatus.UPDATED, WriteStatus.ERROR, WriteStatus.ERROR]
    assert all(isinstance(result.error, ServerFailure) for result in results[1:])


@pytest.mark.parametrize("ask", ["put", "delete"])
async def test_lost_answer_of_a_type_write_is_harmless(shop: SandboxShop, client: ShopClient, ask: str) -> None:
    """aiohttp may repeat a PUT or DELETE once. The version makes the repeat harmless."""
    type_id = GOLD.epos_customer_type_id
    shop.faults.script(path="*/customer-types/4002", disconnect="after", times=None)
    with pytest.raises(Unanswered):
        await (client.put_customer_type(GOLD, 10, FakePermit()) if ask == "put" else client.delete_customer_type(type_id, 10, FakePermit()))
    assert shop.log.count() <= 2
    shop.faults.clear()
    assert shop.store.customer_types[4002].version == 10
    late = await client.put_customer_type(GOLD, 9, FakePermit())
    assert (late.status, late.version) == (WriteStatus.STALE, 10)


@pytest.mark.parametrize("fault", [{"disconnect": "after"}, {"truncate": True}, {"status": 502}])
async def test_reads_are_retried_and_writes_are_not(shop: SandboxShop, client: ShopClient, world: ShopWorld, fault: dict[str, Any]) -> None:
    shop.faults.script(method="GET", **fault)
    assert (await client.status()).max_batch == 500
    assert len(world.waited) == 1
    shop.faults.script(method="POST", **fault)
    with pytest.raises((Unanswered, ServerFailure)):
        await client.write_customers([write(1)], FakePermit())
    assert shop.log.count(method="POST") == 1
    assert len(world.waited) == 1


async def test_write_uses_a_new_connection(shop: SandboxShop, client: ShopClient) -> None:
    await client.status()
    await client.write_customers([write(1)], FakePermit())
    await client.put_customer_type(GOLD, 10, FakePermit())
    assert [request.headers.get("connection") for request in shop.log] == [None, "close", "close"]


async def test_stopped_shop_is_unreachable(shop: SandboxShop, client: ShopClient) -> None:
    await shop.stop()
    with pytest.raises(Unreachable, match="not reached: connect"):
        await client.write_customers([write(1)], FakePermit())
    with pytest.raises(Unreachable, match="not reached: connect"):
        await client.probe()


async def test_name_that_the_shop_does_not_store_is_reported_and_values_are_stored(shop: SandboxShop, client: ShopClient) -> None:
    shop.switches.three_byte_tables = True
    writes = [write(1, first_name="Zoë \U0001f98a", last_name="Žižka"), write(2, first_name="Ada")]
    results = await client.write_customers(writes, FakePermit())
    assert [(result.status, result.not_kept) for result in results] == [(WriteStatus.UPDATED, ("first_name",)), (WriteStatus.UPDATED, ())]
    assert (shop.store.users[1].last_name, shop.store.bridge_rows[1].points) == ("Žižka", "10")
