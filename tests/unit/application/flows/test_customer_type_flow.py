"""Copying of a customer type to the shop: PUT or DELETE, with the response text as the comment."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from fakes.clock import START
from support.shop_flow_world import ShopWorld, till_type
from support.virtual_time import on_virtual_time
from tillsync_server.domain.account import ShopSettings
from tillsync_server.domain.enums import EntryState, Outcome, ProblemReason, Side
from tillsync_server.domain.errors import (
    BridgeMissing,
    Missing,
    Refused,
    RunInterrupted,
    ServerFailure,
    Throttled,
    Unanswered,
    Unreachable,
    UpstreamError,
)
from tillsync_server.domain.verdict import Disposition
from tillsync_server.ports.shop import WriteResult, WriteStatus

NEEDS_BRIDGE = "customer types need the tillsync bridge plugin: install it in the shop and connect it"


def fails_with(error: UpstreamError) -> object:
    def answer(method: str, version: int) -> None:
        raise error

    return answer


@on_virtual_time
async def test_type_is_written_once_and_then_unchanged() -> None:
    world = ShopWorld()
    world.till.put_types(till_type())
    verdict = await world.sync_type(4001)
    assert (verdict.outcome, verdict.comment, verdict.state) == (Outcome.UPDATED, "Successfully Updated", EntryState.PROCESSED)
    assert verdict.subject_label == "Basic"
    assert world.shop.types[4001] == till_type()
    verdict = await world.sync_type(4001)
    assert (verdict.comment, verdict.notes) == ("Successfully Updated", ("unchanged",))
    assert len(world.shop.type_calls) == 1
    world.till.put_types(till_type(discount="10.000"))  # another scale is no change
    await world.sync_type(4001)
    assert len(world.shop.type_calls) == 1
    await world.sync_type(4001, force=True)
    world.till.put_types(till_type(name="Gold"))
    await world.sync_type(4001)
    assert [call[0] for call in world.shop.type_calls] == ["PUT"] * 3
    versions = [call[2] for call in world.shop.type_calls]
    assert versions == sorted(set(versions))


@pytest.mark.catches("type-writes-rest-on-current-settings")
@on_virtual_time
async def test_version_is_drawn_for_the_settings_of_the_read(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ShopWorld(update_time=START)
    draw, settings = world.state.next_type_version, list[datetime | None]()

    async def noted(*arguments: Any, settings_of: datetime | None = None, **more: Any) -> int | None:
        settings.append(settings_of)
        return await draw(*arguments, settings_of=settings_of, **more)

    monkeypatch.setattr(world.state, "next_type_version", noted)
    world.till.types[4001] = till_type()
    await world.sync_type(4001)
    assert settings == [START]


@on_virtual_time
async def test_disabled_sync_sends_no_type_request() -> None:
    world = ShopWorld(customer_sync_enabled=False)
    verdict = await world.sync_type(4001)
    assert (verdict.outcome, verdict.comment, verdict.state) == (
        Outcome.SYNC_DISABLED,
        "Customer sync is not enabled",
        EntryState.SKIPPED,
    )
    assert world.till.requests == 0


@on_virtual_time
async def test_proven_deleted_type_is_deleted_in_the_shop_even_if_never_written() -> None:
    world = ShopWorld()
    world.till.put_types(till_type(4002))
    world.shop.type_rows[4001] = (1, till_type())
    verdict = await world.sync_type(4001)
    assert (verdict.outcome, verdict.comment, verdict.state) == (Outcome.UPDATED, "Successfully Updated", EntryState.PROCESSED)
    assert [call[0] for call in world.till.calls] == ["read_customer_type", "list_customer_types"]
    assert world.shop.type_calls[0][:2] == ("DELETE", 4001)
    assert world.state.gone_types == {4001}
    verdict = await world.sync_type(4001)
    assert (verdict.comment, verdict.state) == ("Successfully Updated", EntryState.PROCESSED)


@on_virtual_time
async def test_unproven_404_deletes_no_type() -> None:
    world = ShopWorld()
    world.till.decide_fault = lambda method, argument: Missing(Side.TILL, "not found in Epos Now: HTTP 404", status=404)
    verdict = await world.sync_type(4001)
    assert verdict.disposition is Disposition.PAUSE_SIDE
    assert verdict.problem is not None
    assert verdict.problem.reason is ProblemReason.WRONG_ADDRESS
    assert world.shop.type_calls == []


@pytest.mark.parametrize(
    ("error", "comment"),
    [
        (ServerFailure(Side.SHOP, "the shop failed", status=502, body_text="Bad gateway, says the proxy"), "Bad gateway, says the proxy"),
        (ServerFailure(Side.SHOP, "the shop failed", status=502), "HTTP 502 (no text)"),
        (Unanswered(Side.SHOP, "no answer within 20 s"), "no answer within 20 s"),
    ],
)
@on_virtual_time
async def test_comment_is_the_response_text(error: UpstreamError, comment: str) -> None:
    world = ShopWorld()
    world.till.put_types(till_type())
    world.shop.type_answer = fails_with(error)  # type: ignore[assignment]
    verdict = await world.sync_type(4001)
    assert (verdict.outcome, verdict.comment, verdict.state) == (Outcome.TYPE_REQUEST_FAILED, comment, EntryState.PENDING)
    assert verdict.disposition is Disposition.RETRY
    assert verdict.notes[0].startswith("writing the customer type to the shop: ")
    assert world.state.type_hashes[4001] is None


@on_virtual_time
async def test_failed_read_of_a_type_has_the_till_response_as_comment() -> None:
    world = ShopWorld()
    body = "Invalid field value for CustomerType: CustomerTypeID"
    world.till.decide_fault = lambda method, argument: Refused(Side.TILL, "refused", status=400, body_text=body)
    verdict = await world.sync_type(4001)
    assert (verdict.outcome, verdict.comment, verdict.disposition) == (Outcome.TYPE_REQUEST_FAILED, body, Disposition.RETRY)
    assert verdict.side is Side.TILL


@on_virtual_time
async def test_refused_type_write_fails_at_once() -> None:
    world = ShopWorld()
    world.till.put_types(till_type())
    world.shop.type_answer = fails_with(Refused(Side.SHOP, "refused", status=400, body_text="discount is no number"))  # type: ignore[assignment]
    verdict = await world.sync_type(4001)
    assert (verdict.comment, verdict.state) == ("discount is no number", EntryState.FAILED)
    world.shop.type_answer = lambda method, version: WriteResult(status=WriteStatus.INVALID, field="name")
    verdict = await world.sync_type(4001)
    assert (verdict.comment, verdict.state) == ("refused field: name", EntryState.FAILED)


@pytest.mark.parametrize("keys", [{}, {"consumer_key": "ck", "consumer_secret": "cs"}])
@on_virtual_time
async def test_account_without_bridge_fails_the_type_at_once(keys: dict[str, str]) -> None:
    world = ShopWorld(shop=replace(ShopSettings(base_url="https://shop.example.test"), **keys))  # type: ignore[arg-type]
    world.till.put_types(till_type())
    world.shop.type_answer = fails_with(Refused(Side.SHOP, NEEDS_BRIDGE))  # type: ignore[assignment]
    verdict = await world.sync_type(4001)
    assert (verdict.outcome, verdict.comment, verdict.state) == (Outcome.TYPE_REQUEST_FAILED, NEEDS_BRIDGE, EntryState.FAILED)


@on_virtual_time
async def test_account_wide_failure_pauses_the_side_and_keeps_the_comment() -> None:
    for error, reason in (
        (Unreachable(Side.SHOP, "not reached: DNS"), ProblemReason.UNREACHABLE),
        (Throttled(Side.SHOP, "limit", status=429, retry_after_seconds=60.0), ProblemReason.THROTTLED),
        (BridgeMissing(Side.SHOP, "the plugin is off", status=404), ProblemReason.BRIDGE_MISSING),
    ):
        world = ShopWorld()
        world.till.put_types(till_type())
        world.shop.type_answer = fails_with(error)  # type: ignore[assignment]
        verdict = await world.sync_type(4001)
        assert verdict.disposition is Disposition.PAUSE_SIDE
        assert verdict.problem is not None
        assert verdict.problem.reason is reason
        assert verdict.comment


@on_virtual_time
async def test_stale_type_is_read_again_and_written_with_a_higher_version() -> None:
    world = ShopWorld()
    world.till.put_types(till_type())
    newer = 7_000_000_000_000_000
    world.shop.type_answer = lambda method, version: (
        WriteResult(status=WriteStatus.STALE, version=newer) if len(world.shop.type_calls) == 1 else None
    )
    assert (await world.sync_type(4001)).outcome is Outcome.UPDATED
    assert world.shop.type_calls[1][2] == newer + 1
    assert world.till.count("read_customer_type") == 2
    world.shop.type_answer = lambda method, version: WriteResult(status=WriteStatus.STALE, version=version + 5)
    before = len(world.shop.type_calls)
    verdict = await world.sync_type(4001, force=True)
    assert (verdict.outcome, verdict.disposition) == (Outcome.TYPE_REQUEST_FAILED, Disposition.RETRY)
    assert verdict.comment
    assert len(world.shop.type_calls) - before == 3


@on_virtual_time
async def test_not_done_type_write_is_postponed_uncharged() -> None:
    world = ShopWorld()
    world.till.put_types(till_type())
    world.shop.type_answer = lambda method, version: WriteResult(status=WriteStatus.NOT_DONE)
    verdict = await world.sync_type(4001)
    assert (verdict.disposition, verdict.state) == (Disposition.POSTPONE, EntryState.PENDING)
    assert verdict.comment


@on_virtual_time
async def test_lost_lease_sends_no_type() -> None:
    world = ShopWorld()
    world.till.put_types(till_type())
    world.links.take_over(world.account.account_id)
    with pytest.raises(RunInterrupted):
        await world.sync_type(4001)
    assert world.shop.type_calls == []
