"""A lane whose entries run long, or that is never without work, still finds everything that is due."""

from __future__ import annotations

import asyncio

import pytest
from fakes.wakeups import FakeWakeUps
from support.engine import UPDATED, EngineWorld, RecordingHandler
from support.waiting import NEVER_SECONDS
from tillsync_server.adapters.postgres.engine.hints import PostgresHintStore, enqueue_in_transaction
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.enums import EntryKind, Outcome, Priority
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import NewHint

pytestmark = pytest.mark.integration
SHOP = AccountId("shop-a")
LONG = 999


async def long_one_runs(world: EngineWorld, handler: RecordingHandler) -> None:
    await world.hint("shop-a", LONG)
    await handler.wait_for(lambda: handler.count(LONG) == 1)


async def test_an_entry_put_off_runs_when_it_is_due_however_long_another_runs(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler(
        lambda entry: UPDATED if entry.attempt_count or entry.subject_id == LONG else Verdict.retry(Outcome.EPOS_FETCH_FAILED, "502")
    )
    gate = handler.gate(LONG)
    async with world.running(handler, EngineSettings(poll_floor_seconds=NEVER_SECONDS, retry=RetryPolicy(base_seconds=0.2))):
        await long_one_runs(world, handler)
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 2)
        assert not gate.is_set()
        gate.set()
        await world.until_idle()


async def test_work_that_nobody_was_told_of_costs_no_more_than_the_floor_however_long_another_runs(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    gate = handler.gate(LONG)
    async with world.running(handler, EngineSettings(poll_floor_seconds=0.3)):
        await long_one_runs(world, handler)
        told_nobody = FakeWakeUps()  # as a process that is killed between its commit and its NOTIFY
        await PostgresHintStore(world.database, told_nobody).enqueue([NewHint(SHOP, EntryKind.CUSTOMER, 1, Priority.LIVE)])
        await handler.wait_for(lambda: handler.count(1) == 1)
        gate.set()
        await world.until_idle()


async def test_what_is_committed_late_with_an_earlier_time_is_found_in_a_lane_that_is_never_without_work(world: EngineWorld) -> None:
    """A statement over many accounts waits for a lane's lock; its entries are due from when it began, and looks are past that."""
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    gate = handler.gate(LONG)
    async with world.running(handler, EngineSettings(claim_limit=2, poll_floor_seconds=0.3)):
        await long_one_runs(world, handler)
        async with world.database.acquire() as connection, connection.transaction():
            await connection.fetchval("SELECT now()")
            await world.hint_many("shop-a", [1, 2])
            await handler.wait_for(lambda: handler.count(2) == 1)
            await enqueue_in_transaction(connection, [NewHint(SHOP, EntryKind.CUSTOMER, 777, Priority.BULK)])
        world.notifications.live_work(SHOP)
        for number in range(100, 300):
            await world.hint("shop-a", number, priority=Priority.LIVE if number % 2 else Priority.BULK)
            if handler.count(777):
                break
            await asyncio.sleep(0.02)  # a trickle faster than the floor
        assert handler.count(777) == 1
        gate.set()
        await world.until_idle()
