"""Kills or suspends real processes during a create or a write to the shop (invariants 3 and 4, docs/invariants.md#never-a-twin).

The request logs of till and shop show what the processes sent. The database shows what they changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from support.create_race_environment import BY_EMAIL, CREATED, SHORT_TIMES, CreateRaceEnvironment, Shop, order
from support.postgres import TestDatabase
from support.service import Child, child, running_service
from support.service_process import (
    caught_at_the_intent,
    caught_before_the_create,
    everything,
    go_on,
    is_quiet,
    kill,
    lanes,
    lease_token,
    process_environment,
    suspend,
    taken_over,
    until_blocked_session,
    until_logged,
)
from support.waiting import until
from tillsync.v1 import vocabulary_pb2

pytestmark = pytest.mark.processes
NOVA = "nova@example.test"
POST: dict[str, Any] = {"method": "POST", "path": "/api/v2/customer*"}


@pytest_asyncio.fixture
async def idle_world(database: TestDatabase) -> AsyncIterator[CreateRaceEnvironment]:
    """The API in this process, without a worker. The child processes run the work."""
    async with running_service(database.dsn, works=False, changes=SHORT_TIMES) as service, AsyncExitStack() as stack:
        made = CreateRaceEnvironment(service.client, database.dsn, stack)
        yield made
        made.assert_never_a_twin()


@pytest_asyncio.fixture
async def rows(database: TestDatabase) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(database.dsn, server_settings={"search_path": "tillsync"})
    yield connection
    await connection.close()


async def _shop_with_a_proven_search(world: CreateRaceEnvironment) -> Shop:
    """Opens a shop in which a customer was created before. The next new person then costs one search before the create."""
    shop = await world.shop("shop-1")
    await shop.send(order("first@example.test", 9, woo_customer_id=90))
    await shop.processed(9)
    shop.till.sandbox.log.clear()
    return shop


async def _till_is_quiet(rows: asyncpg.Connection[asyncpg.Record]) -> None:
    await until(lambda: is_quiet(rows), lambda: lanes(rows))


MOMENTS = ("intent committed, nothing sent", "sent, stored after the kill", "stored, not answered", "answered, not committed")


@pytest.mark.parametrize("moment", MOMENTS)
async def test_process_killed_during_a_create_leaves_one_customer(
    idle_world: CreateRaceEnvironment, rows: asyncpg.Connection[asyncpg.Record], database: TestDatabase, directory: Path, moment: str
) -> None:
    """SIGKILL ends `tillsync serve`, and `tillsync worker` takes over its lane. The till has one customer in the end, and never two."""
    variables = process_environment(database.dsn, directory)
    with child(["serve"], variables, directory) as killed, child(["worker"], variables, directory) as successor:
        await killed.started()
        await successor.started()
        await suspend(successor.process.pid, rows)  # meanwhile the first process leases all lanes
        shop = await _shop_with_a_proven_search(idle_world)
        faults, sent = shop.till.sandbox.faults, shop.send(order(NOVA))
        match moment:
            case "intent committed, nothing sent":
                await asyncio.gather(sent, _killed_before_the_create(rows, shop, killed))
                assert shop.till.creates() == []
            case "sent, stored after the kill":
                held = faults.script(**POST, hang="before")
                await sent
                await held.arrived()
                await kill(killed)
                held.release()
            case "stored, not answered":
                held = faults.script(**POST, hang="after")
                await sent
                await shop.till.sandbox.wait_for(lambda: shop.till.holders(NOVA))
                await kill(killed)
                held.release()
            case _:
                held = faults.script(**POST, hang="after")
                await sent
                await shop.till.sandbox.wait_for(lambda: shop.till.holders(NOVA))
                async with caught_at_the_intent(rows, shop, NOVA):
                    held.release()
                    await until_blocked_session(rows)
                    await kill(killed)
        settles_at = await idle_world.intent_settles_at(shop, NOVA)
        assert settles_at is not None, "the process committed the intent before it sent the create"
        go_on(successor)
        answer = await shop.processed()
        [made] = shop.till.holders(NOVA)
        assert answer.epos_customer_id == made
        [create] = shop.till.creates()
        if moment == "intent committed, nothing sent":
            assert (answer.outcome, create.time >= settles_at) == (CREATED, True)
        else:
            assert answer.outcome == BY_EMAIL
        assert await successor.stop() == 0


async def _killed_before_the_create(rows: asyncpg.Connection[asyncpg.Record], shop: Shop, killed: Child) -> None:
    async with caught_before_the_create(rows, shop, NOVA):
        await kill(killed)


async def test_worker_suspended_between_intent_and_create_sends_nothing_after_its_lease(
    idle_world: CreateRaceEnvironment, rows: asyncpg.Connection[asyncpg.Record], database: TestDatabase, directory: Path
) -> None:
    variables = process_environment(database.dsn, directory)
    with child(["worker"], variables, directory) as stopped, child(["worker"], variables, directory) as successor:
        await stopped.started()
        await successor.started()
        await suspend(successor.process.pid, rows)
        shop = await _shop_with_a_proven_search(idle_world)
        sent = asyncio.create_task(shop.send(order(NOVA)))
        async with caught_before_the_create(rows, shop, NOVA):
            await suspend(stopped.process.pid, rows)
        await sent
        token = await lease_token(rows, shop)
        go_on(successor)
        await taken_over(rows, shop, token)
        assert shop.till.creates() == []
        answer = await shop.processed()
        assert (answer.outcome, [answer.epos_customer_id]) == (CREATED, shop.till.holders(NOVA))
        await _till_is_quiet(rows)
        before, asked_before = await everything(rows), len(shop.till.sandbox.log)

        go_on(stopped)
        await until_logged(stopped, "lease_lost")
        assert await stopped.stop() == 0, "the worker ends its run without a failure"
        assert len(shop.till.creates()) == 1
        assert len(shop.till.sandbox.log) == asked_before, "the worker sends no read either, because its reads were done"
        assert await everything(rows) == before
        assert await successor.stop() == 0


async def test_worker_suspended_during_shop_writes_does_not_overwrite_newer_values(
    idle_world: CreateRaceEnvironment, rows: asyncpg.Connection[asyncpg.Record], database: TestDatabase, directory: Path
) -> None:
    """One process has two accounts. It is suspended before the lease check of one, and after it sent the other's request."""
    variables = process_environment(database.dsn, directory)
    with child(["worker"], variables, directory) as stopped, child(["worker"], variables, directory) as successor:
        await stopped.started()
        await successor.started()
        await suspend(successor.process.pid, rows)
        before_it, after_it = [await _shop_with_points(idle_world, name, 10) for name in ("before-it", "after-it")]
        on_its_way = after_it.site.faults.script(method="POST", path="*/customers/batch", hang="before")
        await _change_points(after_it, 20)
        await on_its_way.arrived()
        reads = before_it.till.sandbox.faults.script(method="GET", path="/api/v2/customer/*", hang="after")
        await _change_points(before_it, 20)
        await reads.arrived()
        await suspend(stopped.process.pid, rows)
        reads.release()
        tokens = {shop.account_id: await lease_token(rows, shop) for shop in (before_it, after_it)}

        for shop in (before_it, after_it):  # the till has newer values now
            await _change_points(shop, 30)
        go_on(successor)
        for shop in (before_it, after_it):
            await taken_over(rows, shop, tokens[shop.account_id])
            await _until_shown(shop, "30")
        await _till_is_quiet(rows)
        before = await everything(rows)
        rows_before = {shop.account_id: shop.site.store.bridge_rows[12] for shop in (before_it, after_it)}
        sent_before = before_it.site.log.count(path="*/customers/batch")

        on_its_way.release()  # the shop now gets the older request
        [late] = await after_it.site.log.wait_for(1, ended=True, method="POST", contains='"points":"20"')
        assert late.status == 200, "the shop carried out the older request"
        go_on(stopped)
        await until_logged(stopped, "lease_lost")
        assert await stopped.stop() == 0
        assert before_it.site.log.count(path="*/customers/batch") == sent_before, "the worker sent nothing"
        for shop in (before_it, after_it):
            assert shop.site.store.bridge_rows[12] == rows_before[shop.account_id], "the newer values stay"
        assert await everything(rows) == before
        assert await successor.stop() == 0


async def _shop_with_points(world: CreateRaceEnvironment, name: str, points: int) -> Shop:
    shop = await world.shop(name)
    customer_id = shop.till.sandbox.add_customer(customer_id=555, email="ada@example.test", points=points)
    await world.client.links.create_link(name, customer_id, 12)
    await shop.site.wait_for(lambda: _shown_points(shop) == str(points))
    return shop


async def _change_points(shop: Shop, points: int) -> None:
    shop.till.sandbox.change_customer(555, points=points)
    await shop.client.sync.sync_customer(shop.account_id, 555, priority=vocabulary_pb2.PRIORITY_LIVE)


async def _until_shown(shop: Shop, points: str) -> None:
    await shop.site.wait_for(lambda: _shown_points(shop) == points)


def _shown_points(shop: Shop) -> str | None:
    row = shop.site.store.bridge_rows.get(12)
    return None if row is None else row.points
