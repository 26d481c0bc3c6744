"""Tests the use cases of links: lists, candidates, searches and decisions of a person about held orders."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.accounts import FakeAccounts
from fakes.links import FakeLinks
from fakes.queues import SHOP, FakeQueues, an_entry
from fakes.till import EmailMatch, FakeTill, FakeTillGateway
from tillsync_server.application.use_cases.link_decisions import LinkDecisions, LinkKey, ListLinks
from tillsync_server.application.use_cases.till_lookup import TillLookup
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import EntryKind, EntryState, Side
from tillsync_server.domain.errors import (
    CredentialsRefused,
    FailedPrecondition,
    InvalidArgument,
    Missing,
    NotFound,
    ResourceExhausted,
    Throttled,
    Unavailable,
)
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId

UNKNOWN = AccountId("nobody")


class Harness:
    def __init__(self) -> None:
        self.accounts = FakeAccounts()
        self.accounts.add(Account(account_id=SHOP, till_id=TillId("till-a")))
        self.queues, self.till = FakeQueues(), FakeTill()
        self.links = FakeLinks(queues=self.queues, accounts=self.accounts)
        lookup = TillLookup(self.accounts, FakeTillGateway(self.till), self.links)
        self.decisions = LinkDecisions(self.accounts, self.links, self.links, self.queues, lookup)

    async def found(self, query: str, size: int = 0) -> list[int]:
        return [each.customer.epos_customer_id for each in (await self.decisions.search(SHOP, query, size)).customers]


async def test_links_are_listed_in_pages_by_ascending_till_customer() -> None:
    harness = Harness()
    for number in (3, 1, 2):
        harness.links.add(SHOP, number, number + 100)
    first = await harness.decisions.list_links(ListLinks(account_id=SHOP, page_size=2))
    assert [link.epos_customer_id for link in first.links] == [1, 2]
    second = await harness.decisions.list_links(ListLinks(account_id=SHOP, page_size=2, page_token=first.next_page_token))
    assert ([link.epos_customer_id for link in second.links], second.next_page_token) == ([3], "")
    with pytest.raises(InvalidArgument, match="page_token"):
        await harness.decisions.list_links(ListLinks(account_id=SHOP, broken_only=True, page_token=first.next_page_token))
    with pytest.raises(InvalidArgument, match="woo_customer_id"):
        await harness.decisions.list_links(ListLinks(account_id=SHOP, woo_customer_id=-1))
    with pytest.raises(NotFound):
        await harness.decisions.list_links(ListLinks(account_id=UNKNOWN))


async def test_link_is_found_by_either_customer() -> None:
    harness = Harness()
    link = harness.links.add(SHOP, 5, 12)
    assert await harness.decisions.get_link(LinkKey(account_id=SHOP, epos_customer_id=5)) == link
    assert await harness.decisions.get_link(LinkKey(account_id=SHOP, woo_customer_id=12)) == link
    with pytest.raises(NotFound) as missing:
        await harness.decisions.get_link(LinkKey(account_id=SHOP, woo_customer_id=13))
    assert missing.value.reason == "LINK_NOT_FOUND"
    with pytest.raises(InvalidArgument, match="customer"):
        await harness.decisions.get_link(LinkKey(account_id=SHOP))
    with pytest.raises(InvalidArgument, match="epos_customer_id"):
        await harness.decisions.delete_link(LinkKey(account_id=SHOP, epos_customer_id=0))
    assert (await harness.decisions.delete_link(LinkKey(account_id=SHOP, woo_customer_id=12))).link == link


async def test_create_link_checks_both_ids_and_sends_no_request() -> None:
    harness = Harness()
    with pytest.raises(InvalidArgument) as wrong:
        await harness.decisions.create_link(SHOP, 0, -1)
    assert [violation.field for violation in wrong.value.violations] == ["epos_customer_id", "woo_customer_id"]
    assert (await harness.decisions.create_link(SHOP, 5, 12)).link.woo_customer_id == 12
    assert harness.till.calls == []


async def test_candidates_are_read_from_the_till_and_deleted_ones_are_omitted() -> None:
    harness = Harness()
    for number in (90003, 90001):
        harness.till.add("ada@example.test", customer_id=number)
    harness.links.add(SHOP, 90001, 12)
    entry = an_entry(candidates=(90003, 90002, 90001))
    harness.queues.add(entry)
    choice = await harness.decisions.candidates(SHOP, str(entry.entry_id))
    assert [(each.customer.epos_customer_id, each.linked_woo_customer_id) for each in choice.customers] == [(90001, 12), (90003, None)]


async def test_unusable_link_does_not_mark_a_candidate_as_linked() -> None:
    harness = Harness()
    harness.till.add(customer_id=90001)
    harness.links.add(SHOP, 90001, 12, gone=True)
    entry = an_entry(candidates=(90001,))
    harness.queues.add(entry)
    assert (await harness.decisions.candidates(SHOP, str(entry.entry_id))).customers[0].linked_woo_customer_id is None


async def test_candidates_are_limited_to_fifty() -> None:
    harness = Harness()
    for number in range(1, 61):
        harness.till.add(customer_id=number)
    entry = an_entry(candidates=range(1, 61))
    harness.queues.add(entry)
    assert len((await harness.decisions.candidates(SHOP, str(entry.entry_id))).customers) == 50


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (an_entry(kind=EntryKind.CUSTOMER), "NOT_AN_ORDER"),
        (an_entry(state=EntryState.PENDING), "ORDER_NOT_HELD"),
        (an_entry(state=EntryState.FAILED), "ORDER_NOT_HELD"),
    ],
)
async def test_only_a_held_order_has_candidates(entry: object, reason: str) -> None:
    harness = Harness()
    harness.queues.add(entry)  # type: ignore[arg-type]
    with pytest.raises(FailedPrecondition) as refused:
        await harness.decisions.candidates(SHOP, str(entry.entry_id))  # type: ignore[attr-defined]
    assert refused.value.reason == reason


async def test_till_failures_become_request_errors_with_a_sentence() -> None:
    harness = Harness()
    entry = an_entry(candidates=(90001,))
    harness.queues.add(entry)
    harness.till.faults["read_customer"] = CredentialsRefused(Side.TILL, "Epos Now refuses the credentials", status=401)
    with pytest.raises(Unavailable, match="refuses the credentials"):
        await harness.decisions.candidates(SHOP, str(entry.entry_id))
    harness.till.faults["read_customer"] = Throttled(Side.TILL, "the request limit is used up", retry_after_seconds=42.0)
    with pytest.raises(ResourceExhausted) as limited:
        await harness.decisions.candidates(SHOP, str(entry.entry_id))
    assert limited.value.retry_after_seconds == 42.0


async def test_till_that_answers_404_everywhere_is_a_wrong_address() -> None:
    harness = Harness()
    entry = an_entry(candidates=(90001, 90002))
    harness.queues.add(entry)
    assert (await harness.decisions.candidates(SHOP, str(entry.entry_id))).customers == ()
    harness.till.faults["list_customers"] = Missing(Side.TILL, "not found", status=404)
    for ask in (
        harness.decisions.candidates(SHOP, str(entry.entry_id)),
        harness.found("90001"),
        harness.found("ada@example.test"),
        harness.found("x"),
    ):
        with pytest.raises(Unavailable, match="address or API version is wrong"):
            await ask


async def test_till_customers_are_found_by_id_email_and_name() -> None:
    harness = Harness()
    harness.till.add("ada@example.test", customer_id=90001, forename="Ada", surname="Byron")
    harness.till.add("not-ada@example.test", customer_id=90002, forename="Anne", surname="Byron")
    harness.till.add("carl@example.test", customer_id=90003, forename="Carl", surname="van der Berg")
    assert await harness.found(" 90001 ") == [90001]
    assert await harness.found("90009") == []
    assert await harness.found("ADA@example.test") == [90001]
    assert [call for call in harness.till.calls if call[0] == "search_by_email"] == [
        ("search_by_email", "ADA@example.test"),
        ("search_by_email", "ada@example.test"),
    ]
    assert await harness.found("byron") == [90001, 90002]
    assert await harness.found("Ada Byron") == [90001]
    assert await harness.found("van der berg") == [90003]
    assert (await harness.decisions.search(SHOP, "byron", 1)).truncated


async def test_search_fails_if_the_till_ignores_its_filter() -> None:
    harness = Harness()
    harness.till.add("ada@example.test", customer_id=90001)
    harness.till.match = EmailMatch.FILTER_IGNORED
    harness.till.ignores_names = True
    for query in ("eve@example.test", "Eve"):
        with pytest.raises(FailedPrecondition) as refused:
            await harness.found(query)
        assert refused.value.reason == "TILL_FILTER_IGNORED"


@pytest.mark.parametrize("query", ["", "   ", "x" * 255, "a\x00b", "0", "9" * 20])
async def test_invalid_query_is_named(query: str) -> None:
    with pytest.raises(InvalidArgument, match="query"):
        await Harness().found(query)


async def test_resolve_checks_order_and_till_customer_and_then_decides() -> None:
    harness = Harness()
    harness.till.add(customer_id=90001)
    entry = an_entry(state=EntryState.FAILED)
    harness.queues.add(entry, an_entry(subject_id=7), an_entry(subject_id=8))
    resolution = await harness.decisions.resolve_order(SHOP, str(entry.entry_id), 90001, create_link=True)
    assert (resolution.entry.retried_from, resolution.resolved.requeued_order_entries) == (entry.entry_id, 2)
    assert harness.links.pairs() == {(90001, 12)}
    with pytest.raises(NotFound) as missing:
        await harness.decisions.resolve_order(SHOP, str(entry.entry_id), 90009, create_link=False)
    assert missing.value.reason == "EPOS_CUSTOMER_NOT_FOUND"
    assert harness.links.chosen == {}


@pytest.mark.parametrize("state", [EntryState.PENDING, EntryState.PROCESSED, EntryState.HELD, EntryState.FAILED])
async def test_repeated_decision_gets_the_first_answer_in_any_state_of_the_order(state: EntryState) -> None:
    """The repeated call needs no request to the till."""
    harness = Harness()
    harness.till.add(customer_id=90001)
    entry = an_entry(state=EntryState.FAILED)
    harness.queues.add(entry)
    first = await harness.decisions.resolve_order(SHOP, str(entry.entry_id), 90001, create_link=False)
    successor = replace(first.entry, state=state, epos_customer_id=EposCustomerId(90001))
    harness.queues.add(successor)
    harness.till.faults["read_customer"] = CredentialsRefused(Side.TILL, "Epos Now refuses the credentials", status=401)
    till_calls = list(harness.till.calls)
    if state is EntryState.FAILED:  # the attempts are used up, so the open successor is named by its own id
        with pytest.raises(Unavailable):
            await harness.decisions.resolve_order(SHOP, str(entry.entry_id), 90001, create_link=False)
        return
    again = await harness.decisions.resolve_order(SHOP, str(entry.entry_id), 90001, create_link=False)
    assert (again.entry, again.resolved) == (successor, first.resolved)
    assert harness.till.calls == till_calls


async def test_guest_cannot_be_linked_and_the_till_gets_no_request() -> None:
    harness = Harness()
    entry = an_entry(woo_customer_id=None)
    harness.queues.add(entry)
    with pytest.raises(FailedPrecondition) as refused:
        await harness.decisions.resolve_order(SHOP, str(entry.entry_id), 90001, create_link=True)
    assert refused.value.reason == "GUEST_CANNOT_BE_LINKED"
    assert harness.till.calls == []
