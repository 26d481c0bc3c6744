"""A drained lane that stays leased for a moment: what it saves, and that it neither holds anybody up nor loses anything."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from support.engine import UPDATED, EngineWorld, RecordingHandler, engine_world
from support.waiting import NEVER_SECONDS, hang_limit, until
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.worker import Worker
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.verdict import Verdict
from tillsync_server.domain.vocabulary import Outcome, Priority
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest

pytestmark = pytest.mark.integration
PATIENT = EngineSettings(poll_floor_seconds=NEVER_SECONDS, idle_lane_seconds=NEVER_SECONDS, stop_grace_seconds=NEVER_SECONDS)
"""Nothing happens by itself: neither the floor nor the end of an idle time helps a word that was not told."""


@asynccontextmanager
async def running(world: EngineWorld, handler: RecordingHandler, settings: EngineSettings = PATIENT) -> AsyncIterator[Worker]:
    async with world.running(handler, settings) as worker:
        yield worker


async def until_idle_leased(world: EngineWorld, worker: Worker, *accounts: str) -> None:
    """These lanes have nothing left to do, and this worker keeps them."""
    due = "SELECT 1 FROM entry WHERE state = 1 AND due_at <= now()"

    async def is_idle_leased() -> bool:
        return not await world.fetch(due) and sorted(worker.leased_accounts) == sorted(accounts) and worker.idle_lanes == len(accounts)

    async def stands() -> str:
        return f"leased: {worker.leased_accounts}, of them idle: {worker.idle_lanes}\n{await world.work()}"

    await until(is_idle_leased, stands)


async def lane_of(world: EngineWorld, account: str) -> tuple[str | None, int]:
    [row] = await world.fetch("SELECT lease_owner, lease_token FROM lane WHERE account_id = $1", account)
    return row["lease_owner"], row["lease_token"]


async def test_a_trickle_costs_one_lease_and_one_claim_an_entry(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add_accounts("shop-a")
    claims, claim = 0, world.lanes.claim

    async def counted(requests: Sequence[ClaimRequest]) -> list[list[ClaimedEntry]]:
        nonlocal claims
        claims += 1
        return await claim(requests)

    monkeypatch.setattr(world.lanes, "claim", counted)
    handler = RecordingHandler()
    async with running(world, handler) as worker:
        for number in range(1, 21):
            await world.hint("shop-a", number, priority=Priority.LIVE if number % 2 else Priority.BULK)
            await until_idle_leased(world, worker, "shop-a")
        assert len(handler.runs) == 20
        assert worker.counters.leases == 1
        assert claims == 20
        assert (await lane_of(world, "shop-a"))[0] == worker.owner


async def test_an_idle_lane_is_released_when_its_time_is_over(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    async with running(world, handler, replace(PATIENT, idle_lane_seconds=0.2)):
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 1)
        await world.until_idle()
        assert (await lane_of(world, "shop-a"))[0] is None


@pytest.mark.catches("idle-lanes-hear-of-new-work")
async def test_another_process_wakes_an_idle_lane(world: EngineWorld) -> None:
    """By NOTIFY: its hints are told on a connection of its own."""
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    async with running(world, handler) as worker, engine_world(world.database.dsn) as other:
        await world.hint("shop-a", 1)
        await until_idle_leased(world, worker, "shop-a")
        await other.hint("shop-a", 2)
        await handler.wait_for(lambda: handler.count(2) == 1)
        await other.hint("shop-a", 3, priority=Priority.BULK)
        await handler.wait_for(lambda: handler.count(3) == 1)
        assert worker.counters.leases == 1


async def test_idle_lanes_leave_the_slots_to_waiting_accounts(world: EngineWorld) -> None:
    accounts = [f"shop-{number}" for number in range(5)]
    await world.add_accounts(*accounts)
    handler = RecordingHandler()
    async with running(world, handler, replace(PATIENT, lane_slots=1, live_reserved_slots=0)) as worker:
        for number, account in enumerate(accounts, start=1):
            await world.hint(account, number)
            await until_idle_leased(world, worker, *accounts[:number])
        gate = handler.gate(100)
        await world.hint("shop-0", 100)
        await handler.wait_for(lambda: handler.count(100) == 1)
        await world.hint("shop-1", 101)  # the one slot is taken: it waits for it, though its lane is leased
        await world.hint("shop-2", 102)
        assert len(handler.runs) == 6
        gate.set()
        await handler.wait_for(lambda: len(handler.runs) == 8)
        assert [entry.subject_id for entry in handler.runs[6:]] == [101, 102]


@pytest.mark.catches("idle-lanes-take-no-reserved-slot")
async def test_an_idle_lane_with_new_work_does_not_pass_accounts_that_wait(world: EngineWorld) -> None:
    await world.add_accounts("idle", "busy", "waiting")
    handler = RecordingHandler()
    async with running(world, handler, replace(PATIENT, lane_slots=1, live_reserved_slots=0)) as worker:
        await world.hint("idle", 1)
        await until_idle_leased(world, worker, "idle")
        gate = handler.gate(2)
        await world.hint("busy", 2)
        await handler.wait_for(lambda: handler.count(2) == 1)
        await world.hint("waiting", 3)
        await until(lambda: worker.slots_missing, world.work)
        await world.hint("idle", 4)

        async def is_given_back() -> bool:
            return (await lane_of(world, "idle"))[0] is None

        await until(is_given_back, world.work)  # it stands in line like everybody
        gate.set()
        await handler.wait_for(lambda: handler.count(3) == 1 and handler.count(4) == 1)
        assert [entry.subject_id for entry in handler.runs[2:]] == [3, 4]


@pytest.mark.catches("stops-release-idle-lanes")
async def test_a_stop_gives_idle_lanes_back_at_once(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    handler = RecordingHandler()
    async with running(world, handler) as worker:
        await world.hint("shop-a", 1)
        await world.hint("shop-b", 2)
        await until_idle_leased(world, worker, "shop-a", "shop-b")
        async with hang_limit("the stop", world.work):  # far less than the idle time
            await worker.stop()
        assert not await world.fetch("SELECT 1 FROM lane WHERE lease_owner IS NOT NULL OR next_run_at < 'infinity'")


async def test_an_idle_lane_sees_a_new_configuration(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    async with running(world, handler) as worker:
        await world.hint("shop-a", 1)
        await until_idle_leased(world, worker, "shop-a")
        await world.fetch("UPDATE lane SET config_version = config_version + 1 RETURNING 1")
        await world.hint("shop-a", 2)
        await until_idle_leased(world, worker, "shop-a")
        assert [entry.config_version for entry in handler.runs] == [1, 2]
        assert worker.counters.dropped == 0


@pytest.mark.catches("postponed-entries-wake-idle-lanes")
async def test_an_entry_put_off_is_run_when_it_is_due_although_its_lane_is_idle(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler(lambda entry: UPDATED if entry.attempt_count else Verdict.retry(Outcome.WOO_NOT_UPDATED, "502"))
    async with running(world, handler, replace(PATIENT, retry=RetryPolicy(base_seconds=0.3))) as worker:
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 2)
        await until_idle_leased(world, worker, "shop-a")
        assert worker.counters.leases == 1
    assert len(await world.finished("shop-a", 1)) == 1


@pytest.mark.catches("moved-entries-are-claimed-again")
async def test_a_hint_that_came_while_its_entry_ran_is_run_although_nobody_is_told_again(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    gate = handler.gate(1)
    async with running(world, handler) as worker:
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 1)
        await world.hint("shop-a", 1)
        gate.set()
        await handler.wait_for(lambda: handler.count(1) == 2)
        await until_idle_leased(world, worker, "shop-a")
    assert handler.overlaps == 0
    assert len(await world.finished("shop-a", 1)) == 1


async def test_a_lane_lost_while_idle_runs_nothing_and_stays_with_its_new_owner(world: EngineWorld) -> None:
    """The process stood still past the lease. The word of new work reaches it before it has found out."""
    await world.add_accounts("shop-a")
    slept = 0.0
    handler = RecordingHandler()
    worker = Worker(
        world.lanes, world.notifications, handler, world.no_accounts, PATIENT, database_gone=(), clock=lambda: time.monotonic() + slept
    )
    worker.start()
    try:
        await world.hint("shop-a", 1)
        await until_idle_leased(world, worker, "shop-a")
        slept = PATIENT.lease_seconds
        await world.fetch("UPDATE lane SET lease_expires_at = now() RETURNING 1")
        [successor] = await world.lanes.lease("successor", limit=1, bulk_limit=1, lease_seconds=30)
        await world.hint("shop-a", 2)
        await until(lambda: not worker.leased_accounts, world.work)
        assert handler.count(2) == 0
        assert await lane_of(world, "shop-a") == ("successor", successor.token)
    finally:
        await worker.stop()
    assert await lane_of(world, "shop-a") == ("successor", successor.token)


async def test_after_a_lapse_a_lane_is_released_when_it_is_drained(world: EngineWorld) -> None:
    """The lapses are forgotten by the release; an idle time would keep them for no reason."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    await world.lanes.lease("vanished", limit=1, bulk_limit=1, lease_seconds=0.1)
    handler = RecordingHandler()
    async with running(world, handler, replace(PATIENT, poll_floor_seconds=0.2)):
        await handler.wait_for(lambda: handler.count(1) == 1)
        await world.until_idle()
    [lane] = await world.fetch("SELECT lapses FROM lane")
    assert lane["lapses"] == 0
