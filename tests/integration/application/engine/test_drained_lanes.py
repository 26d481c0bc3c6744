"""The worker releases a drained lane at once. An entry costs one lease and one claim, and no hint is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from support.engine import UPDATED, EngineWorld, RecordingHandler, engine_world
from support.waiting import NEVER_SECONDS, hang_limit, until
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.worker import Worker
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.enums import Outcome, Priority
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimRequest, ClaimResult

pytestmark = pytest.mark.integration
PATIENT = EngineSettings(poll_floor_seconds=NEVER_SECONDS, stop_grace_seconds=NEVER_SECONDS)
"""Without polling. Only notifications make the worker look for work."""
GATED = 900


async def keep_lane_leased(world: EngineWorld, handler: RecordingHandler, account: str) -> None:
    """Runs an entry until its gate opens. The lane stays leased meanwhile."""
    handler.gate(GATED)
    await world.hint(account, GATED)
    await handler.wait_for(lambda: handler.count(GATED) == 1)


async def lease_holder(world: EngineWorld, account: str) -> tuple[str | None, int]:
    [row] = await world.fetch("SELECT lease_owner, lease_token FROM lane WHERE account_id = $1", account)
    return row["lease_owner"], row["lease_token"]


async def test_single_entries_cost_one_lease_and_one_claim_each(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add_accounts("shop-a")
    claims, claim = 0, world.lanes.claim

    async def counted(requests: Sequence[ClaimRequest]) -> list[ClaimResult]:
        nonlocal claims
        claims += 1
        return await claim(requests)

    monkeypatch.setattr(world.lanes, "claim", counted)
    handler = RecordingHandler()
    async with world.running(handler, PATIENT) as worker:
        for number in range(1, 21):
            await world.hint("shop-a", number, priority=Priority.LIVE if number % 2 else Priority.BULK)
            await world.until_idle()
        assert len(handler.runs) == 20
        assert worker.counters.leases == 20
        assert claims == 20
        assert (await lease_holder(world, "shop-a"))[0] is None


@pytest.mark.catches("leased-lanes-hear-of-new-work")
async def test_another_process_notifies_the_owner_of_a_lane(world: EngineWorld) -> None:
    """The other process has its own connection, so the owner learns of its hints by NOTIFY."""
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    async with world.running(handler, PATIENT) as worker, engine_world(world.database.dsn) as other:
        await keep_lane_leased(world, handler, "shop-a")
        await other.hint("shop-a", 2)
        await handler.wait_for(lambda: handler.count(2) == 1)
        await other.hint("shop-a", 3, priority=Priority.BULK)
        await handler.wait_for(lambda: handler.count(3) == 1)
        assert worker.counters.leases == 1
        handler.gate(GATED).set()


async def test_waiting_accounts_get_a_slot_in_order(world: EngineWorld) -> None:
    await world.add_accounts("busy", "first", "second")
    handler = RecordingHandler()
    async with world.running(handler, replace(PATIENT, lane_slots=1, live_reserved_slots=0)) as worker:
        await keep_lane_leased(world, handler, "busy")
        await world.hint("first", 101)
        await world.hint("second", 102)
        await until(lambda: worker.slots.lanes_wait, world.work)
        assert len(handler.runs) == 1
        handler.gate(GATED).set()
        await handler.wait_for(lambda: len(handler.runs) == 3)
        assert [entry.subject_id for entry in handler.runs[1:]] == [101, 102]


@pytest.mark.catches("stops-end-lanes")
async def test_stop_releases_lanes_after_their_runs(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    async with world.running(handler, PATIENT) as worker:
        await keep_lane_leased(world, handler, "shop-a")
        async with hang_limit("the stop", world.work), asyncio.TaskGroup() as stopping:
            stopping.create_task(worker.stop())
            await asyncio.sleep(0)
            await world.hint("shop-a", 1)
            handler.gate(GATED).set()
        assert handler.count(1) == 0
        assert not await world.fetch("SELECT 1 FROM lane WHERE lease_owner IS NOT NULL OR next_run_at > now()")


async def test_leased_lane_uses_a_new_configuration(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    async with world.running(handler, PATIENT) as worker:
        await keep_lane_leased(world, handler, "shop-a")
        await world.fetch("UPDATE lane SET config_version = config_version + 1 RETURNING 1")
        await world.hint("shop-a", 2)
        await handler.wait_for(lambda: handler.count(2) == 1)
        assert [entry.config_version for entry in handler.runs] == [1, 2]
        await world.until_finished("shop-a", 2)
        assert worker.counters.dropped == 0
        handler.gate(GATED).set()


@pytest.mark.catches("postponed-entries-wake-their-lane")
async def test_postponed_entry_runs_when_due_while_another_entry_runs(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler(
        lambda entry: UPDATED if entry.attempt_count or entry.subject_id == GATED else Verdict.retry(Outcome.WOO_NOT_UPDATED, "502")
    )
    async with world.running(handler, replace(PATIENT, retry=RetryPolicy(base_seconds=0.3))) as worker:
        await keep_lane_leased(world, handler, "shop-a")
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 2)
        await world.until_finished("shop-a", 1)
        assert worker.counters.leases == 1
        handler.gate(GATED).set()
    assert len(await world.finished("shop-a", 1)) == 1


@pytest.mark.catches("moved-entries-are-claimed-again")
async def test_hint_during_the_run_is_run_without_another_notification(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    gate = handler.gate(1)
    async with world.running(handler, PATIENT) as worker:
        await keep_lane_leased(world, handler, "shop-a")
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 1)
        await world.hint("shop-a", 1)
        gate.set()
        await handler.wait_for(lambda: handler.count(1) == 2)
        await world.until_finished("shop-a", 1)
        assert worker.counters.leases == 1
        handler.gate(GATED).set()
    assert handler.overlaps == 0
    assert len(await world.finished("shop-a", 1)) == 1


async def test_worker_that_lost_its_lane_runs_no_entry_of_it(world: EngineWorld) -> None:
    """The process stands still past its lease. A notification of new work arrives before the worker notices the loss."""
    await world.add_accounts("shop-a")
    paused_seconds = 0.0
    handler = RecordingHandler()
    worker = Worker(
        world.lanes,
        world.notifications,
        handler,
        world.no_accounts,
        PATIENT,
        database_gone=(),
        clock=lambda: time.monotonic() + paused_seconds,
    )
    worker.start()
    try:
        await keep_lane_leased(world, handler, "shop-a")
        paused_seconds = PATIENT.lease_seconds
        await world.fetch("UPDATE lane SET lease_expires_at = now() RETURNING 1")
        [successor] = (await world.lanes.lease("successor", limit=1, bulk_limit=1, probe_limit=1, lease_seconds=30)).leases
        await world.hint("shop-a", 2)
        handler.gate(GATED).set()
        await until(lambda: not worker.leased_accounts, world.work)
        assert handler.count(2) == 0
        assert await lease_holder(world, "shop-a") == ("successor", successor.token)
    finally:
        await worker.stop()
    assert await lease_holder(world, "shop-a") == ("successor", successor.token)


async def test_drained_lane_resets_its_lapses(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    await world.lanes.lease("vanished", limit=1, bulk_limit=1, probe_limit=1, lease_seconds=0.1)
    handler = RecordingHandler()
    async with world.running(handler, replace(PATIENT, poll_floor_seconds=0.2)):
        await handler.wait_for(lambda: handler.count(1) == 1)
        await world.until_idle()
    [lane] = await world.fetch("SELECT lapses FROM lane")
    assert lane["lapses"] == 0
