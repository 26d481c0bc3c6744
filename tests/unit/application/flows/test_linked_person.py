"""A customer number is not a person. An order of a linked number depends on the person whom the shop names for it now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.flow_world import FlowWorld, order_entry, order_facts, till_account
from tillsync_server.application.flows.order_flow import OrderFlow
from tillsync_server.domain.enums import EntryState, Outcome, Side
from tillsync_server.domain.errors import Missing, Unreachable
from tillsync_server.domain.ids import EposCustomerId, WooCustomerId
from tillsync_server.domain.link import Link
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.shop_users import is_linked_person
from tillsync_server.domain.verdict import Disposition, Verdict

ACCOUNT = till_account()
BEFORE = datetime(2024, 5, 1, 9, 30, tzinfo=UTC)
LATER = datetime(2026, 2, 1, 8, 0, tzinfo=UTC)
ADA, EVE = "ada@example.test", "eve@example.test"
SHOPPER = WooCustomerId(12)


@pytest.fixture
def world() -> FlowWorld:
    world = FlowWorld()
    world.till.add(ADA, customer_id=EposCustomerId(501))
    world.till.add("grace@example.test", customer_id=EposCustomerId(900))
    return world


def linked(world: FlowWorld, registered_at: datetime | None, *, gone: bool = False) -> Link:
    """Links till customer 501 with shop customer 12, a minute ago."""
    link = world.links.add(ACCOUNT.account_id, 501, 12, woo_gone=gone)
    return world.links.put(replace(link, woo_registered_at=registered_at))


async def match(world: FlowWorld, facts: OrderFacts) -> Verdict:
    return await OrderFlow(world.context(ACCOUNT)).run(order_entry(ACCOUNT, facts))


def order(registered_at: datetime | None, email: str = ADA) -> OrderFacts:
    return order_facts(email=email, woo_registered_at=registered_at)


@pytest.mark.catches("a-number-is-not-a-person")
@pytest.mark.parametrize(
    ("known", "linked_at", "registered", "same"),
    [
        (BEFORE, LATER, BEFORE, True),
        (BEFORE, LATER, BEFORE + timedelta(seconds=1), False),
        (BEFORE, LATER, BEFORE.replace(microsecond=999_999), True),
        (None, LATER, BEFORE, True),
        (None, LATER, LATER + timedelta(days=1), True),
        (None, LATER, LATER + timedelta(days=1, seconds=1), False),
    ],
    ids=["equal", "a second later", "fractions do not count", "adopted", "a day later", "more than a day later"],
)
def test_person_is_identified_by_number_and_registration_time(
    known: datetime | None, linked_at: datetime, registered: datetime, same: bool
) -> None:
    assert is_linked_person(known, linked_at, registered) is same


async def test_linked_person_is_recognised_by_time_with_any_email(world: FlowWorld) -> None:
    linked(world, BEFORE)
    verdict = await match(world, order(BEFORE, "changed@example.test"))
    assert (verdict.outcome, verdict.epos_customer_id) == (Outcome.MATCHED_LINK, 501)
    assert (world.till.calls, world.shop.calls, world.links.pairs()) == ([], [], {(501, 12)})


async def test_link_without_registration_time_takes_it_from_the_order(world: FlowWorld) -> None:
    linked(world, None)
    verdict = await match(world, order(BEFORE))
    assert (verdict.outcome, verdict.epos_customer_id) == (Outcome.MATCHED_LINK, 501)
    assert world.links.of_epos(501).woo_registered_at == BEFORE


async def test_new_link_stores_the_registration_time(world: FlowWorld) -> None:
    verdict = await match(world, order(BEFORE))
    assert (verdict.outcome, verdict.epos_customer_id) == (Outcome.MATCHED_EMAIL, 501)
    assert world.links.of_epos(501).woo_registered_at == BEFORE


async def test_other_person_with_the_number_is_matched_again_and_old_values_are_removed(world: FlowWorld) -> None:
    linked(world, BEFORE)
    eve = world.till.add(EVE)
    verdict = await match(world, order(LATER, EVE))
    assert (verdict.outcome, verdict.epos_customer_id) == (Outcome.MATCHED_EMAIL, eve)
    assert world.links.pairs() == {(eve, 12)}
    assert world.links.of_epos(eve).woo_registered_at == LATER


@pytest.mark.parametrize("known", [BEFORE, None], ids=["by the time", "registered more than a day after the link"])
async def test_other_person_unknown_to_the_till_is_held_without_a_create(world: FlowWorld, known: datetime | None) -> None:
    link = linked(world, known)
    verdict = await match(world, order(link.create_time + timedelta(days=2), EVE))
    assert (verdict.outcome, verdict.state, verdict.epos_customer_id) == (Outcome.CUSTOMER_NOT_MATCHED, EntryState.HELD, None)
    assert verdict.notes[0].startswith("shop customer 12 is another person than the one who was linked to customer 501")
    assert world.till.count("create_customer") == 0
    assert (world.links.of_epos(501).is_usable, world.links.removals) == (False, {(ACCOUNT.account_id, SHOPPER): 501})
    assert world.links.enqueued_live == [501], "the till customer's next entry removes the values from the stranger"


async def test_other_person_with_several_till_customers_is_held_with_candidates(world: FlowWorld) -> None:
    linked(world, BEFORE)
    twins = (world.till.add(EVE), world.till.add(EVE))
    verdict = await match(world, order(LATER, EVE))
    assert (verdict.outcome, verdict.candidate_ids) == (Outcome.DUPLICATE_EMAIL, twins)


@pytest.mark.parametrize("can_be_asked", [True, False], ids=["the shop says so", "the later account has it"])
@pytest.mark.catches("waiting-orders-end-no-later-link")
async def test_order_of_the_former_person_keeps_the_link_of_the_present_one(world: FlowWorld, can_be_asked: bool) -> None:
    """The order was held while the number moved to another person, and is requeued because that person was linked."""
    linked(world, LATER)
    eve = world.till.add(EVE)
    world.shop.registered = {12: LATER} if can_be_asked else None
    verdict = await match(world, order(BEFORE, EVE))
    assert (verdict.outcome, verdict.epos_customer_id) == (Outcome.MATCHED_EMAIL, eve)
    assert verdict.notes[0] == "not linked: the number of shop customer 12 belongs to another account than the one that ordered"
    assert (world.links.of_epos(501).is_usable, world.links.pairs()) == (True, {(501, 12)})


async def test_restored_former_person_ends_the_link_of_the_later_one(world: FlowWorld) -> None:
    linked(world, LATER)
    eve = world.till.add(EVE)
    world.shop.registered = {12: BEFORE}
    verdict = await match(world, order(BEFORE, EVE))
    assert (verdict.outcome, verdict.epos_customer_id, world.links.pairs()) == (Outcome.MATCHED_EMAIL, eve, {(eve, 12)})


# orders without a registration time


async def test_shop_names_the_person_if_the_order_does_not(world: FlowWorld) -> None:
    linked(world, BEFORE)
    world.shop.registered = {12: BEFORE}
    verdict = await match(world, order(None))
    assert (verdict.outcome, verdict.epos_customer_id) == (Outcome.MATCHED_LINK, 501)
    world.shop.registered = {12: LATER}
    verdict = await match(world, order(None, EVE))
    assert (verdict.outcome, verdict.epos_customer_id) == (Outcome.CUSTOMER_NOT_MATCHED, None)
    assert world.links.of_epos(501).is_usable is False


@pytest.mark.parametrize("unreachable", [False, True], ids=["an older bridge", "not reached"])
async def test_order_is_held_if_no_side_names_the_person(world: FlowWorld, unreachable: bool) -> None:
    linked(world, BEFORE)
    if unreachable:
        world.shop.faults["read_users"] = [Unreachable(Side.SHOP, "DNS")]
    verdict = await match(world, order(None))
    assert (verdict.outcome, verdict.state, verdict.candidate_ids) == (Outcome.CUSTOMER_NOT_MATCHED, EntryState.HELD, (501,))
    assert verdict.notes[0].startswith("asking the shop whether shop customer 12 is still the one who is linked to customer 501: ")
    assert world.links.of_epos(501).is_usable, "the link stays"


async def test_link_without_time_is_used_if_the_shop_names_no_time(world: FlowWorld) -> None:
    linked(world, None)
    verdict = await match(world, order(None))
    assert (verdict.outcome, verdict.epos_customer_id) == (Outcome.MATCHED_LINK, 501)


# deleted shop customers


async def test_orders_of_a_deleted_shop_customer_match_without_a_link(world: FlowWorld) -> None:
    """The shop gets one request for all orders, the till none."""
    linked(world, None, gone=True)
    world.shop.registered = {}
    flow = OrderFlow(world.context(ACCOUNT))
    for number in range(40):
        verdict = await flow.run(order_entry(ACCOUNT, order_facts(1000 + number, email=ADA)))
        assert (verdict.outcome, verdict.epos_customer_id) == (Outcome.MATCHED_LINK, 501)
        assert verdict.notes == ("shop customer 12 is deleted in the shop: nothing is written there",)
    assert (world.till.calls, world.shop.count("read_users"), world.links.enqueued_live) == ([], 1, [])
    assert world.links.of_epos(501).is_usable is False


async def test_a_restored_shop_customer_is_linked_again(world: FlowWorld) -> None:
    """A restored backup has the same number with the same time."""
    linked(world, BEFORE, gone=True)
    world.shop.registered = {12: BEFORE}
    verdict = await match(world, order(BEFORE))
    assert (verdict.outcome, verdict.epos_customer_id) == (Outcome.MATCHED_LINK, 501)
    assert (world.links.of_epos(501).is_usable, world.links.enqueued_live) == (True, [501])


async def test_proven_deleted_pair_is_not_linked_if_the_shop_is_unavailable(world: FlowWorld) -> None:
    linked(world, None, gone=True)
    verdict = await match(world, order(None))
    assert (verdict.outcome, verdict.epos_customer_id) == (Outcome.MATCHED_EMAIL, 501)
    assert verdict.notes[0].startswith("not linked: shop customer 12 was found deleted in the shop")
    assert world.links.of_epos(501).is_usable is False


# till customers linked to another shop customer


async def test_new_account_of_a_shopper_takes_over_the_link_of_the_deleted_one(world: FlowWorld) -> None:
    world.links.add(ACCOUNT.account_id, 501, 40)
    world.shop.registered = {12: LATER}
    verdict = await match(world, order(LATER))
    assert (verdict.outcome, verdict.epos_customer_id) == (Outcome.MATCHED_EMAIL, 501)
    assert world.links.pairs() == {(501, 12)}


async def test_link_holder_whose_number_changed_person_is_replaced(world: FlowWorld) -> None:
    link = world.links.add(ACCOUNT.account_id, 501, 40)
    world.links.put(replace(link, woo_registered_at=BEFORE))
    world.shop.registered = {12: LATER, 40: LATER}
    verdict = await match(world, order(LATER))
    assert (verdict.outcome, verdict.epos_customer_id, world.links.pairs()) == (Outcome.MATCHED_EMAIL, 501, {(501, 12)})


async def test_existing_link_holder_is_never_replaced(world: FlowWorld) -> None:
    world.links.add(ACCOUNT.account_id, 501, 40)
    world.shop.registered = {12: LATER, 40: BEFORE}
    verdict = await match(world, order(LATER))
    assert (verdict.state, verdict.candidate_ids, world.links.pairs()) == (EntryState.HELD, (501,), {(501, 40)})
    assert verdict.notes == ("the only customer with this email, 501, is linked to another shop customer, 40",)


async def test_link_holder_is_not_replaced_if_the_shop_is_unavailable(world: FlowWorld) -> None:
    world.links.add(ACCOUNT.account_id, 501, 40)
    verdict = await match(world, order(LATER))
    assert (verdict.state, world.links.pairs()) == (EntryState.HELD, {(501, 40)})
    assert verdict.notes[1].startswith("whether that one is still there: ")


async def test_order_of_a_deleted_shopper_matches_the_customer_linked_to_the_new_account(world: FlowWorld) -> None:
    world.links.add(ACCOUNT.account_id, 501, 40)
    world.shop.registered = {40: BEFORE}
    verdict = await match(world, order(None))
    assert (verdict.outcome, verdict.epos_customer_id, world.links.pairs()) == (Outcome.MATCHED_EMAIL, 501, {(501, 40)})
    assert verdict.notes[0] == "not linked: shop customer 12 is deleted in the shop"


# links of deleted till customers


async def test_other_person_with_a_linked_number_is_not_created_if_the_till_customer_is_gone(world: FlowWorld) -> None:
    link = linked(world, BEFORE)
    world.links.put(replace(link, epos_gone_at=link.create_time))
    world.shop.registered = {12: LATER}
    verdict = await match(world, order(LATER, EVE))
    assert (verdict.state, world.till.count("create_customer")) == (EntryState.HELD, 0)
    assert verdict.notes[0].startswith("shop customer 12 is another person than the one who was linked to customer 501")


async def test_linked_person_gets_a_new_till_customer_if_the_old_one_is_gone(world: FlowWorld) -> None:
    link = linked(world, BEFORE)
    world.links.put(replace(link, epos_gone_at=link.create_time))
    world.till.customers.pop(EposCustomerId(501))
    verdict = await match(world, order(BEFORE))
    assert (verdict.outcome, world.shop.calls) == (Outcome.CUSTOMER_CREATED, [])


async def test_deleted_customer_still_found_by_the_search_is_not_linked_again(world: FlowWorld) -> None:
    """Its entry would find the customer deleted again and requeue this order, in an endless loop."""
    link = linked(world, BEFORE)
    world.links.put(replace(link, epos_gone_at=link.create_time))
    world.till.faults["read_customer"] = Missing(Side.TILL, "not found in Epos Now: HTTP 404", status=404)
    verdict = await match(world, order(BEFORE))
    assert (verdict.disposition, verdict.notes) == (
        Disposition.RETRY,
        ("linking the customer: Epos Now's search still finds customer 501, which is deleted there",),
    )
    assert world.links.enqueued_live == []


# till customers without a recent read


@pytest.mark.parametrize(("hours", "checked"), [(23, []), (25, [501])])
async def test_linked_till_customer_not_read_for_a_day_is_queued_for_a_read(world: FlowWorld, hours: int, checked: list[int]) -> None:
    linked(world, BEFORE)
    world.clock.advance(hours * 3600)
    verdict = await match(world, order(BEFORE))
    assert (verdict.outcome, world.links.enqueued_bulk, world.till.calls) == (Outcome.MATCHED_LINK, checked, [])


async def test_unavailable_shop_is_not_asked_by_each_order(world: FlowWorld) -> None:
    linked(world, BEFORE)
    world.shop.faults["read_users"] = Unreachable(Side.SHOP, "DNS")
    flow = OrderFlow(world.context(ACCOUNT))
    for number in range(5):
        assert (await flow.run(order_entry(ACCOUNT, order_facts(1000 + number, email=ADA)))).state is EntryState.HELD
    assert world.shop.count("read_users") == 1
    world.shop.faults, world.shop.registered = {}, {12: BEFORE}
    world.clock.advance(15)
    assert (await flow.run(order_entry(ACCOUNT, order_facts(2000, email=ADA)))).outcome is Outcome.MATCHED_LINK
