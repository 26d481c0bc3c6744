"""ConnectShop and DisconnectShop against the sandbox shop.

The service calls the shop back before it stores anything, names each failure, and sends consumer keys only to their origin."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2
from support.api_harness import ApiHarness, api_harness
from support.engine import EngineWorld
from support.logs import captured_lines
from support.postgres import TestDatabase
from support.service import running_service
from support.waiting import NEVER_SECONDS, until
from tillsync.v1 import account_pb2, account_service_pb2, token_pb2
from tillsync_sandbox import SandboxShop, SandboxTill
from tillsync_sandbox.shop.switches import FailureMode, Permalinks
from tillsync_server.application.use_cases import authentication
from tillsync_server.domain.enums import Role

pytestmark = pytest.mark.integration

S = account_service_pb2
CONNECT, DISCONNECT = "AccountService/ConnectShop", "AccountService/DisconnectShop"


@pytest_asyncio.fixture
async def api(world: EngineWorld) -> AsyncIterator[ApiHarness]:
    """An account that no shop has connected to yet."""
    async with api_harness(world) as made:
        account = made.account(name="Corner shop", auto_link=False)
        account.ClearField("shop")
        await made.call("AccountService/CreateAccount", S.CreateAccountRequest(account_id="shop-a", account=account))
        yield made


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def connect_request(api: ApiHarness, **fields: Any) -> S.ConnectShopRequest:
    """A request with a new secret. The shop accepts the secret before the call, as the plugin does."""
    known = {"account_id": "shop-a", "base_url": api.shop.origin, "bridge_secret": new_secret(), "bridge_version": "1.0.0"}
    request = S.ConnectShopRequest(**(known | fields))
    api.shop.switches.bridge_secret = request.bridge_secret
    return request


async def site(api: ApiHarness) -> Sequence[tuple[str, str]]:
    return await api.grpc.token(Role.SITE, "shop-a")


async def account(api: ApiHarness) -> account_pb2.Account:
    request = S.GetAccountRequest(account_id="shop-a")
    found: account_pb2.Account = (await api.call("AccountService/GetAccount", request)).account
    return found


async def set_shop(api: ApiHarness, **shop: Any) -> None:
    request = S.UpdateAccountRequest(account_id="shop-a", account=account_pb2.Account(shop=account_pb2.ShopSettings(**shop)))
    request.update_mask.paths.extend(f"shop.{name}" for name in shop)
    await api.call("AccountService/UpdateAccount", request)


async def is_refused_as_unknown(api: ApiHarness, metadata: Sequence[tuple[str, str]]) -> bool:
    try:
        await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"), metadata)
    except grpc.aio.AioRpcError as error:
        return error.code() is grpc.StatusCode.UNAUTHENTICATED
    return False


async def requeue_kinds(api: ApiHarness) -> set[int]:
    return {row["what"] for row in await api.grpc.engine.fetch("SELECT what FROM requeue")}


async def add_link(api: ApiHarness) -> None:
    await api.grpc.engine.fetch(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin, content_hash) "
        "VALUES ('shop-a', 9001, 12, 3, '\\x01') RETURNING 1"
    )


async def test_service_calls_the_shop_back_with_the_new_secret_and_connects_it(api: ApiHarness) -> None:
    await add_link(api)
    with captured_lines() as lines:
        answer = await api.call(CONNECT, connect_request(api), await site(api))
    [line] = lines.of("shop_connected")
    assert all(line[name] for name in ("account_id", "bridge_version", "bridge_api", "wordpress", "woocommerce"))
    assert not [each for each in lines.all() if "dropped" in each]
    [request] = api.shop.log.matching(path="*/wc-tillsync/v1/status")
    assert request.status == 200
    assert (answer.account_name, answer.settings.customer_sync_enabled, answer.settings.auto_link) == ("Corner shop", True, False)
    stored = await account(api)
    assert (stored.shop.base_url, stored.shop.has_bridge_secret, stored.etag) == (api.shop.origin, True, answer.etag)
    assert 1 in await requeue_kinds(api)  # all linked customers are enqueued for the new shop
    checked = await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"), await site(api))
    assert {step.name: step.ok for step in checked.steps}["bridge_status"]


async def test_second_connect_rotates_the_secret_and_requeues_all_customers(api: ApiHarness) -> None:
    """The plugin may have been removed and installed again. Then its tables are empty, although the shop confirmed the values earlier."""
    await api.call(CONNECT, connect_request(api), await site(api))
    first = await account(api)
    await add_link(api)
    await api.grpc.engine.fetch("DELETE FROM requeue RETURNING 1")
    await api.call(CONNECT, connect_request(api), await site(api))
    assert (await account(api)).etag != first.etag
    assert await requeue_kinds(api) == {1}
    checked = await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"))
    assert {step.name: step.ok for step in checked.steps}["bridge_status"]  # the request is signed with the new secret


async def test_shop_without_the_new_secret_is_refused_and_keeps_the_former_one(api: ApiHarness) -> None:
    await api.call(CONNECT, connect_request(api), await site(api))
    before, former_secret = await account(api), api.shop.switches.bridge_secret
    request = connect_request(api)
    api.shop.switches.bridge_secret = former_secret
    refused = await api.refusal(CONNECT, request, await site(api))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SHOP_SIGNATURE_REFUSED")
    assert "compare the clocks" in refused.message
    assert refused.metadata == {"http_status": "401"}
    assert request.bridge_secret not in refused.message
    assert await account(api) == before


@pytest.mark.parametrize(
    ("failure_mode", "reason", "remedy"),
    [
        (FailureMode.MAINTENANCE, "SHOP_IN_MAINTENANCE", "wait until it is done"),
        (FailureMode.MOVED_301, "SHOP_MOVED", "https://www.shop.example.test"),
        (FailureMode.MOVED_302, "SHOP_MOVED", "https://www.shop.example.test"),
        (FailureMode.MOVED_308, "SHOP_MOVED", "correct the site's address"),
        (FailureMode.REST_OFF_401, "SHOP_REST_OFF", "allow /wp-json/ in the security plugin"),
        (FailureMode.REST_OFF_403, "SHOP_REST_OFF", "allow /wp-json/ in the security plugin"),
        (FailureMode.REST_OFF_404, "SHOP_ADDRESS_WRONG", "show the hidden REST API"),
        (FailureMode.FIREWALL, "SHOP_FIREWALL", "have its host allow this service's requests"),
        (FailureMode.CHALLENGE, "SHOP_FIREWALL", "except /wp-json/ from it"),
        (FailureMode.FORBIDDEN, "SHOP_SIGNATURE_REFUSED", "connect the plugin again"),
        (FailureMode.CACHED_HTML, "SHOP_WEB_PAGE", "exclude /wp-json/ from the caches"),
        (FailureMode.CRITICAL_ERROR, "SHOP_FAILED", "see the PHP error log"),
        (FailureMode.DATABASE_DOWN, "SHOP_FAILED", "see its PHP error log"),
    ],
)
async def test_failure_of_the_shop_is_named_with_its_remedy_and_nothing_is_stored(
    api: ApiHarness, failure_mode: FailureMode, reason: str, remedy: str
) -> None:
    before = await account(api)
    api.shop.switches.trouble = failure_mode
    refused = await api.refusal(CONNECT, connect_request(api), await site(api))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, reason)
    assert remedy in refused.message
    if failure_mode is FailureMode.MAINTENANCE:
        assert refused.metadata == {"http_status": "503", "retry_after_seconds": "600"}
    assert await account(api) == before
    api.shop.switches.trouble = None
    await api.call(CONNECT, connect_request(api), await site(api))


async def test_inactive_plugin_is_named(api: ApiHarness) -> None:
    api.shop.switches.bridge_installed = False
    refused = await api.refusal(CONNECT, connect_request(api), await site(api))
    assert (refused.reason, refused.metadata) == ("SHOP_BRIDGE_OFF", {"http_status": "404"})
    assert "activate or update it" in refused.message


@pytest.mark.parametrize(
    "address", ["http://10.1.2.3", "http://169.254.169.254", "http://[fd00::1]", "https://127.1.2.3.4.example.invalid"]
)
async def test_private_addresses_get_no_request(api: ApiHarness, address: str) -> None:
    refused = await api.refusal(CONNECT, connect_request(api, base_url=address), await site(api))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SHOP_UNREACHABLE")
    assert not (await account(api)).shop.base_url
    refused = await api.refusal(CONNECT, connect_request(api, rest_url=f"{address}/wp-json/", base_url="http://10.9.9.9"), await site(api))
    assert refused.reason == "SHOP_UNREACHABLE"


@pytest.mark.parametrize("suffix", ["/wp-json/", "/index.php/wp-json/", "/?rest_route=/", "/index.php?rest_route=/", "/wp-json"])
async def test_rest_url_of_wordpress_is_stored_if_the_base_url_has_no_rest_api(api: ApiHarness, suffix: str) -> None:
    async with SandboxShop() as other_shop:
        other_shop.switches.trouble = FailureMode.REST_OFF_404
        request = connect_request(api, base_url=other_shop.origin, rest_url=api.shop.origin + suffix)
        await api.call(CONNECT, request, await site(api))
    assert (await account(api)).shop.base_url == api.shop.origin


async def test_shop_with_plain_permalinks_is_found_by_its_base_url(api: ApiHarness) -> None:
    api.shop.switches.permalinks = Permalinks.PLAIN
    await api.call(CONNECT, connect_request(api, rest_url=f"{api.shop.origin}/api/"), await site(api))
    assert (await account(api)).shop.base_url == api.shop.origin


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"base_url": "ftp://shop.example.test"}, "base_url"),
        ({"base_url": "https://user:word@shop.example.test"}, "base_url"),
        ({"base_url": ""}, "base_url"),
        ({"bridge_secret": "short"}, "bridge_secret"),
        ({"bridge_secret": "x" * 43 + "="}, "bridge_secret"),
        ({"rest_url": "https://user:word@shop.example.test/wp-json/"}, "rest_url"),
        ({"bridge_version": "1" * 51}, "bridge_version"),
    ],
)
async def test_bad_input_names_its_field_and_sends_no_request(api: ApiHarness, fields: dict[str, str], field: str) -> None:
    refused = await api.refusal(CONNECT, connect_request(api, **fields), await site(api))
    assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, [field])
    assert len(api.shop.log) == 0


async def test_consumer_keys_are_kept_only_for_their_origin(api: ApiHarness) -> None:
    keys = {"consumer_key": "ck_sandbox", "consumer_secret": "cs_sandbox"}
    await set_shop(api, base_url=api.shop.origin, **keys)
    await api.call(CONNECT, connect_request(api), await site(api))
    assert (await account(api)).shop.has_consumer_secret  # the same origin
    await set_shop(api, base_url="https://former.example.test", bridge_secret="", **keys)
    await api.call(CONNECT, connect_request(api), await site(api))
    stored = await account(api)
    assert (stored.shop.base_url, stored.shop.has_consumer_key, stored.shop.has_consumer_secret) == (api.shop.origin, False, False)


async def test_new_address_clears_content_hashes_and_requeues_everything(api: ApiHarness) -> None:
    await set_shop(api, base_url="https://former.example.test", bridge_secret=new_secret())
    await add_link(api)
    await api.grpc.engine.fetch(
        "INSERT INTO customer_type (account_id, epos_customer_type_id, content_hash) VALUES ('shop-a', 5, '\\x01') RETURNING 1"
    )
    await api.grpc.engine.fetch("DELETE FROM requeue RETURNING 1")
    await api.call(CONNECT, connect_request(api), await site(api))
    assert {1, 2} <= await requeue_kinds(api)
    [row] = await api.grpc.engine.fetch("SELECT content_hash FROM customer_type")
    assert row["content_hash"] is None


async def test_disconnect_removes_the_secret_and_revokes_the_calling_token(api: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notification invalidates the cached token, which would otherwise last longer than the test's limit."""
    monkeypatch.setattr(authentication, "CACHE_SECONDS", NEVER_SECONDS)
    leaving, other = await site(api), await site(api)
    await api.call(CONNECT, connect_request(api), leaving)
    answer = await api.call(DISCONNECT, S.DisconnectShopRequest(account_id="shop-a"), leaving)
    assert answer.token_revoked
    assert not (await account(api)).shop.has_bridge_secret
    await until(lambda: is_refused_as_unknown(api, leaving))
    # another token of the site stays valid
    checked = await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"), other)
    assert not checked.ok


@pytest.mark.catches("a-revoked-token-disconnects-no-shop")
async def test_repeated_disconnect_has_the_same_answer_and_changes_nothing(api: ApiHarness) -> None:
    leaving, other = await site(api), await site(api)
    await api.call(CONNECT, connect_request(api), leaving)
    request = S.DisconnectShopRequest(account_id="shop-a")
    first = await api.call(DISCONNECT, request, leaving)
    disconnected = await account(api)
    for _ in range(2):
        assert await api.call(DISCONNECT, request, leaving) == first
    assert await account(api) == disconnected
    await until(lambda: is_refused_as_unknown(api, leaving))
    foreign = await api.refusal(DISCONNECT, S.DisconnectShopRequest(account_id="shop-b"), leaving)
    assert foreign.code is grpc.StatusCode.PERMISSION_DENIED
    await api.call(CONNECT, connect_request(api), other)  # the site connects with a new token, and the old one cannot disconnect it
    refused = await api.refusal(DISCONNECT, request, leaving)
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN")
    assert (await account(api)).shop.has_bridge_secret


async def test_disconnect_keeps_tokens_of_other_roles(api: ApiHarness) -> None:
    await api.call(CONNECT, connect_request(api), await site(api))
    service = await api.grpc.token(Role.SERVICE)
    assert not (await api.call(DISCONNECT, S.DisconnectShopRequest(account_id="shop-a"), service)).token_revoked
    again = await api.call(DISCONNECT, S.DisconnectShopRequest(account_id="shop-a"), service)  # no shop is connected any more
    assert not again.token_revoked


async def test_site_of_another_account_and_support_are_denied(api: ApiHarness) -> None:
    await api.add_account("shop-b", till_id="b")
    foreign = await api.grpc.token(Role.SITE, "shop-b")
    support = await api.grpc.token(Role.SUPPORT)
    for method, request in ((CONNECT, connect_request(api)), (DISCONNECT, S.DisconnectShopRequest(account_id="shop-a"))):
        for metadata in (foreign, support):
            assert (await api.refusal(method, request, metadata)).code is grpc.StatusCode.PERMISSION_DENIED


async def test_plugin_calls_connect_read_change_and_disconnect_a_shop(database: TestDatabase) -> None:
    """The calls use Connect JSON with a site token, on the whole service. The first connect is refused, because the shop has no secret."""
    async with SandboxShop() as shop, running_service(database.dsn) as running:
        await running.add_account("shop-1")
        token = (await running.client.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id="shop-1")).secret

        async def call(method: str, **message: Any) -> tuple[int, dict[str, Any]]:
            url = f"{running.http_url}/tillsync.v1.AccountService/{method}"
            headers = {"Authorization": f"Bearer {token}"}
            async with running.http.post(url, json={"accountId": "shop-1", **message}, headers=headers) as response:
                return response.status, await response.json()

        secret = new_secret()
        request = {
            "baseUrl": shop.origin,
            "restUrl": f"{shop.origin}/wp-json/",
            "bridgeSecret": secret,
            "bridgeVersion": "1.0.0",
        }
        status, refused = await call("ConnectShop", **request)
        assert (status, refused["code"]) == (400, "failed_precondition")
        [detail] = [detail for detail in refused["details"] if detail["type"] == "google.rpc.ErrorInfo"]
        info = error_details_pb2.ErrorInfo.FromString(base64.b64decode(detail["value"] + "=="))
        assert (info.reason, dict(info.metadata)) == ("SHOP_SIGNATURE_REFUSED", {"http_status": "401"})
        shop.switches.bridge_secret = secret
        status, connected = await call("ConnectShop", **request)
        assert (status, connected["settings"]["customerSyncEnabled"]) == (200, True)
        status, read = await call("UpdateSiteSettings", validateOnly=True)
        assert (status, read["etag"], read["settings"]) == (200, connected["etag"], connected["settings"])
        changed = {"settings": {"syncNames": True}, "updateMask": "syncNames", "etag": read["etag"]}
        assert (await call("UpdateSiteSettings", **changed))[0] == 200
        assert (await call("DisconnectShop"))[1]["tokenRevoked"] is True
        stored = await running.client.accounts.get_account("shop-1")
        assert (stored.sync_names, stored.shop.has_bridge_secret) == (True, False)


async def test_reinstalled_plugin_gets_every_value_again(database: TestDatabase) -> None:
    """The address, the customers and the till are the same. Only the plugin's tables are empty."""
    async with SandboxTill() as till, SandboxShop() as shop, running_service(database.dsn) as running:
        customer = till.add_customer(email="ada@example.test", points=120)
        user = shop.add_customer(email="ada@example.test")
        keys = {"api_key": till.switches.api_key, "api_secret": till.switches.api_secret}
        await running.add_account("shop-1", base_url=till.origin, **keys)

        async def connect() -> None:
            shop.switches.bridge_secret = new_secret()
            await running.client.accounts.connect_shop("shop-1", base_url=shop.origin, bridge_secret=shop.switches.bridge_secret)

        await connect()
        await running.client.links.create_link("shop-1", customer, user)
        await shop.wait_for(lambda: user in shop.store.bridge_rows)
        shop.store.bridge_rows.clear()
        await connect()
        await shop.wait_for(lambda: user in shop.store.bridge_rows)
        assert shop.store.bridge_rows[user].points == "120"


async def test_price_decimals_are_stored_and_updated_by_a_check(api: ApiHarness) -> None:
    api.shop.switches.price_decimals = 3
    await api.call(CONNECT, connect_request(api))
    assert (await account(api)).shop.price_decimals == 3
    api.shop.switches.price_decimals = 0
    await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"))
    assert (await account(api)).shop.price_decimals == 0
    etag = (await account(api)).etag
    await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"))
    assert (await account(api)).etag == etag, "a check without a new value changes nothing"
