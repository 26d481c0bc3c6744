"""CheckAccount over a real channel names each failure between the service and a shop, with its remedy."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from support.api_harness import ApiHarness, api_harness
from support.certificates import self_signed
from support.engine import EngineWorld
from support.waiting import GIVE_UP_SECONDS
from tillsync.v1 import account_pb2, account_service_pb2, vocabulary_pb2
from tillsync_sandbox import SandboxShop
from tillsync_sandbox.shop import FailureMode

pytestmark = pytest.mark.integration

S = account_service_pb2
SHOP = vocabulary_pb2.SIDE_SHOP
MAX_WORDS = 90

FAILURE_MODES: dict[FailureMode, tuple[str, str, str]] = {
    FailureMode.MAINTENANCE: ("SHOP_IN_MAINTENANCE", "in maintenance or overloaded", "Wait until it is done."),
    FailureMode.MOVED_301: ("SHOP_MOVED", "to https://www.shop.example.test", "set the address it points to."),
    FailureMode.MOVED_302: ("SHOP_MOVED", "to https://www.shop.example.test", "set the address it points to."),
    FailureMode.MOVED_308: ("SHOP_MOVED", "to https://www.shop.example.test", "set the address it points to."),
    FailureMode.REST_OFF_401: ("SHOP_REST_OFF", "REST API is switched off", "Allow /wp-json/ in the security plugin that does it."),
    FailureMode.REST_OFF_403: ("SHOP_REST_OFF", "REST API is switched off", "Allow /wp-json/ in the security plugin that does it."),
    FailureMode.REST_OFF_404: ("SHOP_ADDRESS_WRONG", "no WordPress REST API", "Correct the base address, or show the hidden REST API."),
    FailureMode.FIREWALL: ("SHOP_FIREWALL", "A firewall before the shop", "Have its host allow this service's requests to /wp-json/."),
    FailureMode.CHALLENGE: ("SHOP_FIREWALL", "A bot check stands before", "Except /wp-json/ from it, or allow this service's address."),
    FailureMode.FORBIDDEN: ("SHOP_SIGNATURE_REFUSED", "does not accept our signature", "Connect the plugin again so that both sides"),
    FailureMode.CACHED_HTML: ("SHOP_WEB_PAGE", "a web page in place of data", "Exclude /wp-json/ from the caches"),
    FailureMode.CRITICAL_ERROR: ("SHOP_FAILED", "The shop failed", "See the PHP error log and WooCommerce's status logs."),
    FailureMode.DATABASE_DOWN: (
        "SHOP_FAILED",
        "failed before its REST API could answer",
        "See its PHP error log and database, or ask its host.",
    ),
}
FAULTS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "throttled": (
        {"status": 429, "headers": {"Retry-After": "90"}},
        "SHOP_THROTTLES",
        "limits requests",
        "Ask it to allow this service more.",
    ),
    "password protected": (
        {"status": 401, "body": "<html>Authorization Required</html>", "content_type": "text/html"},
        "SHOP_PASSWORD_PROTECTED",
        "asks for a password before the shop",
        "Except /wp-json/ from the site's password protection.",
    ),
    "closes the connection": ({"disconnect": "before"}, "SHOP_TOO_SLOW", "closed the connection", "Try again"),
    "truncated answer": ({"truncate": True}, "SHOP_TOO_SLOW", "closed the connection", "Try again"),
    "message before other data": (
        {"status": 200, "body": "<b>Notice</b>: x in y.php {}", "content_type": "application/json"},
        "SHOP_PHP_MESSAGE",
        "the data is not the answer to this request",
        "Set WP_DEBUG_DISPLAY to false in the shop",
    ),
    "not JSON": ({"status": 200, "body": "hello"}, "SHOP_ANSWER_UNREADABLE", "answer", "See the shop's PHP error log."),
}


@pytest_asyncio.fixture
async def api(world: EngineWorld) -> AsyncIterator[ApiHarness]:
    async with api_harness(world, shop_seconds=GIVE_UP_SECONDS) as made:
        await made.add_account(guest_policy=account_pb2.GUEST_POLICY_MATCH_OR_CREATE)
        yield made


async def failed_shop_step(api: ApiHarness) -> Any:
    """Runs the check and returns its only failed step, ``bridge_status`` of the shop."""
    answer = await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"))
    assert not answer.ok
    failed = [step for step in answer.steps if not step.ok]
    assert [(step.side, step.name) for step in failed] == [(SHOP, "bridge_status")]
    assert failed[0].remedy
    for text in (failed[0].text, failed[0].remedy):
        assert text.endswith(".")
        assert text[0] == text[0].upper()
        assert len(text.split()) < MAX_WORDS
        assert api.shop.switches.bridge_secret not in text
        assert "<" not in text
    return failed[0]


async def set_shop_address(api: ApiHarness, url: str) -> None:
    shop = account_pb2.ShopSettings(base_url=url, bridge_secret=api.shop.switches.bridge_secret)
    mask = FieldMask(paths=["shop.base_url", "shop.bridge_secret"])
    request = S.UpdateAccountRequest(account_id="shop-a", account=account_pb2.Account(shop=shop), update_mask=mask)
    await api.call("AccountService/UpdateAccount", request)


def test_table_has_every_failure_mode() -> None:
    """HEADER_STRIPPED is missing, because the bridge reads the signature from its own headers."""
    assert set(FailureMode) - set(FAILURE_MODES) == {FailureMode.HEADER_STRIPPED}


@pytest.mark.parametrize("failure_mode", list(FAILURE_MODES))
async def test_failure_of_the_shop_is_named_with_its_remedy(api: ApiHarness, failure_mode: FailureMode) -> None:
    reason, text, remedy = FAILURE_MODES[failure_mode]
    api.shop.switches.trouble = failure_mode
    step = await failed_shop_step(api)
    assert step.details["reason"] == reason
    assert text in step.text
    assert remedy in step.remedy
    if failure_mode is FailureMode.MAINTENANCE:
        assert (step.details["http_status"], step.details["retry_after_seconds"]) == ("503", "600")
    api.shop.switches.trouble = None
    assert (await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"))).ok


async def test_check_succeeds_without_the_authorization_header(api: ApiHarness) -> None:
    api.shop.switches.trouble = FailureMode.HEADER_STRIPPED
    assert (await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"))).ok


async def test_inactive_plugin_is_named(api: ApiHarness) -> None:
    api.shop.switches.bridge_installed = False
    step = await failed_shop_step(api)
    assert step.details["reason"] == "SHOP_BRIDGE_OFF"
    assert "plugin is not active" in step.text


@pytest.mark.parametrize("name", list(FAULTS))
async def test_fault_of_the_web_server_is_named_with_its_remedy(api: ApiHarness, name: str) -> None:
    fault, reason, text, remedy = FAULTS[name]
    api.shop.faults.script(path="*", times=None, **fault)
    step = await failed_shop_step(api)
    assert step.details["reason"] == reason
    assert text in step.text
    assert remedy in step.remedy


async def test_shop_without_an_answer_is_too_slow(api: ApiHarness) -> None:
    hang = api.shop.faults.script(path="*", times=None, hang="before")
    step = await failed_shop_step(api)
    hang.cancel()
    assert step.details["reason"] == "SHOP_TOO_SLOW"
    assert f"no answer from 127.0.0.1 within {GIVE_UP_SECONDS:g} s" in step.text.lower()


async def test_untrusted_certificate_is_named(api: ApiHarness, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with SandboxShop(ssl_context=context) as shop:
        await set_shop_address(api, shop.origin)
        step = await failed_shop_step(api)
    assert step.details["reason"] == "SHOP_UNREACHABLE"
    assert "TLS: the certificate of" in step.text
    # an https address of a port that speaks only http
    await set_shop_address(api, api.shop.origin.replace("http://", "https://"))
    step = await failed_shop_step(api)
    assert (step.details["reason"], "TLS" in step.text) == ("SHOP_UNREACHABLE", True)


async def test_unreachable_shop_is_named(api: ApiHarness) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for address, text in ((f"http://127.0.0.1:{port}", "does not accept connections"), ("https://shop.example.invalid", "DNS: the name")):
        await set_shop_address(api, address)
        step = await failed_shop_step(api)
        assert step.details["reason"] == "SHOP_UNREACHABLE"
        assert text in step.text
        assert "this service may reach it" in step.remedy
