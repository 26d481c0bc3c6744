"""CheckAccount over a real channel: everything that may stand between the service and a shop is named, with what to do about it."""

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
MANY_WORDS = 90

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
    "a password before it": (
        {"status": 401, "body": "<html>Authorization Required</html>", "content_type": "text/html"},
        "SHOP_PASSWORD_PROTECTED",
        "asks for a password before the shop",
        "Except /wp-json/ from the site's password protection.",
    ),
    "closes the connection": ({"disconnect": "before"}, "SHOP_TOO_SLOW", "closed the connection", "Try again"),
    "breaks off": ({"truncate": True}, "SHOP_TOO_SLOW", "closed the connection", "Try again"),
    "other data behind a message": (
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


async def shop_step(api: ApiHarness) -> Any:
    """The one step at which the shop fails; of the till every step goes well meanwhile."""
    answer = await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"))
    assert not answer.ok
    failed = [step for step in answer.steps if not step.ok]
    assert [(step.side, step.name) for step in failed] == [(SHOP, "bridge_status")]
    assert failed[0].remedy
    for text in (failed[0].text, failed[0].remedy):
        assert text.endswith(".")
        assert text[0] == text[0].upper()
        assert len(text.split()) < MANY_WORDS
        assert api.shop.switches.bridge_secret not in text
        assert "<" not in text
    return failed[0]


async def address_is(api: ApiHarness, url: str) -> None:
    shop = account_pb2.ShopSettings(base_url=url, bridge_secret=api.shop.switches.bridge_secret)
    mask = FieldMask(paths=["shop.base_url", "shop.bridge_secret"])
    request = S.UpdateAccountRequest(account_id="shop-a", account=account_pb2.Account(shop=shop), update_mask=mask)
    await api.call("AccountService/UpdateAccount", request)


def test_every_trouble_is_here() -> None:
    """A stripped header is of no account to the bridge, whose signature has headers of its own."""
    assert set(FailureMode) - set(FAILURE_MODES) == {FailureMode.HEADER_STRIPPED}


@pytest.mark.parametrize("trouble", list(FAILURE_MODES))
async def test_what_the_shop_answers_instead_is_named_with_its_remedy(api: ApiHarness, trouble: FailureMode) -> None:
    reason, says, remedy = FAILURE_MODES[trouble]
    api.shop.switches.trouble = trouble
    step = await shop_step(api)
    assert step.details["reason"] == reason
    assert says in step.text
    assert remedy in step.remedy
    if trouble is FailureMode.MAINTENANCE:
        assert (step.details["http_status"], step.details["retry_after_seconds"]) == ("503", "600")
    api.shop.switches.trouble = None
    assert (await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"))).ok


async def test_a_stripped_authorization_header_does_not_matter(api: ApiHarness) -> None:
    api.shop.switches.trouble = FailureMode.HEADER_STRIPPED
    assert (await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"))).ok


async def test_a_plugin_that_is_off_is_named(api: ApiHarness) -> None:
    api.shop.switches.bridge_installed = False
    step = await shop_step(api)
    assert step.details["reason"] == "SHOP_BRIDGE_OFF"
    assert "plugin is not active" in step.text


@pytest.mark.parametrize("name", list(FAULTS))
async def test_what_its_web_server_does_is_named(api: ApiHarness, name: str) -> None:
    fault, reason, says, remedy = FAULTS[name]
    api.shop.faults.script(path="*", times=None, **fault)
    step = await shop_step(api)
    assert step.details["reason"] == reason
    assert says in step.text
    assert remedy in step.remedy


async def test_a_shop_that_says_nothing_is_too_slow(api: ApiHarness) -> None:
    silence = api.shop.faults.script(path="*", times=None, hang="before")
    step = await shop_step(api)
    silence.cancel()
    assert step.details["reason"] == "SHOP_TOO_SLOW"
    assert f"no answer from 127.0.0.1 within {GIVE_UP_SECONDS:g} s" in step.text.lower()


async def test_a_certificate_that_is_not_valid_is_named(api: ApiHarness, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate, key)
    async with SandboxShop(ssl_context=served) as shop:
        await address_is(api, shop.origin)
        step = await shop_step(api)
    assert step.details["reason"] == "SHOP_UNREACHABLE"
    assert "TLS: the certificate of" in step.text
    # https where only http is spoken
    await address_is(api, api.shop.origin.replace("http://", "https://"))
    step = await shop_step(api)
    assert (step.details["reason"], "TLS" in step.text) == ("SHOP_UNREACHABLE", True)


async def test_a_shop_that_is_not_there_is_named(api: ApiHarness) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for address, says in ((f"http://127.0.0.1:{port}", "does not accept connections"), ("https://shop.example.invalid", "DNS: the name")):
        await address_is(api, address)
        step = await shop_step(api)
        assert step.details["reason"] == "SHOP_UNREACHABLE"
        assert says in step.text
        assert "this service may reach it" in step.remedy
