from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fakes.account_warnings import FakeAccountWarnings
from fakes.accounts import FakeAccounts
from fakes.knowledge import FakeKnowledge
from fakes.queues import SHOP
from fakes.shop import FakeShop, FakeShopGateway
from fakes.till import EmailMatch, FakeTill, FakeTillGateway
from tillsync_server.application.use_cases.account_check import AccountCheck, AccountChecked
from tillsync_server.domain.account import Account, EposSettings, Problem, ShopSettings
from tillsync_server.domain.customer import TillCustomerType
from tillsync_server.domain.enums import ProblemReason, Side
from tillsync_server.domain.errors import (
    Blocked,
    BridgeMissing,
    CredentialsRefused,
    Misaddressed,
    Missing,
    NotFound,
    ServerFailure,
    Unavailable,
)
from tillsync_server.domain.ids import AccountId, EposCustomerId, EposCustomerTypeId, TillId

ACCOUNT = Account(
    account_id=SHOP,
    till_id=TillId("till-a"),
    default_epos_customer_id=EposCustomerId(90001),
    epos=EposSettings(api_key="hush-1", api_secret="hush-2", webhook_key="hush-3", webhook_secret="hush-4"),
    shop=ShopSettings(base_url="https://shop.example.test", bridge_secret="A" * 43),
)
WITH_KEYS = replace(ACCOUNT, shop=ShopSettings(base_url="https://shop.example.test", consumer_key="ck", consumer_secret="cs"))


class Harness:
    def __init__(self, account: Account = ACCOUNT, seconds: float = 28.0) -> None:
        self.accounts = FakeAccounts()
        self.accounts.add(account)
        self.warnings = FakeAccountWarnings()
        self.till, self.shop, self.knowledge = FakeTill(), FakeShop(has_bridge=account.shop.has_bridge), FakeKnowledge()
        self.till.add("ada@example.test", customer_id=90001)
        self.till.types[EposCustomerTypeId(4001)] = TillCustomerType(epos_customer_type_id=EposCustomerTypeId(4001))
        sides = FakeTillGateway(self.till), FakeShopGateway(self.shop)
        self.check = AccountCheck(self.accounts, *sides, self.knowledge, self.accounts, self.warnings, side_seconds=seconds)

    async def run(self, **options: bool) -> AccountChecked:
        return await self.check.run(SHOP, **options)


def steps(checked: AccountChecked) -> list[tuple[Side | None, str, bool]]:
    return [(step.side, step.name, step.ok) for step in checked.steps]


def names(checked: AccountChecked, side: Side) -> list[str]:
    return [step.name for step in checked.steps if step.side is side]


async def test_a_good_account_passes_every_step_in_order() -> None:
    harness = Harness()
    checked = await harness.run()
    assert steps(checked) == [
        (None, "settings", True),
        (Side.TILL, "credentials", True),
        (Side.TILL, "list_customers", True),
        (Side.TILL, "search_by_email", True),
        (Side.TILL, "customer_types", True),
        (Side.TILL, "default_customer", True),
        (Side.SHOP, "bridge_status", True),
        (Side.SHOP, "address", True),
    ]
    assert checked.ok
    assert checked.warnings == ()
    assert harness.knowledge.notes == ["customers_read", "types_read"]
    assert all(step.text.endswith(".") and not step.remedy for step in checked.steps)


async def test_no_personal_data_and_no_secret_is_in_the_answer() -> None:
    answer = repr(await Harness().run())
    for secret in ("ada", "Byron", "hush", "A" * 43):
        assert secret not in answer


async def test_a_sides_steps_end_with_its_first_failed_one_and_the_other_side_goes_on() -> None:
    harness = Harness()
    harness.till.faults["probe"] = CredentialsRefused(Side.TILL, "Epos Now refuses the credentials (HTTP 401)", status=401)
    checked = await harness.run()
    assert names(checked, Side.TILL) == ["credentials"]
    assert names(checked, Side.SHOP) == ["bridge_status", "address"]
    assert not checked.ok
    [failed] = [step for step in checked.steps if not step.ok]
    assert "refuses the credentials" in failed.text
    assert "API device" in failed.remedy
    assert failed.details == {"reason": "TILL_CREDENTIALS_REFUSED", "http_status": "401"}


async def test_a_page_before_the_till_is_not_told_as_a_wrong_key_or_address() -> None:
    harness = Harness()
    remedy = "this is not about the API key: wait, and report it to Epos Now if it stays"
    page = f"a web page answers instead of Epos Now's API (HTTP 403, HTML page of 108 characters): {remedy}"
    harness.till.faults["probe"] = Blocked(Side.TILL, page, status=403, remedy=remedy)
    [failed] = [step for step in (await harness.run()).steps if not step.ok]
    assert failed.text == "A web page answers instead of Epos Now's API (HTTP 403, HTML page of 108 characters)."
    assert failed.remedy == "This is not about the API key: wait, and report it to Epos Now if it stays."
    assert failed.details == {"reason": "TILL_BLOCKED", "http_status": "403"}


@pytest.mark.parametrize(
    ("method", "last"),
    [("list_customers", "list_customers"), ("search_by_email", "search_by_email"), ("list_customer_types", "customer_types")],
)
async def test_each_step_of_the_till_can_fail(method: str, last: str) -> None:
    harness = Harness()
    harness.till.faults[method] = Missing(Side.TILL, "not found in Epos Now", status=404)
    checked = await harness.run()
    assert names(checked, Side.TILL)[-1] == last
    assert "epos.base_url and the API version" in checked.steps[len(names(checked, Side.TILL))].remedy


async def test_a_search_that_does_not_find_who_is_there_fails_and_proves_nothing() -> None:
    harness = Harness()
    harness.till.match = EmailMatch.FINDS_NOTHING
    checked = await harness.run()
    assert names(checked, Side.TILL) == ["credentials", "list_customers", "search_by_email"]


async def test_a_till_without_emails_has_nothing_to_prove() -> None:
    harness = Harness(replace(ACCOUNT, default_epos_customer_id=None, guest_policy=ACCOUNT.guest_policy))
    harness.till.customers.clear()
    checked = await harness.run()
    assert checked.ok
    assert [warning.name for warning in checked.warnings] == ["no_default_customer"]


@pytest.mark.parametrize(
    ("match", "warning"),
    [(EmailMatch.FILTER_IGNORED, "search_filter_ignored"), (EmailMatch.EXACT, "search_tells_capitals_apart")],
)
async def test_a_search_that_proves_no_miss_is_a_warning(match: EmailMatch, warning: str) -> None:
    harness = Harness()
    harness.till.add("eve@example.test")
    harness.till.match = match
    checked = await harness.run()
    assert checked.ok
    assert [(each.side, each.name) for each in checked.warnings] == [(Side.TILL, warning)]


async def test_the_search_is_tried_in_other_capitals_as_the_order_flow_proves_it() -> None:
    harness = Harness()
    await harness.run()
    assert [text for method, text in harness.till.calls if method == "search_by_email"] == ["ADA@EXAMPLE.TEST"]


async def test_a_default_customer_that_does_not_exist_is_named() -> None:
    harness = Harness(replace(ACCOUNT, default_epos_customer_id=EposCustomerId(5)))
    failed = next(step for step in (await harness.run()).steps if not step.ok)
    assert (failed.name, failed.text) == ("default_customer", "The default customer 5 does not exist in Epos Now.")


async def test_missing_settings_are_named_and_their_side_is_not_asked() -> None:
    harness = Harness(Account(account_id=SHOP, till_id=TillId("till-a"), customer_sync_enabled=False))
    checked = await harness.run()
    assert steps(checked) == [(None, "settings", False)]
    assert checked.steps[0].text == ("Not set: epos.api_key, epos.api_secret, shop.base_url, shop.consumer_key, shop.consumer_secret.")
    assert [warning.name for warning in checked.warnings] == ["sync_disabled", "no_default_customer", "webhooks_refused"]
    assert harness.till.calls == []
    assert harness.shop.calls == []


async def test_webhook_credentials_of_any_account_of_the_till_are_enough() -> None:
    """Its webhooks tell every account of the till."""
    bare = replace(ACCOUNT, epos=replace(ACCOUNT.epos, webhook_key="", webhook_secret=""), shared_till=True)
    harness = Harness(bare)
    [warning] = (await harness.run()).warnings
    assert warning.name == "webhooks_refused"
    assert "/webhooks/eposnow/till/till-a" in warning.remedy
    harness.accounts.add(replace(ACCOUNT, account_id=AccountId("sibling"), till_id=TillId("another")))
    assert [each.name for each in (await harness.run()).warnings] == ["webhooks_refused"]
    harness.accounts.add(replace(ACCOUNT, account_id=AccountId("sibling"), shared_till=True))
    assert (await harness.run()).warnings == ()


async def test_without_the_bridge_address_and_keys_are_tested_by_reads() -> None:
    harness = Harness(WITH_KEYS)
    checked = await harness.run()
    assert names(checked, Side.SHOP) == ["address", "consumer_keys"]
    assert harness.shop.calls == ["probe", "check_access"]
    harness.shop.faults["check_access"] = CredentialsRefused(Side.SHOP, "WooCommerce refuses the key", status=401)
    failed = next(step for step in (await harness.run()).steps if not step.ok)
    assert failed.name == "consumer_keys"
    harness.shop.faults["probe"] = Misaddressed(Side.SHOP, "the shop redirects", status=301)
    checked = await harness.run()
    assert names(checked, Side.SHOP) == ["address"]
    assert "shop.base_url" in checked.steps[-1].remedy


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (BridgeMissing(Side.SHOP, "the plugin is off", status=404), "Activate"),
        (ServerFailure(Side.SHOP, "the shop failed", status=500), "PHP error log"),
    ],
)
async def test_a_bridge_that_does_not_answer_has_its_remedy(error: Any, remedy: str) -> None:
    harness = Harness()
    harness.shop.faults["status"] = error
    checked = await harness.run()
    assert names(checked, Side.SHOP) == ["bridge_status"]
    assert remedy in checked.steps[-1].remedy


async def test_a_shop_that_calls_itself_otherwise_looks_wrong() -> None:
    harness = Harness()
    harness.shop.home_url = "http://SHOP.example.test/"
    assert (await harness.run()).warnings == ()
    harness.shop.home_url = "https://live.example.test"
    checked = await harness.run()
    assert checked.ok
    assert [warning.name for warning in checked.warnings] == ["address_differs"]


async def test_two_tills_that_look_like_one_company_are_warned_of_and_named_only_to_who_may_read_all() -> None:
    harness = Harness()
    harness.accounts.seen[TillId("till-of-others")] = frozenset({EposCustomerId(90001)})
    for tells, named in ((False, False), (True, True)):
        [warning] = (await harness.run(tells_other_tills=tells)).warnings
        assert warning.name == "tills_look_alike"
        assert ("till-of-others" in warning.text) is named
    assert harness.accounts.seen[TillId("till-a")] == {90001}


async def test_a_side_that_hangs_fails_in_the_step_it_is_at() -> None:
    harness = Harness(seconds=0.05)

    async def hang() -> None:
        await asyncio.Event().wait()

    harness.till.probe = hang  # type: ignore[method-assign]
    checked = await harness.run()
    assert names(checked, Side.TILL) == ["credentials"]
    assert "No answer within" in next(step for step in checked.steps if not step.ok).text


@pytest.mark.parametrize("side", list(Side))
async def test_a_side_that_passes_closes_its_problem_and_no_other(side: Side) -> None:
    problem = Problem(reason=ProblemReason.UNREACHABLE, side=side, text="not reached", since=datetime(2026, 1, 2, tzinfo=UTC))
    harness = Harness(replace(ACCOUNT, problems=(problem,)))
    harness.till.faults["probe"] = CredentialsRefused(Side.TILL, "no")
    assert not (await harness.run()).ok
    assert ((await harness.accounts.get(SHOP)).problems == ()) == (side is Side.SHOP), "the shop works, the till does not"


async def test_an_unknown_account_is_the_one_error_of_the_call() -> None:
    with pytest.raises(NotFound):
        await Harness().check.run(AccountId("nobody"))


async def test_what_the_bridge_says_of_the_shop_is_kept() -> None:
    harness = Harness(replace(ACCOUNT, shop=replace(ACCOUNT.shop, price_decimals=3)))
    assert (await harness.run()).ok
    assert (await harness.accounts.get(SHOP)).shop.price_decimals == 2


async def test_an_account_that_is_busy_fails_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_arguments: object, **_options: object) -> None:
        raise Unavailable("account shop-a is busy; try again", reason="ACCOUNT_BUSY")

    harness = Harness(replace(ACCOUNT, shop=replace(ACCOUNT.shop, price_decimals=3)))
    monkeypatch.setattr(harness.accounts, "update", busy)
    assert (await harness.run()).ok
