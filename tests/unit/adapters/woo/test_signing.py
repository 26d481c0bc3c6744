"""Signatures of requests to the shop. A shop refuses tampered requests, wrong secrets and insufficient keys. Replays change nothing."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fakes.permit import FakePermit
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, SIGNATURE_TYPE_QUERY, Client
from support.sandbox import Caller, caller
from support.shop_client import ShopWorld, write
from tillsync_sandbox import SandboxShop
from tillsync_sandbox.shop import FailureMode, KeyPermissions
from tillsync_sandbox.shop.bridge_auth import bridge_signature
from tillsync_server.domain.errors import CredentialsRefused
from tillsync_server.ports.shop import ShopClient, WriteStatus

BATCH = "/wc-tillsync/v1/customers/batch"


@pytest_asyncio.fixture
async def client(world: ShopWorld, shop: SandboxShop) -> ShopClient:
    return world.with_bridge(shop)


# -- the bridge's signature


@pytest.mark.parametrize("secret", ["d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3JvbmctISE", "c2FuZGJveC1zYW5kYm94LXNhbmRib3gtc2FuZGJveC1="])
async def test_a_wrong_secret_is_refused(shop: SandboxShop, world: ShopWorld, secret: str) -> None:
    with pytest.raises(CredentialsRefused, match="both sides hold the same secret"):
        await world.with_bridge(shop, secret=secret).write_customers([write(1)], FakePermit())
    assert shop.store.bridge_rows == {}


@pytest_asyncio.fixture
async def raw(shop: SandboxShop) -> AsyncIterator[Caller]:
    async with caller(shop.origin) as made:
        yield made


def _item(points: str, version: int = 10) -> bytes:
    item = {"user_id": 1, "version": str(version), "points": points, "credit": "0.00", "type_id": None, "as_of": "2026-01-02T03:04:05Z"}
    return json.dumps({"items": [item]}).encode()


def _signed(shop: SandboxShop, body: bytes, *, method: str = "POST", route: str = BATCH, age: int = 0) -> dict[str, str]:
    at = int(time.time()) - age
    signature = bridge_signature(shop.switches.bridge_secret, at, method, route, body)
    return {"X-Tillsync-Timestamp": str(at), "X-Tillsync-Signature": signature}


async def test_changed_signed_request_is_refused(shop: SandboxShop, raw: Caller) -> None:
    body = _item("10")
    good = _signed(shop, body)
    stale_time = {**good, "X-Tillsync-Timestamp": str(int(good["X-Tillsync-Timestamp"]) + 1)}
    for headers, sent, path in (
        (good, _item("1000"), BATCH),
        (stale_time, body, BATCH),
        (_signed(shop, body, method="PUT"), body, BATCH),
        (_signed(shop, body, route="/wc-tillsync/v1/events"), body, BATCH),
        (_signed(shop, body, age=301), body, BATCH),
        (_signed(shop, body, age=-310), body, BATCH),
        ({**good, "X-Tillsync-Signature": good["X-Tillsync-Signature"].upper()}, body, BATCH),
        ({**good, "X-Tillsync-Signature": good["X-Tillsync-Signature"].removeprefix("v1=")}, body, BATCH),
        ({**good, "X-Tillsync-Timestamp": ""}, body, BATCH),
        ({}, body, BATCH),
    ):
        reply = await raw("POST", f"/wp-json{path}", body=sent, headers=headers)
        assert (reply.status, reply.json["code"]) == (401, "rest_forbidden")
    assert shop.store.bridge_rows == {}
    assert (await raw("POST", f"/wp-json{BATCH}", body=body, headers=good)).json["results"][0]["status"] == "updated"


async def test_replayed_request_is_stale(shop: SandboxShop, raw: Caller, client: ShopClient) -> None:
    body = _item("10", version=10)
    headers = _signed(shop, body)
    assert (await raw("POST", f"/wp-json{BATCH}", body=body, headers=headers)).status == 200
    await client.write_customers([write(1, version=11, points="25")], FakePermit())
    replayed = await raw("POST", f"/wp-json{BATCH}", body=body, headers=headers)
    assert replayed.json["results"] == [{"user_id": 1, "status": "stale", "version": "11"}]
    assert shop.store.bridge_rows[1].points == "25"


async def test_bridge_requests_have_no_authorization_header(shop: SandboxShop, client: ShopClient) -> None:
    shop.switches.trouble = FailureMode.HEADER_STRIPPED
    (result,) = await client.write_customers([write(1)], FakePermit())
    assert result.status is WriteStatus.UPDATED
    assert all("authorization" not in request.headers for request in shop.log)


# -- consumer keys


@pytest.mark.parametrize(
    ("switches", "keys"),
    [
        ({}, {"key": "ck_unknown"}),
        ({}, {"secret": "cs_wrong"}),
        ({"https_seen": True}, {}),  # signed for http, checked for https
        ({"home_host": "www.shop.example.test"}, {}),
        ({"key_permissions": "read"}, {}),
    ],
)
async def test_refused_key_error_names_the_checks(
    shop: SandboxShop, world: ShopWorld, switches: dict[str, object], keys: dict[str, str]
) -> None:
    shop.switches.update(switches)
    with pytest.raises(CredentialsRefused, match=r"read/write permission.*https and home address") as caught:
        await world.with_keys(shop, **keys).write_customers([write(1)], FakePermit())
    assert "cs_" not in caught.value.text
    assert shop.store.users[1].meta.rows == []


async def test_write_only_key_still_writes(shop: SandboxShop, world: ShopWorld) -> None:
    shop.switches.key_permissions = KeyPermissions.WRITE
    (result,) = await world.with_keys(shop).write_customers([write(1)], FakePermit())
    assert result.status is WriteStatus.UPDATED


async def test_oauth_signature_is_accepted_once(shop: SandboxShop) -> None:
    signer = Client(
        shop.switches.consumer_key,
        client_secret=shop.switches.consumer_secret,
        signature_method=SIGNATURE_HMAC_SHA256,
        signature_type=SIGNATURE_TYPE_QUERY,
    )
    url, _, _ = signer.sign(f"{shop.origin}/wp-json/wc/v3/customers/1")
    path = url.removeprefix(shop.origin)
    async with caller(shop.origin) as call:
        assert (await call("GET", path)).status == 200
        replayed = await call("GET", path)
        assert (replayed.status, replayed.json["message"]) == (401, "Invalid nonce - nonce has already been used.")
        tampered, _, _ = signer.sign(f"{shop.origin}/wp-json/wc/v3/customers/2")
        moved = tampered.removeprefix(shop.origin).replace("customers/2", "customers/3")
        assert "does not match" in (await call("GET", moved)).json["message"]
