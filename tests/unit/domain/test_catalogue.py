"""Compares the comment of each outcome verbatim, because support staff, macros and merchants know these texts."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

import pytest
from tillsync_server.application.flows import (
    create_protocol,
    customer_flow,
    customer_type_flow,
    linked_order,
    linked_person,
    order_flow,
    write_verdicts,
)
from tillsync_server.domain.catalogue import CATALOGUE, comment_of
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome

FLOWS = {
    EntryKind.CUSTOMER: (customer_flow, write_verdicts),
    EntryKind.CUSTOMER_TYPE: (customer_type_flow,),
    EntryKind.ORDER_CUSTOMER: (order_flow, linked_order, linked_person, create_protocol),
}
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
def test_each_outcome_has_its_verbatim_comment(outcome: Outcome, text: str) -> None:
    assert comment_of(outcome) == text


def test_every_outcome_has_a_row_and_only_the_type_request_has_no_fixed_text() -> None:
    assert set(CATALOGUE) == set(Outcome)
    assert [outcome for outcome in Outcome if not comment_of(outcome)] == [Outcome.TYPE_REQUEST_FAILED]
    assert set(VERBATIM) | {Outcome.TYPE_REQUEST_FAILED} == set(Outcome)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_row_has_a_meaning_a_remedy_and_its_states(outcome: Outcome) -> None:
    message = CATALOGUE[outcome]
    assert message.meaning.endswith(".")
    assert message.what_to_do.endswith(".")
    assert "contact support" not in message.what_to_do, "that is what we remove"
    assert message.states
    assert EntryState.DISMISSED not in message.states


@pytest.mark.parametrize(("kind", "module"), [(kind, module) for kind, modules in FLOWS.items() for module in modules])
def test_flows_return_only_outcomes_of_their_own_entry_kinds(kind: EntryKind, module: ModuleType) -> None:
    named = {Outcome[name] for name in re.findall(r"\bOutcome\.([A-Z_]+)", inspect.getsource(module))}
    assert named
    assert {outcome for outcome in named if kind not in CATALOGUE[outcome].kinds} == set()


@pytest.mark.parametrize("outcome", Outcome)
def test_every_row_lists_entry_kinds_of_one_queue(outcome: Outcome) -> None:
    assert len({kind.queue for kind in CATALOGUE[outcome].kinds}) == 1
