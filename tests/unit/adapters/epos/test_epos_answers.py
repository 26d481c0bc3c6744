"""The till's adapter against a server of scripted bytes: the error type of each answer, retries, budget, and the single create."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fakes.permit import FakePermit
from support.raw_http import RawServer, http_answer, raw_server, silence
from support.till_client import V2_ROW, TillWorld, html_answer, json_answer, text_answer, till_world
from support.waiting import GIVE_UP_SECONDS
from tillsync_server.domain.customer import NewTillCustomer
from tillsync_server.domain.enums import Side, TillApiVersion
from tillsync_server.domain.errors import (
    CredentialsRefused,
    LeaseTooShort,
    Misaddressed,
    Missing,
    Refused,
    ServerFailure,
    Throttled,
    Unanswered,
    Unreachable,
    Unreadable,
    UpstreamError,
)
from tillsync_server.domain.ids import EposCustomerId, EposCustomerTypeId, TillId
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.till import MAX_SEARCH_PAGES

ADA = EposCustomerId(90001)
NEW = NewTillCustomer(forename="Ada", surname="Byron", email="ada@example.test", sign_up_date="2026-01-02T03:04:05")
V2, V4 = TillApiVersion.V2, TillApiVersion.V4


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RawServer]:
    async with raw_server() as running:
        yield running


@pytest_asyncio.fixture
async def world() -> AsyncIterator[TillWorld]:
    async with till_world() as made:
        yield made


ANSWERS: list[tuple[bytes, type[UpstreamError], str]] = [
    (text_answer("Invalid field value for CustomerType: CustomerTypeID", 400), Refused, "refused field: CustomerTypeID"),
    (text_answer("Forename - too long\r\nSurname - too long", 400), Refused, "refused field: Forename"),
    (json_answer({"Message": "no"}, 422), Refused, "HTTP 422"),
    (text_answer("", 409), Refused, r"HTTP 409 \(no text\)"),
    (text_answer("Unauthorized", 401), CredentialsRefused, "check API key and secret"),
    (http_answer(401), CredentialsRefused, r"HTTP 401 \(no text\)"),
    (json_answer({"Message": "Forbidden"}, 403), CredentialsRefused, "HTTP 403"),
    (text_answer("You have reached your maximum API limit", 403), Throttled, "maximum API limit"),
    (json_answer({"Message": "API Limit Exceeded"}, 403), Throttled, "request limit is used up"),
    (text_answer("slow down", 429), Throttled, "slow down"),
    (text_answer("no such customer", 404), Missing, "not found in Epos Now"),
    (json_answer({"Message": "none"}, 404), Missing, "not found"),
    (http_answer(404), Missing, "no text"),
    (html_answer("404 - Not Found", 404), Misaddressed, "base address or the API version"),
    (http_answer(302, headers=["Location: https://www.example.test/login"]), Misaddressed, r"www\.example\.test/login"),
    (text_answer("gave up", 408), Unanswered, "gave up"),
    (html_answer("502 Bad Gateway", 502), ServerFailure, "HTTP 502, HTML page of 108 characters"),
    (http_answer(500), ServerFailure, r"HTTP 500 \(no text\)"),
    (http_answer(503, headers=["Retry-After: 30"]), ServerFailure, "HTTP 503"),
    (http_answer(200), Unreadable, "empty"),
    (http_answer(200, b"<Customer><Id>1</Id></Customer>", headers=["Content-Type: application/xml"]), Unreadable, "not JSON"),
    (html_answer("Welcome", 200), Unreadable, "HTML page of 92 characters"),
    (json_answer(None), Unreadable, "null"),
    (json_answer([]), Unreadable, "an array"),
    (json_answer({"Forename": "Ada"}), Unreadable, "CustomerID"),
    (json_answer({**V2_ROW, "CustomerID": 5}), Unreadable, "asked for customer 90001, it served customer 5"),
    (b"", Unanswered, "closed the connection"),
]


@pytest.mark.parametrize("version", [V2, V4])
@pytest.mark.parametrize(("answer", "error", "text"), ANSWERS)
@pytest.mark.catches("html-pages-are-no-missing-customer")
async def test_each_answer_raises_its_error_type(
    server: RawServer, world: TillWorld, answer: bytes, error: type[UpstreamError], text: str, version: TillApiVersion
) -> None:
    server.answers(answer)
    with pytest.raises(error, match=text) as caught:
        await world.client(server.url, version).read_customer(ADA)
    assert type(caught.value) is error
    assert caught.value.side is Side.TILL
    assert len(caught.value.text) <= 500
    assert "secret-5678" not in caught.value.text


async def test_error_keeps_the_response_text_for_the_comment(server: RawServer, world: TillWorld) -> None:
    server.answers(text_answer("Type\r\n is <b>used</b> by ada@example.test, key key-1234", 400))
    with pytest.raises(Refused) as caught:
        await world.client(server.url).read_customer_type(EposCustomerTypeId(4001))
    assert caught.value.body_text == "Type is used by a•••@e•••.test, key [redacted]"
    assert caught.value.status == 400


@pytest.mark.parametrize(("version", "path"), [(V2, "/api/V2/Customer/90001"), (V4, "/api/v4/Customer/90001")])
async def test_read_has_the_path_and_headers_of_the_till_api(
    server: RawServer, world: TillWorld, version: TillApiVersion, path: str
) -> None:
    server.answers(json_answer(V2_ROW))
    customer = await world.client(f"{server.url}/", version).read_customer(ADA)
    assert customer.email == "ada@example.test"
    head = server.requests[0].decode()
    assert head.startswith(f"GET {path} HTTP/1.1\r\n")
    assert f"Authorization: Basic {base64.b64encode(b'key-1234:secret-5678').decode()}\r\n" in head
    assert "Accept: application/json\r\n" in head
    assert "Content-Type: application/json\r\n" in head


async def test_an_object_wrapped_in_an_array_is_read(server: RawServer, world: TillWorld) -> None:
    server.answers(json_answer([V2_ROW]))
    assert (await world.client(server.url, V4).read_customer(ADA)).forename == "Ada"


async def test_missing_credentials_are_named_and_nothing_is_sent(server: RawServer, world: TillWorld) -> None:
    with pytest.raises(CredentialsRefused, match="enter both in the account"):
        await world.client(server.url, key="").read_customer(ADA)
    assert server.connections == 0
    assert world.budget.taken == []


@pytest.mark.parametrize("base_url", ["", "till.example.test", "https://[", "https://key:pw@till.example.test"])
async def test_invalid_base_address_is_named(world: TillWorld, base_url: str) -> None:
    with pytest.raises(Misaddressed, match="base address of Epos Now"):
        await world.client(base_url).read_customer(ADA)


# -- throttling and the budget


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (text_answer("limit", 429, "Retry-After: 17"), 17.0),
        (text_answer("maximum API limit", 403), 120.0),
        (text_answer("limit", 429, "Retry-After: 0"), 1.0),
    ],
)
async def test_request_limit_pauses_the_till_and_is_not_retried(server: RawServer, world: TillWorld, answer: bytes, seconds: float) -> None:
    server.answers(answer)
    with pytest.raises(Throttled) as caught:
        await world.client(server.url).read_customer(ADA)
    assert caught.value.retry_after_seconds == seconds
    assert world.budget.pauses == [("till-a", seconds)]
    assert world.budget.refusals == [("till-a", 77)]
    assert len(server.requests) == 1


async def test_each_request_takes_from_the_budget_and_waits_for_it(server: RawServer, world: TillWorld) -> None:
    server.answers(json_answer([V2_ROW]), json_answer([]))
    world.budget.waits = [1.5, 0.0]
    await world.client(server.url).search_by_email("ada@example.test")
    assert world.budget.taken == [("till-a", 1, 77)] * 2
    assert world.waited == [1.5]


@pytest.mark.parametrize("request_class", [RequestClass.LIVE, RequestClass.BULK])
async def test_requests_of_lower_classes_take_only_available_allowance(
    server: RawServer, world: TillWorld, request_class: RequestClass
) -> None:
    server.answers(json_answer([V2_ROW]), json_answer([]))
    await world.client(server.url, request_class=request_class).search_by_email("ada@example.test")
    assert world.budget.taken == [("till-a", 1, 77)] * 2
    assert world.budget.take_calls == 2
    assert world.waited == []


async def test_paused_till_gets_no_request(server: RawServer, world: TillWorld) -> None:
    await world.budget.pause(TillId("till-a"), 30.0)
    with pytest.raises(Throttled):
        await world.client(server.url).read_customer(ADA)
    with pytest.raises(Throttled):
        await world.client(server.url).create_customer(NEW, FakePermit())
    assert server.connections == 0


# -- retries of reads


@pytest.mark.parametrize("fault", [http_answer(500), b"", text_answer("busy", 408)])
async def test_read_is_retried_after_a_transient_fault(server: RawServer, world: TillWorld, fault: bytes) -> None:
    server.answers(fault, fault, json_answer(V2_ROW))
    assert (await world.client(server.url).read_customer(ADA)).forename == "Ada"
    assert len(server.requests) == 3
    assert len(world.budget.taken) == 3
    assert len(world.waited) == 2
    assert all(0 < seconds < 1 for seconds in world.waited)


async def test_a_read_gives_up_after_three_tries(server: RawServer, world: TillWorld) -> None:
    server.answers(http_answer(503))
    with pytest.raises(ServerFailure):
        await world.client(server.url).read_customer(ADA)
    assert len(server.requests) == 3


async def test_read_of_an_unreachable_till_is_retried(world: TillWorld) -> None:
    async with raw_server() as gone:
        url = gone.url
    with pytest.raises(Unreachable):
        await world.client(url).read_customer(ADA)
    assert len(world.budget.taken) == 3


@pytest.mark.parametrize(
    "answer",
    [http_answer(503, headers=["Retry-After: 30"]), text_answer("no", 400), http_answer(401), http_answer(404), json_answer([1, 2])],
)
async def test_permanent_failure_is_not_retried(server: RawServer, world: TillWorld, answer: bytes) -> None:
    server.answers(answer)
    with pytest.raises(UpstreamError):
        await world.client(server.url).read_customer(ADA)
    assert len(server.requests) == 1


async def test_timed_out_read_is_not_retried(server: RawServer) -> None:
    server.answers(silence)
    async with till_world(timeout_seconds=GIVE_UP_SECONDS, read_retry_seconds=GIVE_UP_SECONDS) as world:
        with pytest.raises(Unanswered, match=f"within {GIVE_UP_SECONDS:g} s"):
            await world.client(server.url).read_customer(ADA)
    assert len(server.requests) == 1


# -- the create


@pytest.mark.parametrize(
    ("version", "path", "body"),
    [
        (V2, "/api/V2/Customer/", {"Forename": "Ada"}),
        (V4, "/api/v4/Customer", [{"Forename": "Ada"}]),
    ],
)
async def test_create_has_the_path_and_body_of_its_api_version(
    server: RawServer, world: TillWorld, version: TillApiVersion, path: str, body: object
) -> None:
    server.answers(json_answer({"CustomerID": 7}, 201))
    assert await world.client(server.url, version).create_customer(NEW, FakePermit()) == 7
    head, _, sent = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(f"POST {path} HTTP/1.1".encode())
    rest = {"Surname": "Byron", "EmailAddress": "ada@example.test", "MaxCredit": 0, "SignUpDate": "2026-01-02T03:04:05"}
    content = json.loads(sent)
    assert isinstance(content, list) is isinstance(body, list)
    row = content[0] if isinstance(content, list) else content
    assert row == {"Forename": "Ada", **rest}


@pytest.mark.parametrize(
    ("answer", "customer_id"),
    [
        (json_answer({**V2_ROW, "CustomerID": 41}, 201), 41),
        (json_answer([{"Id": 42}], 200), 42),
        (json_answer({"id": "43"}, 202), 43),
        (http_answer(201, headers=["Location: https://api.example.test/api/V2/Customer/44"]), 44),
        (http_answer(204, headers=["Location: /api/V4/Customer/45/"]), 45),
        (json_answer([], 201, "Location: /api/V4/Customer/46"), 46),
        (json_answer({"CustomerID": 47}, 201, "Location: /api/V2/Customer/"), 47),
    ],
)
async def test_new_id_is_found_in_body_or_location(server: RawServer, world: TillWorld, answer: bytes, customer_id: int) -> None:
    server.answers(answer)
    assert await world.client(server.url).create_customer(NEW, FakePermit()) == customer_id


CREATE_FAILURES: list[tuple[bytes, type[UpstreamError]]] = [
    (http_answer(201), Unreadable),
    (json_answer({}, 201), Unreadable),
    (json_answer([{"Id": 1}, {"Id": 2}], 200), Unreadable),
    (http_answer(201, headers=["Location: /api/V2/Customer/"]), Unreadable),
    (http_answer(201, headers=["Location: /api/V2/Customer/0"]), Unreadable),
    (html_answer("Welcome", 200), Unreadable),
    (http_answer(500), ServerFailure),
    (http_answer(503), ServerFailure),
    (text_answer("busy", 408), Unanswered),
    (b"", Unanswered),
    (b"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{", Unanswered),
    (text_answer("limit", 429), Throttled),
    (text_answer("Forename - too long", 400), Refused),
    (http_answer(401), CredentialsRefused),
    (http_answer(404), Misaddressed),
    (html_answer("404", 404), Misaddressed),
    (http_answer(301, headers=["Location: https://www.example.test/"]), Misaddressed),
]


@pytest.mark.parametrize("version", [V2, V4])
@pytest.mark.parametrize(("answer", "error"), CREATE_FAILURES)
@pytest.mark.catches("creates-are-sent-once")
async def test_create_is_sent_once_with_any_answer(
    server: RawServer, world: TillWorld, answer: bytes, error: type[UpstreamError], version: TillApiVersion
) -> None:
    server.answers(answer)
    with pytest.raises(error) as caught:
        await world.client(server.url, version).create_customer(NEW, FakePermit())
    assert type(caught.value) is error
    assert len(server.requests) == 1
    assert world.waited == []


async def test_create_without_an_answer_times_out_when_the_permit_ends(server: RawServer, world: TillWorld) -> None:
    permit = FakePermit(script=[0.2])
    server.answers(silence)
    started = asyncio.get_running_loop().time()
    with pytest.raises(Unanswered):
        await world.client(server.url).create_customer(NEW, permit)
    assert set(permit.requests) == {15.0}
    assert asyncio.get_running_loop().time() - started < 5
    assert len(server.requests) == 1


async def test_create_that_was_not_sent_is_unreachable_and_not_retried(world: TillWorld) -> None:
    async with raw_server() as gone:
        url = gone.url
    with pytest.raises(Unreachable):
        await world.client(url).create_customer(NEW, FakePermit())
    assert len(world.budget.taken) == 1


@pytest.mark.catches("till-creates-need-a-permit")
async def test_a_refused_permit_sends_nothing(server: RawServer, world: TillWorld) -> None:
    with pytest.raises(LeaseTooShort):
        await world.client(server.url).create_customer(NEW, FakePermit.of_seconds(4.0))
    await server.connection_ended.wait()
    assert server.received == b""


async def test_permit_is_checked_after_the_wait_for_the_budget(server: RawServer, world: TillWorld) -> None:
    order: list[str] = []

    def lease_left() -> float:
        order.append(f"permit after {world.waited}")
        return 30.0

    server.answers(json_answer({"CustomerID": 7}, 201))
    world.budget.waits = [2.0]
    await world.client(server.url).create_customer(NEW, FakePermit(lease_left))
    assert set(order) == {"permit after [2.0]"}


async def test_create_uses_a_new_connection(server: RawServer, world: TillWorld) -> None:
    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = json.dumps(V2_ROW).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await silence(reader, writer)

    server.answers(keep)
    client = world.client(server.url)
    await client.read_customer(ADA)
    await client.create_customer(NEW, FakePermit())
    assert server.connections == 2
    assert b"Connection: close" in server.requests[1]


async def test_create_that_the_till_cannot_store_is_not_sent(server: RawServer, world: TillWorld) -> None:
    with pytest.raises(Refused, match="refused field: Surname"):
        await world.client(server.url).create_customer(
            NewTillCustomer(forename="Ada", surname="x" * 51, sign_up_date="2026-01-02T03:04:05"), FakePermit()
        )
    assert server.connections == 0


# -- lists, searches, probe


def _row(customer_id: int, email: str | None) -> dict[str, object]:
    return {**V2_ROW, "CustomerID": customer_id, "EmailAddress": email}


@pytest.mark.catches("searches-read-every-page")
async def test_search_reads_pages_until_one_has_no_new_id(server: RawServer, world: TillWorld) -> None:
    first, second = [_row(1, "ada@example.test"), _row(2, "ADA@example.test")], [_row(2, "ADA@example.test"), _row(3, "xada@example.test")]
    server.answers(json_answer(first), json_answer(second), json_answer(second))
    search = await world.client(server.url).search_by_email("ada@example.test")
    assert [row.epos_customer_id for row in search.rows] == [1, 2, 3]
    assert not search.filter_ignored
    assert [request.split(b" ")[1].decode() for request in server.requests] == [
        f"/api/V2/Customer?EmailAddress=ada%40example.test&page={page}" for page in (1, 2, 3)
    ]


def _rows(count: int) -> list[dict[str, object]]:
    return [_row(number, f"c{number}@example.test") for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("list_pages", "version", "requests"),
    [
        pytest.param([5], V2, 1, id="a page that was not filled ends it"),
        pytest.param([], V2, 2, id="the page size is not known"),
        pytest.param([1], V2, 2, id="the page may have been full"),
        pytest.param([5, 3, 5], V2, 2, id="short pages are not always the last"),
        pytest.param([5], V4, 2, id="V4 searches at an address of its own"),
    ],
)
async def test_match_on_a_short_first_page_ends_the_search(
    server: RawServer, world: TillWorld, list_pages: list[int], version: TillApiVersion, requests: int
) -> None:
    client = world.client(server.url, version)
    server.answers(*(json_answer(_rows(count)) for count in list_pages), json_answer([_row(1, "ada@example.test")]), json_answer([]))
    for number in range(1, len(list_pages) + 1):
        await client.list_customers(number)
    search = await world.client(server.url, version).search_by_email("ada@example.test")
    assert [row.epos_customer_id for row in search.rows] == [1]
    assert len(server.requests) == len(list_pages) + requests


@pytest.mark.catches("unmatched-searches-are-read-on")
async def test_search_without_an_exact_match_reads_on_after_a_short_page(server: RawServer, world: TillWorld) -> None:
    client = world.client(server.url)
    only_containing, wanted = [_row(1, "xada@example.test")], [_row(2, "ada@example.test")]
    server.answers(json_answer(_rows(5)), json_answer(only_containing), json_answer(wanted), json_answer([]))
    await client.list_customers(1)
    assert [row.epos_customer_id for row in (await client.search_by_email("ada@example.test")).rows] == [1, 2]


async def test_match_beside_an_unreadable_row_reads_further_pages(server: RawServer, world: TillWorld) -> None:
    client = world.client(server.url)
    unreadable = {**V2_ROW, "CustomerID": "?", "EmailAddress": "ada@example.test"}
    server.answers(json_answer(_rows(5)), json_answer([_row(1, "ada@example.test"), unreadable]), json_answer([]))
    await client.list_customers(1)
    await client.search_by_email("ada@example.test")
    assert len(server.requests) == 3


async def test_customers_with_one_email_are_found_across_full_pages(server: RawServer, world: TillWorld) -> None:
    client = world.client(server.url)
    first = [_row(number, f"x{number}.ada@example.test") for number in range(1, 5)] + [_row(5, "ada@example.test")]
    server.answers(json_answer(_rows(5)), json_answer(first), json_answer([_row(6, "ADA@example.test")]))
    await client.list_customers(1)
    rows = (await client.search_by_email("ada@example.test")).rows
    assert [row.epos_customer_id for row in rows] == [1, 2, 3, 4, 5, 6]
    assert len(server.requests) == 3, "the second page holds one of them, and was not full"


@pytest.mark.parametrize("email", ["other@example.test", None, ""])
@pytest.mark.parametrize("version", [V2, V4])
@pytest.mark.catches("ignored-filters-are-noticed")
async def test_row_without_the_text_marks_the_filter_as_ignored(
    server: RawServer, world: TillWorld, email: str | None, version: TillApiVersion
) -> None:
    server.answers(json_answer([_row(1, "ada@example.test"), _row(2, email)]))
    search = await world.client(server.url, version).search_by_email("ada@example.test")
    assert search.filter_ignored
    assert len(server.requests) == 1


async def test_search_text_is_url_encoded(server: RawServer, world: TillWorld) -> None:
    server.answers(json_answer([]))
    for version in (V2, V4):
        search = await world.client(server.url, version).search_by_email("a+b&c=d %#?ü@example.test")
        assert search.rows == ()
    sent = [request.split(b" ")[1].decode() for request in server.requests]
    encoded = "a%2Bb%26c%3Dd%20%25%23%3F%C3%BC%40example.test"
    assert sent == [f"/api/V2/Customer?EmailAddress={encoded}&page=1", f"/api/v4/Customer/GetByEmail?email={encoded}"]


@pytest.mark.parametrize("answer", [json_answer([]), text_answer("none", 404), json_answer({"Message": "none"}, 404)])
@pytest.mark.parametrize("version", [V2, V4])
async def test_a_miss_is_an_empty_result(server: RawServer, world: TillWorld, answer: bytes, version: TillApiVersion) -> None:
    server.answers(answer)
    search = await world.client(server.url, version).search_by_email("ada@example.test")
    assert (search.rows, search.filter_ignored) == ((), False)


@pytest.mark.parametrize("answer", [html_answer("404", 404), http_answer(302, headers=["Location: /login"])])
async def test_search_at_a_wrong_address_is_misaddressed(server: RawServer, world: TillWorld, answer: bytes) -> None:
    server.answers(answer)
    with pytest.raises(Misaddressed):
        await world.client(server.url, V4).search_by_email("ada@example.test")


async def test_search_reads_rows_without_points(server: RawServer, world: TillWorld) -> None:
    server.answers(json_answer([{"Id": 5, "EmailAddress": "ada@example.test"}]))
    search = await world.client(server.url, V4).search_by_email("Ada@Example.test")
    assert [row.epos_customer_id for row in search.rows] == [5]


@pytest.mark.parametrize("version", [V2, V4])
async def test_page_numbers_start_at_one(server: RawServer, world: TillWorld, version: TillApiVersion) -> None:
    server.answers(json_answer([V2_ROW]))
    client = world.client(server.url, version)
    page = await client.list_customers(3)
    assert (page.number, len(page.rows)) == (3, 1)
    assert b"?page=3 " in server.requests[0]
    with pytest.raises(ValueError, match="from 1"):
        await client.list_customers(0)
    with pytest.raises(ValueError, match="empty text"):
        await client.search_by_email("  ")


async def test_each_type_is_listed_once(server: RawServer, world: TillWorld) -> None:
    rows = [{"CustomerTypeID": 4001, "Name": "Basic"}, {"CustomerTypeID": 4002, "Name": "Gold", "Discount": 10.0}]
    server.answers(json_answer(rows))
    types = await world.client(server.url).list_customer_types()
    assert [(row.epos_customer_type_id, row.name) for row in types] == [(4001, "Basic"), (4002, "Gold")]
    assert len(server.requests) == 2


@pytest.mark.parametrize("version", [V2, V4])
async def test_endless_pages_are_unreadable(server: RawServer, world: TillWorld, version: TillApiVersion) -> None:
    """Each page has a new row, so the search is neither a match nor a miss."""
    ids = itertools.count(1)

    async def another(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(ids)
        writer.write(json_answer([V2_ROW | {"CustomerID": number, "CustomerTypeID": number, "Name": "Gold"}]))
        await writer.drain()

    server.answers(another)
    client = world.client(server.url, version)
    with pytest.raises(Unreadable, match="does not end its search for one email: 100 pages, and still something new on each"):
        await client.search_by_email("ada@example.test")
    assert len(server.requests) == MAX_SEARCH_PAGES
    with pytest.raises(Unreadable, match="does not end its list of customer types"):
        await client.list_customer_types()
    assert len(server.requests) == MAX_SEARCH_PAGES + 100


async def test_probe_reads_the_token_info(server: RawServer, world: TillWorld) -> None:
    await world.client(server.url).probe()
    assert server.requests[0].startswith(b"GET /api/v4/TokenInfo HTTP/1.1")


@pytest.mark.parametrize(
    ("answer", "error"), [(http_answer(401), CredentialsRefused), (http_answer(404), Misaddressed), (html_answer("Hi", 200), Unreadable)]
)
async def test_failing_probe_raises_its_error_type(server: RawServer, world: TillWorld, answer: bytes, error: type[UpstreamError]) -> None:
    server.answers(answer)
    with pytest.raises(error):
        await world.client(server.url).probe()
