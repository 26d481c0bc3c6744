"""The blocking client: the generated modules are current and complete, and its channel behaves as the asynchronous one."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import tillsync_client
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2
from support.directories import REPOSITORY
from support.scripted_server import UNAVAILABLE, ScriptedServer, scripted, status_error
from tillsync.v1 import account_service_pb2, customer_sync_service_pb2, queue_entry_pb2, token_pb2, vocabulary_pb2
from tillsync_client import (
    DeadlineError,
    InvalidArgumentError,
    NotReachedError,
    TillsyncError,
    UnavailableError,
    blocking,
)

SCRIPT = REPOSITORY / "scripts" / "generate_blocking_client.py"
SERVICES = ("sync", "queue", "links", "accounts", "privacy", "catalog")


@asynccontextmanager
async def scripted_blocking(deadline_seconds: float = 10.0) -> AsyncIterator[tuple[ScriptedServer, blocking.TillsyncClient]]:
    async with scripted() as (server, _):
        with blocking.TillsyncClient(server.address, "tls_secret", deadline_seconds=deadline_seconds) as client:
            yield server, client


def test_generated_modules_are_current() -> None:
    run = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr


async def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    asynchronous = tillsync_client.TillsyncClient("127.0.0.1:1", "t")
    with blocking.TillsyncClient("127.0.0.1:1", "t") as client:
        for service in SERVICES:
            one, other = getattr(asynchronous, service), getattr(client, service)
            names = {name for name, _ in inspect.getmembers(one, inspect.ismethod) if not name.startswith("_")}
            assert names == {name for name, _ in inspect.getmembers(other, inspect.ismethod) if not name.startswith("_")}
            for name in names:
                method = getattr(other, name)
                assert inspect.signature(getattr(one, name)).parameters == inspect.signature(method).parameters
                assert not inspect.iscoroutinefunction(method)
                assert not inspect.isasyncgenfunction(method)
                assert method.__doc__, f"{service}.{name} says nothing of itself"
    await asynchronous.close()


async def test_blocking_call_sends_the_token_and_returns_the_response() -> None:
    async with scripted_blocking() as (server, client):
        server.answers("SyncCustomer", customer_sync_service_pb2.SyncCustomerResponse(coalesced=True))
        response = await asyncio.to_thread(client.sync.sync_customer, "shop-a", 90001)
    assert response.coalesced
    assert server.metadata[0]["authorization"] == "Bearer tls_secret"


async def test_errors_equal_those_of_the_asynchronous_client() -> None:
    async with scripted_blocking() as (server, client):
        violation = error_details_pb2.BadRequest.FieldViolation(field="epos_customer_id", description="greater than 0")
        details = (error_details_pb2.ErrorInfo(reason="INVALID_FIELD"), error_details_pb2.BadRequest(field_violations=[violation]))
        server.answers("SyncCustomer", status_error(code_pb2.INVALID_ARGUMENT, "wrong", *details))
        with pytest.raises(InvalidArgumentError, match="wrong") as caught:
            await asyncio.to_thread(client.sync.sync_customer, "shop-a", -1)
    assert (caught.value.reason, [each.field for each in caught.value.violations]) == ("INVALID_FIELD", ["epos_customer_id"])


async def test_calls_are_retried_but_create_token_is_not() -> None:
    async with scripted_blocking() as (server, client):
        server.answers("SyncCustomer", UNAVAILABLE, UNAVAILABLE, customer_sync_service_pb2.SyncCustomerResponse(coalesced=True))
        assert (await asyncio.to_thread(client.sync.sync_customer, "shop-a", 1)).coalesced
        server.answers("CreateToken", UNAVAILABLE, account_service_pb2.CreateTokenResponse())
        with pytest.raises(UnavailableError):
            await asyncio.to_thread(client.accounts.create_token, token_pb2.TOKEN_ROLE_SUPPORT)
    assert (server.count("SyncCustomer"), server.count("CreateToken")) == (3, 1)


async def test_blocking_call_without_an_answer_ends_at_its_deadline() -> None:
    async with scripted_blocking(deadline_seconds=0.2) as (server, client):
        server.answers("SyncCustomer", asyncio.sleep)
        with pytest.raises(DeadlineError):
            await asyncio.to_thread(client.sync.sync_customer, "shop-a", 1)


async def test_blocking_pages_are_an_iterator() -> None:
    async with scripted_blocking() as (server, client):
        entries = [queue_entry_pb2.QueueEntry(entry_id=f"e{number}") for number in range(3)]
        server.answers(
            "ListQueue",
            customer_sync_service_pb2.ListQueueResponse(entries=entries[:2], next_page_token="more"),
            customer_sync_service_pb2.ListQueueResponse(entries=entries[2:]),
        )
        found = await asyncio.to_thread(lambda: [each.entry_id for each in client.sync.list_queue("shop-a", vocabulary_pb2.QUEUE_ORDERS)])
    assert found == ["e0", "e1", "e2"]


async def test_missing_server_is_unavailable_also_inside_a_running_loop() -> None:
    """The thread of the call has a running loop, as in a notebook."""
    with (
        blocking.TillsyncClient("127.0.0.1:1", "tls_secret", deadline_seconds=5) as client,
        pytest.raises(NotReachedError, match="nothing listens"),
    ):
        client.sync.sync_customer("shop-a", 1)


def test_closed_client_raises_an_error() -> None:
    with blocking.TillsyncClient("127.0.0.1:1", "tls_secret") as client:
        pass
    with pytest.raises(TillsyncError, match="closed"):
        client.sync.sync_customer("shop-a", 1)


@pytest.mark.parametrize("kind", ["asynchronous", "blocking"])
async def test_retry_waits_for_the_delay_of_the_service(kind: str) -> None:
    """The first backoff is at most 0.1 s. The service's RetryInfo and pushback request 0.6 s."""
    async with scripted() as (server, client):
        retry = error_details_pb2.RetryInfo(retry_delay=Duration(nanos=600_000_000))
        busy = status_error(code_pb2.RESOURCE_EXHAUSTED, "too many calls", retry)
        server.pushback["SyncCustomer"] = "600"
        server.answers("SyncCustomer", busy, customer_sync_service_pb2.SyncCustomerResponse(coalesced=True))
        started = time.monotonic()
        if kind == "asynchronous":
            answer = await client.sync.sync_customer("shop-a", 1)
        else:
            with blocking.TillsyncClient(server.address, "tls_secret") as other:
                answer = await asyncio.to_thread(other.sync.sync_customer, "shop-a", 1)
    assert answer.coalesced
    assert time.monotonic() - started >= 0.6
    assert server.count("SyncCustomer") == 2
