"""Rows of the till that cannot be read: they stand apart from those that can, with what is known of them and none of their content."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from support.raw_http import RawServer, raw_server
from support.till_client import V2_ROW, TillWorld, json_answer, till_world
from tillsync_server.domain.errors import Unreadable
from tillsync_server.ports.till import UnreadRow

EMAIL_IS_AN_OBJECT = "Epos Now's answer is not understood: field EmailAddress of a customer is an object, not a text"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RawServer]:
    async with raw_server() as server:
        yield server


@pytest_asyncio.fixture
async def world() -> AsyncIterator[TillWorld]:
    async with till_world() as world:
        yield world


def row(customer_id: object, **changed: Any) -> dict[str, Any]:
    return V2_ROW | {"CustomerID": customer_id} | changed


async def test_a_page_tells_what_is_known_of_each_row_that_cannot_be_read(server: RawServer, world: TillWorld) -> None:
    without_points = {name: value for name, value in row(5).items() if name != "CurrentPoints"}
    spoilt = [None, row("none"), row(4, EmailAddress={"Value": "carl@example.test"}), without_points]
    server.answers(json_answer([row(1), *spoilt, row(6)]))
    page = await world.client(server.url).list_customers(1)
    assert [each.epos_customer_id for each in page.rows] == [1, 6]
    assert [(each.position, each.customer_id) for each in page.unread] == [(2, None), (3, None), (4, 4), (5, 5)]
    assert [each.listed is not None for each in page.unread] == [False, False, False, True]
    assert [each.epos_customer_id for each in page.with_emails] == [1, 6, 5]
    assert page.unread[0].reason == "Epos Now's answer is not understood: customer is null, not an object"
    assert page.unread[2].reason == EMAIL_IS_AN_OBJECT
    assert (page.unread[2].may_have("carl@example.test"), page.unread[2].may_have("bea@example.test")) == (True, False)
    assert "carl" not in repr(page.unread)


async def test_a_row_that_a_search_finds_and_nobody_can_read_is_no_miss(server: RawServer, world: TillWorld) -> None:
    server.answers(json_answer([row(1), row(2, EmailAddress=["ada@example.test"])]))
    found = await world.client(server.url).search_by_email("ada@example.test")
    assert ([each.epos_customer_id for each in found.rows], [each.customer_id for each in found.unread]) == ([1], [2])
    with pytest.raises(Unreadable, match="finds customer 2 by this email, and it cannot be read"):
        found.check()


async def test_where_the_filter_is_ignored_an_unread_row_was_not_found_by_anything(server: RawServer, world: TillWorld) -> None:
    server.answers(json_answer([row(1), row(2, EmailAddress=True)]))
    found = await world.client(server.url).search_by_email("bea@example.test")
    assert (found.filter_ignored, found.unread) == (True, ())


@pytest.mark.parametrize(("rows", "ids"), [([row(1), None, row(2)], [1, 2]), ([None, row(3)], [3])])
async def test_a_search_by_name_passes_over_it(server: RawServer, world: TillWorld, rows: list[Any], ids: list[int]) -> None:
    server.answers(json_answer(rows))
    found = await world.client(server.url).search_by_name("byron", limit=20)
    assert [each.epos_customer_id for each in found.rows] == ids


async def test_one_type_that_cannot_be_read_hides_no_other(server: RawServer, world: TillWorld) -> None:
    gold = {"CustomerTypeID": 7, "Name": "Gold", "Discount": 0}
    server.answers(json_answer([gold, {"CustomerTypeID": 8, "Discount": "much"}]))
    assert [each.epos_customer_type_id for each in await world.client(server.url).list_customer_types()] == [7]
    server.answers(json_answer([{"CustomerTypeID": 8, "Discount": "much"}]))
    with pytest.raises(Unreadable, match="field Discount of a customer type is not a number"):
        await world.client(server.url).list_customer_types()


def test_rows_that_look_alike_have_one_key() -> None:
    one, other = (UnreadRow(position=at, customer_id=None, reason="null", texts=("a",)) for at in (1, 2))
    assert one.key == other.key
    assert one.key != UnreadRow(position=1, customer_id=None, reason="null", texts=("b",)).key
