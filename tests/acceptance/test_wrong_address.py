"""A till address that is wrong for a while deletes, replaces and ends nothing (docs/invariants.md#gone).

All work that needs the till waits, the account's problem names the address, and the work resumes when the address is right again.
"""

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
"""Shop customer by till customer."""
GONE, LEFT_BEHIND = 504, 24
"""A till customer with a proven deletion, and the shop customer that was linked to it."""
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
    """One kind of wrong address: how it is set, how it is corrected, and the count of requests sent there."""

    go_wrong: Callable[[], Awaitable[None]]
    put_right: Callable[[], Awaitable[None]]
    request_count: Callable[[], int]
    """Number of requests that arrived at the wrong address."""


async def _html_at_the_same_address(world: CreateRaceEnvironment, shop: Shop) -> Detour:
    """The host serves HTML pages instead of the API for a while."""

    async def set_wrong(wrong: bool) -> None:
        shop.till.sandbox.switches.wrong_address = wrong

    log = shop.till.sandbox.log
    return Detour(lambda: set_wrong(True), lambda: set_wrong(False), lambda: log.count(where=lambda request: request.status == 404))


async def _redirects_at_the_same_address(world: CreateRaceEnvironment, shop: Shop) -> Detour:
    faults = shop.till.sandbox.faults

    async def go_wrong() -> None:
        faults.script(path="*", status=301, headers={"Location": "https://login.example.test/"}, times=None)

    async def put_right() -> None:
        faults.clear()

    log = shop.till.sandbox.log
    return Detour(go_wrong, put_right, lambda: log.count(where=lambda request: request.status == 301))


async def _another_origin(world: CreateRaceEnvironment, shop: Shop, content_type: str, body: str) -> Detour:
    """A person enters another address, with the credentials, which a changed origin needs again."""
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
async def test_wrong_till_address_deletes_replaces_and_ends_nothing(
    world: CreateRaceEnvironment, detour_of: Callable[[CreateRaceEnvironment, Shop], Awaitable[Detour]]
) -> None:
    """Three shops. In each another entry meets the wrong address first: a customer, a type, an order."""
    firsts = {"a-customer": _sync_customers, "a-type": _sync_types, "an-order": _send_orders}
    await all_of({name: _assert_waits_while_wrong(world, name, detour_of, first) for name, first in firsts.items()})


async def _assert_waits_while_wrong(
    world: CreateRaceEnvironment,
    name: str,
    detour_of: Callable[[CreateRaceEnvironment, Shop], Awaitable[Detour]],
    ask_first: Callable[[Shop], Awaitable[None]],
) -> None:
    shop = await _shop_in_full_use(world, name)
    detour = await detour_of(world, shop)
    async with world.database() as rows:
        before, creates_before = await _lasting_rows(rows, shop), len(shop.till.creates())
        bridge_before, types_before = dict(shop.site.store.bridge_rows), dict(shop.site.store.customer_types)
        sent_to_shop = _write_count(shop)
        await detour.go_wrong()
        await ask_first(shop)
        await until(lambda: _has_paused(rows, shop, 1), lambda: lanes(rows))
        for ask in (_sync_customers, _sync_types, _send_orders):
            await ask(shop)

        await until(lambda: _has_paused(rows, shop, PAUSES), lambda: lanes(rows))
        assert detour.request_count() >= PAUSES
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
        assert all(row["attempt_count"] == 0 for row in live if row["state"] == PENDING), "no attempt is charged"
        assert await _lasting_rows(rows, shop) == before, "nothing was deleted, replaced or ended"
        assert (shop.site.store.bridge_rows, shop.site.store.customer_types) == (bridge_before, types_before)
        assert _write_count(shop) == sent_to_shop, "nothing was written to the shop"
        assert len(shop.till.creates()) == creates_before

        await detour.put_right()
        await _assert_resumes(shop, rows)


def _write_count(shop: Shop) -> int:
    """Counts writes of customers and types. Events about orders do not count."""
    return shop.site.log.count(path="*/customers/batch") + shop.site.log.count(path="*/customer-types/*")


async def _has_paused(rows: asyncpg.Connection[asyncpg.Record], shop: Shop, times: int) -> bool:
    return bool(await rows.fetchval("SELECT max(failures) >= $2 FROM account_side WHERE account_id = $1", shop.account_id, times))


async def _lasting_rows(rows: asyncpg.Connection[asyncpg.Record], shop: Shop) -> dict[str, list[tuple[object, ...]]]:
    """Rows that must not change. An order of a linked customer may end meanwhile, because it needs no request to the till."""
    lasting = {name: [tuple(row) for row in await rows.fetch(sql, shop.account_id)] for name, sql in _TABLES.items()}
    lasting["ended"] = [row for row in lasting["ended"] if row[2] != BY_LINK]
    return lasting


async def _shop_in_full_use(world: CreateRaceEnvironment, name: str) -> Shop:
    """Opens a shop with linked customers and points, two types, a link broken by a proven deletion, and a held order."""
    shop = await world.shop(name)
    till = shop.till.sandbox
    for customer_id in (*LINKED, GONE):
        till.add_customer(customer_id, email=f"customer{customer_id}@example.test", points=10)
        await world.client.links.create_link(name, customer_id, LINKED.get(customer_id, LEFT_BEHIND))
    for _ in range(2):
        till.add_customer(email=DUPLEX)
    shop.till.twins.clear()  # the test wants these two customers of one email
    for title in ("Gold", "Silver"):
        await world.client.sync.sync_customer_type(name, till.add_type(name=title), ADD)
    await shop.site.wait_for(lambda: len(shop.site.store.customer_types) == 2 and len(shop.site.store.bridge_rows) == len(LINKED) + 1)
    till.delete_customer(GONE)
    await world.client.sync.sync_customer(name, GONE)
    await shop.send(order(DUPLEX, 10, woo_customer_id=30))
    await shop.until(lambda answer: answer.state == HELD, 10)

    async with world.database() as rows:

        async def has_no_waiting_entry() -> bool:
            broken = await rows.fetchval("SELECT count(*) FROM link WHERE epos_gone_at IS NOT NULL AND account_id = $1", name)
            waiting = await rows.fetchval("SELECT count(*) FROM entry WHERE state = 1 AND account_id = $1", name)
            return bool((broken, waiting) == (1, 0))

        await until(has_no_waiting_entry, lambda: lanes(rows))
    return shop


async def _sync_customers(shop: Shop) -> None:
    for customer_id in LINKED:
        shop.till.sandbox.change_customer(customer_id, points=75)
    await shop.client.sync.sync_customers(shop.account_id, list(LINKED))


async def _sync_types(shop: Shop) -> None:
    sync = shop.client.sync
    gold, silver = shop.till.sandbox.store.types
    shop.till.sandbox.change_type(silver, name="Silver plus")
    await sync.sync_customer_type(shop.account_id, gold, DELETE)
    await sync.sync_customer_type(shop.account_id, silver, UPDATE)


async def _send_orders(shop: Shop) -> None:
    await shop.send(
        order(NOVA, 11, woo_customer_id=31),
        order(f"customer{GONE}@example.test", 12, woo_customer_id=LEFT_BEHIND),
        order("customer501@example.test", 13, woo_customer_id=LINKED[501]),
    )


async def _assert_resumes(shop: Shop, rows: asyncpg.Connection[asyncpg.Record]) -> None:
    new, replaced, linked = [await shop.processed(number) for number in (11, 12, 13)]
    assert (new.outcome, [new.epos_customer_id]) == (CREATED, shop.till.holders(NOVA))
    assert (replaced.outcome, linked.outcome, linked.epos_customer_id) == (CREATED, BY_LINK, 501)
    assert [replaced.epos_customer_id] == shop.till.holders(f"customer{GONE}@example.test")
    gold, silver = shop.till.sandbox.store.types

    def has_arrived() -> bool:
        types, bridge = shop.site.store.customer_types, shop.site.store.bridge_rows
        return (
            all(bridge[user_id].points == "75" for user_id in LINKED.values())
            and types[silver].name == "Silver plus"
            and not types[gold].removed
        )

    await shop.site.wait_for(has_arrived)
    await until(lambda: _has_no_problem(shop), shop.problem)
    links = [
        tuple(row)
        for row in await rows.fetch("SELECT epos_customer_id, woo_customer_id FROM link WHERE account_id = $1 ORDER BY 2", shop.account_id)
    ]
    assert links == [*LINKED.items(), (replaced.epos_customer_id, LEFT_BEHIND), (new.epos_customer_id, 31)]
    assert (await shop.answer(10)).state == HELD


async def _has_no_problem(shop: Shop) -> bool:
    return await shop.problem() is None


async def test_new_till_address_needs_its_own_search_proof(world: CreateRaceEnvironment) -> None:
    """A search proof of the old address does not count at another one. A search that finds nothing there would make a twin of everybody."""
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
