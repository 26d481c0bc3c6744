"""UpdateSiteSettings: the settings that a merchant may read and change, the effect of a change in numbers, and the roles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from support.api_harness import ApiHarness, api_harness
from support.engine import EngineWorld
from support.links import HELD_DUPLICATE, complete_all, facts_of, put_order
from tillsync.v1 import account_pb2, account_service_pb2
from tillsync_server.domain.enums import Role

pytestmark = pytest.mark.integration

S = account_service_pb2
METHOD = "AccountService/UpdateSiteSettings"


@pytest_asyncio.fixture
async def api(world: EngineWorld) -> AsyncIterator[ApiHarness]:
    async with api_harness(world) as made:
        await made.add_account(default_epos_customer_id=7)
        yield made


def change(*paths: str, validate_only: bool = False, etag: str = "", **values: Any) -> S.UpdateSiteSettingsRequest:
    return S.UpdateSiteSettingsRequest(
        account_id="shop-a",
        settings=S.SiteSettings(**values),
        update_mask=FieldMask(paths=paths or list(values)),
        etag=etag,
        validate_only=validate_only,
    )


async def site(api: ApiHarness, account: str = "shop-a") -> Sequence[tuple[str, str]]:
    return await api.grpc.token(Role.SITE, account)


async def account(api: ApiHarness) -> account_pb2.Account:
    request = S.GetAccountRequest(account_id="shop-a")
    found: account_pb2.Account = (await api.call("AccountService/GetAccount", request)).account
    return found


async def test_merchant_reads_the_settings_without_a_mask(api: ApiHarness) -> None:
    request = S.UpdateSiteSettingsRequest(account_id="shop-a", validate_only=True)
    answer = await api.call(METHOD, request, await site(api))
    stored = await account(api)
    assert answer.etag == stored.etag
    assert answer.settings == S.SiteSettings(
        customer_sync_enabled=True,
        default_epos_customer_id=7,
        match_email=account_pb2.MATCH_EMAIL_ACCOUNT,
        guest_policy=account_pb2.GUEST_POLICY_DEFAULT_CUSTOMER,
        auto_link=True,
        trusted_accounts=account_pb2.TRUSTED_ACCOUNTS_CONFIRMED_ONLY,
    )


async def test_change_without_a_mask_is_refused(api: ApiHarness) -> None:
    refused = await api.refusal(METHOD, S.UpdateSiteSettingsRequest(account_id="shop-a"), await site(api))
    assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["update_mask"])


async def test_switching_sync_on_counts_the_customers_and_requeues_them(api: ApiHarness) -> None:
    engine, merchant = api.grpc.engine, await site(api)
    await engine.fetch("INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) SELECT 'shop-a', n, n, 3 "
                       "FROM generate_series(101, 103) AS n RETURNING 1")  # fmt: skip
    await engine.fetch("INSERT INTO customer_type (account_id, epos_customer_type_id) VALUES ('shop-a', 5) RETURNING 1")
    switched_off = await api.call(METHOD, change("customer_sync_enabled"), merchant)
    assert switched_off.settings.customer_sync_enabled is False
    assert (await account(api)).customer_sync_enabled is False

    planned = await api.call(METHOD, change(customer_sync_enabled=True, validate_only=True), merchant)
    assert planned.settings.customer_sync_enabled is True
    assert (planned.effect.queued_customer_count, planned.effect.queued_customer_type_count) == (3, 1)
    assert "3 linked customers are synced again" in planned.effect.notes
    assert planned.etag == switched_off.etag
    assert (await account(api)).customer_sync_enabled is False  # the validation stores nothing
    assert await engine.fetch("SELECT 1 FROM requeue") == []

    done = await api.call(METHOD, change(customer_sync_enabled=True, etag=planned.etag), merchant)
    assert done.effect == planned.effect
    assert done.etag != planned.etag
    assert {row["what"] for row in await engine.fetch("SELECT what FROM requeue")} >= {1, 2}


async def test_new_default_customer_requeues_held_orders_and_counts_them(api: ApiHarness) -> None:
    engine, merchant = api.grpc.engine, await site(api)
    await put_order(engine, facts_of(1042))
    await complete_all(engine, HELD_DUPLICATE)
    api.till.add_customer(9)
    planned = await api.call(METHOD, change(default_epos_customer_id=9, validate_only=True), merchant)
    assert (planned.effect.requeued_entry_count, list(planned.effect.notes)) == (1, ["1 held order is matched again"])
    await api.call(METHOD, change(default_epos_customer_id=9), merchant)
    assert (await account(api)).default_epos_customer_id == 9


async def test_every_field_is_stored_and_an_empty_one_gets_its_default(api: ApiHarness) -> None:
    merchant = await site(api)
    api.till.add_customer(8)
    settings = S.SiteSettings(
        customer_sync_enabled=False,
        default_epos_customer_id=8,
        match_email=account_pb2.MATCH_EMAIL_BILLING,
        guest_policy=account_pb2.GUEST_POLICY_MATCH_ONLY,
        auto_link=False,
        sync_names=True,
        sync_phone=True,
        trusted_accounts=account_pb2.TRUSTED_ACCOUNTS_CONFIRMED_ONLY,
    )
    paths = [field.name for field in S.SiteSettings.DESCRIPTOR.fields if field.name != "trusted_before_time"]
    request = S.UpdateSiteSettingsRequest(account_id="shop-a", settings=settings, update_mask=FieldMask(paths=paths))
    assert (await api.call(METHOD, request, merchant)).settings == settings
    stored = await account(api)
    assert all(getattr(stored, path) == getattr(settings, path) for path in paths)
    reset = await api.call(METHOD, change("match_email", "guest_policy", "default_epos_customer_id"), merchant)
    assert (reset.settings.match_email, reset.settings.guest_policy, reset.settings.default_epos_customer_id) == (1, 1, 0)


async def test_default_customer_that_epos_now_does_not_have_is_refused(api: ApiHarness) -> None:
    merchant, before = await site(api), await account(api)
    api.till.add_customer(8)
    for validate_only in (True, False):
        refused = await api.refusal(METHOD, change(default_epos_customer_id=6, validate_only=validate_only), merchant)
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert refused.fields == {
            "settings.default_epos_customer_id": "Epos Now has no customer 6: give the number of a customer that exists"
        }
    assert await account(api) == before


@pytest.mark.parametrize(("status", "reason"), [(503, "503"), (401, "credentials")])
async def test_default_customer_is_stored_with_a_note_while_epos_now_cannot_be_asked(api: ApiHarness, status: int, reason: str) -> None:
    merchant = await site(api)
    api.till.faults.script(path="*", status=status, times=20)
    changed = await api.call(METHOD, change(default_epos_customer_id=6), merchant)
    [note] = changed.effect.notes
    assert note.startswith("the default customer was not checked, so check the account later. Epos Now ")
    assert reason in note
    assert (await account(api)).default_epos_customer_id == 6
    again = await api.call(METHOD, change(default_epos_customer_id=6, sync_names=True), merchant)
    assert list(again.effect.notes) == [], "the same customer is not checked again"


@pytest.mark.parametrize("path", ["*", "epos.api_key", "shop.base_url", "till_id", "name", "nonsense"])
async def test_other_fields_of_the_account_cannot_be_changed(api: ApiHarness, path: str) -> None:
    before = await account(api)
    refused = await api.refusal(METHOD, change(path), await site(api))
    assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["update_mask"])
    assert "auto_link" in refused.fields["update_mask"]
    assert await account(api) == before


async def test_outdated_etag_linked_default_customer_and_wrong_value_are_refused(api: ApiHarness) -> None:
    merchant = await site(api)
    stale = await api.refusal(METHOD, change(sync_names=True, etag='W/"0"'), merchant)
    assert (stale.code, stale.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    read_stale = S.UpdateSiteSettingsRequest(account_id="shop-a", validate_only=True, etag='W/"0"')
    assert (await api.refusal(METHOD, read_stale, merchant)).code is grpc.StatusCode.ABORTED
    api.till.add_customer(9)
    await api.grpc.engine.fetch(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) VALUES ('shop-a', 9, 12, 3) RETURNING 1"
    )
    for validate_only in (True, False):
        linked = await api.refusal(METHOD, change(default_epos_customer_id=9, validate_only=validate_only), merchant)
        assert (linked.code, linked.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "DEFAULT_CUSTOMER_LINKED")
    negative = await api.refusal(METHOD, change(default_epos_customer_id=-1), merchant)
    assert list(negative.fields) == ["settings.default_epos_customer_id"]


async def test_foreign_site_and_support_are_denied_and_other_roles_allowed(api: ApiHarness) -> None:
    await api.add_account("shop-b", till_id="b")
    foreign = await api.refusal(METHOD, change(sync_names=True), await site(api, "shop-b"))
    assert foreign.code is grpc.StatusCode.PERMISSION_DENIED
    support = await api.refusal(METHOD, change(sync_names=True), await api.grpc.token(Role.SUPPORT))
    assert support.code is grpc.StatusCode.PERMISSION_DENIED
    for role in (Role.SERVICE, Role.ADMIN):
        assert (await api.call(METHOD, change(sync_names=True), await api.grpc.token(role))).settings.sync_names
