"""Unreadable rows of the till. A result lists them apart from the readable ones, with their known facts and without their content."""

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


async def test_page_lists_the_known_facts_of_each_unreadable_row(server: RawServer, world: TillWorld) -> None:
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


async def test_unreadable_search_hit_is_not_a_miss(server: RawServer, world: TillWorld) -> None:
    server.answers(json_answer([row(1), row(2, EmailAddress=["ada@example.test"])]))
    found = await world.client(server.url).search_by_email("ada@example.test")
    assert ([each.epos_customer_id for each in found.rows], [each.customer_id for each in found.unread]) == ([1], [2])
    with pytest.raises(Unreadable, match="finds customer 2 by this email, and it cannot be read"):
        found.check()


async def test_ignored_filter_reports_no_unreadable_rows(server: RawServer, world: TillWorld) -> None:
    server.answers(json_answer([row(1), row(2, EmailAddress=True)]))
    found = await world.client(server.url).search_by_email("bea@example.test")
    assert (found.filter_ignored, found.unread) == (True, ())


@pytest.mark.parametrize(("rows", "ids"), [([row(1), None, row(2)], [1, 2]), ([None, row(3)], [3])])
async def test_name_search_skips_unreadable_rows(server: RawServer, world: TillWorld, rows: list[Any], ids: list[int]) -> None:
    server.answers(json_answer(rows))
    found = await world.client(server.url).search_by_name("byron", limit=20)
    assert [each.epos_customer_id for each in found.rows] == ids


async def test_unreadable_type_hides_no_other(server: RawServer, world: TillWorld) -> None:
    gold = {"CustomerTypeID": 7, "Name": "Gold", "Discount": 0}
    server.answers(json_answer([gold, {"CustomerTypeID": 8, "Discount": "much"}]))
    assert [each.epos_customer_type_id for each in await world.client(server.url).list_customer_types()] == [7]
    server.answers(json_answer([{"CustomerTypeID": 8, "Discount": "much"}]))
    with pytest.raises(Unreadable, match="field Discount of a customer type is not a number"):
        await world.client(server.url).list_customer_types()


def test_equal_unreadable_rows_have_one_key() -> None:
    one, other = (UnreadRow(position=at, customer_id=None, reason="null", texts=("a",)) for at in (1, 2))
    assert one.key == other.key
    assert one.key != UnreadRow(position=1, customer_id=None, reason="null", texts=("b",)).key
