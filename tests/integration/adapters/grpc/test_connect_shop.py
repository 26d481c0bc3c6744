"""ConnectShop and DisconnectShop against the sandbox shop: called back before anything is stored, each trouble named, keys kept at home."""

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


def introduction(api: ApiHarness, **fields: Any) -> S.ConnectShopRequest:
    """The shop accepts the secret by then, as the plugin does."""
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


async def requeued(api: ApiHarness) -> set[int]:
    return {row["what"] for row in await api.grpc.engine.fetch("SELECT what FROM requeue")}


async def link(api: ApiHarness) -> None:
    await api.grpc.engine.fetch(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin, content_hash) "
        "VALUES ('shop-a', 9001, 12, 3, '\\x01') RETURNING 1"
    )


async def test_a_shop_is_called_back_with_the_new_secret_and_then_is_connected(api: ApiHarness) -> None:
    await link(api)
    with captured_lines() as lines:
        answer = await api.call(CONNECT, introduction(api), await site(api))
    [line] = lines.of("shop_connected")
    assert all(line[name] for name in ("account_id", "bridge_version", "bridge_api", "wordpress", "woocommerce"))
    assert not [each for each in lines.all() if "dropped" in each]
    [request] = api.shop.log.matching(path="*/wc-tillsync/v1/status")
    assert request.status == 200
    assert (answer.account_name, answer.settings.customer_sync_enabled, answer.settings.auto_link) == ("Corner shop", True, False)
    stored = await account(api)
    assert (stored.shop.base_url, stored.shop.has_bridge_secret, stored.etag) == (api.shop.origin, True, answer.etag)
    assert 1 in await requeued(api)  # what this shop was never told is queued
    checked = await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"), await site(api))
    assert {step.name: step.ok for step in checked.steps}["bridge_status"]


async def test_connecting_again_rotates_the_secret_and_tells_the_shop_everything_anew(api: ApiHarness) -> None:
    """Its plugin may have been removed and installed again: then its tables are empty, whatever was confirmed before."""
    await api.call(CONNECT, introduction(api), await site(api))
    first = await account(api)
    await link(api)
    await api.grpc.engine.fetch("DELETE FROM requeue RETURNING 1")
    await api.call(CONNECT, introduction(api), await site(api))
    assert (await account(api)).etag != first.etag
    assert await requeued(api) == {1}
    checked = await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"))
    assert {step.name: step.ok for step in checked.steps}["bridge_status"]  # signed with the new one


async def test_a_shop_that_does_not_know_the_secret_yet_is_not_connected_and_the_former_stays(api: ApiHarness) -> None:
    await api.call(CONNECT, introduction(api), await site(api))
    before, kept = await account(api), api.shop.switches.bridge_secret
    request = introduction(api)
    api.shop.switches.bridge_secret = kept
    refused = await api.refusal(CONNECT, request, await site(api))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SHOP_SIGNATURE_REFUSED")
    assert "compare the clocks" in refused.message
    assert refused.metadata == {"http_status": "401"}
    assert request.bridge_secret not in refused.message
    assert await account(api) == before


@pytest.mark.parametrize(
    ("trouble", "reason", "says"),
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
async def test_what_the_shop_answers_instead_is_named_with_its_remedy_and_nothing_is_stored(
    api: ApiHarness, trouble: FailureMode, reason: str, says: str
) -> None:
    before = await account(api)
    api.shop.switches.trouble = trouble
    refused = await api.refusal(CONNECT, introduction(api), await site(api))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, reason)
    assert says in refused.message
    if trouble is FailureMode.MAINTENANCE:
        assert refused.metadata == {"http_status": "503", "retry_after_seconds": "600"}
    assert await account(api) == before
    api.shop.switches.trouble = None
    await api.call(CONNECT, introduction(api), await site(api))


async def test_a_plugin_that_is_off_is_named(api: ApiHarness) -> None:
    api.shop.switches.bridge_installed = False
    refused = await api.refusal(CONNECT, introduction(api), await site(api))
    assert (refused.reason, refused.metadata) == ("SHOP_BRIDGE_OFF", {"http_status": "404"})
    assert "activate or update it" in refused.message


@pytest.mark.parametrize(
    "address", ["http://10.1.2.3", "http://169.254.169.254", "http://[fd00::1]", "https://127.1.2.3.4.example.invalid"]
)
async def test_inner_addresses_are_not_asked_anything(api: ApiHarness, address: str) -> None:
    refused = await api.refusal(CONNECT, introduction(api, base_url=address), await site(api))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SHOP_UNREACHABLE")
    assert not (await account(api)).shop.base_url
    refused = await api.refusal(CONNECT, introduction(api, rest_url=f"{address}/wp-json/", base_url="http://10.9.9.9"), await site(api))
    assert refused.reason == "SHOP_UNREACHABLE"


@pytest.mark.parametrize("suffix", ["/wp-json/", "/index.php/wp-json/", "/?rest_route=/", "/index.php?rest_route=/", "/wp-json"])
async def test_where_home_has_no_rest_api_the_address_that_wordpress_names_is_stored(api: ApiHarness, suffix: str) -> None:
    async with SandboxShop() as elsewhere:
        elsewhere.switches.trouble = FailureMode.REST_OFF_404
        request = introduction(api, base_url=elsewhere.origin, rest_url=api.shop.origin + suffix)
        await api.call(CONNECT, request, await site(api))
    assert (await account(api)).shop.base_url == api.shop.origin


async def test_plain_permalinks_and_a_rest_prefix_of_its_own_are_found_from_home(api: ApiHarness) -> None:
    api.shop.switches.permalinks = Permalinks.PLAIN
    await api.call(CONNECT, introduction(api, rest_url=f"{api.shop.origin}/api/"), await site(api))
    assert (await account(api)).shop.base_url == api.shop.origin


@pytest.mark.parametrize(
    ("fields", "named"),
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
async def test_bad_input_names_its_field_and_asks_nobody(api: ApiHarness, fields: dict[str, str], named: str) -> None:
    refused = await api.refusal(CONNECT, introduction(api, **fields), await site(api))
    assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, [named])
    assert len(api.shop.log) == 0


async def test_consumer_keys_stay_with_their_origin(api: ApiHarness) -> None:
    keys = {"consumer_key": "ck_sandbox", "consumer_secret": "cs_sandbox"}
    await set_shop(api, base_url=api.shop.origin, **keys)
    await api.call(CONNECT, introduction(api), await site(api))
    assert (await account(api)).shop.has_consumer_secret  # the same origin
    await set_shop(api, base_url="https://former.example.test", bridge_secret="", **keys)
    await api.call(CONNECT, introduction(api), await site(api))
    stored = await account(api)
    assert (stored.shop.base_url, stored.shop.has_consumer_key, stored.shop.has_consumer_secret) == (api.shop.origin, False, False)


async def test_another_address_clears_hashes_and_writes_everything_anew(api: ApiHarness) -> None:
    await set_shop(api, base_url="https://former.example.test", bridge_secret=new_secret())
    await link(api)
    await api.grpc.engine.fetch(
        "INSERT INTO customer_type (account_id, epos_customer_type_id, content_hash) VALUES ('shop-a', 5, '\\x01') RETURNING 1"
    )
    await api.grpc.engine.fetch("DELETE FROM requeue RETURNING 1")
    await api.call(CONNECT, introduction(api), await site(api))
    assert {1, 2} <= await requeued(api)
    [row] = await api.grpc.engine.fetch("SELECT content_hash FROM customer_type")
    assert row["content_hash"] is None


async def test_disconnecting_drops_the_secret_and_the_calling_token(api: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is useless everywhere, as each process is told; what is known of it would last longer than the limit."""
    monkeypatch.setattr(authentication, "CACHE_SECONDS", NEVER_SECONDS)
    leaving, other = await site(api), await site(api)
    await api.call(CONNECT, introduction(api), leaving)
    answer = await api.call(DISCONNECT, S.DisconnectShopRequest(account_id="shop-a"), leaving)
    assert answer.token_revoked
    assert not (await account(api)).shop.has_bridge_secret
    await until(lambda: is_refused_as_unknown(api, leaving))
    checked = await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"), other)  # not this one
    assert not checked.ok


@pytest.mark.catches("a-revoked-token-disconnects-no-shop")
async def test_a_repeated_disconnect_answers_as_the_first_and_the_token_does_nothing_more(api: ApiHarness) -> None:
    leaving, other = await site(api), await site(api)
    await api.call(CONNECT, introduction(api), leaving)
    request = S.DisconnectShopRequest(account_id="shop-a")
    first = await api.call(DISCONNECT, request, leaving)
    left = await account(api)
    for _ in range(2):
        assert await api.call(DISCONNECT, request, leaving) == first
    assert await account(api) == left
    await until(lambda: is_refused_as_unknown(api, leaving))
    foreign = await api.refusal(DISCONNECT, S.DisconnectShopRequest(account_id="shop-b"), leaving)
    assert foreign.code is grpc.StatusCode.PERMISSION_DENIED
    await api.call(CONNECT, introduction(api), other)  # by its new connect string: the old token does not take that away
    refused = await api.refusal(DISCONNECT, request, leaving)
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN")
    assert (await account(api)).shop.has_bridge_secret


async def test_tokens_of_other_roles_stay(api: ApiHarness) -> None:
    await api.call(CONNECT, introduction(api), await site(api))
    service = await api.grpc.token(Role.SERVICE)
    assert not (await api.call(DISCONNECT, S.DisconnectShopRequest(account_id="shop-a"), service)).token_revoked
    again = await api.call(DISCONNECT, S.DisconnectShopRequest(account_id="shop-a"), service)  # nothing there any more: fine
    assert not again.token_revoked


async def test_rights(api: ApiHarness) -> None:
    await api.add_account("shop-b", till_id="b")
    foreign = await api.grpc.token(Role.SITE, "shop-b")
    support = await api.grpc.token(Role.SUPPORT)
    for method, request in ((CONNECT, introduction(api)), (DISCONNECT, S.DisconnectShopRequest(account_id="shop-a"))):
        for metadata in (foreign, support):
            assert (await api.refusal(method, request, metadata)).code is grpc.StatusCode.PERMISSION_DENIED


async def test_a_shop_comes_and_goes_as_the_plugin_does_it(database: TestDatabase) -> None:
    """Connect JSON with the site token of a connect string, on the whole service: refused by name, connected, settings read, gone."""
    async with SandboxShop() as shop, running_service(database.dsn) as running:
        await running.add_account("shop-1")
        token = (await running.client.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id="shop-1")).secret

        async def call(method: str, **message: Any) -> tuple[int, dict[str, Any]]:
            url = f"{running.http_url}/tillsync.v1.AccountService/{method}"
            headers = {"Authorization": f"Bearer {token}"}
            async with running.http.post(url, json={"accountId": "shop-1", **message}, headers=headers) as response:
                return response.status, await response.json()

        secret = new_secret()
        introduction = {
            "baseUrl": shop.origin,
            "restUrl": f"{shop.origin}/wp-json/",
            "bridgeSecret": secret,
            "bridgeVersion": "1.0.0",
        }
        status, refused = await call("ConnectShop", **introduction)
        assert (status, refused["code"]) == (400, "failed_precondition")
        [detail] = [detail for detail in refused["details"] if detail["type"] == "google.rpc.ErrorInfo"]
        info = error_details_pb2.ErrorInfo.FromString(base64.b64decode(detail["value"] + "=="))
        assert (info.reason, dict(info.metadata)) == ("SHOP_SIGNATURE_REFUSED", {"http_status": "401"})
        shop.switches.bridge_secret = secret
        status, connected = await call("ConnectShop", **introduction)
        assert (status, connected["settings"]["customerSyncEnabled"]) == (200, True)
        status, read = await call("UpdateSiteSettings", validateOnly=True)
        assert (status, read["etag"], read["settings"]) == (200, connected["etag"], connected["settings"])
        changed = {"settings": {"syncNames": True}, "updateMask": "syncNames", "etag": read["etag"]}
        assert (await call("UpdateSiteSettings", **changed))[0] == 200
        assert (await call("DisconnectShop"))[1]["tokenRevoked"] is True
        stored = await running.client.accounts.get_account("shop-1")
        assert (stored.sync_names, stored.shop.has_bridge_secret) == (True, False)


async def test_a_plugin_that_was_removed_and_installed_again_gets_every_value_anew(database: TestDatabase) -> None:
    """Same address, same customers, nothing changed at the till: only the shop's own tables are empty."""
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


async def test_the_decimals_of_the_shops_prices_are_kept_and_renewed(api: ApiHarness) -> None:
    api.shop.switches.price_decimals = 3
    await api.call(CONNECT, introduction(api))
    assert (await account(api)).shop.price_decimals == 3
    api.shop.switches.price_decimals = 0
    await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"))
    assert (await account(api)).shop.price_decimals == 0
    etag = (await account(api)).etag
    await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"))
    assert (await account(api)).etag == etag, "nothing new, nothing changed"
