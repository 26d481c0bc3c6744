"""Slots and leases at awkward moments: none is overrun, and no lane waits for a lease that nobody needs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from support.engine import EngineWorld, RecordingHandler
from support.waiting import NEVER_SECONDS, until
from tillsync_server.adapters.postgres.hints import enqueue_in_transaction
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.worker import Worker
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.vocabulary import EntryKind, Priority
from tillsync_server.ports.lanes import LaneLease, NewHint

pytestmark = pytest.mark.integration
PATIENT = EngineSettings(poll_floor_seconds=NEVER_SECONDS, idle_lane_seconds=NEVER_SECONDS)
SHOP = AccountId("shop-a")


async def until_idle_leased(worker: Worker, *accounts: str) -> None:
    await until(
        lambda: sorted(worker.leased_accounts) == sorted(accounts) and worker.idle_lanes == len(accounts),
        lambda: f"leased: {worker.leased_accounts}, of them idle: {worker.idle_lanes}",
    )


async def test_idle_lanes_do_not_take_the_slots_that_lanes_are_being_leased_for(
    world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = [f"old-{number}" for number in range(3)], [f"new-{number}" for number in range(3)]
    await world.add_accounts(*old, *new, "late")
    handler = RecordingHandler()
    lease, may_answer, was_leased = world.lanes.lease, asyncio.Event(), asyncio.Event()
    may_answer.set()

    async def slow(owner: str, **how: Any) -> list[LaneLease]:
        leased = await lease(owner, **how)
        if leased and not may_answer.is_set():
            was_leased.set()
            await may_answer.wait()
        return leased

    monkeypatch.setattr(world.lanes, "lease", slow)
    async with world.running(handler, replace(PATIENT, lane_slots=4, live_reserved_slots=1)) as worker:
        for number, account in enumerate(old, start=1):
            await world.hint(account, number)
            await until_idle_leased(worker, *old[:number])
        for subject in range(100, 106):
            handler.gate(subject)
        may_answer.clear()
        await world.hints.enqueue([bulk(account, 100 + number) for number, account in enumerate(new)])
        await was_leased.wait()
        await world.hints.enqueue([bulk(account, 103 + number) for number, account in enumerate(old)])
        may_answer.set()
        await handler.wait_for(lambda: sum(handler.count(subject) for subject in range(100, 106)) == 3)
        await world.hint("late", 500)
        await handler.wait_for(lambda: handler.count(500) == 1)  # the slot that is kept for live work was kept
        assert sum(handler.count(subject) for subject in range(100, 106)) == 3
        for gate in handler.gates.values():
            gate.set()
        await handler.wait_for(lambda: sum(handler.count(subject) for subject in range(100, 106)) == 6)


def bulk(account: str, subject: int) -> NewHint:
    return NewHint(AccountId(account), EntryKind.CUSTOMER, subject, Priority.BULK)


async def test_live_work_of_an_idle_lane_gets_a_slot_that_is_kept_for_live_work(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    handler = RecordingHandler()
    gate = handler.gate(7)
    async with world.running(handler, replace(PATIENT, lane_slots=3, live_reserved_slots=2)) as worker:
        await world.hint("shop-a", 1)
        await until_idle_leased(worker, "shop-a")
        await world.hint("shop-b", 7, priority=Priority.BULK)
        await handler.wait_for(lambda: handler.count(7) == 1)
        await world.hint("shop-a", 2)
        await handler.wait_for(lambda: handler.count(2) == 1)
        gate.set()


async def test_a_lane_that_was_locked_when_it_was_to_be_leased_is_leased_as_soon_as_it_is_free(
    world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who had it locked tells nobody: the lane was awake already."""
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    lease, is_armed, skipped = world.lanes.lease, False, False

    async def beside_another(owner: str, **how: Any) -> list[LaneLease]:
        nonlocal is_armed, skipped
        if not is_armed:
            return await lease(owner, **how)
        is_armed = False
        async with world.database.acquire() as connection, connection.transaction():
            await enqueue_in_transaction(connection, [NewHint(SHOP, EntryKind.CUSTOMER, 2, Priority.LIVE)])
            leased = await lease(owner, **how)
        skipped = not leased
        return leased

    monkeypatch.setattr(world.lanes, "lease", beside_another)
    async with world.running(handler, PATIENT) as worker:
        await world.hint("shop-a", 1)
        await until_idle_leased(worker, "shop-a")
        await worker.stop()
    async with world.running(handler, PATIENT):
        await world.add_accounts("shop-b")
        await world.hint("shop-b", 3)
        await handler.wait_for(lambda: handler.count(3) == 1)
        is_armed = True
        await world.hint("shop-a", 4)
        await handler.wait_for(lambda: handler.count(4) == 1 and handler.count(2) == 1)
    assert skipped


async def test_a_lane_is_given_back_although_the_database_was_away_for_a_moment(
    world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    release, failed = world.lanes.release, asyncio.Event()

    async def fails_once(leases: Any, **how: Any) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError("the database is away")
        await release(leases, **how)

    monkeypatch.setattr(world.lanes, "release", fails_once)
    async with world.running(handler, replace(PATIENT, idle_lane_seconds=0, lease_seconds=600)):
        await world.hint("shop-a", 1)
        await failed.wait()
        await world.hint("shop-a", 2)
        await handler.wait_for(lambda: handler.count(2) == 1)


async def test_a_stop_gives_back_what_is_leased_at_that_very_moment(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    lease, was_leased = world.lanes.lease, asyncio.Event()

    async def slow(owner: str, **how: Any) -> list[LaneLease]:
        leased = await lease(owner, **how)
        if leased:
            was_leased.set()
            await asyncio.sleep(0.05)  # its answer is on its way while the stop begins; the stop waits for it however long it takes
        return leased

    monkeypatch.setattr(world.lanes, "lease", slow)
    async with world.running(handler, PATIENT) as worker:
        await world.hint("shop-a", 1)
        await was_leased.wait()
        await worker.stop()
        assert not await world.fetch("SELECT 1 FROM lane WHERE lease_owner IS NOT NULL")
