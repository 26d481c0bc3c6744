"""Pure rules of the match ladder: plans by account and email, search texts, creation, products."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from support.flow_world import DEFAULT_CUSTOMER, guest_facts, order_facts, till_account
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.enums import EntryState, GuestPolicy, LinkGround, MatchEmail, Outcome, ProblemReason, Side
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.domain.matching import (
    HoldForPerson,
    HoldWithCandidates,
    MatchByEmail,
    UseDefaultCustomer,
    creation_obstacle,
    cut_names,
    exact_matches,
    new_customer,
    plan_by_email,
    plan_without_customer,
    resembling_customers,
    search_texts,
    with_products,
    with_swapped_case,
)
from tillsync_server.domain.order import UnlinkedProduct
from tillsync_server.domain.verdict import AccountProblem, Disposition, Verdict

LONG_EMAIL = f"{'a' * 40}@example.test"


def test_sync_off_sends_every_order_to_the_default_customer_guest_or_not() -> None:
    account = till_account(customer_sync_enabled=False, guest_policy=GuestPolicy.MATCH_OR_CREATE)
    for facts in (order_facts(), guest_facts()):
        assert plan_without_customer(account, facts) == UseDefaultCustomer("customer sync is not enabled: not linked")


@pytest.mark.parametrize(
    ("policy", "email", "expected"),
    [
        (GuestPolicy.DEFAULT_CUSTOMER, "ada@example.test", UseDefaultCustomer),
        (GuestPolicy.MATCH_ONLY, "ada@example.test", MatchByEmail),
        (GuestPolicy.MATCH_ONLY, "", UseDefaultCustomer),
        (GuestPolicy.MATCH_ONLY, LONG_EMAIL, UseDefaultCustomer),
        (GuestPolicy.MATCH_OR_CREATE, "ada@example.test", MatchByEmail),
        (GuestPolicy.MATCH_OR_CREATE, "", HoldForPerson),
        (GuestPolicy.MATCH_OR_CREATE, LONG_EMAIL, HoldForPerson),
    ],
)
def test_guest_orders_follow_the_guest_policy(policy: GuestPolicy, email: str, expected: type) -> None:
    plan = plan_without_customer(till_account(guest_policy=policy), guest_facts(email=email))
    assert isinstance(plan, expected)
    if isinstance(plan, MatchByEmail):
        assert (plan.links, plan.creates) == (False, policy is GuestPolicy.MATCH_OR_CREATE), "a guest is never linked"


def test_shop_customer_needs_the_links() -> None:
    assert plan_without_customer(till_account(), order_facts()) is None


def test_the_account_email_matches_and_links_by_default() -> None:
    facts = order_facts(account_email=" Ada@example.test", billing_email="other@example.test")
    assert plan_by_email(till_account(), facts, unlinked_by_hand=False) == MatchByEmail(
        email="Ada@example.test", links=True, ground=LinkGround.TRUSTED_ACCOUNT
    )


@pytest.mark.parametrize(("billing", "links"), [("ADA@Example.test", True), ("eve@example.test", False)])
def test_a_billing_email_links_only_when_it_is_the_account_email(billing: str, links: bool) -> None:
    account = till_account(match_email=MatchEmail.BILLING)
    plan = plan_by_email(account, order_facts(billing_email=billing), unlinked_by_hand=False)
    assert isinstance(plan, MatchByEmail)
    assert (plan.email, plan.links, bool(plan.not_linked_because)) == (billing, links, not links)


@pytest.mark.parametrize("email", ["", "   ", LONG_EMAIL])
def test_unusable_email_holds_the_order_for_a_person(email: str) -> None:
    plan = plan_by_email(till_account(), order_facts(account_email=email), unlinked_by_hand=False)
    assert isinstance(plan, HoldForPerson)
    assert "account email" in plan.reason
    assert email.strip() == "" or email not in plan.reason


def test_email_of_fifty_characters_is_matched() -> None:
    email = f"{'a' * 37}@example.test"
    assert len(email) == 50
    assert plan_by_email(till_account(), order_facts(email=email), unlinked_by_hand=False) == MatchByEmail(
        email=email, links=True, ground=LinkGround.TRUSTED_ACCOUNT
    )


def test_email_still_finds_candidates_when_only_a_person_may_link() -> None:
    by_mark = plan_by_email(till_account(), order_facts(), unlinked_by_hand=True)
    by_setting = plan_by_email(till_account(auto_link=False), order_facts(), unlinked_by_hand=False)
    assert isinstance(by_mark, HoldWithCandidates)
    assert isinstance(by_setting, HoldWithCandidates)
    assert by_mark.reason != by_setting.reason
    assert by_mark.email == by_setting.email == "ada@example.test"
    nameless = plan_by_email(till_account(auto_link=False), order_facts(account_email=""), unlinked_by_hand=False)
    assert isinstance(nameless, HoldWithCandidates)
    assert nameless.email == ""


def test_exact_matches_ignore_spelling_of_the_same_email() -> None:
    rows = [
        TillCustomer(epos_customer_id=EposCustomerId(number), email=email)
        for number, email in [
            (9, " ADA@Example.TEST "),
            (3, "ada@example.test"),
            (9, "ada@example.test"),
            (4, "ada@example.test.uk"),
            (5, ""),
        ]
    ]
    assert [each.epos_customer_id for each in exact_matches(rows, "Ada@example.test")] == [3, 9]
    assert exact_matches([TillCustomer(epos_customer_id=EposCustomerId(1), email="a@xn--bcher-kva.test")], "A@Bücher.test")


def test_containing_email_resembles_and_does_not_match() -> None:
    rows = [
        TillCustomer(epos_customer_id=EposCustomerId(number), email=email)
        for number, email in [(9, "mailto:ada@example.test"), (3, "Ada <ada@example.test>"), (9, "mailto:ada@example.test"),
                              (4, "ada@example.test"), (5, "joada@example.test"), (6, ""), (7, "grace@example.test")]
    ]  # fmt: skip
    assert [each.epos_customer_id for each in resembling_customers(rows, "Ada@example.test")] == [3, 9]
    capitals = [TillCustomer(epos_customer_id=EposCustomerId(1), email="ÉVA@example.test")]
    assert [each.epos_customer_id for each in resembling_customers(capitals, "éva@example.test")] == [1]
    assert exact_matches(capitals, "éva@example.test") == []


def test_search_texts_hold_every_spelling_once() -> None:
    assert search_texts("\ufeffAda@example.test\u00a0") == ("Ada@example.test", "ada@example.test")
    assert search_texts("añda@example.test") == ("añda@example.test", "an\u0303da@example.test")
    assert search_texts("ada@example.test") == ("ada@example.test",)
    assert search_texts(" Ada@Example.test") == ("Ada@Example.test", "ada@example.test")
    assert set(search_texts("ada@xn--bcher-kva.test")) == {"ada@xn--bcher-kva.test", "ada@bücher.test"}
    assert set(search_texts("ada@bücher.test")) == {"ada@xn--bcher-kva.test", "ada@bücher.test"}
    assert search_texts("nonsense") == ("nonsense",)


def test_swapped_case_gives_other_capitals_or_none() -> None:
    assert with_swapped_case("ada@Example.test") == "ADA@eXAMPLE.TEST"
    assert with_swapped_case("1@2.3") is None


def test_new_customer_has_exactly_these_fields() -> None:
    made = new_customer(
        order_facts(
            first_name=" Ada ",
            last_name="Byron",
            company="Engines",
            create_time=datetime(2026, 2, 27, 0, 30, tzinfo=timezone(timedelta(hours=2))),
        ),
        " Ada@example.test ",
    )
    assert (made.forename, made.surname, made.business_name, made.email) == ("Ada", "Byron", "Engines", "Ada@example.test")
    assert (made.phone, made.sign_up_date) == ("01200000000", "2026-02-26T22:30:00")
    assert new_customer(order_facts(first_name="", company="Engines"), "a@example.test").forename == "Engines"
    assert new_customer(order_facts(first_name="", company=""), "a@example.test").forename == "Web customer"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"first_name": "a" * 51}, "first name"),
        ({"last_name": "a" * 51}, "last name"),
        ({"first_name": "", "company": "a" * 51}, "company"),
    ],
)
def test_name_over_fifty_characters_is_cut_and_noted(changed: dict[str, Any], named: str) -> None:
    customer = new_customer(order_facts(**changed), "ada@example.test")
    assert creation_obstacle(customer) is None
    assert "a" * 50 in (customer.forename, customer.surname)
    [note] = cut_names(order_facts(**changed))
    assert named in note
    fits = {field: text[:50] for field, text in changed.items()}
    assert cut_names(order_facts(**fits)) == ()


def test_cut_name_has_no_trailing_blank() -> None:
    assert new_customer(order_facts(first_name=f"{'a' * 49} b"), "ada@example.test").forename == "a" * 49


def test_customer_without_valid_email_is_not_created() -> None:
    for email in ("ada", "ada@", "ada@exa mple.test", "a..b@example.test"):
        assert creation_obstacle(new_customer(order_facts(), email)) is not None


PRODUCTS = (UnlinkedProduct(product_id=5, sku="S-1", name="Tea"), UnlinkedProduct(product_id=6, variation_id=2))


def test_matched_customer_with_unlinked_products_is_held_with_the_answer() -> None:
    customer = Verdict.finished(Outcome.MATCHED_LINK)
    customer = replace(customer, epos_customer_id=DEFAULT_CUSTOMER)
    verdict = with_products(customer, PRODUCTS)
    assert (verdict.outcome, verdict.state) == (Outcome.PRODUCT_NOT_MATCHED, EntryState.HELD)
    assert verdict.comment == "Product Id Not Matched with EPOSNOW"
    assert verdict.epos_customer_id == DEFAULT_CUSTOMER
    assert verdict.notes[0] == "product not linked: Tea (SKU S-1), id 5"
    assert verdict.notes[1] == "product not linked: product, id 6/2"
    assert "Matched to the linked customer" in verdict.notes


@pytest.mark.parametrize(
    "customer",
    [
        Verdict.held(Outcome.DUPLICATE_EMAIL, "why", candidate_ids=(EposCustomerId(1), EposCustomerId(2))),
        Verdict.retry(Outcome.CUSTOMER_NOT_MATCHED, "why"),
        Verdict.postponed(Outcome.CUSTOMER_NOT_MATCHED, "why", not_before=datetime(2026, 1, 1, tzinfo=UTC)),
        Verdict.paused(Outcome.CUSTOMER_NOT_MATCHED, AccountProblem(reason=ProblemReason.UNREACHABLE, side=Side.TILL, text="why")),
    ],
)
def test_unmatched_customer_and_products_share_one_comment_in_the_customer_state(customer: Verdict) -> None:
    verdict = with_products(customer, PRODUCTS)
    assert verdict.comment == "Product Id and Customer Id Not Matched with EPOSNOW"
    assert (verdict.outcome, verdict.causes) == (Outcome.PRODUCT_AND_CUSTOMER_NOT_MATCHED, (customer.outcome,))
    assert (verdict.disposition, verdict.state) == (customer.disposition, customer.state)
    assert (verdict.not_before, verdict.problem, verdict.candidate_ids) == (customer.not_before, customer.problem, customer.candidate_ids)
    assert verdict.notes[:2] == ("why", customer.comment), "the cause first, then the customer part's own sentence"


def test_long_product_list_is_counted_and_empty_list_changes_nothing() -> None:
    many = tuple(UnlinkedProduct(product_id=number) for number in range(1, 10))
    assert with_products(Verdict.finished(Outcome.MATCHED_LINK), many).notes[6] == "and 3 more products without a link"
    plain = Verdict.finished(Outcome.MATCHED_LINK)
    assert with_products(plain, ()) is plain
    assert plain.disposition is Disposition.FINISH
