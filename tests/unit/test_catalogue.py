"""The comments, verbatim as support staff, macros and merchants know them."""

from __future__ import annotations

import pytest
from tillsync_server.domain.catalogue import CATALOGUE, comment_of
from tillsync_server.domain.vocabulary import EntryState, Outcome

VERBATIM = {
    Outcome.UPDATED: "Successfully Updated",
    Outcome.SYNC_DISABLED: "Customer sync is not enabled",
    Outcome.CUSTOMER_NOT_LINKED: "Customer is not linked",
    Outcome.EPOS_FETCH_FAILED: "Customer Endpoint Point call api failed",
    Outcome.WOO_NOT_UPDATED: "WooCommerce customer not updated",
    Outcome.DUPLICATE_EMAIL: (
        "We could not auto-link the customer as there is more than one customer in EposNow with the same email address."
    ),
    Outcome.CUSTOMER_NOT_MATCHED: "Customer Id Not Matched with EPOSNOW",
    Outcome.PRODUCT_AND_CUSTOMER_NOT_MATCHED: "Product Id and Customer Id Not Matched with EPOSNOW",
    Outcome.PRODUCT_NOT_MATCHED: "Product Id Not Matched with EPOSNOW",
    Outcome.MATCHED_LINK: "Matched to the linked customer",
    Outcome.MATCHED_EMAIL: "Matched by email",
    Outcome.CUSTOMER_CREATED: "Customer created",
    Outcome.DEFAULT_CUSTOMER: "Matched to the default customer",
}


@pytest.mark.parametrize(("outcome", "text"), VERBATIM.items())
def test_comments_are_verbatim(outcome: Outcome, text: str) -> None:
    assert comment_of(outcome) == text


def test_every_outcome_has_a_row_and_only_the_type_request_has_no_fixed_text() -> None:
    assert set(CATALOGUE) == set(Outcome)
    assert [outcome for outcome in Outcome if not comment_of(outcome)] == [Outcome.TYPE_REQUEST_FAILED]
    assert set(VERBATIM) | {Outcome.TYPE_REQUEST_FAILED} == set(Outcome)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_row_says_what_it_means_what_to_do_and_in_which_states_it_stands(outcome: Outcome) -> None:
    message = CATALOGUE[outcome]
    assert message.meaning.endswith(".")
    assert message.what_to_do.endswith(".")
    assert "contact support" not in message.what_to_do, "that is what we remove"
    assert message.states
    assert EntryState.DISMISSED not in message.states
