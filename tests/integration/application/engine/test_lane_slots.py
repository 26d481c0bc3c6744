"""Slots and leases of a worker under concurrency. Limits hold, and a free slot starts the next lane at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.engine import EngineWorld, RecordingHandler
from support.waiting import NEVER_SECONDS, until, within
from tillsync_server.adapters.postgres.engine.hints import enqueue_in_transaction
from tillsync_server.application.engine import lane_statements
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.domain.enums import EntryKind, Outcome, Priority, ProblemReason, Side
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.verdict import AccountProblem, Verdict
from tillsync_server.ports.lanes import Completion, CompletionResult, LeaseResult, NewHint

pytestmark = pytest.mark.integration
PATIENT = EngineSettings(poll_floor_seconds=NEVER_SECONDS)
SHOP = AccountId("shop-a")


@pytest.mark.catches("bulk-work-takes-no-reserved-slot")
async def test_bulk_work_takes_no_slot_reserved_for_live_work(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b", "shop-c")
    handler = RecordingHandler()
    gate = handler.gate(7)
    async with world.running(handler, replace(PATIENT, lane_slots=3, live_reserved_slots=2)) as worker:
        await world.hint("shop-b", 7, priority=Priority.BULK)
        await handler.wait_for(lambda: handler.count(7) == 1)
        await world.hint("shop-c", 8, priority=Priority.BULK)
        await until(lambda: worker.slots.lanes_wait, world.work)
        await world.hint("shop-a", 2)
        await handler.wait_for(lambda: handler.count(2) == 1)
        assert handler.count(8) == 0
        gate.set()
        await handler.wait_for(lambda: handler.count(8) == 1)


@pytest.mark.catches("bulk-lanes-wait-for-the-database")
async def test_bulk_lanes_wait_for_a_slow_database_and_live_lanes_do_not(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    complete, may_store = world.lanes.complete, asyncio.Event()

    async def delayed_complete(completions: Sequence[Completion]) -> list[CompletionResult | Exception]:
        await may_store.wait()
        return await complete(completions)

    monkeypatch.setattr(world.lanes, "complete", delayed_complete)
    monkeypatch.setattr(lane_statements, "_WAITING_COMPLETIONS", 4)
    await world.add_accounts("shop-a", "shop-b", "shop-c")
    handler = RecordingHandler()

    async def run_bulk(subject: int) -> None:
        await world.hint("shop-b", subject, priority=Priority.BULK)
        await handler.wait_for(lambda: handler.count(subject) == 1)

    async with world.running(handler, PATIENT) as worker:
        for subject in range(11, 17):  # the statement of the first completion is running, and five completions wait
            await run_bulk(subject)
        await world.hint("shop-c", 7, priority=Priority.BULK)
        await until(lambda: worker.slots.lanes_wait or handler.count(7) > 0, world.work)
        await world.hint("shop-a", 2)
        await handler.wait_for(lambda: handler.count(2) == 1)
        bulk_runs = handler.count(7)
        may_store.set()
        await handler.wait_for(lambda: handler.count(7) == 1)
    assert bulk_runs == 0


@pytest.mark.catches("free-probe-slots-are-told")
async def test_free_probe_slot_starts_the_waiting_lane(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    lease, probe_slots_taken = world.lanes.lease, asyncio.Event()

    async def observed_lease(owner: str, *, probe_limit: int, **how: Any) -> LeaseResult:
        leased = await lease(owner, probe_limit=probe_limit, **how)
        if probe_limit == 0:
            probe_slots_taken.set()
        return leased

    monkeypatch.setattr(world.lanes, "lease", observed_lease)
    await world.add_accounts("shop-a", "shop-b")
    problem = AccountProblem(reason=ProblemReason.UNREACHABLE, side=Side.SHOP, text="not reached: DNS")
    handler = RecordingHandler(decide=lambda entry: Verdict.paused(Outcome.WOO_NOT_UPDATED, problem))
    gates = [handler.gate(1), handler.gate(2)]
    for account, subject in (("shop-a", 1), ("shop-b", 2)):
        await world.open_problem(account, Side.SHOP, probe_in=timedelta(0))
        await world.hint(account, subject)
    async with world.running(handler, replace(PATIENT, probe_slots=1)):
        await within(probe_slots_taken.wait())
        gates[handler.runs[0].subject_id - 1].set()
        await handler.wait_for(lambda: len({entry.subject_id for entry in handler.runs}) == 2)
        for gate in gates:
            gate.set()


async def test_lane_that_was_locked_during_the_lease_is_leased_after_the_lock(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The locking transaction sends no notification, because the lane was already awake."""
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    lease, is_armed, skipped = world.lanes.lease, False, False

    async def lease_beside_a_lock(owner: str, **how: Any) -> LeaseResult:
        nonlocal is_armed, skipped
        if not is_armed:
            return await lease(owner, **how)
        is_armed = False
        async with world.database.acquire() as connection, connection.transaction():
            await enqueue_in_transaction(connection, [NewHint(SHOP, EntryKind.CUSTOMER, 2, Priority.LIVE)])
            leased = await lease(owner, **how)
        skipped = not leased.leases
        return leased

    monkeypatch.setattr(world.lanes, "lease", lease_beside_a_lock)
    async with world.running(handler, PATIENT) as worker:
        await world.hint("shop-a", 1)
        await world.until_idle()
        await worker.stop()
    async with world.running(handler, PATIENT):
        await world.add_accounts("shop-b")
        await world.hint("shop-b", 3)
        await handler.wait_for(lambda: handler.count(3) == 1)
        is_armed = True
        await world.hint("shop-a", 4)
        await handler.wait_for(lambda: handler.count(4) == 1 and handler.count(2) == 1)
    assert skipped


async def test_lane_is_released_after_a_short_database_outage(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    release, failed = world.lanes.release, asyncio.Event()

    async def fails_once(leases: Any, **how: Any) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError("the database is unavailable")
        await release(leases, **how)

    monkeypatch.setattr(world.lanes, "release", fails_once)
    async with world.running(handler, replace(PATIENT, lease_seconds=600)):
        await world.hint("shop-a", 1)
        await failed.wait()
        await world.hint("shop-a", 2)
        await handler.wait_for(lambda: handler.count(2) == 1)


async def test_stop_releases_a_lane_whose_lease_is_still_unanswered(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    lease, was_leased = world.lanes.lease, asyncio.Event()

    async def slow_lease(owner: str, **how: Any) -> LeaseResult:
        leased = await lease(owner, **how)
        if leased.leases:
            was_leased.set()
            await asyncio.sleep(0.05)  # The stop begins before this answer. It waits for the answer without a limit.
        return leased

    monkeypatch.setattr(world.lanes, "lease", slow_lease)
    async with world.running(handler, PATIENT) as worker:
        await world.hint("shop-a", 1)
        await was_leased.wait()
        await worker.stop()
        assert not await world.fetch("SELECT 1 FROM lane WHERE lease_owner IS NOT NULL")
