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
from tillsync_server.application.use_cases.account_check import AccountCheck, AccountCheckResult
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

    async def run(self, **options: bool) -> AccountCheckResult:
        return await self.check.run(SHOP, **options)


def steps(checked: AccountCheckResult) -> list[tuple[Side | None, str, bool]]:
    return [(step.side, step.name, step.ok) for step in checked.steps]


def names(checked: AccountCheckResult, side: Side) -> list[str]:
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


async def test_check_result_contains_no_personal_data_and_no_secret() -> None:
    answer = repr(await Harness().run())
    for secret in ("ada", "Byron", "hush", "A" * 43):
        assert secret not in answer


async def test_failed_step_ends_the_steps_of_its_side_only() -> None:
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


async def test_web_page_before_the_till_is_not_reported_as_wrong_key_or_address() -> None:
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
async def test_failing_till_request_ends_with_its_step(method: str, last: str) -> None:
    harness = Harness()
    harness.till.faults[method] = Missing(Side.TILL, "not found in Epos Now", status=404)
    checked = await harness.run()
    assert names(checked, Side.TILL)[-1] == last
    assert "epos.base_url and the API version" in checked.steps[len(names(checked, Side.TILL))].remedy


async def test_search_that_misses_a_listed_customer_fails() -> None:
    harness = Harness()
    harness.till.match = EmailMatch.FINDS_NOTHING
    checked = await harness.run()
    assert names(checked, Side.TILL) == ["credentials", "list_customers", "search_by_email"]


async def test_till_without_emails_passes_without_a_search_step() -> None:
    harness = Harness(replace(ACCOUNT, default_epos_customer_id=None, guest_policy=ACCOUNT.guest_policy))
    harness.till.customers.clear()
    checked = await harness.run()
    assert checked.ok
    assert [warning.name for warning in checked.warnings] == ["no_default_customer"]


@pytest.mark.parametrize(
    ("match", "warning"),
    [(EmailMatch.FILTER_IGNORED, "search_filter_ignored"), (EmailMatch.EXACT, "search_tells_capitals_apart")],
)
async def test_search_that_cannot_prove_a_miss_is_a_warning(match: EmailMatch, warning: str) -> None:
    harness = Harness()
    harness.till.add("eve@example.test")
    harness.till.match = match
    checked = await harness.run()
    assert checked.ok
    assert [(each.side, each.name) for each in checked.warnings] == [(Side.TILL, warning)]


async def test_search_is_checked_with_swapped_capitals_as_in_the_order_flow() -> None:
    harness = Harness()
    await harness.run()
    assert [text for method, text in harness.till.calls if method == "search_by_email"] == ["ADA@EXAMPLE.TEST"]


async def test_missing_default_customer_fails_its_step() -> None:
    harness = Harness(replace(ACCOUNT, default_epos_customer_id=EposCustomerId(5)))
    failed = next(step for step in (await harness.run()).steps if not step.ok)
    assert (failed.name, failed.text) == ("default_customer", "The default customer 5 does not exist in Epos Now.")


async def test_missing_settings_are_named_and_their_side_gets_no_request() -> None:
    harness = Harness(Account(account_id=SHOP, till_id=TillId("till-a"), customer_sync_enabled=False))
    checked = await harness.run()
    assert steps(checked) == [(None, "settings", False)]
    assert checked.steps[0].text == ("Not set: epos.api_key, epos.api_secret, shop.base_url, shop.consumer_key, shop.consumer_secret.")
    assert [warning.name for warning in checked.warnings] == ["sync_disabled", "no_default_customer", "webhooks_refused"]
    assert harness.till.calls == []
    assert harness.shop.calls == []


async def test_webhook_credentials_of_another_account_of_the_till_end_the_warning() -> None:
    """A webhook delivery reaches every account of the till."""
    bare = replace(ACCOUNT, epos=replace(ACCOUNT.epos, webhook_key="", webhook_secret=""), shared_till=True)
    harness = Harness(bare)
    [warning] = (await harness.run()).warnings
    assert warning.name == "webhooks_refused"
    assert "/webhooks/eposnow/till/till-a" in warning.remedy
    harness.accounts.add(replace(ACCOUNT, account_id=AccountId("sibling"), till_id=TillId("another")))
    assert [each.name for each in (await harness.run()).warnings] == ["webhooks_refused"]
    harness.accounts.add(replace(ACCOUNT, account_id=AccountId("sibling"), shared_till=True))
    assert (await harness.run()).warnings == ()


async def test_shop_without_bridge_is_checked_by_reads_with_keys() -> None:
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
async def test_failing_bridge_status_has_a_remedy_for_its_error(error: Any, remedy: str) -> None:
    harness = Harness()
    harness.shop.faults["status"] = error
    checked = await harness.run()
    assert names(checked, Side.SHOP) == ["bridge_status"]
    assert remedy in checked.steps[-1].remedy


async def test_shop_with_a_different_own_address_is_a_warning() -> None:
    harness = Harness()
    harness.shop.home_url = "http://SHOP.example.test/"
    assert (await harness.run()).warnings == ()
    harness.shop.home_url = "https://live.example.test"
    checked = await harness.run()
    assert checked.ok
    assert [warning.name for warning in checked.warnings] == ["address_differs"]


async def test_tills_that_look_alike_are_a_warning_and_named_only_to_callers_of_all_accounts() -> None:
    harness = Harness()
    harness.accounts.seen[TillId("till-of-others")] = frozenset({EposCustomerId(90001)})
    for may_name, named in ((False, False), (True, True)):
        [warning] = (await harness.run(may_name_other_tills=may_name)).warnings
        assert warning.name == "tills_look_alike"
        assert ("till-of-others" in warning.text) is named
    assert harness.accounts.seen[TillId("till-a")] == {90001}


async def test_hanging_side_fails_at_its_current_step() -> None:
    harness = Harness(seconds=0.05)

    async def hang() -> None:
        await asyncio.Event().wait()

    harness.till.probe = hang  # type: ignore[method-assign]
    checked = await harness.run()
    assert names(checked, Side.TILL) == ["credentials"]
    assert "No answer within" in next(step for step in checked.steps if not step.ok).text


@pytest.mark.parametrize("side", list(Side))
async def test_passing_side_closes_only_its_own_problem(side: Side) -> None:
    problem = Problem(reason=ProblemReason.UNREACHABLE, side=side, text="not reached", since=datetime(2026, 1, 2, tzinfo=UTC))
    harness = Harness(replace(ACCOUNT, problems=(problem,)))
    harness.till.faults["probe"] = CredentialsRefused(Side.TILL, "no")
    assert not (await harness.run()).ok
    assert ((await harness.accounts.get(SHOP)).problems == ()) == (side is Side.SHOP), "the shop works, the till does not"


async def test_unknown_account_raises_not_found() -> None:
    with pytest.raises(NotFound):
        await Harness().check.run(AccountId("nobody"))


async def test_shop_facts_of_the_bridge_are_stored() -> None:
    harness = Harness(replace(ACCOUNT, shop=replace(ACCOUNT.shop, price_decimals=3)))
    assert (await harness.run()).ok
    assert (await harness.accounts.get(SHOP)).shop.price_decimals == 2


async def test_locked_account_row_does_not_fail_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_arguments: object, **_options: object) -> None:
        raise Unavailable("account shop-a is busy; try again", reason="ACCOUNT_BUSY")

    harness = Harness(replace(ACCOUNT, shop=replace(ACCOUNT.shop, price_decimals=3)))
    monkeypatch.setattr(harness.accounts, "update", busy)
    assert (await harness.run()).ok
