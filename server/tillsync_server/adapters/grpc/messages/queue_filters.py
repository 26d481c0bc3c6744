"""Queue requests as commands, and their answers as messages: filters, listings and bulk work on entries."""

from __future__ import annotations

from typing import Any

from google.rpc import status_pb2
from tillsync.v1 import customer_sync_service_pb2, queue_entry_pb2, queue_service_pb2

from tillsync_server.adapters.grpc.enum_fields import enum_or_none
from tillsync_server.adapters.grpc.messages.entries import ENTRIES_AT_A_TIME, fill_entry, fill_problems, time_of
from tillsync_server.adapters.grpc.status import status_of
from tillsync_server.application.concurrency.in_slices import in_slices
from tillsync_server.application.use_cases.queue_listing import Count, FilterFields, ListQueue, QueuePage
from tillsync_server.application.use_cases.queue_work import EntryFailure, EntrySelection, FailureKind, WorkResult
from tillsync_server.domain.enums import EntryState, Outcome, Queue
from tillsync_server.domain.errors import FailedPrecondition, InvalidArgument, NotFound
from tillsync_server.domain.ids import AccountId

MAX_PAGE_BYTES = 2 * 1024 * 1024
"""Limit of the entries of a page. Clients accept answers of 4 MiB by default."""
_FULL_AT_A_TIME = 5
_FULL = queue_entry_pb2.QueueView.QUEUE_VIEW_FULL


def list_queue_command(request: customer_sync_service_pb2.ListQueueRequest) -> ListQueue:
    return ListQueue(
        account_id=AccountId(request.account_id),
        filter=filter_fields(request),
        page_size=request.page_size,
        page_token=request.page_token,
        with_attempts=request.view == _FULL,
        with_counts=request.with_counts,
    )


async def list_queue_response(page: QueuePage, *, with_attempts: bool) -> customer_sync_service_pb2.ListQueueResponse:
    """Returns entries of at most MAX_PAGE_BYTES, but at least one entry. The next page has the remaining entries."""
    response = customer_sync_service_pb2.ListQueueResponse(next_page_token=page.next_page_token)
    size, at_a_time = 0, _FULL_AT_A_TIME if with_attempts else ENTRIES_AT_A_TIME
    async for number, entry in in_slices(enumerate(page.entries), at_a_time):
        message = response.entries.add()
        fill_entry(message, entry, with_attempts=with_attempts)
        size += message.ByteSize()
        if size > MAX_PAGE_BYTES and number:
            del response.entries[-1]
            response.next_page_token = page.token_after(page.entries[number - 1])
            break
    for count in page.counts:
        _fill_count(response.state_counts.add(), count)
    fill_problems(response, page.problems)
    return response


def filter_fields(request: customer_sync_service_pb2.ListQueueRequest | queue_entry_pb2.QueueFilter, *, within: str = "") -> FilterFields:
    """Returns the ten filter fields, which both messages share by name. Raises InvalidArgument without a queue."""
    queue = enum_or_none(Queue, request.queue)
    if queue is None:
        raise InvalidArgument.of(f"{within}queue", "is required: one of QUEUE_CUSTOMERS, QUEUE_ORDERS")
    return FilterFields(
        queue=queue,
        states=tuple(EntryState(number) for number in request.states),
        outcomes=tuple(Outcome(number) for number in request.outcomes),
        epos_customer_id=request.epos_customer_id,
        woo_customer_id=request.woo_customer_id,
        order_id=request.order_id,
        email=request.email,
        text=request.text,
        created_after=time_of(request.created_after) if request.HasField("created_after") else None,
        created_before=time_of(request.created_before) if request.HasField("created_before") else None,
    )


def entry_selection(request: queue_service_pb2.RetryQueueEntriesRequest | queue_service_pb2.DismissQueueEntriesRequest) -> EntrySelection:
    return EntrySelection(
        account_id=AccountId(request.account_id),
        entry_ids=tuple(request.entry_ids),
        filter=filter_fields(request.filter, within="filter.") if request.HasField("filter") else None,
        validate_only=request.validate_only,
        continuation_token=request.continuation_token,
    )


async def retry_response(done: WorkResult) -> queue_service_pb2.RetryQueueEntriesResponse:
    response = queue_service_pb2.RetryQueueEntriesResponse(coalesced_count=done.coalesced)
    await _fill_work(response, done, "retried")
    return response


async def dismiss_response(done: WorkResult) -> queue_service_pb2.DismissQueueEntriesResponse:
    response = queue_service_pb2.DismissQueueEntriesResponse()
    await _fill_work(response, done, "closed")
    return response


async def _fill_work(
    response: queue_service_pb2.RetryQueueEntriesResponse | queue_service_pb2.DismissQueueEntriesResponse, done: WorkResult, verb: str
) -> None:
    response.affected_count = done.affected
    response.unchanged_count = done.unchanged
    response.next_continuation_token = done.next_continuation_token
    for count in done.previous_states:
        _fill_count(response.previous_state_counts.add(), count)
    async for entry in in_slices(done.entries, ENTRIES_AT_A_TIME):
        fill_entry(response.entries.add(), entry)
    for failure in done.failures:
        response.failures.add(entry_id=failure.entry_id, error=_failure_status(failure, verb))


def _failure_status(failure: EntryFailure, verb: str) -> status_pb2.Status:
    match failure.kind:
        case FailureKind.NOT_FOUND:
            return status_of(NotFound("there is no such entry in this account", reason="ENTRY_NOT_FOUND"))
        case FailureKind.STATE_DOES_NOT_ALLOW:
            return status_of(FailedPrecondition(f"in its state it cannot be {verb}", reason="STATE_DOES_NOT_ALLOW"))


def _fill_count(message: queue_entry_pb2.StateCount, count: Count) -> None:
    m: Any = message
    m.state = count.state
    m.count = count.count
    m.capped = count.capped
