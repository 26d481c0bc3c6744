"""Consequences of an upstream error for the entry and for the account (invariant 8)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from support.shop_flow_world import ShopWorld, shop_account
from support.virtual_time import on_virtual_time
from tillsync_server.application.flows.failure_verdicts import cause_of, effect_unknown, type_comment
from tillsync_server.domain.account import EposSettings, ShopSettings
from tillsync_server.domain.enums import EntryState, Outcome, ProblemReason, Side
from tillsync_server.domain.errors import (
    AllowanceSpent,
    Blocked,
    BridgeMissing,
    CredentialsRefused,
    Misaddressed,
    Missing,
    Refused,
    ServerFailure,
    Throttled,
    Unanswered,
    Unreachable,
    Unreadable,
    UpstreamError,
)
from tillsync_server.domain.verdict import Disposition


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (Unreachable(Side.TILL, "not reached: DNS"), "not reached: DNS"),
        (Unreachable(Side.TILL, "TLS"), "not reached: TLS"),
        (Unanswered(Side.SHOP, ""), "no answer"),
        (ServerFailure(Side.SHOP, "", status=502), "server error: HTTP 502"),
        (Refused(Side.SHOP, "phone", field="phone"), "refused field: phone (phone)"),
        (Refused(Side.SHOP, "refused field: phone: it is no number", field="phone"), "refused field: phone: it is no number"),
        (Refused(Side.SHOP, "", field="phone"), "refused field: phone"),
        (Misaddressed(Side.TILL, "HTML"), "address or version wrong: HTML"),
        (Blocked(Side.SHOP, "a bot check", status=202), "blocked: a bot check"),
    ],
)
def test_cause_of_an_error_is_plain_text(error: UpstreamError, cause: str) -> None:
    assert cause_of(error) == cause


def test_type_comment_is_the_response_else_the_status_else_the_transport_error() -> None:
    assert type_comment(ServerFailure(Side.SHOP, "x", status=502, body_text="said")) == "said"
    assert type_comment(ServerFailure(Side.SHOP, "x", status=502)) == "HTTP 502 (no text)"
    assert type_comment(Unreachable(Side.SHOP, "not reached: DNS")) == "not reached: DNS"
    assert type_comment(Refused(Side.SHOP, "needs the bridge")) == "needs the bridge"


def test_effect_is_unknown_only_for_writes_that_may_have_been_stored() -> None:
    unknown = [Unanswered(Side.SHOP, ""), Unreadable(Side.SHOP, ""), ServerFailure(Side.SHOP, "")]
    unknown += [Blocked(Side.SHOP, "", status=202), Blocked(Side.SHOP, "", status=503)]
    known = [Unreachable(Side.SHOP, ""), Refused(Side.SHOP, ""), Throttled(Side.SHOP, ""), CredentialsRefused(Side.SHOP, "")]
    known += [Blocked(Side.SHOP, "", status=403), Blocked(Side.SHOP, "", status=302)]
    assert all(map(effect_unknown, unknown))
    assert not any(map(effect_unknown, known))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unreachable(Side.SHOP, "not reached: DNS"), ProblemReason.UNREACHABLE),
        (CredentialsRefused(Side.SHOP, "no", status=401), ProblemReason.CREDENTIALS_REFUSED),
        (Throttled(Side.TILL, "limit", status=429, retry_after_seconds=90.0), ProblemReason.THROTTLED),
        (Misaddressed(Side.TILL, "HTML", status=404), ProblemReason.WRONG_ADDRESS),
        (Misaddressed(Side.SHOP, "a redirect", status=301), ProblemReason.WRONG_ADDRESS),
        (Missing(Side.TILL, "unproven", status=404), ProblemReason.WRONG_ADDRESS),
        (BridgeMissing(Side.SHOP, "off", status=404), ProblemReason.BRIDGE_MISSING),
        (Blocked(Side.SHOP, "a bot check", status=202), ProblemReason.UNREACHABLE),
        (Blocked(Side.TILL, "a web page", status=403), ProblemReason.UNREACHABLE),
        (Unreadable(Side.SHOP, "a web page", status=200), ProblemReason.UNREACHABLE),
        (Unanswered(Side.TILL, "no answer within 15 s"), ProblemReason.UNREACHABLE),
        (Unanswered(Side.SHOP, "no answer within 20 s"), ProblemReason.UNREACHABLE),
    ],
)
@on_virtual_time
async def test_account_wide_failure_pauses_the_side_uncharged(error: UpstreamError, reason: ProblemReason) -> None:
    world = ShopWorld()
    world.till.faults["probe"] = world.shop.faults["probe"] = error
    failures = world.context().failures
    assert await failures.is_account_wide(error)
    verdict = await failures.classify_error(error, Outcome.WOO_NOT_UPDATED, "writing", refusal_is_final=True)
    assert verdict.disposition is Disposition.PAUSE_SIDE
    assert verdict.comment == "WooCommerce customer not updated"
    assert verdict.problem is not None
    assert (verdict.problem.reason, verdict.problem.side) == (reason, error.side)
    assert verdict.problem.retry_after_seconds == error.retry_after_seconds
    assert verdict.upstream_status == error.status
    assert verdict.notes[0] == f"writing: {cause_of(error)}"


@on_virtual_time
async def test_missing_bridge_is_reported_as_an_inactive_plugin() -> None:
    """A 404 of a web server before WordPress is a wrong address, with a bridge too. A 404 of WordPress itself is an inactive plugin."""
    world = ShopWorld()
    world.shop.faults["probe"] = Misaddressed(Side.SHOP, "no WordPress here", status=404)
    failures = world.context().failures
    verdict = await failures.classify_error(BridgeMissing(Side.SHOP, "not active", status=404), Outcome.WOO_NOT_UPDATED, "writing")
    assert verdict.problem is not None
    assert verdict.problem.text.startswith("the shop's tillsync plugin does not answer")
    verdict = await failures.classify_error(Misaddressed(Side.SHOP, "no WordPress here", status=404), Outcome.WOO_NOT_UPDATED, "writing")
    assert verdict.problem is not None
    assert verdict.problem.reason is ProblemReason.WRONG_ADDRESS


@on_virtual_time
async def test_failure_of_one_entry_is_charged_and_a_refused_write_ends_it() -> None:
    failures = ShopWorld().context().failures
    for error in (Unanswered(Side.SHOP, "slow"), Unreadable(Side.SHOP, "odd"), Refused(Side.SHOP, "no", status=400)):
        verdict = await failures.classify_error(error, Outcome.EPOS_FETCH_FAILED, "reading")
        assert (verdict.disposition, verdict.comment) == (Disposition.RETRY, "Customer Endpoint Point call api failed")
        assert not await failures.is_account_wide(error)
    verdict = await failures.classify_error(Refused(Side.SHOP, "no", status=400), Outcome.WOO_NOT_UPDATED, "writing", refusal_is_final=True)
    assert (verdict.disposition, verdict.state) == (Disposition.FINISH, EntryState.FAILED)


OF_ONE_ENTRY = [
    Misaddressed(Side.TILL, "HTML", status=404),
    Missing(Side.TILL, "unproven", status=404),
    Blocked(Side.TILL, "a web page", status=403),
    CredentialsRefused(Side.TILL, "not this one", status=403),
    Unreadable(Side.TILL, "no object", status=200),
]


@pytest.mark.parametrize("error", OF_ONE_ENTRY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("outcome", "listed"), [(Outcome.EPOS_FETCH_FAILED, "list_customers"), (Outcome.TYPE_REQUEST_FAILED, "list_customer_types")]
)
@on_virtual_time
@pytest.mark.catches("account-problems-are-probed-first")
async def test_failure_is_of_the_entry_if_status_and_list_answer(error: UpstreamError, outcome: Outcome, listed: str) -> None:
    world = ShopWorld()
    failures = world.context().failures
    verdicts = await asyncio.gather(*(failures.classify_error(error, outcome, "reading", comment="said") for _ in range(20)))
    assert {verdict.disposition for verdict in verdicts} == {Disposition.RETRY}
    assert [method for method, _ in world.till.calls] == ["probe", listed]
    assert ("Epos Now answers other requests: only this entry meets it" in verdicts[0].notes) is not isinstance(error, Unreadable)


@pytest.mark.parametrize("error", OF_ONE_ENTRY, ids=lambda error: type(error).__name__)
@on_virtual_time
async def test_failure_is_account_wide_if_the_list_fails_too(error: UpstreamError) -> None:
    world = ShopWorld()
    world.till.faults["list_customers"] = error
    verdict = await world.context().failures.classify_error(error, Outcome.EPOS_FETCH_FAILED, "reading")
    assert verdict.disposition is Disposition.PAUSE_SIDE
    assert verdict.notes[1] == "Epos Now: its list of customers fails too"
    verdict = await world.context().failures.classify_error(error, Outcome.TYPE_REQUEST_FAILED, "reading", comment="said")
    assert verdict.disposition is Disposition.RETRY  # types are another resource, and theirs is served


@on_virtual_time
async def test_note_names_a_different_error_of_the_status_check() -> None:
    world = ShopWorld()
    world.till.faults["probe"] = Unanswered(Side.TILL, "no answer within 20 s")
    verdict = await world.context().failures.classify_error(OF_ONE_ENTRY[0], Outcome.EPOS_FETCH_FAILED, "reading")
    assert verdict.notes[1] == f"Epos Now: its status check fails too ({cause_of(Unanswered(Side.TILL, 'no answer within 20 s'))})"


@on_virtual_time
async def test_shop_with_keys_is_probed_with_an_authenticated_read() -> None:
    page = Unreadable(Side.SHOP, "a web page", status=200)
    world = ShopWorld(shop_account(shop=ShopSettings(base_url="https://s.example.test", consumer_key="ck", consumer_secret="cs")))
    assert not await world.context().failures.is_account_wide(page)
    assert world.shop.calls == ["probe", "check_access"]
    world.shop.faults["check_access"] = page
    assert await world.context().failures.is_account_wide(page)


@on_virtual_time
async def test_side_wide_failure_needs_no_probe() -> None:
    world = ShopWorld()
    page = Blocked(Side.SHOP, "a bot check", status=202, is_of_whole_side=True)
    verdict = await world.context().failures.classify_error(page, Outcome.WOO_NOT_UPDATED, "writing", refusal_is_final=True)
    assert verdict.disposition is Disposition.PAUSE_SIDE
    assert world.shop.calls == []


@on_virtual_time
async def test_problem_text_has_the_remedy_of_the_probe() -> None:
    world = ShopWorld()
    world.shop.faults["probe"] = Blocked(Side.SHOP, "a bot check: except /wp-json/ from it", status=202)
    verdict = await world.context().failures.classify_error(Unreadable(Side.SHOP, "a web page"), Outcome.WOO_NOT_UPDATED, "writing")
    assert verdict.problem is not None
    assert verdict.problem.text == "the shop: blocked: a bot check: except /wp-json/ from it"


@on_virtual_time
async def test_unreadable_row_causes_no_probe() -> None:
    world = ShopWorld()
    verdict = await world.context().failures.classify_error(
        Unreadable(Side.TILL, "odd", field="Type"), Outcome.EPOS_FETCH_FAILED, "reading"
    )
    assert (verdict.disposition, world.till.calls) == (Disposition.RETRY, [])


@on_virtual_time
async def test_failed_create_address_pauses_without_a_probe() -> None:
    """With read-only keys or a missing create address every create fails."""
    for error in (CredentialsRefused(Side.TILL, "read only", status=403), Misaddressed(Side.TILL, "no place", status=404)):
        world = ShopWorld()
        verdict = await world.context().failures.classify_error(error, Outcome.CUSTOMER_NOT_MATCHED, "creating", refusal_is_final=True)
        assert (verdict.disposition, world.till.calls) == (Disposition.PAUSE_SIDE, [])


@on_virtual_time
async def test_probe_decides_a_5xx_and_is_shared() -> None:
    world = ShopWorld()
    failures, failure = world.context().failures, ServerFailure(Side.TILL, "", status=503, retry_after_seconds=45.0)
    verdicts = await asyncio.gather(*(failures.classify_error(failure, Outcome.EPOS_FETCH_FAILED, "reading") for _ in range(100)))
    assert {verdict.disposition for verdict in verdicts} == {Disposition.RETRY}
    assert verdicts[0].retry_after_seconds == 45.0
    assert {verdict.sides_answered for verdict in verdicts} == {frozenset({Side.TILL})}
    assert world.till.count("probe") == 1
    world.till.faults["probe"] = CredentialsRefused(Side.TILL, "refused", status=401)
    await asyncio.sleep(world.services.settings.probe_reuse_seconds)
    verdict = await failures.classify_error(failure, Outcome.EPOS_FETCH_FAILED, "reading")
    assert verdict.disposition is Disposition.PAUSE_SIDE
    assert verdict.problem is not None
    assert verdict.problem.reason is ProblemReason.CREDENTIALS_REFUSED
    assert len(verdict.notes) == 2
    assert world.till.count("probe") == 2


@on_virtual_time
async def test_failing_probe_without_a_reason_is_unreachable() -> None:
    world = ShopWorld()
    world.shop.faults["probe"] = ServerFailure(Side.SHOP, "", status=503)
    verdict = await world.context().failures.classify_error(ServerFailure(Side.SHOP, "", status=500), Outcome.WOO_NOT_UPDATED, "writing")
    assert verdict.problem is not None
    assert (verdict.problem.reason, verdict.problem.side) == (ProblemReason.UNREACHABLE, Side.SHOP)


@pytest.mark.parametrize(
    ("side", "settings", "missing"),
    [
        (Side.TILL, {"epos": EposSettings(base_url="")}, "epos.base_url, epos.api_key, epos.api_secret"),
        (Side.SHOP, {"shop": ShopSettings()}, "shop.base_url, shop.consumer_key, shop.consumer_secret"),
        (Side.SHOP, {"shop": ShopSettings(bridge_secret="s")}, "shop.base_url"),
    ],
)
@on_virtual_time
async def test_missing_settings_are_named(side: Side, settings: dict[str, object], missing: str) -> None:
    failures = ShopWorld(shop_account(**settings)).context().failures
    verdict = failures.missing_settings(side, Outcome.WOO_NOT_UPDATED)
    assert verdict is not None
    assert verdict.problem is not None
    assert (verdict.problem.reason, verdict.problem.side) == (ProblemReason.SETTINGS_INCOMPLETE, side)
    assert verdict.notes == (f"settings incomplete: set {missing} of the account",)
    of_type = failures.missing_settings(side, Outcome.TYPE_REQUEST_FAILED)
    assert of_type is not None
    assert of_type.comment == verdict.notes[0]
    assert ShopWorld().context().failures.missing_settings(side, Outcome.WOO_NOT_UPDATED) is None


@pytest.mark.catches("a-spent-allowance-charges-nobody")
@on_virtual_time
async def test_spent_allowance_postpones_the_entry_and_pauses_no_side() -> None:
    world = ShopWorld()
    spent = AllowanceSpent(Side.TILL, "the till's allowance of requests is used up for now", retry_after_seconds=12.0)
    verdict = await world.context().failures.classify_error(spent, Outcome.EPOS_FETCH_FAILED, "reading the customer from Epos Now")
    assert verdict.disposition is Disposition.POSTPONE
    assert verdict.problem is None
    assert verdict.not_before == world.clock.now() + timedelta(seconds=12)
    assert verdict.notes == ("reading the customer from Epos Now: request limit: the till's allowance of requests is used up for now",)
    assert not await world.context().failures.is_account_wide(spent)


@on_virtual_time
async def test_unsent_probe_proves_nothing_about_the_till() -> None:
    world = ShopWorld()
    world.till.faults["probe"] = AllowanceSpent(Side.TILL, "used up", retry_after_seconds=7.0)
    verdict = await world.context().failures.classify_error(ServerFailure(Side.TILL, "", status=500), Outcome.EPOS_FETCH_FAILED, "reading")
    assert verdict.disposition is Disposition.POSTPONE
    assert verdict.not_before == world.clock.now() + timedelta(seconds=7)
