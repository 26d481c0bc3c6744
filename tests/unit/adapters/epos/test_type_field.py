"""The switch for the one field of V4 customers that the vendor's documents name differently (EposSettings.v4_type_field)."""

from __future__ import annotations

from typing import Any

import pytest
from support.raw_http import raw_server
from support.till_client import V2_ROW, json_answer, till_world
from tillsync_server.domain.account import Account, EposSettings
from tillsync_server.domain.enums import TillApiVersion, TillTypeField
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId
from tillsync_server.domain.request_class import RequestClass

ALL_THREE = {"TypeId": 1, "CustomerTypeId": 2, "Type": {"Id": 3}}


async def type_read(row: dict[str, Any], field: TillTypeField, version: TillApiVersion = TillApiVersion.V4) -> list[int | None]:
    """The type ids from a read, a list page and a search."""
    async with raw_server() as server, till_world() as world:
        epos = EposSettings(base_url=server.url, api_key="k", api_secret="s", customer_api_version=version, v4_type_field=field)
        client = world.gateway.client(Account(account_id=AccountId("shop-a"), till_id=TillId("till-a"), epos=epos), RequestClass.ORDER)
        server.answers(json_answer(row))
        one = await client.read_customer(EposCustomerId(90001))
        server.answers(json_answer([row]))
        page = await client.list_customers(1)
        server.answers(json_answer([row]), json_answer([]))
        found = await client.search_by_email("ada@example.test")
        return [one.type_id, page.rows[0].read().type_id, found.rows[0].type_id]


def row_with(**fields: Any) -> dict[str, Any]:
    return {**{name: value for name, value in V2_ROW.items() if name != "Type"}, **fields}


@pytest.mark.parametrize(
    ("field", "expected"),
    [(TillTypeField.AUTO, 1), (TillTypeField.TYPE_ID, 1), (TillTypeField.CUSTOMER_TYPE_ID, 2), (TillTypeField.TYPE, 3)],
)
async def test_the_switch_names_the_field(field: TillTypeField, expected: int) -> None:
    assert await type_read(row_with(**ALL_THREE), field) == [expected] * 3


async def test_auto_takes_the_first_present_field() -> None:
    assert await type_read(row_with(TypeId=None, Type=7), TillTypeField.AUTO) == [7] * 3
    assert await type_read(row_with(CustomerTypeId=6, Type=7), TillTypeField.AUTO) == [6] * 3


async def test_missing_named_field_means_no_type() -> None:
    assert await type_read(row_with(CustomerTypeId=6, Type=7), TillTypeField.TYPE_ID) == [None] * 3


async def test_switch_has_no_effect_on_v2() -> None:
    assert await type_read(row_with(Type=7), TillTypeField.TYPE_ID, TillApiVersion.V2) == [7] * 3
