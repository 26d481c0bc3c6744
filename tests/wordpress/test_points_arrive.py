"""Points arrive despite odd values in the till's record: amounts with float noise, phones, names, and malformed fields."""

from __future__ import annotations

from typing import Any

import pytest
from support.postgres import TestDatabase
from support.waiting import until
from tillsync.v1 import account_pb2, customer_sync_service_pb2, vocabulary_pb2
from wordpress.harness.bridge import bridged_shop
from wordpress.harness.shop import Shop

PEOPLE: dict[str, tuple[dict[str, Any], tuple[str, str, str]]] = {
    # the till's values; points, credit and phone in the shop
    "plain": ({"points": 120, "phone": "01234 567890"}, ("120", "0.00", "01234 567890")),
    "noise": ({"points": "10.000000000000002", "balance": "19.989999999999998"}, ("10", "19.99", "")),
    "nothing": ({"points": 5.55e-17, "balance": "0.30000000000000004"}, ("0", "0.30", "")),
    "no-money": ({"points": 7, "balance": 1.005}, ("7", "1.01", "")),
    "extension": ({"points": 8, "phone": "01234 567890 ext 12"}, ("8", "0.00", "01234 567890 #12")),
    "remark": ({"points": 9, "phone": "07700 900123 (mum)"}, ("9", "0.00", "07700 900123")),
    "scheme": ({"points": 11, "phone": "tel:+441234567890"}, ("11", "0.00", "+441234567890")),
    "direction": ({"points": 12, "phone": "\u202a07700 900123\u202c"}, ("12", "0.00", "07700 900123")),
    "none": ({"points": 13, "phone": "n/a"}, ("13", "0.00", "")),
    "tag": ({"points": 14, "forename": "Ada <b>", "surname": "100%ab"}, ("14", "0.00", "")),
    "lesser": ({"points": 15, "forename": "5 < 7"}, ("15", "0.00", "")),
}


@pytest.mark.shops("mariadb")
async def test_points_arrive_despite_odd_values(wp_site: Shop, database: TestDatabase) -> None:
    account = account_pb2.Account(customer_sync_enabled=True, sync_names=True, sync_phone=True)
    async with bridged_shop(wp_site, database.dsn, account=account) as bridged:
        users: dict[str, int] = {}
        for name, (fields, _) in PEOPLE.items():
            user = users[name] = await wp_site.add_user(f"{name}@example.test")
            customer = bridged.till.add_customer(email=f"{name}@example.test", **fields)
            await bridged.service.client.links.create_link(bridged.account_id, customer, user)

        async def shown() -> dict[int, tuple[str, str]]:
            rows = await wp_site.rows("SELECT user_id, points, credit FROM {prefix}tillsync_customer WHERE removed = 0")
            return {int(row["user_id"]): (row["points"], row["credit"]) for row in rows}

        async def all_there() -> bool:
            return set(users.values()) <= set(await shown())

        await wp_site.until(all_there)
        found = await shown()
        phones = await wp_site.php(
            "return array_map( fn( $id ) => get_user_meta( $id, 'billing_phone', true ), $ids );", ids=[*users.values()]
        )
        names = await wp_site.php("return array_map( fn( $id ) => get_user_meta( $id, 'first_name', true ), $ids );", ids=[*users.values()])
        assert {name: (*found[users[name]], phone) for name, phone in zip(users, phones, strict=True)} == {
            name: wanted for name, (_, wanted) in PEOPLE.items()
        }
        assert dict(zip(users, names, strict=True))["tag"] == "Ada"
        request = customer_sync_service_pb2.ListQueueRequest(account_id=bridged.account_id, queue=vocabulary_pb2.QUEUE_CUSTOMERS)

        async def states() -> set[vocabulary_pb2.EntryState.ValueType]:
            return {entry.state for entry in (await bridged.service.client.sync.list_queue_page(request)).entries}

        async def all_ended() -> bool:
            return await states() == {vocabulary_pb2.ENTRY_STATE_PROCESSED}

        await until(all_ended, states)  # the values are in the shop before their entry ends
        entries = (await bridged.service.client.sync.list_queue_page(request)).entries
        # a customer's entry may have run once more
        notes = {entry.woo_customer_id: [note for note in entry.notes if note != "unchanged"] for entry in entries}
        assert notes[users["plain"]] == []
        assert notes[users["noise"]] == ["points rounded to a whole number", "credit rounded to 2 decimals, as the shop's prices are"]
        assert notes[users["none"]] == ["phone not written: WooCommerce takes digits, spaces and # _ - + / ( ) . only"]
        assert notes[users["lesser"]] == ["first name not written: WordPress would alter it"]
