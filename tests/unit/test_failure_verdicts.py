"""What an upstream error means for the entry and for the account (invariant 8)."""

from __future__ import annotations

import asyncio

import pytest
from support.shop_flow_world import ShopWorld, shop_account
from support.virtual_time import on_virtual_time
from tillsync_server.application.flows.failure_verdicts import cause_of, effect_unknown, type_comment
from tillsync_server.domain.account import EposSettings, ShopSettings
from tillsync_server.domain.errors import (
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
from tillsync_server.domain.vocabulary import EntryState, Outcome, ProblemReason, Side


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
    ],
)
def test_causes_are_plain_words(error: UpstreamError, cause: str) -> None:
    assert cause_of(error) == cause


def test_the_types_comment_is_the_response_then_the_status_then_the_transport() -> None:
    assert type_comment(ServerFailure(Side.SHOP, "x", status=502, body_text="said")) == "said"
    assert type_comment(ServerFailure(Side.SHOP, "x", status=502)) == "HTTP 502 (no text)"
    assert type_comment(Unreachable(Side.SHOP, "not reached: DNS")) == "not reached: DNS"
    assert type_comment(Refused(Side.SHOP, "needs the bridge")) == "needs the bridge"


def test_only_what_may_have_had_an_effect_is_unknown() -> None:
    unknown = [Unanswered(Side.SHOP, ""), Unreadable(Side.SHOP, ""), ServerFailure(Side.SHOP, "")]
    known = [Unreachable(Side.SHOP, ""), Refused(Side.SHOP, ""), Throttled(Side.SHOP, ""), CredentialsRefused(Side.SHOP, "")]
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
    ],
)
@on_virtual_time
async def test_account_wide_failures_pause_and_charge_nothing(error: UpstreamError, reason: ProblemReason) -> None:
    judge = ShopWorld().context().judge
    assert judge.is_account_wide(error)
    verdict = await judge.judge(error, Outcome.WOO_NOT_UPDATED, "writing", refusal_is_final=True)
    assert verdict.disposition is Disposition.PAUSE_SIDE
    assert verdict.comment == "WooCommerce customer not updated"
    assert verdict.problem is not None
    assert (verdict.problem.reason, verdict.problem.side) == (reason, error.side)
    assert verdict.problem.retry_after_seconds == error.retry_after_seconds
    assert verdict.upstream_status == error.status
    assert verdict.notes[0] == f"writing: {cause_of(error)}"


@on_virtual_time
async def test_a_missing_bridge_is_the_plugin_being_off_whatever_stands_before_it() -> None:
    """A 404 from a web server before WordPress is a wrong address, also of an account with a bridge; the bridge's own is the plugin."""
    judge = ShopWorld().context().judge
    verdict = await judge.judge(BridgeMissing(Side.SHOP, "not active", status=404), Outcome.WOO_NOT_UPDATED, "writing")
    assert verdict.problem is not None
    assert verdict.problem.text.startswith("the shop's tillsync plugin does not answer")
    verdict = await judge.judge(Misaddressed(Side.SHOP, "no WordPress here", status=404), Outcome.WOO_NOT_UPDATED, "writing")
    assert verdict.problem is not None
    assert verdict.problem.reason is ProblemReason.WRONG_ADDRESS


@on_virtual_time
async def test_what_is_the_entrys_own_is_charged_and_a_refused_write_ends_it() -> None:
    judge = ShopWorld().context().judge
    for error in (Unanswered(Side.SHOP, "slow"), Unreadable(Side.SHOP, "odd"), Refused(Side.SHOP, "no", status=400)):
        verdict = await judge.judge(error, Outcome.EPOS_FETCH_FAILED, "reading")
        assert (verdict.disposition, verdict.comment) == (Disposition.RETRY, "Customer Endpoint Point call api failed")
        assert not judge.is_account_wide(error)
    verdict = await judge.judge(Refused(Side.SHOP, "no", status=400), Outcome.WOO_NOT_UPDATED, "writing", refusal_is_final=True)
    assert (verdict.disposition, verdict.state) == (Disposition.FINISH, EntryState.FAILED)


@on_virtual_time
async def test_the_probe_decides_over_5xx_and_is_shared() -> None:
    world = ShopWorld()
    judge, failure = world.context().judge, ServerFailure(Side.TILL, "", status=503, retry_after_seconds=45.0)
    verdicts = await asyncio.gather(*(judge.judge(failure, Outcome.EPOS_FETCH_FAILED, "reading") for _ in range(100)))
    assert {verdict.disposition for verdict in verdicts} == {Disposition.RETRY}
    assert verdicts[0].retry_after_seconds == 45.0
    assert world.till.count("probe") == 1
    world.till.faults["probe"] = CredentialsRefused(Side.TILL, "refused", status=401)
    await asyncio.sleep(world.services.settings.probe_reuse_seconds)
    verdict = await judge.judge(failure, Outcome.EPOS_FETCH_FAILED, "reading")
    assert verdict.disposition is Disposition.PAUSE_SIDE
    assert verdict.problem is not None
    assert verdict.problem.reason is ProblemReason.CREDENTIALS_REFUSED
    assert len(verdict.notes) == 2
    assert world.till.count("probe") == 2


@on_virtual_time
async def test_a_failing_probe_without_a_reason_of_its_own_is_unreachable() -> None:
    world = ShopWorld()
    world.shop.faults["probe"] = ServerFailure(Side.SHOP, "", status=503)
    verdict = await world.context().judge.judge(ServerFailure(Side.SHOP, "", status=500), Outcome.WOO_NOT_UPDATED, "writing")
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
    judge = ShopWorld(shop_account(**settings)).context().judge
    verdict = judge.missing_settings(side, Outcome.WOO_NOT_UPDATED)
    assert verdict is not None
    assert verdict.problem is not None
    assert (verdict.problem.reason, verdict.problem.side) == (ProblemReason.SETTINGS_INCOMPLETE, side)
    assert verdict.notes == (f"settings incomplete: set {missing} of the account",)
    of_type = judge.missing_settings(side, Outcome.TYPE_REQUEST_FAILED)
    assert of_type is not None
    assert of_type.comment == verdict.notes[0]
    assert ShopWorld().context().judge.missing_settings(side, Outcome.WOO_NOT_UPDATED) is None
