"""Tests the till adapter on the till emulator over real HTTP, with failures and single switches. ``tests/contracts`` tests the behaviour
that all worlds share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from fakes.permit import FakePermit
from support.till_client import TillWorld, till_world
from support.waiting import GIVE_UP_SECONDS
from tillsync_sandbox import SandboxTill
from tillsync_server.domain.customer import NewTillCustomer
from tillsync_server.domain.enums import TillApiVersion
from tillsync_server.domain.errors import (
    CredentialsRefused,
    Misaddressed,
    Refused,
    ServerFailure,
    Throttled,
    Unanswered,
    Unreadable,
    UpstreamError,
)
from tillsync_server.domain.ids import EposCustomerId, EposCustomerTypeId
from tillsync_server.ports.till import TillClient

NEW = NewTillCustomer(forename="Ada", surname="Byron", email="ada@example.test", phone="01632 960000", sign_up_date="2026-01-02T03:04:05")


@pytest.fixture(params=list(TillApiVersion), ids=lambda version: version.name)
def version(request: pytest.FixtureRequest) -> TillApiVersion:
    return TillApiVersion(request.param)


@pytest_asyncio.fixture
async def till() -> AsyncIterator[SandboxTill]:
    async with SandboxTill() as running:
        yield running


@pytest_asyncio.fixture
async def adapter() -> AsyncIterator[TillWorld]:
    async with till_world() as made:
        yield made


def _client(adapter: TillWorld, till: SandboxTill, version: TillApiVersion) -> TillClient:
    return adapter.client(till.origin, version, key=till.switches.api_key, secret=till.switches.api_secret)


@pytest_asyncio.fixture
async def client(adapter: TillWorld, till: SandboxTill, version: TillApiVersion) -> TillClient:
    return _client(adapter, till, version)


# -- single switches


async def test_an_email_on_a_later_page_of_a_search_is_found(till: SandboxTill, client: TillClient) -> None:
    """On a till that compares by "contains", the exact email may come after many that contain it."""
    till.switches.update({"email_match": "contains", "page_size": 5})
    for number in range(12):
        till.add_customer(email=f"x{number}.ada@example.test")
    wanted = till.add_customer(email="ada@example.test")
    rows = (await client.search_by_email("ada@example.test")).rows
    assert [row.epos_customer_id for row in rows if row.email == "ada@example.test"] == [wanted]
    assert len(rows) == 13


async def test_types_of_a_v4_without_types_are_misaddressed(till: SandboxTill, adapter: TillWorld) -> None:
    till.switches.v4_customer_types = False
    type_id = EposCustomerTypeId(till.add_type())
    with pytest.raises(Misaddressed, match="API version"):
        await _client(adapter, till, TillApiVersion.V4).read_customer_type(type_id)
    assert (await _client(adapter, till, TillApiVersion.V2).read_customer_type(type_id)).name == "Basic"


async def test_refused_create_names_the_field(till: SandboxTill, client: TillClient) -> None:
    till.switches.max_length = 4
    with pytest.raises(Refused, match="refused field: Surname") as caught:
        await client.create_customer(NEW, FakePermit())
    assert (caught.value.status, caught.value.field) == (400, "Surname")
    assert till.store.customer_count == 0


# -- failures


async def _every_read(client: TillClient) -> list[type[UpstreamError]]:
    """The error type of each kind of read."""
    raised: list[type[UpstreamError]] = []
    asks: list[Callable[[], Awaitable[object]]] = [
        client.probe,
        lambda: client.read_customer(EposCustomerId(90001)),
        lambda: client.list_customers(1),
        lambda: client.search_by_email("ada@example.test"),
        lambda: client.read_customer_type(EposCustomerTypeId(4001)),
        client.list_customer_types,
        lambda: client.create_customer(NEW, FakePermit()),
    ]
    for ask in asks:
        with pytest.raises(UpstreamError) as caught:
            await ask()
        raised.append(type(caught.value))
    return raised


@pytest.mark.parametrize(
    ("switches", "error"),
    [
        ({"wrong_address": True}, Misaddressed),
        ({"api_secret": "changed at the till"}, CredentialsRefused),
        ({"error_500_percent": 100}, ServerFailure),
        ({"error_502_percent": 100}, ServerFailure),
        ({"error_503_percent": 100}, ServerFailure),
        ({"html_body_percent": 100}, Unreadable),
        ({"limit": "429", "limit_requests": 0}, Throttled),
        ({"limit": "403-text", "limit_requests": 0}, Throttled),
    ],
)
async def test_each_till_failure_raises_one_error_type_for_every_request(
    till: SandboxTill, client: TillClient, switches: dict[str, Any], error: type[UpstreamError]
) -> None:
    till.add_type(4001)
    till.add_customer(90001, email="ada@example.test")
    till.switches.update(switches)
    assert set(await _every_read(client)) == {error}
    assert till.store.customer_count == 1


@pytest.mark.parametrize(("limit", "seconds"), [("429", range(55, 61)), ("403-text", range(120, 121))])
async def test_request_limit_pauses_the_whole_till(
    till: SandboxTill, client: TillClient, adapter: TillWorld, limit: str, seconds: range
) -> None:
    till.switches.update({"limit": limit, "limit_requests": 2, "limit_window_seconds": 60})
    await client.probe()
    await client.probe()
    with pytest.raises(Throttled) as caught:
        await client.probe()
    assert caught.value.retry_after_seconds in seconds
    assert adapter.budget.pauses == [("till-a", caught.value.retry_after_seconds)]
    assert till.log.total == 3  # not retried


@pytest.mark.parametrize("fault", [{"disconnect": "before"}, {"disconnect": "after"}, {"truncate": True}, {"status": 502}])
async def test_a_read_survives_two_lost_answers(till: SandboxTill, client: TillClient, fault: dict[str, Any]) -> None:
    customer_id = EposCustomerId(till.add_customer())
    script = till.faults.script(method="GET", times=2, **fault)
    assert (await client.read_customer(customer_id)).epos_customer_id == customer_id
    assert script.used == 2
    assert till.log.total == 3


@pytest.mark.parametrize(
    ("fault", "error", "stored"),
    [
        ({"disconnect": "before"}, Unanswered, 0),
        ({"disconnect": "after"}, Unanswered, 1),
        ({"truncate": True}, Unanswered, 1),
        ({"status": 500}, ServerFailure, 0),
        ({"status": 500, "carry_out": True}, ServerFailure, 1),
        ({"status": 408, "carry_out": True}, Unanswered, 1),
        ({"status": 200, "body": "<html><title>Epos Now</title></html>", "content_type": "text/html", "carry_out": True}, Unreadable, 1),
        ({"status": 201, "carry_out": True}, Unreadable, 1),
    ],
)
async def test_a_create_is_never_sent_twice(
    till: SandboxTill, client: TillClient, fault: dict[str, Any], error: type[UpstreamError], stored: int
) -> None:
    till.faults.script(method="POST", times=None, **fault)
    with pytest.raises(UpstreamError) as caught:
        await client.create_customer(NEW, FakePermit())
    assert type(caught.value) is error
    assert till.log.count(method="POST") == 1
    assert till.store.customer_count == stored


async def test_a_create_that_times_out_may_still_be_stored(till: SandboxTill, version: TillApiVersion) -> None:
    till.switches.late_create_seconds = 0.0
    async with till_world(timeout_seconds=GIVE_UP_SECONDS) as adapter:
        client = _client(adapter, till, version)
        with pytest.raises(Unanswered, match=f"within {GIVE_UP_SECONDS:g} s"):
            await client.create_customer(NEW, FakePermit())
        await till.wait_for(lambda: till.store.customer_count == 1)
        search = await client.search_by_email(NEW.email)
    assert [int(row.epos_customer_id) for row in search.rows] == till.customers_by_email(NEW.email)
    assert till.log.count(method="POST") == 1


async def test_hanging_till_times_out_and_later_reads_succeed(till: SandboxTill, version: TillApiVersion) -> None:
    customer_id = EposCustomerId(till.add_customer())
    hanging = till.faults.script(method="GET", hang="before")
    async with till_world(timeout_seconds=GIVE_UP_SECONDS, read_attempts=1) as adapter:
        client = _client(adapter, till, version)
        with pytest.raises(Unanswered):
            await client.read_customer(customer_id)
        await hanging.arrived()
        assert (await client.read_customer(customer_id)).epos_customer_id == customer_id


async def test_concurrent_reads_return_their_own_customers(till: SandboxTill, client: TillClient) -> None:
    ids = [EposCustomerId(till.add_customer(points=number)) for number in range(100)]
    customers = await asyncio.gather(*(client.read_customer(customer_id) for customer_id in ids))
    assert [customer.points for customer in customers] == list(range(100))


async def test_random_create_failures_store_only_answered_or_unanswered_creates(till: SandboxTill, client: TillClient) -> None:
    """Answered creates are stored, refused ones are not, and unanswered ones may be."""
    till.switches.update({"lose_create_answer_percent": 25, "error_500_percent": 15, "html_body_percent": 10, "error_503_percent": 10})
    ended: dict[type[UpstreamError] | None, set[str]] = {}

    async def create(number: int) -> None:
        email = f"c{number}@example.test"
        try:
            customer_id = await client.create_customer(replace(NEW, email=email), FakePermit())
        except UpstreamError as error:
            ended.setdefault(type(error), set()).add(email)
        else:
            assert till.customers_by_email(email) == [customer_id]
            ended.setdefault(None, set()).add(email)

    await asyncio.gather(*(create(number) for number in range(120)))
    stored = [customer.email_address for customer in till.store]
    assert set(ended) == {None, Unanswered, ServerFailure, Unreadable}
    assert len(stored) == len(set(stored))
    assert set(stored) == ended[None] | ended[Unanswered]
    assert till.log.count(method="POST") == 120
