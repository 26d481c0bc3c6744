"""Queue pages as messages stay below the clients' message limit and omit no entry."""

from __future__ import annotations

import pytest
from fakes.clock import START
from fakes.queues import SHOP, FakeQueues, an_entry
from tillsync.v1 import customer_sync_service_pb2
from tillsync_server.adapters.grpc.messages import queue_filters
from tillsync_server.adapters.grpc.messages.queue_filters import MAX_PAGE_BYTES, list_queue_response
from tillsync_server.application.use_cases.queue_listing import MAX_FULL_PAGE, FilterFields, ListQueue, QueueListing
from tillsync_server.domain.entry import Attempt, Entry
from tillsync_server.domain.enums import Outcome, Queue


def with_attempts(number: int) -> Entry:
    attempts = tuple(
        Attempt(
            number=each,
            outcome=Outcome.DUPLICATE_EMAIL,
            comment="c" * 900,
            notes=("n" * 900, "é" * 900),
            start_time=START,
            finish_time=START,
            upstream_status=500,
            charged=True,
            side=None,
        )
        for each in range(30)
    )
    return an_entry(subject_id=number, attempts=attempts)


async def page(queues: FakeQueues, token: str, *, size: int = 500, full: bool = True) -> customer_sync_service_pb2.ListQueueResponse:
    request = ListQueue(account_id=SHOP, filter=FilterFields(queue=Queue.ORDERS), page_size=size, page_token=token, with_attempts=full)
    return await list_queue_response(await QueueListing(queues).list_queue(request), with_attempts=full)


async def test_full_pages_end_at_two_megabytes_and_list_every_entry_once() -> None:
    queues = FakeQueues()
    queues.add(*(with_attempts(number) for number in range(60)))
    seen: list[str] = []
    token, sizes = "", []
    while True:
        answer = await page(queues, token)
        seen += [entry.entry_id for entry in answer.entries]
        sizes.append(answer.ByteSize())
        if not (token := answer.next_page_token):
            break
    assert seen == [str(each) for each in sorted(queues.entries, reverse=True)]
    assert max(sizes) <= MAX_PAGE_BYTES + 1000
    assert len(sizes) > 2


async def test_page_has_at_least_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_filters, "MAX_PAGE_BYTES", 10)
    queues = FakeQueues()
    queues.add(with_attempts(1), with_attempts(2))
    first = await page(queues, "")
    second = await page(queues, first.next_page_token)
    assert (len(first.entries), len(second.entries), second.next_page_token) == (1, 1, "")


async def test_full_pages_have_fifty_entries_at_most_and_basic_ones_five_hundred() -> None:
    queues = FakeQueues()
    queues.add(*(an_entry(subject_id=number) for number in range(501)))
    assert len((await page(queues, "")).entries) == MAX_FULL_PAGE == 50
    assert len((await page(queues, "", full=False)).entries) == 500
