from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fakes.account_warnings import FakeAccountWarnings
from fakes.accounts import FakeAccounts
from fakes.links import FakeLinks
from fakes.queues import SHOP
from fakes.till import FakeTill, FakeTillGateway
from tillsync_server.application.use_cases.account_settings import AccountInput, AccountSettings
from tillsync_server.application.use_cases.site_settings import SiteSettings, SiteSettingsUpdate
from tillsync_server.application.use_cases.till_lookup import TillLookup
from tillsync_server.domain.account import Account, EposSettings, ShopSettings
from tillsync_server.domain.base_urls import origin_of, shop_base_url, till_base_url
from tillsync_server.domain.enums import GuestPolicy, MatchEmail, TillApiVersion, TillTypeField, TrustedAccounts
from tillsync_server.domain.errors import Aborted, InvalidArgument, NotFound
from tillsync_server.domain.ids import AccountId, TillId

BRIDGE_SECRET = "A" * 43
PRESENT = Account(
    account_id=SHOP,
    till_id=TillId("till-a"),
    epos=EposSettings(api_key="key-1", api_secret="secret-1"),
    shop=ShopSettings(base_url="https://shop.example.test", consumer_key="ck_1", consumer_secret="cs_1"),
)


def given(settings: Mapping[str, Any], account_id: str = SHOP, named: str = "") -> AccountInput:
    return AccountInput(account_id=AccountId(account_id), named=named, settings=lambda paths: {path: settings.get(path) for path in paths})


def account_settings(*present: Account) -> tuple[AccountSettings, FakeAccounts]:
    accounts = FakeAccounts()
    for account in present:
        accounts.add(account)
    return AccountSettings(
        accounts, FakeAccountWarnings(), plain_http_allowed=lambda host, port: (host, port) == ("till.internal", 8080)
    ), accounts


async def update(settings: Mapping[str, Any], present: Account = PRESENT, etag: str = "") -> Account:
    return (await account_settings(present)[0].update(given(settings), tuple(settings), etag)).account


def fields_of(refused: pytest.ExceptionInfo[InvalidArgument]) -> list[str]:
    return [violation.field for violation in refused.value.violations]


async def created(given_settings: AccountInput) -> Account:
    """The created account without its create and update times."""
    return replace(await account_settings()[0].create(given_settings), create_time=None, update_time=None)


async def test_omitted_settings_get_their_documented_defaults() -> None:
    assert await created(given({})) == Account(account_id=SHOP, till_id=TillId(SHOP), trusted_accounts=TrustedAccounts.CONFIRMED_ONLY)


async def test_every_setting_is_stored_in_its_field() -> None:
    settings = {
        "name": "Shop A",
        "customer_sync_enabled": False,
        "default_epos_customer_id": 7,
        "match_email": 2,
        "guest_policy": 3,
        "auto_link": False,
        "sync_names": True,
        "sync_phone": True,
        "trusted_accounts": 3,
        "till_id": "company",
        "shared_till": True,
        "epos.base_url": "https://till.example.test/",
        "epos.api_key": "k",
        "epos.api_secret": "s",
        "epos.customer_api_version": 4,
        "epos.customer_type_api_version": 4,
        "epos.v4_type_field": 3,
        "epos.requests_per_minute": 60,
        "epos.webhook_key": "wk",
        "epos.webhook_secret": "ws",
        "shop.base_url": "https://shop.example.test/site/",
        "shop.consumer_key": "ck",
        "shop.consumer_secret": "cs",
        "shop.bridge_secret": BRIDGE_SECRET,
    }
    assert await created(given(settings, named=SHOP)) == Account(
        account_id=SHOP,
        name="Shop A",
        customer_sync_enabled=False,
        default_epos_customer_id=7,  # type: ignore[arg-type]
        match_email=MatchEmail.BILLING,
        guest_policy=GuestPolicy.MATCH_OR_CREATE,
        auto_link=False,
        sync_names=True,
        sync_phone=True,
        trusted_accounts=TrustedAccounts.ALL,
        till_id=TillId("company"),
        shared_till=True,
        epos=EposSettings(
            base_url="https://till.example.test",
            api_key="k",
            api_secret="s",
            customer_api_version=TillApiVersion.V4,
            customer_type_api_version=TillApiVersion.V4,
            v4_type_field=TillTypeField.CUSTOMER_TYPE_ID,
            requests_per_minute=60,
            webhook_key="wk",
            webhook_secret="ws",
        ),
        shop=ShopSettings(base_url="https://shop.example.test/site", consumer_key="ck", consumer_secret="cs", bridge_secret=BRIDGE_SECRET),
    )


@pytest.mark.parametrize("account_id", ["", "-a", "a-", "A", "a_b", "a" * 65, "a\n"])
async def test_an_account_id_is_a_slug(account_id: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await account_settings()[0].create(given({}, account_id))
    assert fields_of(refused) == ["account_id"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "x" * 101),
        ("name", "a\nb"),
        ("default_epos_customer_id", -1),
        ("match_email", 9),
        ("guest_policy", 9),
        ("till_id", "Till A"),
        ("epos.base_url", "http://till.example.test"),
        ("epos.base_url", "https://till.example.test/api"),
        ("epos.base_url", "https://user:pass@till.example.test"),
        ("epos.api_key", "x" * 513),
        ("epos.api_key", "a:b"),
        ("epos.api_secret", "a\rb"),
        ("epos.customer_api_version", 3),
        ("epos.requests_per_minute", -1),
        ("epos.requests_per_minute", 100_001),
        ("shop.base_url", "ftp://shop.example.test"),
        ("shop.base_url", "https://shop.example.test/?a=b"),
        ("shop.base_url", "https://shop.example.test/#x"),
        ("shop.base_url", "https://"),
        ("shop.bridge_secret", "A" * 42),
        ("shop.bridge_secret", "A" * 42 + "="),
    ],
)
async def test_setting_outside_its_limits_is_named(path: str, value: object) -> None:
    for ask in (account_settings()[0].create(given({path: value})), account_settings(PRESENT)[0].update(given({path: value}), (path,), "")):
        with pytest.raises(InvalidArgument) as refused:
            await ask
        assert fields_of(refused) == [f"account.{path}"]


async def test_all_invalid_settings_are_named_in_one_error() -> None:
    with pytest.raises(InvalidArgument) as refused:
        await account_settings()[0].create(given({"name": "x" * 101, "till_id": "-", "shop.bridge_secret": "short"}))
    assert fields_of(refused) == ["account.name", "account.till_id", "account.shop.bridge_secret"]


@pytest.mark.parametrize(
    "paths",
    [
        (),
        ("*",),
        ("epos",),
        ("shop",),
        ("account_id",),
        ("etag",),
        ("problem",),
        ("problem.text",),
        ("create_time",),
        ("epos.has_api_key",),
        ("shop.has_bridge_secret",),
        ("autoLink",),
        ("account.auto_link",),
        ("epos.base_url.x",),
        ("name", "nonsense"),
    ],
)
async def test_mask_with_unknown_fields_is_refused(paths: tuple[str, ...]) -> None:
    settings, accounts = account_settings(PRESENT)
    with pytest.raises(InvalidArgument) as refused:
        await settings.update(given({"name": "other"}), paths, "")
    assert fields_of(refused) == ["update_mask"]
    assert accounts.accounts[SHOP] == PRESENT


async def test_mask_with_thousands_of_names_is_one_violation() -> None:
    paths = tuple(f"field_{number}" for number in range(5000))
    accounts = account_settings(PRESENT)[1]
    for update in (
        account_settings(PRESENT)[0].update(given({}), paths, ""),
        SiteSettings(accounts, TillLookup(accounts, FakeTillGateway(FakeTill()), FakeLinks())).update(
            SiteSettingsUpdate(account_id=AccountId(SHOP), settings=lambda _: {}, mask=paths)
        ),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await update
        assert fields_of(refused) == ["update_mask"]


async def test_only_masked_fields_change_and_empty_ones_get_their_default() -> None:
    settings, _ = account_settings(Account(account_id=SHOP, till_id=TillId("company"), auto_link=False, name="old", sync_names=True))
    values = {"name": "ignored", "auto_link": None, "till_id": "", "sync_names": False}
    changed = (await settings.update(given(values), ("auto_link", "till_id", "sync_names"), "")).account
    assert (changed.name, changed.auto_link, changed.till_id, changed.sync_names) == ("old", True, TillId(SHOP), False)


async def test_zero_requests_per_minute_means_the_default() -> None:
    assert (await update({"epos.requests_per_minute": 0})).epos.requests_per_minute == 300


@pytest.mark.parametrize("path", ["epos.api_key", "epos.api_secret", "shop.consumer_key", "shop.consumer_secret"])
@pytest.mark.parametrize("pasted", ["key\u2013one", "key\u00a0", "\u200bkey", "k£y"])
async def test_non_ascii_issued_credentials_are_refused(path: str, pasted: str) -> None:
    """Credentials are sent in a Basic header, and its encoding is not specified."""
    with pytest.raises(InvalidArgument) as refused:
        await update({path: pasted})
    assert fields_of(refused) == [f"account.{path}"]
    strange = next(position for position, character in enumerate(pasted, 1) if not character.isascii())
    assert f"character {strange} is none that such a key has" in refused.value.message
    assert pasted not in refused.value.message


async def test_webhook_credentials_may_hold_any_character() -> None:
    epos = (await update({"epos.webhook_key": "tîll", "epos.webhook_secret": "5€ £ ✓"})).epos
    assert (epos.webhook_key, epos.webhook_secret) == ("tîll", "5€ £ ✓")


async def test_an_empty_masked_secret_is_removed() -> None:
    assert (await update({"shop.consumer_key": ""})).shop == ShopSettings(
        base_url="https://shop.example.test", consumer_key="", consumer_secret="cs_1"
    )


async def test_new_origin_needs_its_secrets_again() -> None:
    with pytest.raises(InvalidArgument) as refused:
        await update({"epos.base_url": "https://other.example.test", "epos.api_key": "key-2"})
    assert fields_of(refused) == ["account.epos.api_secret"]
    with pytest.raises(InvalidArgument) as refused:
        await update({"shop.base_url": "http://shop.example.test"})
    assert fields_of(refused) == ["account.shop.consumer_key", "account.shop.consumer_secret"]
    changed = await update({"epos.base_url": "https://other.example.test", "epos.api_key": "key-2", "epos.api_secret": "secret-2"})
    assert (changed.epos.base_url, changed.epos.api_secret) == ("https://other.example.test", "secret-2")
    changed = await update({"shop.base_url": "https://b.example.test", "shop.consumer_key": "", "shop.consumer_secret": ""})
    assert changed.shop == ShopSettings(base_url="https://b.example.test")


async def test_default_address_after_another_one_needs_its_secrets_again() -> None:
    present = Account(
        account_id=SHOP, till_id=TillId("a"), epos=EposSettings(base_url="https://t.example.test", api_key="k", api_secret="s")
    )
    with pytest.raises(InvalidArgument) as refused:
        await update({"epos.base_url": ""}, present)
    assert fields_of(refused) == ["account.epos.api_key", "account.epos.api_secret"]


async def test_removing_the_address_first_does_not_free_the_secrets() -> None:
    without = await update({"shop.base_url": ""})
    with pytest.raises(InvalidArgument) as refused:
        await update({"shop.base_url": "https://evil.example.test"}, without)
    assert fields_of(refused) == ["account.shop.consumer_key", "account.shop.consumer_secret"]


async def test_same_origin_with_other_spelling_or_path_needs_no_secrets() -> None:
    changed = await update({"shop.base_url": "https://SHOP.example.test:443/wp"})
    assert (changed.shop.base_url, changed.shop.consumer_key) == ("https://SHOP.example.test:443/wp", "ck_1")


async def test_wrong_etag_or_account_id_is_refused() -> None:
    with pytest.raises(Aborted):
        await update({"name": "x"}, etag='W/"9"')
    assert (await update({"name": "x"}, etag=PRESENT.etag)).config_version == 2
    with pytest.raises(InvalidArgument, match="account_id"):
        await account_settings(PRESENT)[0].update(given({"name": "x"}, named="shop-b"), ("name",), "")
    with pytest.raises(InvalidArgument, match="account_id"):
        await account_settings()[0].create(given({}, named="shop-b"))
    with pytest.raises(NotFound):
        await account_settings()[0].update(given({"name": "x"}), ("name",), "")


async def test_accounts_are_listed_in_pages() -> None:
    settings, _ = account_settings(*(Account(account_id=AccountId(name), till_id=TillId("t")) for name in ("c", "a", "b")))
    first = await settings.list_accounts(2, "")
    second = await settings.list_accounts(2, first.next_page_token)
    assert [[account.account_id for account in page.accounts] for page in (first, second)] == [["a", "b"], ["c"]]
    assert second.next_page_token == ""
    with pytest.raises(InvalidArgument, match="page_token"):
        await settings.list_accounts(2, "x")


@pytest.mark.parametrize("url", ["http://localhost:8080", "http://127.0.0.1:9", "http://[::1]:9", "http://till.internal:8080"])
def test_plain_http_to_a_till_is_allowed_for_loopback_and_allowed_hosts(url: str) -> None:
    assert till_base_url(url, lambda host, port: (host, port) == ("till.internal", 8080)) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example.test",
        "https://a b.test",
        "https://a\\@b.test",
        "https://ex\tample.test",
        "https://a.test:99999",
        "https://a.test:x",
        "https://[::1",
        "https://a..test",
        "https://-a.test",
        "javascript:alert(1)",
        "https://a.test?",
        "https://a.test#",
        "//a.test",
    ],
)
def test_invalid_base_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        shop_base_url(url)


def test_origins_are_compared_normalised() -> None:
    assert origin_of("https://BÜCHER.example.test/x") == origin_of("https://xn--bcher-kva.example.test:443")
    assert origin_of("https://a.example.test") != origin_of("http://a.example.test")
    assert origin_of("https://a.example.test") != origin_of("https://a.example.test:8443")
    assert origin_of("https://a.example.test.") == origin_of("https://a.example.test")
    assert origin_of("") is None


async def test_trust_by_age_keeps_the_time_it_was_first_set() -> None:
    """Saving the setting again does not trust customers who registered since."""
    changes = {"trusted_accounts": int(TrustedAccounts.REGISTERED_BEFORE)}
    before = datetime.now(UTC)
    first = await update(changes)
    assert first.trusted_before is not None
    assert before <= first.trusted_before <= datetime.now(UTC)
    assert (await update(changes, first)).trusted_before == first.trusted_before
    assert (await update({"sync_phone": True}, first)).trusted_before == first.trusted_before
    assert (await update({"trusted_accounts": int(TrustedAccounts.ALL)}, first)).trusted_before is None
