"""A lane that is drained is given back at once: what that costs, and that nothing is lost on the way."""

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
"""Nothing happens by itself: no floor helps a notification that was not sent."""
GATED = 900


async def hold_the_lane(world: EngineWorld, handler: RecordingHandler, account: str) -> None:
    """One entry runs until its gate opens, so that the lane stays leased."""
    handler.gate(GATED)
    await world.hint(account, GATED)
    await handler.wait_for(lambda: handler.count(GATED) == 1)


async def lane_of(world: EngineWorld, account: str) -> tuple[str | None, int]:
    [row] = await world.fetch("SELECT lease_owner, lease_token FROM lane WHERE account_id = $1", account)
    return row["lease_owner"], row["lease_token"]


async def test_a_trickle_costs_one_lease_and_one_claim_an_entry(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
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
        assert (await lane_of(world, "shop-a"))[0] is None


@pytest.mark.catches("leased-lanes-hear-of-new-work")
async def test_another_process_tells_the_owner_of_a_lane_of_new_work(world: EngineWorld) -> None:
    """By NOTIFY: its hints are told on a connection of its own."""
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    async with world.running(handler, PATIENT) as worker, engine_world(world.database.dsn) as other:
        await hold_the_lane(world, handler, "shop-a")
        await other.hint("shop-a", 2)
        await handler.wait_for(lambda: handler.count(2) == 1)
        await other.hint("shop-a", 3, priority=Priority.BULK)
        await handler.wait_for(lambda: handler.count(3) == 1)
        assert worker.counters.leases == 1
        handler.gate(GATED).set()


async def test_accounts_that_wait_for_a_slot_get_it_in_order(world: EngineWorld) -> None:
    await world.add_accounts("busy", "first", "second")
    handler = RecordingHandler()
    async with world.running(handler, replace(PATIENT, lane_slots=1, live_reserved_slots=0)) as worker:
        await hold_the_lane(world, handler, "busy")
        await world.hint("first", 101)
        await world.hint("second", 102)
        await until(lambda: worker.slots.lanes_wait, world.work)
        assert len(handler.runs) == 1
        handler.gate(GATED).set()
        await handler.wait_for(lambda: len(handler.runs) == 3)
        assert [entry.subject_id for entry in handler.runs[1:]] == [101, 102]


@pytest.mark.catches("stops-end-lanes")
async def test_a_stop_gives_lanes_back_once_what_runs_has_ended(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    async with world.running(handler, PATIENT) as worker:
        await hold_the_lane(world, handler, "shop-a")
        async with hang_limit("the stop", world.work), asyncio.TaskGroup() as stopping:
            stopping.create_task(worker.stop())
            await asyncio.sleep(0)
            await world.hint("shop-a", 1)
            handler.gate(GATED).set()
        assert handler.count(1) == 0
        assert not await world.fetch("SELECT 1 FROM lane WHERE lease_owner IS NOT NULL OR next_run_at > now()")


async def test_a_leased_lane_sees_a_new_configuration(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    async with world.running(handler, PATIENT) as worker:
        await hold_the_lane(world, handler, "shop-a")
        await world.fetch("UPDATE lane SET config_version = config_version + 1 RETURNING 1")
        await world.hint("shop-a", 2)
        await handler.wait_for(lambda: handler.count(2) == 1)
        assert [entry.config_version for entry in handler.runs] == [1, 2]
        await world.until_finished("shop-a", 2)
        assert worker.counters.dropped == 0
        handler.gate(GATED).set()


@pytest.mark.catches("postponed-entries-wake-their-lane")
async def test_an_entry_put_off_is_run_when_it_is_due_although_its_lane_waits_for_another(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler(
        lambda entry: UPDATED if entry.attempt_count or entry.subject_id == GATED else Verdict.retry(Outcome.WOO_NOT_UPDATED, "502")
    )
    async with world.running(handler, replace(PATIENT, retry=RetryPolicy(base_seconds=0.3))) as worker:
        await hold_the_lane(world, handler, "shop-a")
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 2)
        await world.until_finished("shop-a", 1)
        assert worker.counters.leases == 1
        handler.gate(GATED).set()
    assert len(await world.finished("shop-a", 1)) == 1


@pytest.mark.catches("moved-entries-are-claimed-again")
async def test_a_hint_that_came_while_its_entry_ran_is_run_although_nobody_is_told_again(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    gate = handler.gate(1)
    async with world.running(handler, PATIENT) as worker:
        await hold_the_lane(world, handler, "shop-a")
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


async def test_a_lost_lane_runs_nothing_and_stays_with_its_new_owner(world: EngineWorld) -> None:
    """The process stood still past the lease. The notification of new work reaches it before it has found out."""
    await world.add_accounts("shop-a")
    slept = 0.0
    handler = RecordingHandler()
    worker = Worker(
        world.lanes, world.notifications, handler, world.no_accounts, PATIENT, database_gone=(), clock=lambda: time.monotonic() + slept
    )
    worker.start()
    try:
        await hold_the_lane(world, handler, "shop-a")
        slept = PATIENT.lease_seconds
        await world.fetch("UPDATE lane SET lease_expires_at = now() RETURNING 1")
        [successor] = (await world.lanes.lease("successor", limit=1, bulk_limit=1, probe_limit=1, lease_seconds=30)).leases
        await world.hint("shop-a", 2)
        handler.gate(GATED).set()
        await until(lambda: not worker.leased_accounts, world.work)
        assert handler.count(2) == 0
        assert await lane_of(world, "shop-a") == ("successor", successor.token)
    finally:
        await worker.stop()
    assert await lane_of(world, "shop-a") == ("successor", successor.token)


async def test_the_lapses_are_forgotten_once_the_lane_is_drained(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    await world.lanes.lease("vanished", limit=1, bulk_limit=1, probe_limit=1, lease_seconds=0.1)
    handler = RecordingHandler()
    async with world.running(handler, replace(PATIENT, poll_floor_seconds=0.2)):
        await handler.wait_for(lambda: handler.count(1) == 1)
        await world.until_idle()
    [lane] = await world.fetch("SELECT lapses FROM lane")
    assert lane["lapses"] == 0
