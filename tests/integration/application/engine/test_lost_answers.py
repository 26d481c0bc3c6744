"""The answer to the commit of a hint or an order is lost. The lane that the commit leased runs before the lease ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from fakes.clock import FakeClock
from support.engine import EngineWorld, RecordingHandler, engine_world
from support.postgres import TestDatabase
from support.queues import order_facts, take_order
from support.relay import Relay, relay_to
from support.waiting import HANG_SECONDS, NEVER_SECONDS, until
from tillsync_server.adapters.postgres.connections import pool
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE
from tillsync_server.adapters.postgres.engine.hints import PostgresHintStore
from tillsync_server.adapters.postgres.orders.order_intake import PostgresOrderIntake
from tillsync_server.application.engine import worker as worker_module
from tillsync_server.application.engine.lost_answers import LostAnswers
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.worker import Worker
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import LaneLease

pytestmark = pytest.mark.integration
SETTINGS = EngineSettings(lease_seconds=NEVER_SECONDS, poll_floor_seconds=NEVER_SECONDS, stop_grace_seconds=NEVER_SECONDS)
"""Without polling, and without expired leases."""


@pytest.fixture(autouse=True)
def short_answer_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_ANSWER_SECONDS", 0.4)
    monkeypatch.setattr(pool, "_RELEASE_SECONDS", 0.4)
    monkeypatch.setattr(pool, "_RECENT_ANSWER_SECONDS", NEVER_SECONDS)  # Other connections still get answers, also those of the lanes.
    monkeypatch.setattr(worker_module, "_LOST_ANSWER_SECONDS", 0.1)


def _patient_world(dsn: str) -> AbstractAsyncContextManager[EngineWorld]:
    return engine_world(dsn, lock_timeout_seconds=HANG_SECONDS)


@asynccontextmanager
async def behind_relay(
    world: EngineWorld, database: TestDatabase, handler: RecordingHandler
) -> AsyncIterator[tuple[Relay, EngineWorld, Worker]]:
    """Runs a worker on ``world``. A second world stores hints and orders through a relay, and leases their lanes for this worker."""
    async with relay_to(database.dsn) as relay, _patient_world(relay.dsn) as cut_off, world.running(handler, SETTINGS) as worker:
        await until(lambda: worker.offer(1), world.work)
        cut_off.hints = PostgresHintStore(cut_off.database, cut_off.notifications, worker.offer)
        cut_off.orders = PostgresOrderIntake(cut_off.database, cut_off.notifications, worker.offer)
        yield relay, cut_off, worker


async def lease_holder(world: EngineWorld, account: str) -> tuple[str | None, int]:
    [row] = await world.fetch("SELECT lease_owner, lease_token FROM lane WHERE account_id = $1", account)
    return row["lease_owner"], row["lease_token"]


@pytest.mark.catches("lost-answers-are-told")
@pytest.mark.parametrize("work", ["hint", "order"])
async def test_lane_with_an_unanswered_lease_is_run(world: EngineWorld, database: TestDatabase, work: str) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    async with behind_relay(world, database, handler) as (relay, cut_off, worker):
        await take_order(cut_off, "shop-a", order_facts(1))
        await cut_off.hint("shop-a", 2)
        await handler.wait_for(lambda: len(handler.runs) == 2)
        await world.until_idle()
        _, token_before = await lease_holder(world, "shop-a")
        relay.cut_after(b"COMMIT" if work == "order" else b"shop-a")
        with pytest.raises(DATABASE_GONE):
            await (take_order(cut_off, "shop-a", order_facts(1042)) if work == "order" else cut_off.hint("shop-a", 1042))

        async def is_committed() -> bool:
            return (await lease_holder(world, "shop-a"))[1] > token_before

        await until(is_committed, world.work)
        await handler.wait_for(lambda: handler.count(1042) == 1)
        await world.until_finished("shop-a", 1042)
        assert worker.counters.lapsed_leases == 0
        assert worker.counters.lost_leases == 0


@pytest.mark.catches("lost-answers-free-no-other-lease")
async def test_lease_in_use_is_not_released(world: EngineWorld, database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    handler.gate(1)
    found: list[list[LaneLease]] = []
    leases_of = world.lanes.leases_of

    async def recorded_leases_of(owners: list[tuple[AccountId, str]]) -> list[LaneLease]:
        found.append(await leases_of(owners))
        return found[-1]

    monkeypatch.setattr(world.lanes, "leases_of", recorded_leases_of)
    async with behind_relay(world, database, handler) as (relay, cut_off, worker):
        await cut_off.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 1)
        lease_in_use = await lease_holder(world, "shop-a")
        relay.cut_after(b"shop-a")
        with pytest.raises(DATABASE_GONE):
            await cut_off.hint("shop-a", 2)
        await until(lambda: len(found) > 1, world.work)
        assert found[:2] == [[], []]
        assert await lease_holder(world, "shop-a") == lease_in_use
        handler.open_gates()
        await world.until_finished("shop-a", 1)
        assert worker.counters.lost_leases == 0


async def test_lane_of_a_commit_after_the_answer_limit_is_run(world: EngineWorld, database: TestDatabase) -> None:
    """Another session's lock of the lane delays the commit."""
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    async with behind_relay(world, database, handler) as (relay, cut_off, _):
        await cut_off.hint("shop-a", 1)
        await world.until_finished("shop-a", 1)
        await world.until_idle()
        async with world.database.acquire() as connection, connection.transaction():
            await connection.execute("SELECT FROM lane FOR UPDATE")
            relay.cut_after(b"shop-a")
            with pytest.raises(DATABASE_GONE):
                await cut_off.hint("shop-a", 2)
        await handler.wait_for(lambda: handler.count(2) == 1)


async def test_search_for_a_lost_commit_ends_after_the_lease_time(
    world: EngineWorld, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.add_accounts("shop-a")
    clock = FakeClock()
    answers = LostAnswers(world.lanes, lease_seconds=30.0, clock=clock)
    answers.note("owner:1", [AccountId("shop-a")])
    searches = 0
    leases_of = world.lanes.leases_of

    async def counted_leases_of(owners: list[tuple[AccountId, str]]) -> list[LaneLease]:
        nonlocal searches
        searches += 1
        return await leases_of(owners)

    monkeypatch.setattr(world.lanes, "leases_of", counted_leases_of)
    for seconds in (1.0, 28.0, 2.0, 1.0):
        clock.advance(seconds)
        await answers.release()
    assert searches == 3
