"""Enqueueing of hints on PostgreSQL: an accepted hint is committed, coalesces with a live entry, and always wakes its lane."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from support.engine import EngineWorld, RecordingHandler
from tillsync_server.application.concurrency.micro_batcher import MicroBatcher
from tillsync_server.application.engine.enqueuer import Enqueuer
from tillsync_server.domain.enums import EntryKind, Priority
from tillsync_server.domain.errors import NotFound, Unavailable
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import EnqueueResult, NewHint

pytestmark = [pytest.mark.integration, pytest.mark.every_version]


def hint(account: str, subject: int, priority: Priority = Priority.LIVE, *, force: bool = False) -> NewHint:
    return NewHint(AccountId(account), EntryKind.CUSTOMER, subject, priority, force)


@pytest.mark.catches("accepted-hints-are-committed")
async def test_accepted_hint_is_committed_before_its_answer(world: EngineWorld, database: object) -> None:
    await world.add_accounts("shop-a")
    result = await Enqueuer(world.hints).enqueue(hint("shop-a", 7))
    other_session = await asyncpg.connect(world.database.dsn)
    try:
        row = await other_session.fetchrow("SELECT * FROM tillsync.entry WHERE entry_id = $1", result.entry_id)
    finally:
        await other_session.close()
    assert row is not None
    assert (row["account_id"], row["subject_id"], row["state"], row["priority"]) == ("shop-a", 7, 1, 1)


async def test_hints_of_one_subject_coalesce_with_its_live_entry(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    first = await world.hint("shop-a", 7, priority=Priority.BULK)
    await world.fetch("UPDATE entry SET due_at = now() + interval '1 hour', attempt_count = 3 RETURNING 1")
    second = await world.hint("shop-a", 7, priority=Priority.LIVE)
    third = await world.hint("shop-a", 7, priority=Priority.BULK)
    assert [first.coalesced, second.coalesced, third.coalesced] == [False, True, True]
    assert first.entry_id == second.entry_id == third.entry_id
    row = await world.live("shop-a", 7)
    assert row is not None
    assert (row["entry_revision"], row["coalesced_count"], row["priority"], row["attempt_count"]) == (3, 2, 1, 0)
    assert row["due_at"] <= row["update_time"]


async def test_hint_makes_no_entry_due_before_its_retry_after(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 7)
    await world.fetch("UPDATE entry SET due_at = now() + interval '1 hour', not_before = now() + interval '50 minutes' RETURNING 1")
    await world.hint("shop-a", 7)
    row = await world.live("shop-a", 7)
    assert row is not None
    assert row["due_at"] == row["not_before"]


async def test_hints_of_one_subject_in_one_batch_become_one_entry(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    results = await world.hints.enqueue(
        [hint("shop-a", 7, Priority.BULK), hint("shop-b", 7), hint("shop-a", 7, force=True), hint("shop-a", 7)]
    )
    assert all(isinstance(result, EnqueueResult) for result in results)
    ids = [result.entry_id for result in results if isinstance(result, EnqueueResult)]
    assert ids[0] == ids[2] == ids[3] != ids[1]
    row = await world.live("shop-a", 7)
    assert row is not None
    assert (row["coalesced_count"], row["force"], row["priority"]) == (2, True, 1)


async def test_unknown_account_fails_only_its_own_hint(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    stored, refused = await world.hints.enqueue([hint("shop-a", 1), hint("unknown", 1)])
    assert isinstance(stored, EnqueueResult)
    assert isinstance(refused, NotFound)
    assert "unknown" in refused.message


@pytest.mark.catches("locked-lanes-delay-no-other-account")
async def test_locked_lane_delays_no_other_account(world: EngineWorld) -> None:
    await world.add_accounts("busy", "free")
    locking_session = await asyncpg.connect(world.database.dsn)
    try:
        async with locking_session.transaction():
            await locking_session.execute("SELECT 1 FROM tillsync.lane WHERE account_id = 'busy' FOR UPDATE")
            busy, free = await world.hints.enqueue([hint("busy", 1), hint("free", 1)])
    finally:
        await locking_session.close()
    assert isinstance(busy, Unavailable)
    assert isinstance(free, EnqueueResult)
    assert await world.live("busy", 1) is None


async def test_each_concurrent_caller_gets_its_own_result(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    enqueuer = Enqueuer(world.hints)
    results = await asyncio.gather(*(enqueuer.enqueue(hint("shop-a", subject)) for subject in range(1, 301)))
    rows = await world.fetch("SELECT entry_id, subject_id FROM entry")
    by_subject = {row["subject_id"]: row["entry_id"] for row in rows}
    assert [by_subject[subject] for subject in range(1, 301)] == [result.entry_id for result in results]


@pytest.mark.catches("wake-ups-use-the-locked-lane")
async def test_wake_up_that_races_with_a_release_is_kept(world: EngineWorld, patient: EngineWorld) -> None:
    """The enqueueing statement waits for the lane lock of a release. It must decide by the row that the lock returns."""
    await world.add_accounts("shop-a")
    for round_number in range(1, 6):
        await world.hint("shop-a", round_number)
        [lease] = (await world.lanes.lease("owner", limit=1, bulk_limit=1, probe_limit=1, lease_seconds=30)).leases
        await world.fetch("DELETE FROM entry RETURNING 1")
        locking_session = await asyncpg.connect(world.database.dsn, server_settings={"search_path": "tillsync"})
        async with locking_session.transaction():
            # These statements are those of a slow release, which has locked the lane and found no due entry.
            await locking_session.execute("SELECT 1 FROM lane WHERE account_id = 'shop-a' FOR UPDATE")
            enqueued = asyncio.create_task(patient.hint("shop-a", 1000 + round_number))
            await world.until_lock_wait()
            await locking_session.execute(
                "UPDATE lane SET lease_owner = NULL, lease_expires_at = NULL, next_run_at = 'infinity', next_live_at = 'infinity'"
            )
        await locking_session.close()
        await enqueued
        [lane] = await world.fetch("SELECT next_run_at <= now() AS ready FROM lane")
        assert lane["ready"], f"round {round_number}: the lane of the new entry stays asleep (lease {lease.token})"
        await world.fetch("DELETE FROM entry RETURNING 1")
        await world.fetch("UPDATE lane SET next_run_at = 'infinity', next_live_at = 'infinity' RETURNING 1")


async def test_hints_that_race_with_workers_are_all_run(world: EngineWorld) -> None:
    """Two workers run 2,000 hints of 20 accounts. The sweep for lost wake-ups finds none."""
    accounts = [f"shop-{number}" for number in range(20)]
    await world.add_accounts(*accounts)
    handler = RecordingHandler()
    enqueuer = Enqueuer(world.hints)
    async with world.running(handler) as first, world.running(handler) as second:
        await asyncio.gather(*(enqueuer.enqueue(hint(accounts[number % 20], number + 1)) for number in range(2000)))
        await world.until_idle()
        assert await world.lanes.repair_lost_wakeups() == 0
        assert first.counters.lost_wakeups == second.counters.lost_wakeups == 0
    assert not await world.fetch("SELECT 1 FROM entry LIMIT 1")
    assert {entry.subject_id for entry in handler.runs} == set(range(1, 2001))


async def test_bad_item_fails_alone_in_a_flush() -> None:
    async def flush(items: object) -> list[int | Exception]:
        assert isinstance(items, list)
        if 13 in items:
            raise ValueError("bad row")
        return list(items)

    batcher: MicroBatcher[int, int] = MicroBatcher(flush, name="test")
    results = await asyncio.gather(*(batcher.submit(number) for number in range(20)), return_exceptions=True)
    assert [result for result in results if isinstance(result, int)] == [number for number in range(20) if number != 13]
    assert isinstance(results[13], ValueError)
    await batcher.close()
