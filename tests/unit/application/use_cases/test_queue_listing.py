from __future__ import annotations

import pytest
from fakes.clock import START
from fakes.queues import SHOP, FakeQueues, an_entry
from tillsync_server.application.use_cases.queue_listing import FilterFields, ListQueue, QueueListing
from tillsync_server.domain.account import Problem
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome, ProblemReason, Queue, Side
from tillsync_server.domain.errors import InvalidArgument, NotFound
from tillsync_server.domain.ids import AccountId

ORDERS = FilterFields(queue=Queue.ORDERS)


async def test_pages_hold_every_entry_once_newest_first() -> None:
    queues = FakeQueues()
    queues.add(*(an_entry(subject_id=number) for number in range(1, 8)))
    listing, token, seen = QueueListing(queues), "", []
    while True:
        page = await listing.list_queue(ListQueue(account_id=SHOP, filter=ORDERS, page_size=3, page_token=token))
        seen += [entry.entry_id for entry in page.entries]
        if not (token := page.next_page_token):
            break
    assert seen == sorted(queues.entries, reverse=True)


@pytest.mark.parametrize(
    ("filter_fields", "field"),
    [
        (FilterFields(queue=Queue.ORDERS, states=(EntryState.HELD,) * 7), "states"),
        (FilterFields(queue=Queue.ORDERS, outcomes=(Outcome.UPDATED,) * 15), "outcomes"),
        (FilterFields(queue=Queue.ORDERS, epos_customer_id=-1), "epos_customer_id"),
        (FilterFields(queue=Queue.ORDERS, woo_customer_id=-1), "woo_customer_id"),
        (FilterFields(queue=Queue.ORDERS, order_id=2**63), "order_id"),
        (FilterFields(queue=Queue.ORDERS, email="a" * 255), "email"),
        (FilterFields(queue=Queue.ORDERS, email="  "), "email"),
        (FilterFields(queue=Queue.ORDERS, text="a"), "text"),
        (FilterFields(queue=Queue.ORDERS, text="a" * 101), "text"),
        (FilterFields(queue=Queue.ORDERS, text="a\x00b"), "text"),
    ],
)
async def test_filter_outside_its_limits_is_named(filter_fields: FilterFields, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await QueueListing(FakeQueues()).list_queue(ListQueue(account_id=SHOP, filter=filter_fields))
    assert [violation.field for violation in refused.value.violations] == [field]


def test_email_filter_is_normalised() -> None:
    assert FilterFields(queue=Queue.ORDERS, email=" Ada@EXAMPLE.test ").checked(SHOP).email == "ada@example.test"


async def test_page_token_is_bound_to_everything_but_page_size_and_view() -> None:
    queues = FakeQueues()
    queues.add(*(an_entry(subject_id=number) for number in range(1, 4)))
    listing = QueueListing(queues)
    token = (await listing.list_queue(ListQueue(account_id=SHOP, filter=ORDERS, page_size=1))).next_page_token
    again = ListQueue(account_id=SHOP, filter=ORDERS, page_size=2, page_token=token, with_attempts=True)
    assert len((await listing.list_queue(again)).entries) == 2
    for other in (
        ListQueue(account_id=SHOP, filter=FilterFields(queue=Queue.CUSTOMERS), page_token=token),
        ListQueue(account_id=SHOP, filter=FilterFields(queue=Queue.ORDERS, created_before=START), page_token=token),
        ListQueue(account_id=SHOP, filter=ORDERS, page_token=token, with_counts=True),
    ):
        with pytest.raises(InvalidArgument, match="page_token"):
            await listing.list_queue(other)


async def test_counts_per_state_are_capped_and_only_on_request() -> None:
    queues = FakeQueues(counts={EntryState.HELD: 3, EntryState.PROCESSED: 10_001})
    listing = QueueListing(queues)
    assert (await listing.list_queue(ListQueue(account_id=SHOP, filter=ORDERS))).counts == ()
    counts = (await listing.list_queue(ListQueue(account_id=SHOP, filter=ORDERS, with_counts=True))).counts
    assert [(count.state, count.count, count.capped) for count in counts] == [
        (EntryState.PENDING, 0, False),
        (EntryState.PROCESSED, 10_000, True),
        (EntryState.SKIPPED, 0, False),
        (EntryState.HELD, 3, False),
        (EntryState.FAILED, 0, False),
        (EntryState.DISMISSED, 0, False),
    ]


async def test_listing_includes_account_problems_and_unknown_account_raises_not_found() -> None:
    problem = Problem(reason=ProblemReason.THROTTLED, side=Side.TILL, text="the till is over its limit", since=START)
    queues = FakeQueues(open_problem=problem)
    queues.add(an_entry(kind=EntryKind.CUSTOMER))
    page = await QueueListing(queues).list_queue(ListQueue(account_id=SHOP, filter=ORDERS))
    assert page.problems == (problem,)
    assert page.entries == ()
    with pytest.raises(NotFound):
        await QueueListing(queues).list_queue(ListQueue(account_id=AccountId("nobody"), filter=ORDERS))
