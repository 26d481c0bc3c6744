"""A lane with a long run, or with a constant stream of hints, still claims all due entries."""

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


async def start_long_run(world: EngineWorld, handler: RecordingHandler) -> None:
    await world.hint("shop-a", LONG)
    await handler.wait_for(lambda: handler.count(LONG) == 1)


async def test_postponed_entry_runs_when_due_during_a_long_run(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler(
        lambda entry: UPDATED if entry.attempt_count or entry.subject_id == LONG else Verdict.retry(Outcome.EPOS_FETCH_FAILED, "502")
    )
    gate = handler.gate(LONG)
    async with world.running(handler, EngineSettings(poll_floor_seconds=NEVER_SECONDS, retry=RetryPolicy(base_seconds=0.2))):
        await start_long_run(world, handler)
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 2)
        assert not gate.is_set()
        gate.set()
        await world.until_idle()


async def test_unannounced_hint_runs_within_the_polling_floor_during_a_long_run(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    gate = handler.gate(LONG)
    async with world.running(handler, EngineSettings(poll_floor_seconds=0.3)):
        await start_long_run(world, handler)
        no_notifications = FakeWakeUps()  # A process killed between commit and NOTIFY also sends none.
        await PostgresHintStore(world.database, no_notifications).enqueue([NewHint(SHOP, EntryKind.CUSTOMER, 1, Priority.LIVE)])
        await handler.wait_for(lambda: handler.count(1) == 1)
        gate.set()
        await world.until_idle()


async def test_late_commit_with_an_earlier_due_time_is_claimed_in_a_busy_lane(world: EngineWorld) -> None:
    """An enqueueing statement waits for a lane's lock. Its entries are due since its start, and later claims have passed that time."""
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    gate = handler.gate(LONG)
    async with world.running(handler, EngineSettings(claim_limit=2, poll_floor_seconds=0.3)):
        await start_long_run(world, handler)
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
            await asyncio.sleep(0.02)  # hints arrive faster than the polling floor
        assert handler.count(777) == 1
        gate.set()
        await world.until_idle()
