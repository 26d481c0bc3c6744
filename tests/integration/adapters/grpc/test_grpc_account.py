"""AccountService over a real channel: settings, tokens, and the check of both sides."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from support.api_harness import PUBLIC_URL, ApiHarness, api_harness
from support.engine import EngineWorld
from support.waiting import NEVER_SECONDS, until
from tillsync.v1 import account_pb2, account_service_pb2, link_service_pb2, vocabulary_pb2
from tillsync_sandbox import TillSwitches
from tillsync_sandbox.till import EmailMatch
from tillsync_server.application.use_cases import authentication
from tillsync_server.domain.enums import Role

pytestmark = pytest.mark.integration

S = account_service_pb2
TILL, SHOP, OURS = vocabulary_pb2.SIDE_TILL, vocabulary_pb2.SIDE_SHOP, vocabulary_pb2.SIDE_UNSPECIFIED
SECRETS = ("api_key", "api_secret", "webhook_key", "webhook_secret", "consumer_key", "consumer_secret", "bridge_secret")


@pytest_asyncio.fixture
async def api(world: EngineWorld) -> AsyncIterator[ApiHarness]:
    async with api_harness(world) as made:
        yield made


async def update(api: ApiHarness, paths: list[str], account: account_pb2.Account | None = None, **fields: Any) -> Any:
    request = S.UpdateAccountRequest(
        account_id="shop-a", account=account or account_pb2.Account(**fields), update_mask=FieldMask(paths=paths)
    )
    return await api.call("AccountService/UpdateAccount", request)


async def check(api: ApiHarness, metadata: Any = None) -> Any:
    return await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-a"), metadata)


def steps(answer: Any) -> list[tuple[int, str, bool]]:
    return [(step.side, step.name, step.ok) for step in answer.steps]


async def test_new_account_has_the_defaults_of_the_contract(api: ApiHarness) -> None:
    request = S.CreateAccountRequest(account_id="shop-a", account=account_pb2.Account(name="Shop A"))
    made = (await api.call("AccountService/CreateAccount", request)).account
    assert made == (await api.call("AccountService/GetAccount", S.GetAccountRequest(account_id="shop-a"))).account
    assert (made.account_id, made.name, made.till_id, made.default_epos_customer_id) == ("shop-a", "Shop A", "shop-a", 0)
    assert (made.customer_sync_enabled, made.auto_link, made.sync_names, made.sync_phone, made.shared_till) == (
        True,
        True,
        False,
        False,
        False,
    )
    assert made.match_email == account_pb2.MATCH_EMAIL_ACCOUNT
    assert made.guest_policy == account_pb2.GUEST_POLICY_DEFAULT_CUSTOMER
    assert (made.epos.base_url, made.epos.requests_per_minute) == ("https://api.eposnowhq.com", 300)
    assert made.epos.customer_api_version == made.epos.customer_type_api_version == account_pb2.TILL_API_VERSION_V2
    assert made.epos.v4_type_field == account_pb2.TILL_TYPE_FIELD_AUTO
    assert made.etag
    assert made.create_time.seconds > 0
    assert not made.HasField("problem")
    repeated = (await api.call("AccountService/CreateAccount", request)).account
    assert repeated == made
    request.account.name = "Shop B"
    changed = await api.refusal("AccountService/CreateAccount", request)
    assert (changed.code, changed.reason) == (grpc.StatusCode.ALREADY_EXISTS, "ACCOUNT_EXISTS")


async def test_answers_contain_no_secrets(api: ApiHarness) -> None:
    made = await api.add_account()
    for account in (made, (await api.call("AccountService/ListAccounts", S.ListAccountsRequest())).accounts[0]):
        assert (account.epos.has_api_key, account.epos.has_api_secret, account.epos.has_webhook_key) == (True, True, True)
        assert (account.shop.has_bridge_secret, account.shop.has_consumer_key) == (True, False)
        for name in SECRETS:
            assert getattr(account.epos, name, "") == getattr(account.shop, name, "") == ""


async def test_wrong_values_are_named_by_field(api: ApiHarness) -> None:
    wrong = account_pb2.Account(account_id="shop-b", till_id="A till", guest_policy=9)  # type: ignore[arg-type]
    refused = await api.refusal("AccountService/CreateAccount", S.CreateAccountRequest(account_id="shop-a", account=wrong))
    assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["account.guest_policy"])
    wrong = account_pb2.Account(till_id="A till", shop=account_pb2.ShopSettings(base_url="https://u:p@shop.example.test"))
    refused = await api.refusal("AccountService/CreateAccount", S.CreateAccountRequest(account_id="Shop A", account=wrong))
    assert list(refused.fields) == ["account_id"]
    refused = await api.refusal("AccountService/CreateAccount", S.CreateAccountRequest(account_id="shop-a", account=wrong))
    assert list(refused.fields) == ["account.till_id", "account.shop.base_url"]
    refused = await api.refusal("AccountService/GetAccount", S.GetAccountRequest(account_id="nobody"))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "ACCOUNT_NOT_FOUND")


async def test_masked_change_is_stored_and_returns_its_effect(api: ApiHarness) -> None:
    before = await api.add_account()
    off = await update(api, ["customer_sync_enabled", "name"], customer_sync_enabled=False, name="New", auto_link=False)
    assert (off.account.customer_sync_enabled, off.account.name, off.account.auto_link) == (False, "New", True)
    assert off.account.etag != before.etag
    assert off.HasField("effect")
    stale = S.UpdateAccountRequest(
        account_id="shop-a", account=account_pb2.Account(name="x"), update_mask=FieldMask(paths=["name"]), etag=before.etag
    )
    refused = await api.refusal("AccountService/UpdateAccount", stale)
    assert (refused.code, refused.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    on = await update(api, ["customer_sync_enabled"])
    assert on.account.customer_sync_enabled
    assert on.account.epos.has_api_secret


async def test_switching_sync_on_returns_the_number_of_enqueued_customers(api: ApiHarness) -> None:
    await api.add_account(customer_sync_enabled=False)
    for number in (1, 2):
        link = link_service_pb2.CreateLinkRequest(account_id="shop-a", epos_customer_id=number, woo_customer_id=number)
        await api.call("LinkService/CreateLink", link)
    changed = await update(api, ["customer_sync_enabled"])
    assert changed.account.customer_sync_enabled
    assert changed.effect.queued_customer_count == 2
    assert changed.effect.notes


async def test_linked_customer_cannot_become_the_default_customer(api: ApiHarness) -> None:
    await api.add_account()
    link = link_service_pb2.CreateLinkRequest(account_id="shop-a", epos_customer_id=90001, woo_customer_id=12)
    await api.call("LinkService/CreateLink", link)
    account = account_pb2.Account(default_epos_customer_id=90001)
    request = S.UpdateAccountRequest(account_id="shop-a", account=account, update_mask=FieldMask(paths=["default_epos_customer_id"]))
    refused = await api.refusal("AccountService/UpdateAccount", request)
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "DEFAULT_CUSTOMER_LINKED")


@pytest.mark.parametrize("paths", [[], ["*"], ["epos"], ["shop"], ["etag"], ["epos.has_api_key"], ["autoLink"]])
async def test_mask_must_name_settable_fields(api: ApiHarness, paths: list[str]) -> None:
    await api.add_account()
    request = S.UpdateAccountRequest(account_id="shop-a", account=account_pb2.Account(name="x"), update_mask=FieldMask(paths=paths))
    refused = await api.refusal("AccountService/UpdateAccount", request)
    assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["update_mask"])


async def test_new_origin_needs_its_secrets_and_an_empty_secret_is_removed(api: ApiHarness) -> None:
    await api.add_account()
    moved = account_pb2.Account(
        epos=account_pb2.EposSettings(base_url="https://till.example.test"),
        shop=account_pb2.ShopSettings(base_url="https://shop.example.test"),
    )
    request = S.UpdateAccountRequest(account_id="shop-a", account=moved, update_mask=FieldMask(paths=["epos.base_url", "shop.base_url"]))
    refused = await api.refusal("AccountService/UpdateAccount", request)
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert list(refused.fields) == ["account.epos.api_key", "account.epos.api_secret", "account.shop.bridge_secret"]
    moved.epos.api_key, moved.epos.api_secret = "k", "s"
    paths = ["epos.base_url", "epos.api_key", "epos.api_secret", "shop.base_url", "shop.bridge_secret"]
    changed = (await update(api, paths, moved)).account
    assert (changed.epos.base_url, changed.epos.has_api_key) == ("https://till.example.test", True)
    assert (changed.shop.base_url, changed.shop.has_bridge_secret) == ("https://shop.example.test", False)


async def test_second_account_of_a_till_needs_shared_till(api: ApiHarness) -> None:
    await api.add_account("shop-a", till_id="company")
    request = S.CreateAccountRequest(account_id="shop-b", account=api.account(till_id="company"))
    refused = await api.refusal("AccountService/CreateAccount", request)
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "TILL_NOT_SHARED")
    assert (await api.add_account("shop-b", till_id="company", shared_till=True)).till_id == "company"


async def test_accounts_are_listed_in_pages_and_not_for_a_site(api: ApiHarness) -> None:
    for name in ("shop-c", "shop-a", "shop-b"):
        await api.add_account(name)
    first = await api.call("AccountService/ListAccounts", S.ListAccountsRequest(page_size=2))
    second = await api.call("AccountService/ListAccounts", S.ListAccountsRequest(page_size=2, page_token=first.next_page_token))
    assert [[each.account_id for each in page.accounts] for page in (first, second)] == [["shop-a", "shop-b"], ["shop-c"]]
    assert second.next_page_token == ""
    for request in (S.ListAccountsRequest(page_token="x"), S.ListAccountsRequest(page_size=-1)):
        refused = await api.refusal("AccountService/ListAccounts", request)
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert len(refused.fields) == 1
    site = await api.grpc.token(Role.SITE, "shop-a")
    assert (await api.refusal("AccountService/ListAccounts", S.ListAccountsRequest(), site)).code is grpc.StatusCode.PERMISSION_DENIED


async def test_site_token_is_created_used_listed_and_revoked(api: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notification invalidates the cached token, which would otherwise last longer than the test's limit."""
    monkeypatch.setattr(authentication, "CACHE_SECONDS", NEVER_SECONDS)
    await api.add_account()
    made = await api.call("AccountService/CreateToken", S.CreateTokenRequest(account_id="shop-a", role=1, name="the bridge"))  # type: ignore[arg-type]
    content = made.connect_string.removeprefix("tillsync1.")
    decoded = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
    assert decoded == {"url": PUBLIC_URL, "account_id": "shop-a", "token": made.secret}
    site = (("authorization", f"Bearer {made.secret}"),)
    assert (await check(api, site)).steps
    listed = await api.call("AccountService/ListTokens", S.ListTokensRequest(account_id="shop-a"))
    assert [(token.token_id, token.name, token.HasField("revoke_time")) for token in listed.tokens] == [
        (made.token.token_id, "the bridge", False)
    ]
    others = await api.call("AccountService/ListTokens", S.ListTokensRequest())
    assert made.token.token_id not in [token.token_id for token in others.tokens]
    revoke = S.RevokeTokenRequest(account_id="shop-a", token_id=made.token.token_id)
    revoked = [await api.call("AccountService/RevokeToken", revoke) for _ in range(2)]
    assert revoked[0].token.revoke_time == revoked[1].token.revoke_time

    async def refusal() -> grpc.StatusCode | None:
        try:
            await check(api, site)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return None

    assert await until(refusal) is grpc.StatusCode.UNAUTHENTICATED


async def test_bad_requests_for_tokens_name_the_field(api: ApiHarness) -> None:
    await api.add_account()
    for request, field in (
        (S.CreateTokenRequest(name="x"), "role"),
        (S.CreateTokenRequest(role=1), "account_id"),  # type: ignore[arg-type]
        (S.CreateTokenRequest(role=4, account_id="shop-a"), "account_id"),  # type: ignore[arg-type]
        (S.CreateTokenRequest(role=4, name="x" * 101), "name"),  # type: ignore[arg-type]
    ):
        refused = await api.refusal("AccountService/CreateToken", request)
        assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, [field])
    unknown = S.RevokeTokenRequest(account_id="shop-a", token_id="tok_none")
    assert (await api.refusal("AccountService/RevokeToken", unknown)).code is grpc.StatusCode.NOT_FOUND


async def test_check_of_a_working_account_only_reads(api: ApiHarness) -> None:
    customer = api.till.add_customer(email="ada@example.test")
    api.till.add_type()
    await api.add_account(default_epos_customer_id=customer)
    answer = await check(api)
    assert steps(answer) == [
        (OURS, "settings", True),
        (TILL, "credentials", True),
        (TILL, "list_customers", True),
        (TILL, "search_by_email", True),
        (TILL, "customer_types", True),
        (TILL, "default_customer", True),
        (SHOP, "bridge_status", True),
        (SHOP, "address", True),
    ]
    assert answer.ok
    assert list(answer.warnings) == []
    assert {request.method for request in (*api.till.log, *api.shop.log)} == {"GET"}
    bridge = next(step for step in answer.steps if step.name == "bridge_status")
    assert bridge.details["bridge_version"] == api.shop.switches.bridge_version
    assert "ada" not in str(answer)


async def test_check_names_the_failed_step_of_each_side_with_its_remedy(api: ApiHarness) -> None:
    api.till.add_customer(email="ada@example.test")
    await api.add_account(default_epos_customer_id=999)
    answer = await check(api)
    assert steps(answer)[4:6] == [(TILL, "customer_types", True), (TILL, "default_customer", False)]
    api.till.switches.update({"api_secret": "another"})
    api.shop.switches.bridge_installed = False
    answer = await check(api)
    assert steps(answer) == [(OURS, "settings", True), (TILL, "credentials", False), (SHOP, "bridge_status", False)]
    assert not answer.ok
    till, shop = answer.steps[1:]
    assert till.details["http_status"] == "401"
    assert "API device" in till.remedy
    assert (shop.details["reason"], shop.remedy) == ("SHOP_BRIDGE_OFF", "Activate or update it, or disconnect the shop.")
    api.till.switches.update({"wrong_address": True})
    assert "epos.base_url" in (await check(api)).steps[1].remedy


async def test_consumer_keys_are_checked_by_a_read(api: ApiHarness) -> None:
    await api.add_account()
    keys = account_pb2.ShopSettings(consumer_key=api.shop.switches.consumer_key, consumer_secret=api.shop.switches.consumer_secret)
    paths = ["shop.consumer_key", "shop.consumer_secret", "shop.bridge_secret"]
    await update(api, paths, account_pb2.Account(shop=keys))
    assert [step for step in steps(await check(api)) if step[0] == SHOP] == [(SHOP, "address", True), (SHOP, "consumer_keys", True)]
    api.shop.switches.consumer_secret = "cs_another"
    assert [step for step in steps(await check(api)) if step[0] == SHOP] == [(SHOP, "address", True), (SHOP, "consumer_keys", False)]
    assert {request.method for request in api.shop.log} == {"GET"}


async def test_ignored_filter_of_the_till_is_a_warning(api: ApiHarness) -> None:
    assert TillSwitches().email_match is not EmailMatch.IGNORED
    for number in range(3):
        api.till.add_customer(email=f"c{number}@example.test")
    api.till.switches.email_match = EmailMatch.IGNORED
    await api.add_account(guest_policy=3)
    answer = await check(api)
    assert answer.ok
    assert [warning.name for warning in answer.warnings] == ["search_filter_ignored"]


async def test_second_till_id_of_a_company_is_a_warning_and_named_only_to_operators(api: ApiHarness) -> None:
    customer = api.till.add_customer(email="ada@example.test")
    await api.add_account("shop-b", till_id="company-b", default_epos_customer_id=customer)
    await api.call("AccountService/CheckAccount", S.CheckAccountRequest(account_id="shop-b"))
    await api.add_account("shop-a", till_id="company-a", default_epos_customer_id=customer)
    site = await api.grpc.token(Role.SITE, "shop-a")
    for metadata, named in ((None, True), (site, False)):
        [warning] = (await check(api, metadata)).warnings
        assert (warning.side, warning.name) == (TILL, "tills_look_alike")
        assert ("company-b" in warning.text) is named
        assert warning.remedy
