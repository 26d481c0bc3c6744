"""The shop's adapter without a bridge: wc/v3 with consumer keys, batches with errors inside, and single writes if batches are refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fakes.permit import FakePermit
from support.shop_client import ShopWorld, removal, shop_world, tls_contexts, write
from tillsync_sandbox import SandboxShop
from tillsync_sandbox.shop import FailureMode, KeyOwner, Permalinks
from tillsync_server.domain.customer import TillCustomerType
from tillsync_server.domain.errors import (
    CredentialsRefused,
    Misaddressed,
    Refused,
    ServerFailure,
    Unanswered,
    Unreadable,
)
from tillsync_server.domain.ids import EposCustomerTypeId
from tillsync_server.ports.shop import ShopClient, WriteStatus

BATCH = "*/wc/v3/customers/batch"


def _people(shop: SandboxShop, count: int = 3) -> None:
    for number in range(1, count + 1):
        shop.add_customer(number, email=f"c{number}@example.test", first_name="Ada", last_name="Byron")


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[SandboxShop]:
    """A shop over plain HTTP, so that the client signs with OAuth 1.0a."""
    async with SandboxShop() as running:
        _people(running)
        yield running


@pytest_asyncio.fixture
async def client(world: ShopWorld, shop: SandboxShop) -> ShopClient:
    return world.with_keys(shop)


def _metas(shop: SandboxShop, user_id: int) -> dict[str, object]:
    return shop.store.users[user_id].meta.as_dict()


VALUES = {
    "tillsync_points_balance": "10",
    "tillsync_points_as_of": "2026-01-02T03:04:05Z",
    "tillsync_credit_balance": "3.50",
    "tillsync_customer_type_id": "4001",
}


# -- both kinds of keys


async def test_values_are_stored_as_metas(shop: SandboxShop, client: ShopClient) -> None:
    results = await client.write_customers([write(1), write(2, type_id=None)], FakePermit())
    assert [result.status for result in results] == [WriteStatus.UPDATED] * 2
    assert _metas(shop, 1) == VALUES
    assert "tillsync_customer_type_id" not in _metas(shop, 2)
    (request,) = shop.log
    assert request.scheme == ""
    assert request.query["oauth_signature_method"] == "HMAC-SHA256"
    assert shop.switches.consumer_secret not in str(request.query)


async def test_tls_shop_is_called_with_basic_credentials(tmp_path: Path) -> None:
    server, trusting = tls_contexts(tmp_path)
    async with SandboxShop(ssl_context=server) as shop, shop_world(ssl_context=trusting) as world:
        _people(shop)
        client = world.with_keys(shop, base_url=shop.origin.replace("127.0.0.1", "localhost"))
        await client.probe()
        (result,) = await client.write_customers([write(1)], FakePermit())
        assert result.status is WriteStatus.UPDATED
        assert _metas(shop, 1) == VALUES
        assert [request.scheme for request in shop.log] == ["Basic", "Basic"]
        shop.switches.trouble = FailureMode.HEADER_STRIPPED
        with pytest.raises(CredentialsRefused, match="passes the Authorization header"):
            await client.write_customers([write(1)], FakePermit())


async def test_only_our_fields_are_ever_sent(shop: SandboxShop, client: ShopClient) -> None:
    await client.write_customers([write(1, first_name="Augusta", last_name="King", phone="01632 960000"), removal(2)], FakePermit())
    (request,) = shop.log
    for item in json.loads(request.body)["update"]:
        assert set(item) <= {"id", "meta_data", "first_name", "last_name", "billing"}
        assert set(item.get("billing", {})) <= {"phone"}
        assert {meta["key"] for meta in item["meta_data"]} == set(VALUES)
    user = shop.store.users[1]
    assert (user.first_name, user.last_name, user.billing["phone"], user.email) == ("Augusta", "King", "01632 960000", "c1@example.test")


async def test_removal_deletes_only_tillsync_metas(shop: SandboxShop, client: ShopClient) -> None:
    shop.store.users[1].meta.update("someone_elses", "value")
    await client.write_customers([write(1)], FakePermit())
    (result,) = await client.write_customers([removal(1)], FakePermit())
    assert result.status is WriteStatus.UPDATED
    assert _metas(shop, 1) == {"someone_elses": "value"}


async def test_duplicate_meta_rows_become_one(shop: SandboxShop, client: ShopClient) -> None:
    for value in ("1", "2"):
        shop.store.users[1].meta.add("tillsync_points_balance", value)
    (result,) = await client.write_customers([write(1)], FakePermit())
    assert result.status is WriteStatus.UPDATED
    assert [row.value for row in shop.store.meta_rows(1) if row.key == "tillsync_points_balance"] == ["10"]


async def test_hundred_writes_are_one_request_and_more_raise_value_error(shop: SandboxShop, client: ShopClient) -> None:
    for number in range(4, 101):
        shop.add_customer(number)
    assert client.max_batch == 100
    results = await client.write_customers([write(number) for number in range(1, 101)], FakePermit())
    assert {result.status for result in results} == {WriteStatus.UPDATED}
    assert shop.log.count() == 1
    with pytest.raises(ValueError, match="at most 100"):
        await client.write_customers([write(1)] * 101, FakePermit())


# -- the batch that answers 200 with errors inside


async def test_errors_inside_a_batch_belong_to_their_items(shop: SandboxShop, client: ShopClient) -> None:
    writes = [write(1), write(99), write(2, phone="none; DROP"), write(3, points="1e9"), write(98), write(3)]
    results = await client.write_customers(writes, FakePermit())
    assert [(result.status, result.field) for result in results] == [
        (WriteStatus.UPDATED, None),
        (WriteStatus.NOT_FOUND, None),
        (WriteStatus.INVALID, "phone"),
        (WriteStatus.INVALID, "points"),
        (WriteStatus.NOT_FOUND, None),
        (WriteStatus.UPDATED, None),
    ]
    # WooCommerce would accept the invalid ones, so they are not sent.
    (request,) = shop.log
    assert [item["id"] for item in json.loads(request.body)["update"]] == [1, 99, 98, 3]
    assert "_fields" not in request.query


@pytest.mark.parametrize(
    ("names", "field"),
    [
        ({"first_name": "x" * 101}, "first_name"),
        ({"last_name": "<b>King</b>"}, "last_name"),
        ({"first_name": "A%20B"}, "first_name"),
        ({"phone": "call me"}, "phone"),
    ],
)
async def test_name_altered_by_wordpress_is_not_sent(shop: SandboxShop, client: ShopClient, names: dict[str, Any], field: str) -> None:
    (result,) = await client.write_customers([write(1, **names)], FakePermit())
    assert (result.status, result.field) == (WriteStatus.INVALID, field)
    assert isinstance(result.error, Refused)
    assert "correct it in Epos Now" in result.error.text or "shorten it in Epos Now" in result.error.text
    assert shop.log.count() == 0


async def test_white_space_is_folded_as_wordpress_stores_it(shop: SandboxShop, client: ShopClient) -> None:
    (result,) = await client.write_customers([write(1, first_name="  Augusta \t Ada ")], FakePermit())
    assert result.status is WriteStatus.UPDATED
    assert shop.store.users[1].first_name == "Augusta Ada"


def _row(user_id: int, **changes: Any) -> dict[str, Any]:
    metas = [{"id": number, "key": key, "value": value} for number, (key, value) in enumerate(VALUES.items())]
    return {"id": user_id, "first_name": "Ada", "last_name": "Byron", "billing": {"phone": ""}, "meta_data": metas, **changes}


async def test_value_that_the_shop_did_not_store_is_an_error_of_its_item(shop: SandboxShop, client: ShopClient) -> None:
    rows = [_row(1), _row(2, meta_data=_row(2)["meta_data"][1:]), _row(3, first_name="Someone")]
    shop.faults.script(path=BATCH, status=200, body=json.dumps({"update": rows}), content_type="application/json")
    results = await client.write_customers([write(1), write(2), write(3, first_name="Ada")], FakePermit())
    assert [(result.status, result.field) for result in results] == [
        (WriteStatus.UPDATED, None),
        (WriteStatus.ERROR, "tillsync_points_balance"),
        (WriteStatus.UPDATED, None),
    ]
    assert [result.not_kept for result in results] == [(), (), ("first_name",)]
    assert isinstance(results[1].error, Unreadable)
    assert "which of its plugins alters customers" in results[1].error.text


@pytest.mark.parametrize("one_by_one", [False, True])
async def test_name_that_the_shop_does_not_store_is_reported_and_values_are_stored(
    shop: SandboxShop, client: ShopClient, one_by_one: bool
) -> None:
    """The shop's tables hold characters of up to three bytes, and WooCommerce still reports a saved customer."""
    shop.switches.update({"three_byte_tables": True, "key_owner": "shop_manager" if one_by_one else "administrator"})
    (result,) = await client.write_customers([write(1, first_name="Zoë \U0001f98a", last_name="Žižka")], FakePermit())
    assert (result.status, result.not_kept) == (WriteStatus.UPDATED, ("first_name",))
    user = shop.store.users[1]
    assert (user.first_name, user.last_name, _metas(shop, 1)["tillsync_points_balance"]) == ("Ada", "Žižka", "10")


async def test_other_errors_inside_a_batch_name_their_field(shop: SandboxShop, client: ShopClient) -> None:
    def error(code: str, status: int, **data: Any) -> dict[str, Any]:
        return {"id": 0, "error": {"code": code, "message": f"{code} <b>said</b>", "data": {"status": status, **data}}}

    rows = [error("rest_invalid_param", 400, params={"billing": "bad"}), error("some_plugin_says_no", 403), error("internal", 500)]
    shop.faults.script(path=BATCH, status=200, body=json.dumps({"update": rows}), content_type="application/json")
    results = await client.write_customers([write(1), write(2), write(3)], FakePermit())
    assert [(result.status, result.field, type(result.error)) for result in results] == [
        (WriteStatus.INVALID, "billing", Refused),
        (WriteStatus.ERROR, None, Refused),
        (WriteStatus.ERROR, None, ServerFailure),
    ]
    assert results[1].error is not None
    assert "some_plugin_says_no: some_plugin_says_no said" in results[1].error.text


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"update":[]}', '{"update":[{"id":2,"meta_data":[]}]}', '{"update":[{"id":0,"error":"bad"}]}', '{"update":[7]}']
)
async def test_a_batch_answer_that_does_not_fit_is_unreadable(shop: SandboxShop, client: ShopClient, body: str) -> None:
    shop.faults.script(path=BATCH, status=200, body=body, content_type="application/json")
    with pytest.raises(Unreadable):
        await client.write_customers([write(1)], FakePermit())


# -- refused batches


async def test_key_without_batch_right_writes_singly(shop: SandboxShop, client: ShopClient, world: ShopWorld) -> None:
    shop.switches.key_owner = KeyOwner.SHOP_MANAGER
    shop.add_customer(4, role="administrator")
    results = await client.write_customers([write(1), write(99), write(4), write(2)], FakePermit())
    assert [result.status for result in results] == [WriteStatus.UPDATED, WriteStatus.NOT_FOUND, WriteStatus.ERROR, WriteStatus.UPDATED]
    assert isinstance(results[2].error, Refused)
    assert "make the key as an administrator" in results[2].error.text
    assert _metas(shop, 1) == _metas(shop, 2) == VALUES
    assert client.max_batch == 20
    await client.write_customers([write(1)], FakePermit())
    assert shop.log.count(path=BATCH) == 1  # the refusal is remembered
    # An OAuth signature is accepted once, and aiohttp repeats a PUT on a broken connection, so single writes are POSTs.
    assert {request.method for request in shop.log} == {"POST"}
    shop.switches.key_owner = KeyOwner.ADMINISTRATOR
    world.clock.advance(6 * 3600.0)
    assert client.max_batch == 100
    await client.write_customers([write(3)], FakePermit())
    assert shop.log.count(path=BATCH) == 2


async def test_single_writes_stop_when_the_lease_ends(shop: SandboxShop) -> None:
    permit = FakePermit(lambda: 3.0 if shop.log.count() >= 2 else 30.0)
    shop.switches.key_owner = KeyOwner.SHOP_MANAGER
    async with shop_world(single_writes_at_once=1) as world:
        results = await world.with_keys(shop).write_customers([write(1), write(2), write(3)], permit)
    assert [result.status for result in results] == [WriteStatus.UPDATED, WriteStatus.NOT_DONE, WriteStatus.NOT_DONE]


async def test_single_writes_continue_after_a_failure_and_stop_after_no_answer(shop: SandboxShop) -> None:
    shop.switches.key_owner = KeyOwner.SHOP_MANAGER
    async with shop_world(single_writes_at_once=1) as world:
        client = world.with_keys(shop)
        await client.write_customers([write(1)], FakePermit())
        shop.faults.script(path="*/customers/1", status=500)
        failed = await client.write_customers([write(1), write(2)], FakePermit())
        assert [result.status for result in failed] == [WriteStatus.ERROR, WriteStatus.UPDATED]
        shop.faults.script(path="*/customers/2", disconnect="before")
        silent = await client.write_customers([write(1), write(2), write(3)], FakePermit())
        assert [result.status for result in silent] == [WriteStatus.UPDATED, WriteStatus.ERROR, WriteStatus.NOT_DONE]
        assert isinstance(silent[1].error, Unanswered)


async def test_single_writes_over_tls_are_puts_or_tunnelled_posts(tmp_path: Path) -> None:
    server, trusting = tls_contexts(tmp_path)
    async with SandboxShop(ssl_context=server) as shop, shop_world(ssl_context=trusting, single_writes_at_once=1) as world:
        _people(shop)
        shop.switches.update({"key_owner": "shop_manager", "firewall_refuses_put_and_delete": True})
        client = world.with_keys(shop, base_url=shop.origin.replace("127.0.0.1", "localhost"))
        results = await client.write_customers([write(1), write(2)], FakePermit())
        assert [result.status for result in results] == [WriteStatus.UPDATED] * 2
        assert [request.method for request in shop.log] == ["POST", "PUT", "POST", "POST"]


async def test_batch_too_large_for_the_web_server_is_written_singly(shop: SandboxShop, client: ShopClient) -> None:
    shop.faults.script(path=BATCH, status=413, body="<html><title>413</title></html>", content_type="text/html")
    results = await client.write_customers([write(1), write(2)], FakePermit())
    assert [result.status for result in results] == [WriteStatus.UPDATED] * 2


# -- failures of a site or a key


async def test_plain_permalinks_behind_rewrites_are_misaddressed(shop: SandboxShop, client: ShopClient) -> None:
    """WooCommerce recognises its keys by the path, and such a site has no path to the REST API."""
    shop.switches.permalinks = Permalinks.PLAIN_REWRITTEN
    for ask in (client.probe, client.check_access, lambda: client.write_customers([write(1)], FakePermit())):
        with pytest.raises(Misaddressed, match=r"permalinks of the shop are plain.*connect the tillsync bridge plugin"):
            await ask()


@pytest.mark.parametrize("permalinks", [Permalinks.PRETTY, Permalinks.PLAIN])
async def test_rest_address_with_keys_is_found_with_all_permalinks(shop: SandboxShop, client: ShopClient, permalinks: Permalinks) -> None:
    shop.switches.permalinks = permalinks
    for _ in range(2):
        (result,) = await client.write_customers([write(1)], FakePermit())
        assert result.status is WriteStatus.UPDATED
    await client.probe()


async def test_index_without_woocommerce_is_misaddressed(shop: SandboxShop, client: ShopClient) -> None:
    await client.probe()
    shop.faults.script(method="GET", status=200, body='{"namespaces":["wp/v2"]}', content_type="application/json")
    with pytest.raises(Misaddressed, match=r"WooCommerce is not active.*activate it"):
        await client.probe()
    shop.faults.script(method="GET", status=200, body='{"hello":1}', content_type="application/json")
    with pytest.raises(Unreadable, match="no namespaces"):
        await client.probe()


async def test_types_and_status_are_refused_without_the_bridge(shop: SandboxShop, client: ShopClient) -> None:
    gold = TillCustomerType(epos_customer_type_id=EposCustomerTypeId(4002), name="Gold", discount=Decimal(5))
    for ask in (
        lambda: client.put_customer_type(gold, 1, FakePermit()),
        lambda: client.delete_customer_type(gold.epos_customer_type_id, 1, FakePermit()),
        client.status,
    ):
        with pytest.raises(Refused, match="bridge plugin: install it in the shop and connect it"):
            await ask()
    assert shop.log.count() == 0


@pytest.mark.parametrize(
    ("fault", "stored"), [({"disconnect": "before"}, False), ({"disconnect": "after"}, True), ({"truncate": True}, True)]
)
async def test_lost_answer_with_keys_is_unanswered_and_sent_once(
    shop: SandboxShop, client: ShopClient, fault: dict[str, Any], stored: bool
) -> None:
    shop.faults.script(method="POST", times=None, **fault)
    with pytest.raises(Unanswered):
        await client.write_customers([write(1)], FakePermit())
    assert shop.log.count() == 1
    assert bool(_metas(shop, 1)) is stored
