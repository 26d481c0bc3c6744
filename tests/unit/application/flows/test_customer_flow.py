"""Copying of a till customer to the shop: each outcome with its exact comment, and the stored state after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from fakes.clock import START
from support.shop_flow_world import DatabaseAway, ShopWorld, entry_of, till_customer
from support.virtual_time import on_virtual_time
from tillsync_server.domain.account import EposSettings, ShopSettings
from tillsync_server.domain.catalogue import comment_of
from tillsync_server.domain.enums import EntryState, Outcome, ProblemReason, Side, TillApiVersion
from tillsync_server.domain.errors import (
    CredentialsRefused,
    Misaddressed,
    Missing,
    Refused,
    RunInterrupted,
    ServerFailure,
    Unanswered,
    Unreachable,
    Unreadable,
)
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.domain.verdict import Disposition, Verdict
from tillsync_server.ports.shop import WriteResult, WriteStatus

UPDATED = "Successfully Updated"
NOT_ENABLED = "Customer sync is not enabled"
NOT_LINKED = "Customer is not linked"
FETCH_FAILED = "Customer Endpoint Point call api failed"
NOT_UPDATED = "WooCommerce customer not updated"


def assert_verdict(
    verdict: Verdict, outcome: Outcome, comment: str, state: EntryState, disposition: Disposition = Disposition.FINISH
) -> None:
    assert (verdict.outcome, verdict.comment, verdict.state, verdict.disposition) == (outcome, comment, state, disposition)
    assert comment == comment_of(outcome)


@on_virtual_time
async def test_points_credit_and_type_are_written_and_the_hash_is_stored() -> None:
    world = ShopWorld()
    world.link(1, 12)
    world.till.put(till_customer(1, points=120, type_id=4001))
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.UPDATED, UPDATED, EntryState.PROCESSED)
    assert (verdict.epos_customer_id, verdict.woo_customer_id, verdict.subject_label, verdict.notes) == (1, 12, "Ada B.", ())
    written = world.shop.stored[12]
    assert written.values is not None
    assert (written.values.points, written.values.credit, written.values.type_id) == ("120", "3.50", 4001)
    assert (written.values.first_name, written.values.phone) == (None, None)
    assert written.as_of == START
    link = world.links.of_epos(1)
    assert link.content_hash == written.values.content_hash(link.woo_customer_id, world.account)
    assert link.as_of == START


@pytest.mark.catches("content-hash-names-the-shop")
@on_virtual_time
async def test_content_hash_is_bound_to_one_shop() -> None:
    world = ShopWorld()
    link = world.link(1, 12)
    await world.sync(1)
    other = replace(world.account, shop=replace(world.account.shop, base_url="https://another.example.test"))
    written = world.shop.stored[12].values
    assert written is not None
    assert written.content_hash(link.woo_customer_id, other) != world.links.of_epos(1).content_hash


@on_virtual_time
async def test_names_and_phone_are_written_only_if_enabled() -> None:
    world = ShopWorld(sync_names=True, sync_phone=True)
    world.link(1, 12)
    await world.sync(1)
    values = world.shop.stored[12].values
    assert values is not None
    assert (values.first_name, values.last_name, values.phone) == ("Ada", "Byron", "01200000000")


@on_virtual_time
async def test_unchanged_customer_needs_no_shop_request() -> None:
    world = ShopWorld()
    world.link(1, 12)
    await world.sync(1)
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.UPDATED, UPDATED, EntryState.PROCESSED)
    assert verdict.notes == ("unchanged",)
    assert world.shop.requests == 1


@on_virtual_time
async def test_force_expired_hash_and_changed_values_cause_a_write() -> None:
    world = ShopWorld()
    world.link(1, 12)
    await world.sync(1)
    assert (await world.sync(1, force=True)).notes == ("unchanged in the shop: it had these values",)
    assert world.shop.requests == 2
    world.lane.lapses = 1
    await world.sync(1)
    assert world.shop.requests == 3
    await world.sync(1)  # a hash stored after the lapse is valid again
    assert world.shop.requests == 3
    world.put(1, points=11)
    await world.sync(1)
    assert world.shop.requests == 4


@on_virtual_time
async def test_disabled_sync_sends_no_request() -> None:
    world = ShopWorld(customer_sync_enabled=False)
    world.link(1, 12)
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.SYNC_DISABLED, NOT_ENABLED, EntryState.SKIPPED)
    assert (world.till.requests, world.shop.requests, world.links.look_ups) == (0, 0, 0)


@on_virtual_time
async def test_customer_without_usable_link_is_skipped_and_a_broken_link_is_noted() -> None:
    world = ShopWorld()
    assert_verdict(await world.sync(1), Outcome.CUSTOMER_NOT_LINKED, NOT_LINKED, EntryState.SKIPPED)
    world.link(2, 13, epos_gone_at=START)
    verdict = await world.sync(2)
    assert_verdict(verdict, Outcome.CUSTOMER_NOT_LINKED, NOT_LINKED, EntryState.SKIPPED)
    assert verdict.notes == ("the link is broken: the customer is deleted in Epos Now",)
    world.link(3, 14, woo_gone_at=START)
    assert (await world.sync(3)).notes == ("the link is broken: the shop customer is deleted",)
    assert (world.till.requests, world.shop.requests) == (0, 0)


# deleted customers


@on_virtual_time
async def test_proven_deleted_till_customer_fails_at_once_and_breaks_the_link() -> None:
    world = ShopWorld()
    world.link(1, 12)
    del world.till.customers[EposCustomerId(1)]
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.EPOS_FETCH_FAILED, FETCH_FAILED, EntryState.FAILED)
    assert verdict.notes[0] == "deleted in Epos Now"
    assert world.state.gone_epos == [1]
    assert [call[0] for call in world.till.calls] == ["read_customer", "list_customers"]


@on_virtual_time
async def test_unproven_404_is_a_wrong_address_and_keeps_the_link() -> None:
    world = ShopWorld()
    world.link(1, 12)
    world.till.decide_fault = lambda method, argument: Missing(Side.TILL, "HTTP 404", status=404)
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.EPOS_FETCH_FAILED, FETCH_FAILED, EntryState.PENDING, Disposition.PAUSE_SIDE)
    assert verdict.problem is not None
    assert (verdict.problem.reason, verdict.problem.side) == (ProblemReason.WRONG_ADDRESS, Side.TILL)
    assert "address" in verdict.problem.text
    assert world.state.gone_epos == []


@on_virtual_time
async def test_name_refused_by_the_shop_is_noted_on_an_updated_customer() -> None:
    world = ShopWorld()
    world.link(1, 12)
    world.shop.answer = lambda writes: [WriteResult(status=WriteStatus.UPDATED, not_kept=("first_name", "phone"))]
    verdict = await world.sync(1)
    assert (verdict.outcome, verdict.state) == (Outcome.UPDATED, EntryState.PROCESSED)
    reason = "the shop does not keep it as it is, as where its tables store no emoji, or a plugin alters names"
    assert verdict.notes == (f"first name not written: {reason}", f"phone not written: {reason}")
    assert (await world.sync(1)).notes == ("unchanged",), "it is not sent again and again"


@on_virtual_time
async def test_deleted_shop_customer_fails_at_once_and_breaks_the_link() -> None:
    world = ShopWorld()
    world.link(1, 12)
    world.shop.users.clear()
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.WOO_NOT_UPDATED, NOT_UPDATED, EntryState.FAILED)
    assert verdict.notes[0].startswith("gone: ")
    assert world.state.gone_woo == [12]


# failures of the till


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (Unanswered(Side.TILL, "no answer within 15 s"), "reading the customer from Epos Now: no answer within 15 s"),
        (Unreadable(Side.TILL, "HTML in place of JSON"), "reading the customer from Epos Now: unreadable answer: HTML in place of JSON"),
        (Refused(Side.TILL, "bad", status=400), "reading the customer from Epos Now: refused: bad"),
        (ServerFailure(Side.TILL, "", status=502), "reading the customer from Epos Now: server error: HTTP 502"),
    ],
)
@on_virtual_time
async def test_failed_read_is_charged_and_retried(error: Unanswered, note: str) -> None:
    world = ShopWorld()
    world.link(1, 12)
    world.till.decide_fault = lambda method, argument: error if method == "read_customer" else None
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.EPOS_FETCH_FAILED, FETCH_FAILED, EntryState.PENDING, Disposition.RETRY)
    assert verdict.notes[0] == note
    assert (verdict.side, verdict.upstream_status) == (Side.TILL, error.status)
    assert world.shop.requests == 0


@on_virtual_time
async def test_account_wide_till_failure_pauses_the_side() -> None:
    for error, reason in (
        (Unreachable(Side.TILL, "not reached: DNS"), ProblemReason.UNREACHABLE),
        (CredentialsRefused(Side.TILL, "refused", status=401), ProblemReason.CREDENTIALS_REFUSED),
        (Misaddressed(Side.TILL, "HTML 404", status=404), ProblemReason.WRONG_ADDRESS),
    ):
        world = ShopWorld()
        world.link(1, 12)
        world.till.decide_fault = lambda method, argument, error=error: error  # type: ignore[misc]
        verdict = await world.sync(1)
        assert_verdict(verdict, Outcome.EPOS_FETCH_FAILED, FETCH_FAILED, EntryState.PENDING, Disposition.PAUSE_SIDE)
        assert verdict.problem is not None
        assert (verdict.problem.reason, verdict.problem.side) == (reason, Side.TILL)


@on_virtual_time
async def test_missing_settings_are_an_account_problem_that_names_them() -> None:
    world = ShopWorld(epos=EposSettings(base_url="https://till.example.test"))
    world.link(1, 12)
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.EPOS_FETCH_FAILED, FETCH_FAILED, EntryState.PENDING, Disposition.PAUSE_SIDE)
    assert verdict.notes == ("settings incomplete: set epos.api_key, epos.api_secret of the account",)
    world = ShopWorld(shop=ShopSettings(base_url="https://shop.example.test"))
    world.link(1, 12)
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.WOO_NOT_UPDATED, NOT_UPDATED, EntryState.PENDING, Disposition.PAUSE_SIDE)
    assert verdict.notes == ("settings incomplete: set shop.consumer_key, shop.consumer_secret of the account",)


# failures of the shop


@on_virtual_time
async def test_refused_field_fails_at_once_and_is_noted() -> None:
    world = ShopWorld()
    world.link(1, 12)
    error = Refused(Side.SHOP, "refused field: phone: it is no phone number to WooCommerce", field="phone")
    world.shop.answer = lambda writes: [WriteResult(status=WriteStatus.INVALID, field="phone", error=error)]
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.WOO_NOT_UPDATED, NOT_UPDATED, EntryState.FAILED)
    assert "refused field: phone" in verdict.notes[0]
    world.shop.answer = lambda writes: [WriteResult(status=WriteStatus.INVALID, field="points")]
    assert (await world.sync(1)).notes[0] == "writing the customer to the shop: refused field: points"


@on_virtual_time
async def test_unknown_write_result_clears_the_hash_and_is_charged() -> None:
    world = ShopWorld()
    world.link(1, 12)
    await world.sync(1)
    world.put(1, points=11)

    def lost(writes: object) -> None:
        raise Unanswered(Side.SHOP, "no answer within 20 s")

    world.shop.answer = lost
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.WOO_NOT_UPDATED, NOT_UPDATED, EntryState.PENDING, Disposition.RETRY)
    assert verdict.notes[0] == "writing the customer to the shop: no answer within 20 s"
    assert world.links.of_epos(1).content_hash is None
    world.shop.answer = lambda writes: None
    world.put(1, points=10)  # the formerly confirmed values are written again
    await world.sync(1)
    assert world.shop.requests == 3


@on_virtual_time
async def test_unreachable_shop_pauses_the_side_and_confirms_nothing() -> None:
    world = ShopWorld()
    world.link(1, 12)
    await world.sync(1)
    world.put(1, points=11)
    before = list(world.state.confirmed)

    def down(writes: object) -> None:
        raise Unreachable(Side.SHOP, "not reached: DNS")

    world.shop.answer = down
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.WOO_NOT_UPDATED, NOT_UPDATED, EntryState.PENDING, Disposition.PAUSE_SIDE)
    assert verdict.notes[0] == "writing the customer to the shop: not reached: DNS"
    assert world.state.confirmed == before
    assert world.links.of_epos(1).content_hash is None, "taken back with the version that was drawn: the next run writes"


@on_virtual_time
async def test_5xx_is_charged_if_the_probe_succeeds_and_pauses_if_it_fails() -> None:
    world = ShopWorld()
    world.link(1, 12)
    failure = ServerFailure(Side.SHOP, "the shop failed", status=500)
    world.shop.answer = lambda writes: [WriteResult(status=WriteStatus.ERROR, error=failure)]
    assert_verdict(await world.sync(1), Outcome.WOO_NOT_UPDATED, NOT_UPDATED, EntryState.PENDING, Disposition.RETRY)
    world.shop.faults["probe"] = Unanswered(Side.SHOP, "no answer within 20 s")
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.WOO_NOT_UPDATED, NOT_UPDATED, EntryState.PENDING, Disposition.PAUSE_SIDE)
    assert verdict.problem is not None
    assert verdict.problem.reason is ProblemReason.UNREACHABLE


@on_virtual_time
@pytest.mark.catches("stale-writes-are-not-applied")
async def test_stale_write_reads_the_till_again_and_sends_a_higher_version() -> None:
    world = ShopWorld()
    world.link(1, 12)
    newer = 5_000_000_000_000_000

    def newer_first(writes: list[object]) -> list[WriteResult] | None:
        if world.shop.requests > 1:
            return None
        world.put(1, points=99)
        return [WriteResult(status=WriteStatus.STALE, version=newer)]

    world.shop.answer = newer_first  # type: ignore[assignment]
    assert_verdict(await world.sync(1), Outcome.UPDATED, UPDATED, EntryState.PROCESSED)
    assert world.till.count("read_customer") == 2
    assert world.shop.stored[12].version == newer + 1
    values = world.shop.stored[12].values
    assert values is not None
    assert values.points == "99"


@on_virtual_time
@pytest.mark.catches("stale-writes-are-not-applied")
async def test_stale_rounds_are_bounded_and_store_no_hash() -> None:
    world = ShopWorld()
    world.link(1, 12)
    world.shop.answer = lambda writes: [WriteResult(status=WriteStatus.STALE, version=writes[0].version + 10)]
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.WOO_NOT_UPDATED, NOT_UPDATED, EntryState.PENDING, Disposition.RETRY)
    assert world.shop.requests == world.services.settings.stale_rounds == 3
    assert world.links.of_epos(1).content_hash is None


@on_virtual_time
async def test_not_done_write_is_postponed_uncharged() -> None:
    world = ShopWorld()
    world.link(1, 12)
    world.shop.answer = lambda writes: [WriteResult(status=WriteStatus.NOT_DONE)] * len(writes)
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.WOO_NOT_UPDATED, NOT_UPDATED, EntryState.PENDING, Disposition.POSTPONE)
    assert verdict.not_before is not None
    assert verdict.not_before > START + timedelta(seconds=10)


# removals


@on_virtual_time
async def test_pending_removal_is_written_and_completed() -> None:
    world = ShopWorld()
    world.links.want_removal(world.account.account_id, 1, 12)
    world.shop.users.add(12)
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.UPDATED, UPDATED, EntryState.PROCESSED)
    assert verdict.notes == ("values removed from the shop",)
    assert world.shop.stored[12].values is None
    assert world.state.removed == [12]
    assert world.till.requests == 0


@on_virtual_time
async def test_a_removal_and_a_new_link_are_both_done() -> None:
    world = ShopWorld()
    world.link(1, 13)
    world.links.want_removal(world.account.account_id, 1, 12)
    world.shop.users.add(12)
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.UPDATED, UPDATED, EntryState.PROCESSED)
    assert verdict.notes == ("values removed from the shop",)
    assert world.shop.stored[12].values is None
    assert world.shop.stored[13].values is not None
    assert world.state.removed == [12]


@on_virtual_time
async def test_removal_from_a_deleted_customer_is_completed() -> None:
    world = ShopWorld()
    world.links.want_removal(world.account.account_id, 1, 12)
    assert_verdict(await world.sync(1), Outcome.UPDATED, UPDATED, EntryState.PROCESSED)
    assert world.state.removed == [12]


@on_virtual_time
async def test_failed_removal_stays_pending_and_the_new_link_is_written() -> None:
    world = ShopWorld()
    world.link(1, 13)
    world.links.want_removal(world.account.account_id, 1, 12)
    failure = ServerFailure(Side.SHOP, "the shop failed", status=500)
    world.shop.answer = lambda writes: [
        WriteResult(status=WriteStatus.ERROR, error=failure) if write.values is None else WriteResult(status=WriteStatus.UPDATED)
        for write in writes
    ]
    verdict = await world.sync(1)
    assert_verdict(verdict, Outcome.WOO_NOT_UPDATED, NOT_UPDATED, EntryState.PENDING, Disposition.RETRY)
    assert verdict.notes[0].startswith("removing our values from the shop: server error")
    assert world.state.removed == []
    assert world.links.of_epos(1).content_hash is not None


# leases and the database


@on_virtual_time
async def test_lost_lease_sends_nothing_and_reports_no_verdict() -> None:
    for lose in ("renewal", "versions"):
        world = ShopWorld()
        world.link(1, 12)
        if lose == "renewal":
            world.lane.lost = True
        else:
            world.links.take_over(world.account.account_id)
        with pytest.raises(RunInterrupted):
            await world.sync(1)
        assert world.shop.requests == 0
        assert world.lane.finished == {}


@on_virtual_time
async def test_unavailable_database_postpones_uncharged() -> None:
    for method in ("stored_customers", "next_versions", "confirm"):
        world = ShopWorld()
        world.link(1, 12)
        (world.links if method == "stored_customers" else world.state).faults[method] = [DatabaseAway()]
        verdict = await world.sync(1)
        assert_verdict(verdict, Outcome.EPOS_FETCH_FAILED, FETCH_FAILED, EntryState.PENDING, Disposition.POSTPONE)
        assert verdict.not_before is not None
        assert_verdict(await world.sync(1), Outcome.UPDATED, UPDATED, EntryState.PROCESSED)


@on_virtual_time
async def test_other_decimal_scale_is_unchanged() -> None:
    world = ShopWorld()
    world.link(1, 12)
    world.till.put(till_customer(1, balance=Decimal("3.500")))
    await world.sync(1)
    world.till.put(till_customer(1, balance=Decimal("3.5")))
    assert (await world.sync(1)).notes == ("unchanged",)


@on_virtual_time
async def test_other_address_or_api_version_needs_a_new_deletion_proof() -> None:
    world = ShopWorld()
    world.link(1, 12)
    world.link(2, 13)
    await world.sync(1)  # a read that succeeded under the present configuration
    del world.till.customers[EposCustomerId(2)]
    await world.sync(2)
    assert world.state.gone_epos == [2]
    assert world.till.count("list_customers") == 0
    world.lane.account_now = replace(world.account, epos=replace(world.account.epos, customer_api_version=TillApiVersion.V4))
    world.till.decide_fault = lambda method, argument: Missing(Side.TILL, "HTTP 404", status=404)
    [verdict] = await world.run(entry_of(1))
    assert verdict.disposition is Disposition.PAUSE_SIDE
    assert world.state.gone_epos == [2]
