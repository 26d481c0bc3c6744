"""Faults of the database and of verdicts. The tasks of the worker go on, no lane hangs, and no entry repeats without end."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

import pytest
from support.engine import UPDATED, EngineWorld, NoAccounts, RecordingHandler, engine_world
from support.waiting import until
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE
from tillsync_server.adapters.postgres.engine.lane_store import PostgresLaneStore
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.worker import Worker
from tillsync_server.domain.enums import EntryState, Outcome, Priority
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease, LeaseResult

pytestmark = pytest.mark.integration
QUICK = EngineSettings(poll_floor_seconds=0.1)


class FailingStore(PostgresLaneStore):
    """``faults`` has, by the name of a method, the errors that its next calls raise."""

    def __init__(self, world: EngineWorld) -> None:
        super().__init__(world.database, world.notifications)
        self.faults: dict[str, list[Exception]] = {}
        self.calls: dict[str, int] = {}

    def _count_and_fail(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1
        if waiting := self.faults.get(name):
            raise waiting.pop(0)

    async def lease(self, owner: str, *, limit: int, bulk_limit: int, probe_limit: int, lease_seconds: float) -> LeaseResult:
        self._count_and_fail("lease")
        return await super().lease(owner, limit=limit, bulk_limit=bulk_limit, probe_limit=bulk_limit, lease_seconds=lease_seconds)

    async def renew(self, leases: Sequence[LaneLease], *, lease_seconds: float) -> list[bool | None]:
        self._count_and_fail("renew")
        return await super().renew(leases, lease_seconds=lease_seconds)

    async def charge_first(self, lease: LaneLease, entry: ClaimedEntry, *, delay_seconds: float) -> bool:
        self._count_and_fail("charge_first")
        return await super().charge_first(lease, entry, delay_seconds=delay_seconds)

    async def release(self, leases: Sequence[LaneLease], *, clean: Sequence[bool]) -> None:
        self._count_and_fail("release")
        await super().release(leases, clean=clean)

    async def repair_lost_wakeups(self) -> int:
        self._count_and_fail("repair_lost_wakeups")
        return await super().repair_lost_wakeups()


@asynccontextmanager
async def running(store: FailingStore, world: EngineWorld, handler: RecordingHandler, settings: EngineSettings) -> AsyncIterator[Worker]:
    worker = Worker(store, world.notifications, handler, NoAccounts(), settings, database_gone=DATABASE_GONE)
    worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


@asynccontextmanager
async def locked(world: EngineWorld, account: str) -> AsyncIterator[None]:
    """Another session locks the lane's row for a long time, as a process does that is stopped inside a transaction."""
    async with world.database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM lane WHERE account_id = $1 FOR UPDATE", account)
        yield


async def expiry(world: EngineWorld, account: str) -> datetime:
    [row] = await world.fetch("SELECT lease_expires_at FROM lane WHERE account_id = $1", account)
    assert isinstance(row["lease_expires_at"], datetime)
    return row["lease_expires_at"]


async def until_renewed(world: EngineWorld, account: str, since: datetime) -> None:
    async def is_renewed() -> bool:
        return await expiry(world, account) > since

    await until(is_renewed, world.work)


@pytest.mark.parametrize("task", ["lease", "renew", "repair_lost_wakeups"])
async def test_unexpected_error_ends_no_task_of_the_worker(world: EngineWorld, task: str) -> None:
    await world.add_accounts("shop-a")
    store, handler = FailingStore(world), RecordingHandler()
    store.faults[task] = [RuntimeError("a fault"), RuntimeError("another fault")]
    gate = handler.gate(1)
    async with running(store, world, handler, replace(QUICK, lease_seconds=6, sweep_seconds=0.05)):
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 1)
        await until(lambda: store.calls.get(task, 0) >= 3, lambda: store.calls)
        gate.set()
        await world.until_idle()
    assert handler.count(1) == 1


async def test_locked_lane_does_not_stop_the_renewal_of_other_leases(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    handler = RecordingHandler()
    gates = [handler.gate(1), handler.gate(2)]
    async with world.running(handler, replace(QUICK, lease_seconds=9)) as worker:
        await world.hint("shop-a", 1)
        await world.hint("shop-b", 2)
        await handler.wait_for(lambda: len(handler.runs) == 2)
        async with locked(world, "shop-a"):
            await until_renewed(world, "shop-b", await expiry(world, "shop-b"))
        await until_renewed(world, "shop-a", await expiry(world, "shop-a"))
        for gate in gates:
            gate.set()
        await world.until_idle()
        assert (worker.counters.leases, worker.counters.lost_leases) == (2, 0)


async def test_locked_lane_does_not_delay_completions_of_other_lanes(world: EngineWorld) -> None:
    """The completions wait for the lock once or twice. A wait for each entry would take more than twice the asserted time."""
    entries, lock_seconds = 60, 0.3
    async with engine_world(world.database.dsn, lock_timeout_seconds=lock_seconds) as impatient:
        await impatient.add_accounts("shop-a", "shop-b")
        handler = RecordingHandler()
        gates = [handler.gate(number) for number in range(1, entries + 2)]
        async with impatient.running(handler, QUICK):
            await impatient.hint_many("shop-a", range(1, entries + 1), Priority.LIVE)
            await impatient.hint("shop-b", entries + 1)
            await handler.wait_for(lambda: len(handler.runs) == entries + 1)
            async with locked(world, "shop-a"):
                began = time.monotonic()
                for gate in gates:
                    gate.set()
                await impatient.until_finished("shop-b", entries + 1)
                assert time.monotonic() - began < entries * lock_seconds / 2
            await impatient.until_idle()
    for subject in range(1, entries + 1):
        assert len(await world.finished("shop-a", subject)) == 1


async def test_failed_charge_does_not_hang_the_lane(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    store, handler = FailingStore(world), RecordingHandler()
    store.faults["charge_first"] = [OSError("the database is unavailable")]
    await world.fetch("UPDATE lane SET lapses = 2")
    async with running(store, world, handler, QUICK):
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 1)
        await world.until_idle()
    [row] = await world.finished("shop-a", 1)
    assert (row["state"], row["attempt_count"]) == (EntryState.PROCESSED, 1)


async def test_lane_whose_release_failed_is_free_after_its_lease(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    store, handler = FailingStore(world), RecordingHandler()
    store.faults["release"] = [RuntimeError("a fault")] * 2
    async with running(store, world, handler, replace(QUICK, lease_seconds=1)) as worker:
        await world.hint("shop-a", 1)
        await world.until_idle()
        assert worker.leased_accounts == []


async def test_verdict_that_the_database_refuses_is_charged_and_noted(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    unstorable = {1: Verdict.retry(Outcome.WOO_NOT_UPDATED, "refused field: \x00"), 2: Verdict.failed(Outcome.WOO_NOT_UPDATED, "\ud800")}
    handler = RecordingHandler(decide=lambda entry: unstorable.get(entry.subject_id, UPDATED))
    async with world.running(handler, QUICK):
        await world.hint_many("shop-a", [1, 2, 3])
        await world.until_idle()
    assert [handler.count(subject) for subject in (1, 2, 3)] == [1, 1, 1]
    for subject in unstorable:
        row = await world.live("shop-a", subject)
        assert row is not None
        assert (row["attempt_count"], row["notes"]) == (1, "the service itself failed on this entry; it is tried again")
    assert await world.finished("shop-a", 3)


async def test_completion_is_stored_after_a_lock_of_the_history(world: EngineWorld) -> None:
    """Creating and dropping partitions lock the parents of the history for a moment. The run is not repeated."""
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    gate = handler.gate(1)
    async with world.running(handler, QUICK):
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 1)
        async with world.database.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE entry_history IN ACCESS EXCLUSIVE MODE")
            gate.set()
            waiting = "SELECT query_start FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            [first] = await until(lambda: world.fetch(waiting), world.work)
            # The first statement ends at the lock timeout. Then the next statement waits.
            await until(lambda: world.fetch(f"{waiting} AND query_start > $1", first["query_start"]), world.work)
        await world.until_idle()
        assert len(await world.finished("shop-a", 1)) == 1
    assert handler.count(1) == 1
