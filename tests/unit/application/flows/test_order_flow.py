"""Every rung of the match ladder (docs/architecture.md#the-life-of-an-order) with its exact comment, answer and note."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from fakes.till import EmailMatch, LostAnswer
from support.flow_world import DEFAULT_CUSTOMER, FlowWorld, guest_facts, order_entry, order_facts, till_account
from tillsync_server.application.flows.create_protocol import MAX_CANDIDATES
from tillsync_server.application.flows.order_flow import OrderFlow
from tillsync_server.domain.account import Account, EposSettings
from tillsync_server.domain.enums import EntryState, GuestPolicy, MatchEmail, Outcome, ProblemReason, Side
from tillsync_server.domain.errors import CredentialsRefused, Missing, Refused, ServerFailure, Throttled, Unanswered, Unreachable
from tillsync_server.domain.ids import EposCustomerId, WooCustomerId
from tillsync_server.domain.link import LinkOrigin
from tillsync_server.domain.order import OrderFacts, UnlinkedProduct
from tillsync_server.domain.verdict import Disposition, Verdict
from tillsync_server.ports.links import OrderLinkOutcome

ADA = "ada@example.test"
ACCOUNT = till_account()
DUPLICATE_COMMENT = "We could not auto-link the customer as there is more than one customer in EposNow with the same email address."
NOT_MATCHED_COMMENT = "Customer Id Not Matched with EPOSNOW"


@pytest.fixture
def world() -> FlowWorld:
    world = FlowWorld()
    world.till.add("till@example.test", customer_id=DEFAULT_CUSTOMER)
    world.till.add("grace@example.test")
    return world


async def match(world: FlowWorld, facts: OrderFacts | None = None, account: Account = ACCOUNT, chosen: int | None = None) -> Verdict:
    return await OrderFlow(world.context(account)).run(order_entry(account, facts or order_facts(), chosen=chosen))


def assert_answer(verdict: Verdict, outcome: Outcome, comment: str, customer: int | None) -> None:
    assert (verdict.outcome, verdict.comment, verdict.epos_customer_id) == (outcome, comment, customer)
    assert (verdict.disposition, verdict.state) == (Disposition.FINISH, EntryState.PROCESSED)


def assert_held(verdict: Verdict, outcome: Outcome, note: str) -> None:
    assert (verdict.outcome, verdict.disposition, verdict.state) == (outcome, Disposition.HOLD, EntryState.HELD)
    assert verdict.epos_customer_id is None
    assert note in verdict.notes[0], verdict.notes
    assert not any("@" in each for each in verdict.notes), "no whole email in a note"


# sync off, default customer, guests


@pytest.mark.parametrize("facts", [order_facts(), guest_facts()], ids=["customer", "guest"])
async def test_disabled_sync_uses_the_default_customer_without_a_link_or_a_request(world: FlowWorld, facts: OrderFacts) -> None:
    world.till.add(ADA)
    account = till_account(customer_sync_enabled=False, guest_policy=GuestPolicy.MATCH_OR_CREATE)
    verdict = await match(world, facts, account, chosen=55)
    assert_answer(verdict, Outcome.DEFAULT_CUSTOMER, "Matched to the default customer", DEFAULT_CUSTOMER)
    assert "not enabled" in verdict.notes[0]
    assert (world.till.calls, world.links.pairs()) == ([], set())


async def test_guest_gets_the_default_customer_by_default(world: FlowWorld) -> None:
    world.till.add(ADA)
    verdict = await match(world, guest_facts())
    assert_answer(verdict, Outcome.DEFAULT_CUSTOMER, "Matched to the default customer", DEFAULT_CUSTOMER)
    assert "guest" in verdict.notes[0]
    assert world.till.calls == []


@pytest.mark.parametrize("off", [True, False])
async def test_missing_default_customer_holds_the_order(world: FlowWorld, off: bool) -> None:
    account = till_account(default_epos_customer_id=None, customer_sync_enabled=not off)
    verdict = await match(world, guest_facts(), account)
    assert_held(verdict, Outcome.CUSTOMER_NOT_MATCHED, "no default customer is set")
    assert verdict.comment == NOT_MATCHED_COMMENT


async def test_match_only_guest_uses_the_one_match_without_a_link(world: FlowWorld) -> None:
    ada = world.till.add(ADA)
    verdict = await match(world, guest_facts(), till_account(guest_policy=GuestPolicy.MATCH_ONLY))
    assert_answer(verdict, Outcome.MATCHED_EMAIL, "Matched by email", ada)
    assert "not linked" in verdict.notes[0]
    assert world.links.pairs() == set()


@pytest.mark.parametrize(("how_many", "note"), [(0, "no customer has"), (2, "2 customers have")])
async def test_match_only_guest_without_one_match_gets_the_default_customer(world: FlowWorld, how_many: int, note: str) -> None:
    for _ in range(how_many):
        world.till.add(ADA)
    verdict = await match(world, guest_facts(), till_account(guest_policy=GuestPolicy.MATCH_ONLY))
    assert_answer(verdict, Outcome.DEFAULT_CUSTOMER, "Matched to the default customer", DEFAULT_CUSTOMER)
    assert note in verdict.notes[0]
    assert world.till.count("create_customer") == 0


async def test_match_or_create_creates_for_a_guest_and_releases_held_orders(world: FlowWorld) -> None:
    account = till_account(guest_policy=GuestPolicy.MATCH_OR_CREATE)
    verdict = await match(world, guest_facts(email="Ada@Example.test"), account)
    [made] = world.till.with_email(ADA)
    assert_answer(verdict, Outcome.CUSTOMER_CREATED, "Customer created", made)
    assert "not linked" in verdict.notes[0]
    assert (world.links.pairs(), world.links.requeued_guests) == (set(), [ADA])
    again = await match(world, guest_facts(1043), account)
    assert_answer(again, Outcome.MATCHED_EMAIL, "Matched by email", made)


async def test_guest_with_twins_at_the_till_is_held_with_both(world: FlowWorld) -> None:
    twins = (world.till.add(ADA), world.till.add(ADA))
    verdict = await match(world, guest_facts(), till_account(guest_policy=GuestPolicy.MATCH_OR_CREATE))
    assert_held(verdict, Outcome.DUPLICATE_EMAIL, f"{twins[0]}, {twins[1]}")
    assert (verdict.comment, verdict.candidate_ids) == (DUPLICATE_COMMENT, twins)
    assert world.links.requeued_guests == []


# chosen by a person


async def test_customer_chosen_by_hand_is_used_without_a_link(world: FlowWorld) -> None:
    ada, twin = world.till.add(ADA), world.till.add(ADA)
    for facts in (order_facts(), guest_facts()):
        verdict = await match(world, facts, chosen=twin)
        assert_answer(verdict, Outcome.MATCHED_EMAIL, "Matched by email", twin)
        assert verdict.notes[0].startswith("chosen by hand; ")
    assert world.links.pairs() == set()
    world.links.add(ACCOUNT.account_id, ada, 12)
    assert (await match(world, chosen=twin)).epos_customer_id == twin, "the choice overrides a link to another customer"
    assert_answer(await match(world, chosen=ada), Outcome.MATCHED_LINK, "Matched to the linked customer", ada)


async def test_deleted_chosen_customer_holds_the_order(world: FlowWorld) -> None:
    verdict = await match(world, chosen=4711)
    assert_held(verdict, Outcome.CUSTOMER_NOT_MATCHED, "4711")
    assert "deleted in Epos Now" in verdict.notes[0]


async def test_unproven_404_of_a_chosen_customer_pauses_the_side(world: FlowWorld) -> None:
    world.till.faults["read_customer"] = [Missing(Side.TILL, "404", status=404)]
    world.till.faults["list_customers"] = [Missing(Side.TILL, "404", status=404)]
    verdict = await match(world, chosen=DEFAULT_CUSTOMER)
    assert verdict.disposition is Disposition.PAUSE_SIDE
    assert verdict.problem is not None
    assert verdict.problem.reason is ProblemReason.WRONG_ADDRESS


# links


async def test_usable_link_answers_without_a_request(world: FlowWorld) -> None:
    world.links.add(ACCOUNT.account_id, 55, 12)
    verdict = await match(world)
    assert_answer(verdict, Outcome.MATCHED_LINK, "Matched to the linked customer", 55)
    assert world.till.calls == []
    marked_too = till_account(auto_link=False)
    world.links.marks.add((ACCOUNT.account_id, WooCustomerId(12)))
    assert (await match(world, account=marked_too)).outcome is Outcome.MATCHED_LINK


async def test_link_of_another_account_is_ignored(world: FlowWorld) -> None:
    world.links.add(till_account("shop-2").account_id, 55, 12)
    assert (await match(world)).outcome is Outcome.CUSTOMER_CREATED


async def test_broken_link_is_replaced_by_a_new_match(world: FlowWorld) -> None:
    world.links.add(ACCOUNT.account_id, 55, 12, gone=True)
    ada = world.till.add(ADA)
    verdict = await match(world)
    assert_answer(verdict, Outcome.MATCHED_EMAIL, "Matched by email", ada)
    assert world.links.pairs() == {(ada, 12)}
    assert any("55" in note and "replaced" in note for note in verdict.notes)


async def test_broken_link_stays_without_a_replacement(world: FlowWorld) -> None:
    world.links.add(ACCOUNT.account_id, 55, 12, gone=True)
    world.till.add(ADA)
    world.till.add(ADA)
    assert (await match(world)).outcome is Outcome.DUPLICATE_EMAIL
    assert world.links.pairs() == {(55, 12)}


async def test_customer_unlinked_by_hand_is_held_with_candidates(world: FlowWorld) -> None:
    ada = world.till.add(ADA)
    world.links.marks.add((ACCOUNT.account_id, WooCustomerId(12)))
    verdict = await match(world)
    assert_held(verdict, Outcome.CUSTOMER_NOT_MATCHED, "unlinked by hand")
    assert (verdict.candidate_ids, world.links.pairs()) == ((ada,), set())
    assert str(ada) in verdict.notes[1]


@pytest.mark.parametrize("how_many", [0, 1, 2])
async def test_disabled_auto_link_holds_the_order_with_candidates_and_creates_nothing(world: FlowWorld, how_many: int) -> None:
    candidates = tuple(world.till.add(ADA) for _ in range(how_many))
    verdict = await match(world, account=till_account(auto_link=False))
    assert_held(verdict, Outcome.CUSTOMER_NOT_MATCHED, "automatic linking is off")
    assert verdict.candidate_ids == candidates
    assert (world.till.count("create_customer"), world.links.pairs()) == (0, set())


async def test_order_without_usable_email_has_no_candidates(world: FlowWorld) -> None:
    verdict = await match(world, order_facts(account_email=""), till_account(auto_link=False))
    assert_held(verdict, Outcome.CUSTOMER_NOT_MATCHED, "automatic linking is off")
    assert (verdict.candidate_ids, world.till.calls) == ((), [])


# by email


async def test_unknown_email_creates_and_links_a_customer(world: FlowWorld) -> None:
    verdict = await match(world)
    [made] = world.till.with_email(ADA)
    assert_answer(verdict, Outcome.CUSTOMER_CREATED, "Customer created", made)
    assert verdict.notes == ("linked to shop customer 12",)
    [link] = world.links.links
    assert (link.epos_customer_id, link.woo_customer_id, link.origin) == (made, 12, LinkOrigin.CREATED)
    assert world.links.enqueued_live == [made]
    [sent] = world.till.created
    assert (sent.forename, sent.surname, sent.email, sent.phone) == ("Ada", "Byron", ADA, "01200000000")
    assert sent.sign_up_date == "2026-02-27T09:30:15"


@pytest.mark.parametrize("way", [EmailMatch.EXACT, EmailMatch.IGNORING_CASE, EmailMatch.CONTAINS, EmailMatch.FILTER_IGNORED])
async def test_one_exact_match_is_linked_and_near_misses_are_ignored(world: FlowWorld, way: EmailMatch) -> None:
    world.till.match = way
    world.till.add(f"not-{ADA}")
    ada = world.till.add(ADA)
    verdict = await match(world, order_facts(account_email="ADA@example.test"))
    assert_answer(verdict, Outcome.MATCHED_EMAIL, "Matched by email", ada)
    [link] = world.links.links
    assert (link.epos_customer_id, link.origin) == (ada, LinkOrigin.MATCHED_EMAIL)


async def test_several_matches_are_held_with_the_published_sentence(world: FlowWorld) -> None:
    twins = (world.till.add(ADA), world.till.add(ADA.upper()))
    verdict = await match(world)
    assert_held(verdict, Outcome.DUPLICATE_EMAIL, f"{twins[0]}, {twins[1]}")
    assert (verdict.comment, verdict.candidate_ids, world.links.pairs()) == (DUPLICATE_COMMENT, twins, set())


async def test_candidates_are_capped(world: FlowWorld) -> None:
    for _ in range(MAX_CANDIDATES + 20):
        world.till.add(ADA)
    verdict = await match(world)
    assert len(verdict.candidate_ids) == MAX_CANDIDATES
    assert f"and {MAX_CANDIDATES + 10} more" in verdict.notes[0]


@pytest.mark.parametrize("stored", [f"mailto:{ADA}", f"Ada <{ADA}>", f"{ADA};bea@example.test", f"{ADA}."])
@pytest.mark.catches("resembling-emails-are-for-a-person")
async def test_customer_with_another_spelling_holds_the_order_as_candidate(world: FlowWorld, stored: str) -> None:
    world.till.match = EmailMatch.CONTAINS
    odd = world.till.add(stored)
    world.till.add(f"jo{ADA}")
    verdict = await match(world)
    assert_held(verdict, Outcome.CUSTOMER_NOT_MATCHED, "whose email contains it in another spelling: choose the customer")
    assert verdict.notes[1] == f"in Epos Now with this email in another spelling: {odd}"
    assert (verdict.comment, verdict.candidate_ids) == (NOT_MATCHED_COMMENT, (odd,))
    assert (world.till.created, world.links.pairs(), world.intents.rows) == ([], set(), {})

    world.till.put(replace(world.till.customers[odd], email=ADA))
    assert_answer(await match(world), Outcome.MATCHED_EMAIL, "Matched by email", odd)


async def test_match_only_guest_with_another_spelling_gets_the_default_customer_and_a_note(world: FlowWorld) -> None:
    world.till.match = EmailMatch.CONTAINS
    odd = world.till.add(f"mailto:{ADA}")
    verdict = await match(world, guest_facts(), till_account(guest_policy=GuestPolicy.MATCH_ONLY))
    assert verdict.epos_customer_id == DEFAULT_CUSTOMER
    assert verdict.notes == (f"guest order: not linked; no customer has its billing email in Epos Now; in another spelling: {odd}",)


async def test_customer_is_created_with_the_visible_email(world: FlowWorld) -> None:
    await match(world, order_facts(email="\ufeffAda@example.test\u200b "))
    assert [each.email for each in world.till.created] == ["Ada@example.test"]


async def test_twin_found_after_the_create_holds_the_order_with_both(world: FlowWorld) -> None:
    async def step(name: str) -> None:
        if name == "till.create_customer":
            world.till.add(ADA)

    world.step = step
    verdict = await match(world)
    assert_held(verdict, Outcome.DUPLICATE_EMAIL, "was created, and another one")
    assert verdict.candidate_ids == tuple(world.till.with_email(ADA))
    assert world.links.pairs() == set()


async def test_candidate_linked_to_another_shop_customer_is_never_relinked(world: FlowWorld) -> None:
    ada = world.till.add(ADA)
    world.links.add(ACCOUNT.account_id, ada, 99)
    verdict = await match(world)
    assert_held(verdict, Outcome.CUSTOMER_NOT_MATCHED, "linked to another shop customer, 99")
    assert (verdict.comment, verdict.candidate_ids) == (NOT_MATCHED_COMMENT, (ada,))
    assert world.links.pairs() == {(ada, 99)}


async def test_link_of_a_deleted_shop_customer_does_not_block_a_new_link(world: FlowWorld) -> None:
    ada = world.till.add(ADA)
    world.links.add(ACCOUNT.account_id, ada, 99, woo_gone=True)
    assert_answer(await match(world), Outcome.MATCHED_EMAIL, "Matched by email", ada)
    assert world.links.pairs() == {(ada, 12)}


async def test_the_default_customer_cannot_be_linked(world: FlowWorld) -> None:
    verdict = await match(world, order_facts(email="till@example.test"))
    assert_held(verdict, Outcome.CUSTOMER_NOT_MATCHED, "is the default customer, which cannot be linked")
    assert world.links.pairs() == set()
    world.till.add("till@example.test")
    several = await match(world, order_facts(email="till@example.test"))
    assert several.outcome is Outcome.DUPLICATE_EMAIL
    assert any("default customer" in note for note in several.notes)


@pytest.mark.parametrize("found", [True, False])
async def test_different_billing_email_matches_without_a_link(world: FlowWorld, found: bool) -> None:
    if found:
        world.till.add("work@example.test")
    account = till_account(match_email=MatchEmail.BILLING)
    verdict = await match(world, order_facts(billing_email="work@example.test"), account)
    [customer] = world.till.with_email("work@example.test")
    outcome = Outcome.MATCHED_EMAIL if found else Outcome.CUSTOMER_CREATED
    assert (verdict.outcome, verdict.epos_customer_id, verdict.state) == (outcome, customer, EntryState.PROCESSED)
    assert "the billing email differs from the account email" in verdict.notes[0]
    assert (world.links.pairs(), world.links.requeued_guests) == (set(), [])


async def test_billing_email_equal_to_the_account_email_links(world: FlowWorld) -> None:
    verdict = await match(world, order_facts(billing_email="ADA@example.test"), till_account(match_email=MatchEmail.BILLING))
    assert verdict.outcome is Outcome.CUSTOMER_CREATED
    assert len(world.links.pairs()) == 1


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"account_email": ""}, "the order has no account email"),
        ({"account_email": f"{'a' * 40}@example.test"}, "longer than 50 characters"),
        ({"account_email": "ada at home"}, "no valid email address"),
    ],
)
async def test_customer_that_the_till_cannot_store_is_held_with_the_reason(world: FlowWorld, changed: dict[str, Any], note: str) -> None:
    verdict = await match(world, order_facts(**changed))
    assert_held(verdict, Outcome.CUSTOMER_NOT_MATCHED, note)
    assert world.till.count("create_customer") == 0


async def test_overlong_names_are_cut_with_a_note(world: FlowWorld) -> None:
    verdict = await match(world, order_facts(first_name="a" * 51, last_name="b" * 300))
    assert verdict.outcome is Outcome.CUSTOMER_CREATED
    assert verdict.notes[1:] == (
        "the first name is cut to the 50 characters that Epos Now stores",
        "the last name is cut to the 50 characters that Epos Now stores",
    )
    assert verdict.epos_customer_id is not None
    customer = world.till.customers[verdict.epos_customer_id]
    assert (customer.forename, customer.surname) == ("a" * 50, "b" * 50)


async def test_long_name_does_not_affect_an_existing_customer(world: FlowWorld) -> None:
    ada = world.till.add(ADA)
    assert (await match(world, order_facts(first_name="a" * 51))).epos_customer_id == ada


# links that change meanwhile


async def test_link_conflict_is_decided_again_on_current_links(world: FlowWorld) -> None:
    ada, other = world.till.add(ADA), world.till.add("other@example.test")
    world.links.before_link = [lambda: world.links.add(ACCOUNT.account_id, other, 12)]
    assert_answer(await match(world), Outcome.MATCHED_LINK, "Matched to the linked customer", other)
    assert world.links.pairs() == {(other, 12)}

    world.links.remove(*world.links.links)
    world.links.before_link = [lambda: world.links.add(ACCOUNT.account_id, ada, 99)]
    assert_held(await match(world), Outcome.CUSTOMER_NOT_MATCHED, "linked to another shop customer, 99")


async def test_repeated_link_conflicts_postpone_the_order(world: FlowWorld) -> None:
    world.till.add(ADA)
    world.links.next_outcomes = [OrderLinkOutcome.CONFLICT] * 10
    verdict = await match(world)
    assert verdict.disposition is Disposition.POSTPONE
    assert verdict.not_before is not None
    assert len(world.links.next_outcomes) == 7


async def test_changed_order_or_settings_requeue_without_a_decision(world: FlowWorld) -> None:
    world.links.next_outcomes = [OrderLinkOutcome.STALE]
    verdict = await match(world)
    assert (verdict.disposition, verdict.not_before, verdict.epos_customer_id) == (Disposition.POSTPONE, None, None)
    assert world.links.pairs() == set()
    [made] = world.till.with_email(ADA)
    assert_answer(await match(world), Outcome.MATCHED_EMAIL, "Matched by email", made)


# the till fails


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unreachable(Side.TILL, "DNS"), ProblemReason.UNREACHABLE),
        (CredentialsRefused(Side.TILL, "401", status=401), ProblemReason.CREDENTIALS_REFUSED),
        (Throttled(Side.TILL, "429", status=429, retry_after_seconds=60), ProblemReason.THROTTLED),
    ],
)
async def test_account_wide_till_failure_pauses_the_side(world: FlowWorld, error: Exception, reason: ProblemReason) -> None:
    world.till.faults |= {"search_by_email": [error], "probe": error}
    verdict = await match(world)
    assert verdict.disposition is Disposition.PAUSE_SIDE
    assert (verdict.outcome, verdict.comment) == (Outcome.CUSTOMER_NOT_MATCHED, NOT_MATCHED_COMMENT)
    assert verdict.problem is not None
    assert (verdict.problem.reason, verdict.problem.side) == (reason, Side.TILL)


@pytest.mark.parametrize("error", [Unanswered(Side.TILL, "no answer"), ServerFailure(Side.TILL, "502", status=502)], ids=repr)
async def test_failure_of_this_order_is_retried(world: FlowWorld, error: Exception) -> None:
    world.till.faults["search_by_email"] = [error]
    verdict = await match(world)
    assert (verdict.disposition, verdict.outcome) == (Disposition.RETRY, Outcome.CUSTOMER_NOT_MATCHED)
    assert verdict.notes[0].startswith("looking for the customer in Epos Now: ")
    assert (await match(world)).outcome is Outcome.CUSTOMER_CREATED


async def test_refused_create_fails_with_the_field_name(world: FlowWorld) -> None:
    refused = Refused(Side.TILL, "Invalid field value", status=400, field="ContactNumber")
    world.till.create_answers = [LostAnswer(refused, stored_after_seconds=None)]
    verdict = await match(world)
    assert (verdict.disposition, verdict.state, verdict.comment) == (Disposition.FINISH, EntryState.FAILED, NOT_MATCHED_COMMENT)
    assert "ContactNumber" in verdict.notes[0]


async def test_missing_till_credentials_are_an_account_problem_without_a_request(world: FlowWorld) -> None:
    bare = till_account(epos=EposSettings())
    for verdict in [await match(world, account=bare), await match(world, account=bare, chosen=5)]:
        assert verdict.problem is not None
        assert verdict.problem.reason is ProblemReason.SETTINGS_INCOMPLETE
    assert world.till.calls == []
    assert (await match(world, guest_facts(), bare)).outcome is Outcome.DEFAULT_CUSTOMER, "what needs no till goes on"


# products

PRODUCTS = (UnlinkedProduct(product_id=5, sku="S-1", name="Tea"),)


async def test_unlinked_products_hold_an_order_with_its_customer_and_link(world: FlowWorld) -> None:
    verdict = await match(world, order_facts(unlinked_products=PRODUCTS))
    assert (verdict.outcome, verdict.comment) == (Outcome.PRODUCT_NOT_MATCHED, "Product Id Not Matched with EPOSNOW")
    assert verdict.state is EntryState.HELD
    assert verdict.epos_customer_id == world.till.with_email(ADA)[0]
    assert len(world.links.pairs()) == 1


async def test_unmatched_customer_and_products_share_one_comment(world: FlowWorld) -> None:
    twins = (world.till.add(ADA), world.till.add(ADA))
    verdict = await match(world, order_facts(unlinked_products=PRODUCTS))
    assert verdict.comment == "Product Id and Customer Id Not Matched with EPOSNOW"
    assert (verdict.causes, verdict.state, verdict.candidate_ids) == ((Outcome.DUPLICATE_EMAIL,), EntryState.HELD, twins)
    assert DUPLICATE_COMMENT in verdict.notes


async def test_order_entry_without_facts_raises_value_error(world: FlowWorld) -> None:
    entry = replace(order_entry(ACCOUNT, order_facts()), facts=None)
    with pytest.raises(ValueError, match="no facts"):
        await OrderFlow(world.context(ACCOUNT)).run(entry)


async def test_orders_of_a_lane_share_list_scans(world: FlowWorld) -> None:
    world.till.match, world.till.page_size = EmailMatch.FILTER_IGNORED, 50
    people = [EposCustomerId(world.till.add(f"{number}@example.test")) for number in range(100)]
    flow = OrderFlow(world.context(ACCOUNT))
    entries = [
        order_entry(ACCOUNT, order_facts(number + 1, email=f"{number}@example.test", woo_customer_id=WooCustomerId(number + 1)))
        for number in range(100)
    ]
    verdicts = await asyncio.gather(*(flow.run(entry) for entry in entries))
    assert [verdict.epos_customer_id for verdict in verdicts] == people
    assert world.till.count("list_customers") <= 100, "a reading each would have been 400 requests"


async def test_reused_order_id_is_always_noted(world: FlowWorld) -> None:
    for facts in (guest_facts(), order_facts(account_email="")):
        verdict = await match(world, replace(facts, is_of_reused_id=True))
        assert verdict.notes[-1] == "a different order stood under this order id before"
        assert len(verdict.notes) > 1
