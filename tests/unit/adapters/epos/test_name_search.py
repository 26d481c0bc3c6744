"""Search by name at the till. The till may honour, ignore or refuse the generic filter of each field."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from support.raw_http import RawServer, raw_server
from support.till_client import V2_ROW, TillWorld, html_answer, json_answer, text_answer, till_world
from tillsync_server.domain.enums import TillApiVersion
from tillsync_server.domain.errors import Misaddressed, Unreadable

NONE = json_answer([])


def row(customer_id: int, forename: str, surname: str | None) -> dict[str, Any]:
    return V2_ROW | {"CustomerID": customer_id, "Forename": forename, "Surname": surname}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RawServer]:
    async with raw_server() as running:
        yield running


@pytest_asyncio.fixture
async def world() -> AsyncIterator[TillWorld]:
    async with till_world(read_attempts=1) as made:
        yield made


def request_targets(server: RawServer) -> list[str]:
    return [request.split(b" ")[1].decode() for request in server.requests]


async def test_search_filters_by_both_names_and_reads_every_page(server: RawServer, world: TillWorld) -> None:
    pages = [[row(1, "Ada", "Byron")], [row(2, "Eve", "Byron-Smith")], [], [row(3, "Byron", None)], []]
    server.answers(*(json_answer(page) for page in pages))
    found = await world.client(server.url).search_by_name("byron", limit=20)
    assert [customer.epos_customer_id for customer in found.rows] == [1, 2, 3]
    assert (found.filter_ignored, found.truncated) == (False, False)
    assert request_targets(server) == [
        "/api/V2/Customer?Surname=byron&page=1",
        "/api/V2/Customer?Surname=byron&page=2",
        "/api/V2/Customer?Surname=byron&page=3",
        "/api/V2/Customer?Forename=byron&page=1",
        "/api/V2/Customer?Forename=byron&page=2",
    ]


async def test_name_is_sent_url_encoded(server: RawServer, world: TillWorld) -> None:
    server.answers(NONE)
    await world.client(server.url, TillApiVersion.V4).search_by_name("O'Neil & Söhne+1", limit=20)
    assert request_targets(server)[0] == "/api/v4/Customer?Surname=O%27Neil%20%26%20S%C3%B6hne%2B1&page=1"


async def test_till_that_ignores_both_filters_reports_filter_ignored(server: RawServer, world: TillWorld) -> None:
    server.answers(json_answer([row(1, "Ada", "Byron"), row(2, "Carl", "Gauss")]))
    found = await world.client(server.url).search_by_name("byron", limit=20)
    assert (found.rows, found.filter_ignored) == ((), True)
    assert len(server.requests) == 2


@pytest.mark.parametrize("other", [json_answer([row(9, "Carl", "Gauss")]), text_answer("Unknown property Surname", 400)])
async def test_ignored_or_refused_filter_keeps_the_results_of_the_other(server: RawServer, world: TillWorld, other: bytes) -> None:
    server.answers(other, json_answer([row(1, "Byron", "Ada")]), NONE)
    found = await world.client(server.url).search_by_name("byron", limit=20)
    assert [customer.epos_customer_id for customer in found.rows] == [1]
    assert not found.filter_ignored


async def test_search_ends_above_its_limit(server: RawServer, world: TillWorld) -> None:
    server.answers(json_answer([row(number, "Ada", "Byron") for number in range(1, 201)]), NONE)
    found = await world.client(server.url).search_by_name("byron", limit=20)
    assert found.truncated
    assert len(server.requests) == 2


async def test_repeated_page_ends_the_search(server: RawServer, world: TillWorld) -> None:
    server.answers(json_answer([row(1, "Byron", "Byron")]))
    found = await world.client(server.url).search_by_name("byron", limit=20)
    assert [customer.epos_customer_id for customer in found.rows] == [1]
    assert len(server.requests) == 4


async def test_plain_404_is_a_miss_and_html_404_a_wrong_address(server: RawServer, world: TillWorld) -> None:
    server.answers(text_answer("no such customer", 404))
    assert (await world.client(server.url).search_by_name("byron", limit=20)).rows == ()
    server.answers(html_answer("Not Found", 404))
    with pytest.raises(Misaddressed):
        await world.client(server.url).search_by_name("byron", limit=20)
    server.answers(json_answer({"Customers": []}))
    with pytest.raises(Unreadable):
        await world.client(server.url).search_by_name("byron", limit=20)
    with pytest.raises(ValueError):
        await world.client(server.url).search_by_name("  ", limit=20)
