"""The typed client against a scripted server: errors with their details, retries only where idempotent, pages, deadlines."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2
from support.scripted_server import UNAVAILABLE, scripted, status_error
from tillsync.v1 import (
    account_service_pb2,
    customer_sync_service_pb2,
    link_service_pb2,
    queue_entry_pb2,
    queue_service_pb2,
    token_pb2,
    vocabulary_pb2,
)
from tillsync_client import (
    DeadlineError,
    FieldViolation,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    TillsyncClient,
    TillsyncError,
    UnavailableError,
)
from tillsync_client.address import Address


async def test_call_sends_the_token_and_returns_the_response() -> None:
    async with scripted() as (server, client):
        entry = queue_entry_pb2.QueueEntry(entry_id="e1")
        server.answers("SyncCustomer", customer_sync_service_pb2.SyncCustomerResponse(entry=entry, coalesced=True))
        response = await client.sync.sync_customer("shop-a", 90001, force=True)
    assert (response.entry.entry_id, response.coalesced) == ("e1", True)
    [(_, request)] = server.requests
    assert (request.account_id, request.epos_customer_id, request.force) == ("shop-a", 90001, True)
    assert server.metadata[0]["authorization"] == "Bearer tls_secret"


async def test_error_has_reason_code_and_violations() -> None:
    async with scripted() as (server, client):
        violation = error_details_pb2.BadRequest.FieldViolation(field="epos_customer_id", description="greater than 0")
        server.answers(
            "SyncCustomer",
            status_error(
                code_pb2.INVALID_ARGUMENT,
                "epos_customer_id: greater than 0",
                error_details_pb2.ErrorInfo(reason="INVALID_FIELD", domain="tillsync", metadata={"field": "epos_customer_id"}),
                error_details_pb2.BadRequest(field_violations=[violation]),
            ),
        )
        with pytest.raises(InvalidArgumentError, match="greater than 0") as caught:
            await client.sync.sync_customer("shop-a", -1)
    assert caught.value.reason == "INVALID_FIELD"
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.violations == (FieldViolation("epos_customer_id", "greater than 0"),)
    assert server.count("SyncCustomer") == 1


async def test_error_has_the_retry_delay() -> None:
    async with scripted() as (server, client):
        retry = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000))
        server.answers("SyncCustomer", status_error(code_pb2.RESOURCE_EXHAUSTED, "too many entries wait", retry))
        with pytest.raises(ResourceExhaustedError) as caught:
            await client.sync.sync_customer("shop-a", 1)
    assert caught.value.retry_after_seconds == 2.5


async def test_idempotent_call_is_retried_while_unavailable() -> None:
    async with scripted() as (server, client):
        server.answers("SyncCustomer", UNAVAILABLE, UNAVAILABLE, customer_sync_service_pb2.SyncCustomerResponse(coalesced=True))
        assert (await client.sync.sync_customer("shop-a", 1)).coalesced
        assert server.count("SyncCustomer") == 3


async def test_retries_are_limited() -> None:
    async with scripted() as (server, client):
        server.answers("SyncCustomer", UNAVAILABLE)
        with pytest.raises(UnavailableError, match="the database is away"):
            await client.sync.sync_customer("shop-a", 1)
        assert server.count("SyncCustomer") == 4


async def test_create_token_is_not_retried() -> None:
    async with scripted() as (server, client):
        server.answers("CreateToken", UNAVAILABLE, account_service_pb2.CreateTokenResponse())
        with pytest.raises(UnavailableError):
            await client.accounts.create_token(token_pb2.TOKEN_ROLE_SUPPORT, name="night shift")
        assert server.count("CreateToken") == 1


async def test_delete_link_is_not_retried() -> None:
    """A second call would fail with NotFound and hide that the first one deleted the link."""
    async with scripted() as (server, client):
        server.answers("DeleteLink", UNAVAILABLE, status_error(code_pb2.NOT_FOUND, "this customer is not linked"))
        with pytest.raises(UnavailableError):
            await client.links.delete_link("shop-a", woo_customer_id=12)
        assert server.count("DeleteLink") == 1


async def test_call_without_an_answer_ends_at_its_deadline() -> None:
    async with scripted(deadline_seconds=0.2) as (server, client):
        server.answers("SyncCustomer", asyncio.sleep)
        with pytest.raises(DeadlineError):
            await client.sync.sync_customer("shop-a", 1)


async def test_missing_server_is_unavailable() -> None:
    async with TillsyncClient("127.0.0.1:1", "tls_secret", deadline_seconds=5) as client:
        with pytest.raises(UnavailableError):
            await client.sync.sync_customer("shop-a", 1)


async def test_pages_are_an_iterator() -> None:
    async with scripted() as (server, client):
        entries = [queue_entry_pb2.QueueEntry(entry_id=f"e{number}") for number in range(3)]
        server.answers(
            "ListQueue",
            customer_sync_service_pb2.ListQueueResponse(entries=entries[:2], next_page_token="more"),
            customer_sync_service_pb2.ListQueueResponse(entries=[], next_page_token="and more"),
            customer_sync_service_pb2.ListQueueResponse(entries=entries[2:]),
        )
        found = [
            entry.entry_id
            async for entry in client.sync.list_queue(
                "shop-a",
                vocabulary_pb2.QUEUE_ORDERS,
                states=[vocabulary_pb2.ENTRY_STATE_HELD],
                created_after=datetime(2026, 1, 2, tzinfo=UTC),
            )
        ]
    assert found == ["e0", "e1", "e2"]
    requests = [request for _, request in server.requests]
    assert [request.page_token for request in requests] == ["", "more", "and more"]
    assert all(list(request.states) == [vocabulary_pb2.ENTRY_STATE_HELD] for request in requests)
    assert all(request.created_after.ToDatetime(UTC) == datetime(2026, 1, 2, tzinfo=UTC) for request in requests)


async def test_a_time_without_a_zone_is_refused() -> None:
    async with scripted() as (_, client):
        with pytest.raises(ValueError, match="time zone"):
            await anext(client.sync.list_queue("shop-a", vocabulary_pb2.QUEUE_ORDERS, created_after=datetime(2026, 1, 2)))  # noqa: DTZ001


async def test_requeue_by_filter_continues_until_done() -> None:
    async with scripted() as (server, client):
        server.answers(
            "RetryQueueEntries",
            queue_service_pb2.RetryQueueEntriesResponse(affected_count=500, next_continuation_token="c1"),
            queue_service_pb2.RetryQueueEntriesResponse(affected_count=7),
        )
        matching = queue_entry_pb2.QueueFilter(queue=vocabulary_pb2.QUEUE_CUSTOMERS)
        counts = [chunk.affected_count async for chunk in client.queue.retry("shop-a", matching=matching)]
    assert counts == [500, 7]
    assert [request.continuation_token for _, request in server.requests] == ["", "c1"]


async def test_batches_are_split_and_answered_by_position() -> None:
    async with scripted() as (server, client):

        def batch(count: int, bad: int | None = None) -> customer_sync_service_pb2.BatchSyncCustomersResponse:
            ok = customer_sync_service_pb2.BatchSyncCustomersResult(ok=customer_sync_service_pb2.SyncCustomerResponse())
            failed = customer_sync_service_pb2.BatchSyncCustomersResult(error=status_error(code_pb2.NOT_FOUND, "gone"))
            return customer_sync_service_pb2.BatchSyncCustomersResponse(results=[failed if n == bad else ok for n in range(count)])

        server.answers("BatchSyncCustomers", batch(500), batch(100, bad=3))
        results = await client.sync.sync_customers("shop-a", range(1, 601))
    assert len(results) == 600
    assert [position for position, result in enumerate(results) if isinstance(result, TillsyncError)] == [503]
    assert isinstance(results[503], NotFoundError)
    assert [len(request.epos_customer_ids) for _, request in server.requests] == [500, 100]


async def test_link_methods_need_exactly_one_customer_id() -> None:
    async with scripted() as (server, client):
        server.answers("GetLink", link_service_pb2.GetLinkResponse())
        await client.links.get_link("shop-a", woo_customer_id=7)
        with pytest.raises(ValueError, match="exactly one"):
            await client.links.get_link("shop-a")
        with pytest.raises(ValueError, match="exactly one"):
            await client.links.delete_link("shop-a", epos_customer_id=1, woo_customer_id=7)
    [(_, request)] = server.requests
    assert request.WhichOneof("customer") == "woo_customer_id"


@pytest.mark.parametrize(
    ("text", "target", "secure"),
    [
        ("127.0.0.1:50051", "127.0.0.1:50051", False),
        ("localhost", "localhost:50051", False),
        ("[::1]:7000", "[::1]:7000", False),
        ("sync.example.test:443", "sync.example.test:443", True),
        ("http://sync.example.test:80", "sync.example.test:80", False),
        ("https://127.0.0.1", "127.0.0.1:50051", True),
    ],
)
def test_addresses_are_parsed(text: str, target: str, secure: bool) -> None:
    assert Address.parse(text) == Address(target, secure)


@pytest.mark.parametrize("text", ["", "not an address", "grpc://host:1", "host:99999", "http://host/path", "http://user@host"])
def test_invalid_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Address.parse(text)
