"""A till address turned wrong for a while deletes, replaces and ends nothing (docs/invariants.md#gone): everything that asks the till
waits, with the account saying what is wrong, and goes on by itself when the address is right again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import pytest
from support.create_race_environment import (
    BY_EMAIL,
    BY_LINK,
    CREATED,
    HELD,
    PENDING,
    CreateRaceEnvironment,
    Shop,
    all_of,
    order,
    till_settings,
)
from support.service_process import lanes
from support.waiting import until
from tillsync.v1 import account_pb2, vocabulary_pb2
from tillsync_sandbox import TillSwitches

NOVA, DUPLEX = "nova@example.test", "duplex@example.test"
LINKED = {501: 21, 502: 22, 503: 23}
"""Till customer to shop customer."""
GONE, LEFT_BEHIND = 504, 24
"""A till customer who was deleted, proven, and the shop customer that was linked to them."""
PAUSES = 4
ADD, UPDATE, DELETE = (
    vocabulary_pb2.CUSTOMER_TYPE_ACTION_ADD,
    vocabulary_pb2.CUSTOMER_TYPE_ACTION_UPDATE,
    vocabulary_pb2.CUSTOMER_TYPE_ACTION_DELETE,
)
_TABLES = {
    "link": "SELECT epos_customer_id, woo_customer_id, create_time, epos_gone_at, woo_gone_at FROM link WHERE account_id = $1 ORDER BY 1",
    "customer_type": "SELECT epos_customer_type_id, gone_at FROM customer_type WHERE account_id = $1 ORDER BY 1",
    "shop_removal": "SELECT woo_customer_id FROM shop_removal WHERE account_id = $1 ORDER BY 1",
    "intent": "SELECT email, state, epos_customer_id FROM intent WHERE till_id = $1 ORDER BY 1",
    "ended": "SELECT entry_id, state, outcome, epos_customer_id FROM entry_history WHERE account_id = $1 ORDER BY 1",
}


@dataclass(frozen=True)
class Detour:
    """How the address becomes wrong, how it is put right, and the till that was asked meanwhile."""

    go_wrong: Callable[[], Awaitable[None]]
    put_right: Callable[[], Awaitable[None]]
    asked: Callable[[], int]
    """Requests that arrived at the wrong place."""


async def _html_at_the_same_address(world: CreateRaceEnvironment, shop: Shop) -> Detour:
    """The host serves something else for a while."""

    async def turn(wrong: bool) -> None:
        shop.till.sandbox.switches.wrong_address = wrong

    log = shop.till.sandbox.log
    return Detour(lambda: turn(True), lambda: turn(False), lambda: log.count(where=lambda request: request.status == 404))


async def _redirects_at_the_same_address(world: CreateRaceEnvironment, shop: Shop) -> Detour:
    faults = shop.till.sandbox.faults

    async def go_wrong() -> None:
        faults.script(path="*", status=301, headers={"Location": "https://login.example.test/"}, times=None)

    async def put_right() -> None:
        faults.clear()

    log = shop.till.sandbox.log
    return Detour(go_wrong, put_right, lambda: log.count(where=lambda request: request.status == 301))


async def _another_origin(world: CreateRaceEnvironment, shop: Shop, content_type: str, body: str) -> Detour:
    """Somebody enters another address, with the credentials, as a changed origin needs them again."""
    elsewhere = await world.till(switches=TillSwitches(wrong_address=True))
    elsewhere.sandbox.faults.script(path="*", status=404, body=body, content_type=content_type, times=None)

    async def set_address(origin: str) -> None:
        settings = account_pb2.Account(epos=till_settings(shop.till.sandbox, base_url=origin))
        paths = ["epos.base_url", "epos.api_key", "epos.api_secret"]
        await world.client.accounts.update_account(shop.account_id, settings, paths)

    return Detour(
        lambda: set_address(elsewhere.sandbox.origin),
        lambda: set_address(shop.till.sandbox.origin),
        lambda: len(elsewhere.sandbox.log),
    )


async def _another_origin_in_html(world: CreateRaceEnvironment, shop: Shop) -> Detour:
    return await _another_origin(world, shop, "text/html", "<html><title>404 Not Found</title></html>")


async def _another_origin_in_json(world: CreateRaceEnvironment, shop: Shop) -> Detour:
    return await _another_origin(world, shop, "application/json", '{"Message":"No HTTP resource was found that matches the request"}')


@pytest.mark.parametrize(
    "detour_of", [_html_at_the_same_address, _redirects_at_the_same_address, _another_origin_in_html, _another_origin_in_json]
)
async def test_a_till_address_turned_wrong_for_a_while_deletes_replaces_and_ends_nothing(
    world: CreateRaceEnvironment, detour_of: Callable[[CreateRaceEnvironment, Shop], Awaitable[Detour]]
) -> None:
    """Three shops, as the first to meet the wrong address decides what it is taken for: a customer, a type, an order."""
    firsts = {"a-customer": _ask_for_customers, "a-type": _ask_for_types, "an-order": _ask_for_orders}
    await all_of({name: _wrong_for_a_while(world, name, detour_of, first) for name, first in firsts.items()})


async def _wrong_for_a_while(
    world: CreateRaceEnvironment,
    name: str,
    detour_of: Callable[[CreateRaceEnvironment, Shop], Awaitable[Detour]],
    ask_first: Callable[[Shop], Awaitable[None]],
) -> None:
    shop = await _shop_in_full_use(world, name)
    detour = await detour_of(world, shop)
    async with world.database() as rows:
        before, creates_before = await _lasting(rows, shop), len(shop.till.creates())
        bridge_before, types_before = dict(shop.site.store.bridge_rows), dict(shop.site.store.customer_types)
        sent_to_shop = _writes(shop)
        await detour.go_wrong()
        await ask_first(shop)
        await until(lambda: _has_paused(rows, shop, 1), lambda: lanes(rows))
        for ask in (_ask_for_customers, _ask_for_types, _ask_for_orders):
            await ask(shop)

        await until(lambda: _has_paused(rows, shop, PAUSES), lambda: lanes(rows))
        assert detour.asked() >= PAUSES
        problem = await shop.problem()
        assert problem is not None
        assert (problem.reason, problem.side) == (account_pb2.PROBLEM_REASON_WRONG_ADDRESS, vocabulary_pb2.SIDE_TILL)
        assert "address" in problem.text
        live = await rows.fetch("SELECT subject_id, kind, state, attempt_count FROM entry WHERE account_id = $1", name)
        assert {(row["kind"], row["subject_id"]) for row in live if row["state"] == PENDING} >= {
            *((1, customer_id) for customer_id in LINKED),
            *((2, type_id) for type_id in shop.till.sandbox.store.types),
            *((3, number) for number in (11, 12)),
        }
        assert all(row["attempt_count"] == 0 for row in live if row["state"] == PENDING), "nobody is charged for it"
        assert await _lasting(rows, shop) == before, "nothing was deleted, replaced or ended"
        assert (shop.site.store.bridge_rows, shop.site.store.customer_types) == (bridge_before, types_before)
        assert _writes(shop) == sent_to_shop, "nothing was written to the shop"
        assert len(shop.till.creates()) == creates_before

        await detour.put_right()
        await _everything_goes_on(shop, rows)


def _writes(shop: Shop) -> int:
    """Of customers and types; events about orders are no matter."""
    return shop.site.log.count(path="*/customers/batch") + shop.site.log.count(path="*/customer-types/*")


async def _has_paused(rows: asyncpg.Connection[asyncpg.Record], shop: Shop, times: int) -> bool:
    return bool(await rows.fetchval("SELECT max(failures) >= $2 FROM account_side WHERE account_id = $1", shop.account_id, times))


async def _lasting(rows: asyncpg.Connection[asyncpg.Record], shop: Shop) -> dict[str, list[tuple[object, ...]]]:
    """What a person would miss. An order of a linked customer may end meanwhile: its link is believed without asking the till."""
    lasting = {name: [tuple(row) for row in await rows.fetch(sql, shop.account_id)] for name, sql in _TABLES.items()}
    lasting["ended"] = [row for row in lasting["ended"] if row[2] != BY_LINK]
    return lasting


async def _shop_in_full_use(world: CreateRaceEnvironment, name: str) -> Shop:
    """Linked customers with points, two types, a link broken by a proven deletion, an order that a person has to decide."""
    shop = await world.shop(name)
    till = shop.till.sandbox
    for customer_id in (*LINKED, GONE):
        till.add_customer(customer_id, email=f"customer{customer_id}@example.test", points=10)
        await world.client.links.create_link(name, customer_id, LINKED.get(customer_id, LEFT_BEHIND))
    for _ in range(2):
        till.add_customer(email=DUPLEX)
    shop.till.twins.clear()  # those two are meant
    for title in ("Gold", "Silver"):
        await world.client.sync.sync_customer_type(name, till.add_type(name=title), ADD)
    await shop.site.wait_for(lambda: len(shop.site.store.customer_types) == 2 and len(shop.site.store.bridge_rows) == len(LINKED) + 1)
    till.delete_customer(GONE)
    await world.client.sync.sync_customer(name, GONE)
    await shop.send(order(DUPLEX, 10, woo_customer_id=30))
    await shop.until(lambda answer: answer.state == HELD, 10)

    async with world.database() as rows:

        async def is_settled() -> bool:
            broken = await rows.fetchval("SELECT count(*) FROM link WHERE epos_gone_at IS NOT NULL AND account_id = $1", name)
            waiting = await rows.fetchval("SELECT count(*) FROM entry WHERE state = 1 AND account_id = $1", name)
            return bool((broken, waiting) == (1, 0))

        await until(is_settled, lambda: lanes(rows))
    return shop


async def _ask_for_customers(shop: Shop) -> None:
    for customer_id in LINKED:
        shop.till.sandbox.change_customer(customer_id, points=75)
    await shop.client.sync.sync_customers(shop.account_id, list(LINKED))


async def _ask_for_types(shop: Shop) -> None:
    sync = shop.client.sync
    gold, silver = shop.till.sandbox.store.types
    shop.till.sandbox.change_type(silver, name="Silver plus")
    await sync.sync_customer_type(shop.account_id, gold, DELETE)
    await sync.sync_customer_type(shop.account_id, silver, UPDATE)


async def _ask_for_orders(shop: Shop) -> None:
    await shop.send(
        order(NOVA, 11, woo_customer_id=31),
        order(f"customer{GONE}@example.test", 12, woo_customer_id=LEFT_BEHIND),
        order("customer501@example.test", 13, woo_customer_id=LINKED[501]),
    )


async def _everything_goes_on(shop: Shop, rows: asyncpg.Connection[asyncpg.Record]) -> None:
    new, replaced, linked = [await shop.processed(number) for number in (11, 12, 13)]
    assert (new.outcome, [new.epos_customer_id]) == (CREATED, shop.till.holders(NOVA))
    assert (replaced.outcome, linked.outcome, linked.epos_customer_id) == (CREATED, BY_LINK, 501)
    assert [replaced.epos_customer_id] == shop.till.holders(f"customer{GONE}@example.test")
    gold, silver = shop.till.sandbox.store.types

    def arrived() -> bool:
        types, bridge = shop.site.store.customer_types, shop.site.store.bridge_rows
        return (
            all(bridge[user_id].points == "75" for user_id in LINKED.values())
            and types[silver].name == "Silver plus"
            and not types[gold].removed
        )

    await shop.site.wait_for(arrived)
    await until(lambda: _has_no_problem(shop), shop.problem)
    links = [
        tuple(row)
        for row in await rows.fetch("SELECT epos_customer_id, woo_customer_id FROM link WHERE account_id = $1 ORDER BY 2", shop.account_id)
    ]
    assert links == [*LINKED.items(), (replaced.epos_customer_id, LEFT_BEHIND), (new.epos_customer_id, 31)]
    assert (await shop.answer(10)).state == HELD


async def _has_no_problem(shop: Shop) -> bool:
    return await shop.problem() is None


async def test_a_new_address_of_the_same_till_needs_its_own_proof(world: CreateRaceEnvironment) -> None:
    """A search proven at the old address is no proof at another one: there a blind search would make a twin of everybody."""
    shop = await world.shop("shop-1")
    await shop.send(order("first@example.test", 1, woo_customer_id=31))
    await shop.processed(1)
    blind = await world.till("somebody@example.test", "known@example.test")
    blind.sandbox.faults.script(
        method="GET",
        where=lambda request: "EmailAddress" in request.query,
        times=None,
        status=200,
        body="[]",
        content_type="application/json",
    )
    await world.client.accounts.update_account(
        "shop-1", account_pb2.Account(epos=till_settings(blind.sandbox)), ["epos.base_url", "epos.api_key", "epos.api_secret"]
    )
    await shop.send(order("known@example.test", 2, woo_customer_id=32))
    await shop.waits("does not find customers that are there", 2)
    assert blind.creates() == []
    blind.sandbox.faults.clear()
    await shop.send(order("known@example.test", 3, woo_customer_id=32))
    found = await shop.processed(3)
    assert (found.outcome, [found.epos_customer_id]) == (BY_EMAIL, blind.holders("known@example.test"))
