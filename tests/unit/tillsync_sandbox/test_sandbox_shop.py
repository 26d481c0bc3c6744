"""The shop emulator over plain HTTP: the pitfalls of a real WooCommerce, and the control API."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, SIGNATURE_TYPE_QUERY, Client
from support.sandbox import Caller, Reply, caller
from tillsync_sandbox import SandboxShop, ShopSwitches
from tillsync_sandbox.shop import KeyOwner
from tillsync_sandbox.shop.bridge_auth import bridge_signature

CUSTOMERS = "/wp-json/wc/v3/customers"


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[SandboxShop]:
    """A shop whose PHP sees TLS, so that Basic works."""
    async with SandboxShop(ShopSwitches(https_seen=True)) as running:
        for number in (1, 2):
            running.add_customer(number, email=f"c{number}@example.test", first_name="Ada")
        yield running


@pytest_asyncio.fixture
async def call(shop: SandboxShop) -> AsyncIterator[Caller]:
    async with caller(shop.origin, (shop.switches.consumer_key, shop.switches.consumer_secret)) as made:
        yield made


async def _batch(call: Caller, *items: Any, query: str = "") -> Reply:
    return await call("POST", f"{CUSTOMERS}/batch{query}", {"update": list(items)})


# -- wc/v3


async def test_batch_answers_200_with_errors_by_position(call: Caller) -> None:
    reply = await _batch(call, {"id": 1, "first_name": "Augusta"}, {"id": 99}, {"id": 2, "email": "c1@example.test"})
    assert reply.status == 200
    rows = reply.json["update"]
    assert (rows[0]["id"], rows[0]["first_name"]) == (1, "Augusta")
    assert (rows[1]["id"], rows[1]["error"]["code"]) == (99, "wc_user_invalid_id")
    assert (rows[2]["id"], rows[2]["error"]["code"]) == (2, "woocommerce_rest_customer_invalid_email")


async def test_malformed_email_in_a_batch_erases_the_stored_one(shop: SandboxShop, call: Caller) -> None:
    single = await call("PUT", f"{CUSTOMERS}/1", {"email": "no address"})
    assert (single.status, single.json["code"]) == (400, "rest_invalid_param")
    assert shop.store.users[1].email == "c1@example.test"
    (row,) = (await _batch(call, {"id": 1, "email": "no address"})).json["update"]
    assert row["email"] == shop.store.users[1].email == ""
    assert shop.store.user_by_email("c1@example.test") is None


async def test_batch_of_more_than_a_hundred_is_refused(shop: SandboxShop, call: Caller) -> None:
    reply = await _batch(call, *({"id": 1, "first_name": "x"} for _ in range(101)))
    assert (reply.status, reply.json["code"]) == (413, "woocommerce_rest_request_entity_too_large")
    assert shop.store.users[1].first_name == "Ada"


async def test_fields_parameter_hides_the_errors(call: Caller) -> None:
    assert (await _batch(call, {"id": 99}, query="?_fields=id")).json == []


async def test_meta_numbers_are_returned_as_texts_and_null_deletes(shop: SandboxShop, call: Caller) -> None:
    metas = [{"key": "points", "value": 3.5}, {"key": "yes", "value": True}]
    (row,) = (await _batch(call, {"id": 1, "meta_data": metas})).json["update"]
    assert [meta["value"] for meta in row["meta_data"]] == ["3.5", "1"]
    await _batch(call, {"id": 1, "meta_data": [{"key": "points", "value": None}]})
    assert shop.metas(1) == {"yes": "1"}


async def test_batch_item_that_is_no_object_ends_the_batch(shop: SandboxShop, call: Caller) -> None:
    assert (await _batch(call, {"id": 1, "first_name": "Written"}, 7, {"id": 2, "first_name": "Never"})).status == 500
    assert [shop.store.users[number].first_name for number in (1, 2)] == ["Written", "Ada"]


async def test_shop_manager_key_may_not_batch_or_edit_others(shop: SandboxShop, call: Caller) -> None:
    shop.switches.key_owner = KeyOwner.SHOP_MANAGER
    shop.add_customer(3, role="administrator")
    refused = await _batch(call, {"id": 1})
    assert (refused.status, refused.json["code"]) == (403, "woocommerce_rest_cannot_batch")
    assert (await call("PUT", f"{CUSTOMERS}/1", {"first_name": "x"})).status == 200
    assert (await call("PUT", f"{CUSTOMERS}/3", {"first_name": "x"})).json["code"] == "woocommerce_rest_cannot_edit"


async def test_lists_show_only_customers_by_default(shop: SandboxShop, call: Caller) -> None:
    shop.add_customer(3, role="administrator", email="boss@example.test")
    assert [row["id"] for row in (await call("GET", CUSTOMERS)).json] == [1, 2]
    reply = await call("GET", f"{CUSTOMERS}?role=all&per_page=2&page=2")
    assert ([row["id"] for row in reply.json], reply.headers["X-WP-Total"]) == ([3], "3")
    assert [row["id"] for row in (await call("GET", f"{CUSTOMERS}?email=C2@example.test")).json] == [2]
    assert (await call("GET", f"{CUSTOMERS}?per_page=101")).status == 400


async def test_basic_credentials_are_ignored_without_tls(shop: SandboxShop, call: Caller) -> None:
    assert (await call("GET", f"{CUSTOMERS}/1")).status == 200
    shop.switches.https_seen = False
    assert (await call("GET", f"{CUSTOMERS}/1")).json["code"] == "woocommerce_rest_cannot_view"


@pytest.mark.parametrize("missing", ["oauth_nonce", "oauth_timestamp", "oauth_signature"])
async def test_incomplete_oauth_signature_is_refused(shop: SandboxShop, missing: str) -> None:
    shop.switches.https_seen = False
    signer = Client(
        shop.switches.consumer_key,
        client_secret=shop.switches.consumer_secret,
        signature_method=SIGNATURE_HMAC_SHA256,
        signature_type=SIGNATURE_TYPE_QUERY,
    )
    url, _, _ = signer.sign(f"{shop.origin}{CUSTOMERS}/1")
    path, _, query = url.removeprefix(shop.origin).partition("?")
    kept = "&".join(part for part in query.split("&") if not part.startswith(missing))
    async with caller(shop.origin) as anonymous:
        reply = await anonymous("GET", f"{path}?{kept}")
        assert (reply.status, missing in reply.json["message"]) == (401, True)
        assert (await anonymous("GET", f"{path}?{query}")).status == 200


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"[1,2]", 200), (b"", 200)])
async def test_request_bodies_are_accepted_as_in_wordpress(call: Caller, body: bytes, status: int) -> None:
    assert (await call("POST", f"{CUSTOMERS}/batch", body=body)).status == status


# -- the bridge


async def _bridge(shop: SandboxShop, call: Caller, method: str, route: str, content: Any = None) -> Reply:
    body = b"" if content is None else json.dumps(content).encode()
    at = int(time.time())
    headers = {
        "X-Tillsync-Timestamp": str(at),
        "X-Tillsync-Signature": bridge_signature(shop.switches.bridge_secret, at, method, f"/wc-tillsync/v1{route}", body),
    }
    return await call(method, f"/wp-json/wc-tillsync/v1{route}", body=body, headers=headers)


def _write(user_id: int, **changes: Any) -> dict[str, Any]:
    write = {"user_id": user_id, "version": "5", "points": "1", "credit": "2.00", "type_id": None, "as_of": "2026-01-02T03:04:05Z"}
    return write | changes


async def test_only_a_bridge_of_the_first_version_refuses_unknown_fields(shop: SandboxShop, call: Caller) -> None:
    item = _write(1, email="x@example.test")
    for api, expected in ((1, {"user_id": 1, "status": "invalid", "field": "email"}), (2, {"user_id": 1, "status": "updated"})):
        shop.switches.bridge_api = api
        assert (await _bridge(shop, call, "POST", "/customers/batch", {"items": [item]})).json["results"] == [expected]
        status = (await _bridge(shop, call, "GET", "/status", None)).json
        assert (status["api"], status.get("apis", [1])[-1]) == (1, api)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": 5}, "version"),
        ({"version": "0"}, "version"),
        ({"version": str(2**63)}, "version"),
        ({"points": 1}, "points"),
        ({"credit": "2,00"}, "credit"),
        ({"type_id": "4001"}, "type_id"),
        ({"as_of": "yesterday"}, "as_of"),
        ({"as_of": "2026-02-30T00:00:00Z"}, "as_of"),
        ({"phone": "call me"}, "phone"),
        ({"remove": True}, "points"),
    ],
)
async def test_bad_item_names_its_field_and_does_not_affect_others(
    shop: SandboxShop, call: Caller, changes: dict[str, Any], field: str
) -> None:
    reply = await _bridge(shop, call, "POST", "/customers/batch", {"items": [_write(1, **changes), _write(2)]})
    bad, good = reply.json["results"]
    assert bad["status"] == "invalid"
    assert bad["field"] == field or "remove" in changes
    assert good == {"user_id": 2, "status": "updated"}


@pytest.mark.parametrize(("content", "status"), [({}, 400), ({"items": {}}, 400), ({"items": [{}] * 501}, 413), ({"items": []}, 200)])
async def test_invalid_batch_envelope_is_refused(shop: SandboxShop, call: Caller, content: Any, status: int) -> None:
    assert (await _bridge(shop, call, "POST", "/customers/batch", content)).status == status


async def test_batches_of_five_hundred_items_are_fast(shop: SandboxShop, call: Caller) -> None:
    for number in range(3, 20_001):
        shop.add_customer(number, email=f"c{number}@example.test")
    began = time.perf_counter()
    for first in range(1, 20_001, 500):
        items = [_write(number) for number in range(first, first + 500)]
        reply = await _bridge(shop, call, "POST", "/customers/batch", {"items": items})
        assert all(result["status"] == "updated" for result in reply.json["results"])
    assert time.perf_counter() - began < 20  # under 1 s on an idle machine
    assert len(shop.store.bridge_rows) == 20_000


async def test_events_are_applied_by_sequence(shop: SandboxShop, call: Caller) -> None:
    def event(sequence: str, **changes: Any) -> dict[str, Any]:
        made = {"event_id": f"e{sequence}", "subject": "order:1042", "sequence": sequence, "type": "order.finished", "entry_id": "x"}
        return {**made, "state": "PROCESSED", "outcome": "MATCHED_EMAIL", "held_count": 0, **changes}

    events = [event("7"), event("7"), event("6"), event("8", type="nonsense"), event("9")]
    reply = await _bridge(shop, call, "POST", "/events", {"events": events})
    assert [result["status"] for result in reply.json["results"]] == ["updated", "unchanged", "stale", "invalid", "updated"]
    assert [each.sequence for each in shop.store.events] == [7, 9]


# -- the control API


async def test_control_api_creates_updates_and_deletes_customers(shop: SandboxShop, call: Caller) -> None:
    made = await call("POST", "/sandbox/customers", {"email": "new@example.test", "first_name": "Bea", "meta": {"card": "1"}})
    assert (made.status, made.json["user_id"], made.json["meta"]) == (201, 3, {"card": "1"})
    assert (await call("PATCH", "/sandbox/customers/3", {"email": "newer@example.test"})).json["email"] == "newer@example.test"
    for method, path, content in (
        ("POST", "/sandbox/customers", {"email": "C1@example.test"}),
        ("POST", "/sandbox/customers", {"user_id": 1}),
        ("POST", "/sandbox/customers", {"role": "king"}),
        ("POST", "/sandbox/customers", {"nonsense": 1}),
        ("PATCH", "/sandbox/customers/3", {"email": "c1@example.test"}),
        ("PATCH", "/sandbox/customers/3", {"role": "editor"}),
    ):
        reply = await call(method, path, content)
        assert reply.status == 400
        assert next(iter(content)) in reply.json["error"]
    assert (await call("DELETE", "/sandbox/customers/3")).status == 200
    for method in ("GET", "PATCH", "DELETE"):
        assert (await call(method, "/sandbox/customers/3", {})).status == 404
    # The email address can be used again.
    assert (await call("POST", "/sandbox/customers", {"email": "newer@example.test"})).json["user_id"] == 4


async def test_control_api_shows_the_stored_bridge_data(shop: SandboxShop, call: Caller) -> None:
    await _bridge(shop, call, "POST", "/customers/batch", {"items": [_write(1), {"user_id": 2, "version": "6", "remove": True}]})
    await _bridge(shop, call, "PUT", "/customer-types/4001", {"version": "5", "name": "Gold", "discount": "10", "description": ""})
    rows = (await call("GET", "/sandbox/bridge/rows")).json["rows"]
    assert (rows["1"]["points"], rows["2"]["removed"]) == ("1", True)
    assert (await call("GET", "/sandbox/customers/1")).json["bridge"]["version"] == 5
    assert (await call("GET", "/sandbox/bridge/customer-types")).json["customer_types"]["4001"]["name"] == "Gold"
    assert (await call("GET", "/sandbox/bridge/events")).json == {"events": []}
    shown = (await call("GET", "/sandbox/requests")).json["requests"]
    assert [each["path"] for each in shown] == [
        "/wp-json/wc-tillsync/v1/customers/batch",
        "/wp-json/wc-tillsync/v1/customer-types/4001",
    ]
    assert shown[0]["headers"]["x-tillsync-signature"] == "[redacted]"


async def test_control_api_changes_switches(shop: SandboxShop, call: Caller) -> None:
    assert (await call("PATCH", "/sandbox/switches", {"trouble": "firewall", "max_batch": 50})).json["max_batch"] == 50
    assert (await call("GET", f"{CUSTOMERS}/1")).status == 403
    for changes in ({"trouble": "rain"}, {"max_batch": -1}, {"nonsense": 1}, {"https_seen": "yes"}):
        reply = await call("PATCH", "/sandbox/switches", {"trouble": None, **changes})
        assert (reply.status, next(iter(changes)) in reply.json["error"]) == (400, True)
    assert (await call("GET", "/sandbox/switches")).json["trouble"] == "firewall"


async def test_change_wakes_waiting_callers(shop: SandboxShop, call: Caller) -> None:
    await call("PUT", f"{CUSTOMERS}/1", {"first_name": "Augusta"})
    await shop.wait_for(lambda: shop.store.users[1].first_name == "Augusta")
    with pytest.raises(TimeoutError):
        await shop.wait_for(lambda: False, timeout=0.01)
