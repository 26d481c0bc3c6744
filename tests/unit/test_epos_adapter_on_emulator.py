"""The till's adapter and the till emulator, over real HTTP: one behaviour in every world that the unknowns of Epos Now's API allow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from fakes.permit import FakePermit
from support.till_client import TillWorld, till_world
from tillsync_sandbox import SandboxTill
from tillsync_server.domain.customer import NewTillCustomer
from tillsync_server.domain.errors import (
    CredentialsRefused,
    Misaddressed,
    Missing,
    Refused,
    ServerFailure,
    Throttled,
    Unanswered,
    Unreadable,
    UpstreamError,
)
from tillsync_server.domain.ids import EposCustomerId, EposCustomerTypeId
from tillsync_server.domain.vocabulary import TillApiVersion
from tillsync_server.ports.till import TillClient

NEW = NewTillCustomer(forename="Ada", surname="Byron", email="ada@example.test", phone="01632 960000", sign_up_date="2026-01-02T03:04:05")

WORLDS: dict[str, dict[str, Any]] = {
    "likeliest": {},
    "camel case": {"v4_case": "camel"},
    "CustomerTypeId": {"v4_type_field": "CustomerTypeId"},
    "Type, camel case": {"v4_type_field": "Type", "v4_case": "camel"},
    "create replies an object": {"v4_post_reply": "object"},
    "a miss is 404": {"getbyemail_miss": "404"},
    "exact emails": {"email_match": "exact"},
    "emails contain": {"email_match": "contains"},
    "filter ignored": {"email_match": "ignored"},
    "small pages": {"page_size": 3},
    "pages that drift": {"page_size": 3, "page_drift": 1},
    "small pages, emails contain": {"page_size": 2, "email_match": "contains"},
    "soft deletes": {"delete": "soft"},
}


@pytest.fixture(params=list(TillApiVersion), ids=lambda version: version.name)
def version(request: pytest.FixtureRequest) -> TillApiVersion:
    return TillApiVersion(request.param)


@pytest.fixture(params=list(WORLDS))
def world_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


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


@pytest_asyncio.fixture
async def varied(client: TillClient, till: SandboxTill, world_name: str) -> TillClient:
    """The same client in each of the worlds."""
    till.switches.update(WORLDS[world_name])
    return client


# -- the same in every world


async def test_a_customer_is_read_whole(till: SandboxTill, varied: TillClient) -> None:
    type_id = till.add_type()
    customer_id = till.add_customer(
        forename="Ada", surname=None, business_name="Engines & Co", email="Ada@Example.test", phone="1", card_number="77",
        type_id=type_id, points="12.50", balance="-3.10",
    )  # fmt: skip
    customer = await varied.read_customer(EposCustomerId(customer_id))
    assert customer.epos_customer_id == customer_id
    assert (customer.forename, customer.surname, customer.business_name) == ("Ada", "", "Engines & Co")
    assert (customer.email, customer.phone, customer.card_number) == ("Ada@Example.test", "1", "77")
    assert (customer.type_id, customer.points, customer.balance) == (type_id, Decimal("12.5"), Decimal("-3.1"))
    assert customer.sign_up_date == "2024-05-01T09:30:00"


async def test_a_customer_without_anything_is_read(till: SandboxTill, varied: TillClient) -> None:
    customer_id = till.add_customer(forename=None, surname=None, sign_up_date=None)
    customer = await varied.read_customer(EposCustomerId(customer_id))
    assert (customer.display_name, customer.email, customer.type_id, customer.points) == ("", "", None, 0)


async def test_an_unknown_customer_is_missing(varied: TillClient) -> None:
    with pytest.raises(Missing, match="not found in Epos Now"):
        await varied.read_customer(EposCustomerId(7))


async def test_the_pages_show_everybody_once(till: SandboxTill, varied: TillClient) -> None:
    ids = {till.add_customer(email=f"c{number}@example.test") for number in range(8)}
    seen: set[int] = set()
    number = 0
    while True:
        number += 1
        page = await varied.list_customers(number)
        fresh = {int(row.epos_customer_id) for row in page.rows} - seen
        if not fresh:
            break
        seen |= fresh
    assert seen == ids


async def test_a_search_finds_all_twins_or_says_that_it_proves_nothing(till: SandboxTill, varied: TillClient, world_name: str) -> None:
    twins = {till.add_customer(email="ada@example.test") for _ in range(3)}
    till.add_customer(email=None)
    till.add_customer(email="magda@example.test")
    search = await varied.search_by_email("ada@example.test")
    found = {int(row.epos_customer_id) for row in search.rows if row.email == "ada@example.test"}
    assert search.filter_ignored is (world_name == "filter ignored")
    assert found == twins or search.filter_ignored


async def test_a_miss_is_empty_or_proves_nothing(till: SandboxTill, varied: TillClient, world_name: str) -> None:
    till.add_customer(email="ada@example.test")
    search = await varied.search_by_email("bea@example.test")
    assert search.filter_ignored is (world_name == "filter ignored")
    assert search.rows == () or search.filter_ignored


async def test_a_created_customer_is_what_was_asked_for(till: SandboxTill, varied: TillClient, world_name: str) -> None:
    customer_id = await varied.create_customer(NEW, FakePermit())
    customer = await varied.read_customer(customer_id)
    assert (customer.forename, customer.surname, customer.email, customer.phone) == (NEW.forename, NEW.surname, NEW.email, NEW.phone)
    assert (customer.type_id, customer.points, customer.balance) == (None, 0, 0)
    assert customer.sign_up_date == NEW.sign_up_date
    assert till.store.customers[customer_id].max_credit == 0
    assert till.customers_by_email(NEW.email) == [customer_id]
    search = await varied.search_by_email(NEW.email)
    assert [row.epos_customer_id for row in search.rows] == [customer_id]


async def test_types_are_read_and_listed(till: SandboxTill, varied: TillClient) -> None:
    ids = [till.add_type(name=f"Type {number}", discount="12.50") for number in range(5)]
    read = await varied.read_customer_type(EposCustomerTypeId(ids[1]))
    assert (read.name, read.discount, read.description) == ("Type 1", Decimal("12.5"), "Basic customer")
    assert [row.epos_customer_type_id for row in await varied.list_customer_types()] == ids
    till.delete_type(ids[0])
    with pytest.raises(Missing):
        await varied.read_customer_type(EposCustomerTypeId(ids[0]))


async def test_names_are_searched_where_the_till_can(
    till: SandboxTill, varied: TillClient, version: TillApiVersion, world_name: str
) -> None:
    wanted = till.add_customer(forename="Greta", surname="Hazel")
    till.add_customer(forename="Hazel", surname="Oak")
    till.add_customer(forename="Nils", surname="Oak")
    search = await varied.search_by_name("hazel", limit=10)
    ignored = version is TillApiVersion.V4 or world_name == "filter ignored"
    assert search.filter_ignored is ignored
    if not ignored:
        assert {row.epos_customer_id for row in search.rows} == {wanted, wanted + 1}


# -- worlds of their own


async def test_an_email_on_a_later_page_of_a_search_is_found(till: SandboxTill, client: TillClient) -> None:
    """On a till that compares by "contains", the very email may come after many that only contain it."""
    till.switches.update({"email_match": "contains", "page_size": 5})
    for number in range(12):
        till.add_customer(email=f"x{number}.ada@example.test")
    wanted = till.add_customer(email="ada@example.test")
    rows = (await client.search_by_email("ada@example.test")).rows
    assert [row.epos_customer_id for row in rows if row.email == "ada@example.test"] == [wanted]
    assert len(rows) == 13


@pytest.mark.parametrize(("mode", "gone"), [("hard", True), ("soft", False)])
async def test_a_deleted_customer(till: SandboxTill, client: TillClient, mode: str, gone: bool) -> None:
    customer_id = till.add_customer(email="ada@example.test")
    till.store.delete_customer(customer_id, soft=mode == "soft")
    assert (await client.search_by_email("ada@example.test")).rows == ()
    if gone:
        with pytest.raises(Missing):
            await client.read_customer(EposCustomerId(customer_id))
    else:
        assert (await client.read_customer(EposCustomerId(customer_id))).email == "ada@example.test"


@pytest.mark.parametrize("email", ["a+b@example.test", "o'neil&co@example.test", "größe@example.test", "100%@example.test"])
async def test_odd_emails_arrive_as_they_are(till: SandboxTill, client: TillClient, email: str) -> None:
    wanted = till.add_customer(email=email)
    till.add_customer(email="other@example.test")
    search = await client.search_by_email(email)
    assert [row.epos_customer_id for row in search.rows] == [wanted]


async def test_types_of_a_v4_that_has_none_are_misaddressed(till: SandboxTill, adapter: TillWorld) -> None:
    till.switches.v4_customer_types = False
    type_id = EposCustomerTypeId(till.add_type())
    with pytest.raises(Misaddressed, match="API version"):
        await _client(adapter, till, TillApiVersion.V4).read_customer_type(type_id)
    assert (await _client(adapter, till, TillApiVersion.V2).read_customer_type(type_id)).name == "Basic"


async def test_what_the_till_refuses_names_the_field(till: SandboxTill, client: TillClient) -> None:
    till.switches.max_length = 4
    with pytest.raises(Refused, match="refused field: Surname") as caught:
        await client.create_customer(NEW, FakePermit())
    assert (caught.value.status, caught.value.field) == (400, "Surname")
    assert till.store.customer_count == 0


# -- bad days


async def _every_read(client: TillClient) -> list[type[UpstreamError]]:
    """What each kind of request raised."""
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
async def test_a_bad_day_has_one_name_for_every_request(
    till: SandboxTill, client: TillClient, switches: dict[str, Any], error: type[UpstreamError]
) -> None:
    till.add_type(4001)
    till.add_customer(90001, email="ada@example.test")
    till.switches.update(switches)
    assert set(await _every_read(client)) == {error}
    assert till.store.customer_count == 1


@pytest.mark.parametrize(("limit", "seconds"), [("429", range(55, 61)), ("403-text", range(120, 121))])
async def test_the_limit_pauses_the_whole_till(
    till: SandboxTill, client: TillClient, adapter: TillWorld, limit: str, seconds: range
) -> None:
    till.switches.update({"limit": limit, "limit_requests": 2, "limit_window_seconds": 60})
    await client.probe()
    await client.probe()
    with pytest.raises(Throttled) as caught:
        await client.probe()
    assert caught.value.retry_after_seconds in seconds
    assert adapter.budget.pauses == [("till-a", caught.value.retry_after_seconds)]
    assert till.log.total == 3  # not tried again


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
    async with till_world(timeout_seconds=0.1) as adapter:
        client = _client(adapter, till, version)
        with pytest.raises(Unanswered, match=r"within 0\.1 s"):
            await client.create_customer(NEW, FakePermit())
        await till.wait_for(lambda: till.store.customer_count == 1)
        search = await client.search_by_email(NEW.email)
    assert [int(row.epos_customer_id) for row in search.rows] == till.customers_by_email(NEW.email)
    assert till.log.count(method="POST") == 1


async def test_a_till_that_hangs_is_given_up_and_later_reads_go_on(till: SandboxTill, version: TillApiVersion) -> None:
    customer_id = EposCustomerId(till.add_customer())
    hanging = till.faults.script(method="GET", hang="before")
    async with till_world(timeout_seconds=0.1, read_attempts=1) as adapter:
        client = _client(adapter, till, version)
        with pytest.raises(Unanswered):
            await client.read_customer(customer_id)
        await hanging.arrived()
        assert (await client.read_customer(customer_id)).epos_customer_id == customer_id


async def test_many_reads_at_once(till: SandboxTill, client: TillClient) -> None:
    ids = [EposCustomerId(till.add_customer(points=number)) for number in range(100)]
    customers = await asyncio.gather(*(client.read_customer(customer_id) for customer_id in ids))
    assert [int(customer.points) for customer in customers] == list(range(100))


async def test_a_bad_week_adds_up(till: SandboxTill, client: TillClient) -> None:
    """Creates under failures by chance: whatever was answered is stored, whatever was refused is not, and only silence is open."""
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
