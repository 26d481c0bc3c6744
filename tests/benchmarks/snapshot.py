"""Row `snapshot`: p99 of claims while another session holds a snapshot for ten minutes (a backup, a report), divided by p99 without it.

The row compresses the ten minutes. It enqueues and completes the entries of ten minutes at full speed, a few of each account at a time, so
that each entry needs its own lease and release. Then the load continues at the row's rate. The first part, longer than bounds lag behind,
is not measured. The run without the snapshot uses a separate database.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg
from benchmarks import ours
from benchmarks.bench import Bench, our_connection
from benchmarks.fill import add_accounts
from benchmarks.report import Figure, Goal, of_runs
from tillsync_server.adapters.postgres.connections.notifications import PostgresNotifications
from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.engine.hints import PostgresHintStore
from tillsync_server.adapters.postgres.engine.lane_store import PostgresLaneStore
from tillsync_server.application.engine.enqueuer import Enqueuer
from tillsync_server.domain.enums import EntryKind, Priority
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import (
    ClaimRequest,
    ClaimResult,
    Completion,
    CompletionResult,
    EnqueueResult,
    LaneLease,
    LeaseResult,
    NewHint,
)

_GOAL = Goal(must=5, aim=2, unit="×", lower_is_better=True)
_ACCOUNTS = (100, 4)
_HELD_SECONDS = 600
_AT_ONCE = 64
_UNMEASURED_SECONDS = 15.0
_MEASURED_SECONDS = 15.0
_LONGEST_SECONDS = 60.0
_STATEMENTS = ("claim", "lease", "release", "complete", "enqueue")

_Times = dict[str, list[float]]
Result = TypeVar("Result")


class _Timed:
    """Records the time of each statement, including the wait for a connection."""

    def __init__(self) -> None:
        self.times: _Times = defaultdict(list)

    async def __call__(self, name: str, statement: Awaitable[Result]) -> Result:
        began = time.perf_counter()
        try:
            return await statement
        finally:
            self.times[name].append(time.perf_counter() - began)


async def snapshot(bench: Bench) -> list[Figure]:
    return [await _row(bench, accounts) for accounts in _ACCOUNTS]


async def _row(bench: Bench, accounts: int) -> Figure:
    rate = bench.plan.snapshot_per_second
    template = await bench.make_ours("snapshot_empty")
    connection = await our_connection(template)
    await add_accounts(connection, accounts)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    ratios, held, free = [], [], []
    for number in range(bench.plan.rounds):
        async with bench.database("snapshot_empty") as dsn:
            free.append(_percentiles(await _load(dsn, accounts, rate)))
        async with bench.database("snapshot_empty") as dsn:
            holder = await asyncpg.connect(dsn)
            await holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            await holder.fetchval("SELECT count(*) FROM tillsync.entry")
            held.append(_percentiles(await _load(dsn, accounts, rate)))
            await holder.close()
        ratios.append(held[-1]["claim"][1] / free[-1]["claim"][1])
        bench.show_progress(f"snapshot, {accounts} accounts, round {number + 1}: without {_shown(free[-1])}")
        bench.show_progress(f"snapshot, {accounts} accounts, round {number + 1}: with    {_shown(held[-1])}")
    await bench.drop_database("snapshot_empty")
    middle = sorted(range(len(ratios)), key=lambda number: ratios[number])[len(ratios) // 2]
    what = f"claim p99 with a snapshot open for {rate * _HELD_SECONDS:,} completions of {accounts} accounts / without"
    detail = f"p50/p99 ms {_shown(held[middle])}; without {_shown(free[middle])}"
    return of_runs(f"snapshot-{accounts}", what, _GOAL, ratios, detail, with_snapshot_ms=held, without_ms=free)


async def _load(dsn: str, accounts: int, rate: int) -> _Times:
    """Returns the seconds of the statements at the rate, after ten minutes' completions."""
    timed = _Timed()
    ended: dict[int, asyncio.Event] = {}

    class Store(PostgresLaneStore):
        async def lease(self, owner: str, *, limit: int, bulk_limit: int, probe_limit: int, lease_seconds: float) -> LeaseResult:
            statement = super().lease(owner, limit=limit, bulk_limit=bulk_limit, probe_limit=probe_limit, lease_seconds=lease_seconds)
            return await timed("lease", statement)

        async def claim(self, requests: Sequence[ClaimRequest]) -> list[ClaimResult]:
            return await timed("claim", super().claim(requests))

        async def complete(self, completions: Sequence[Completion]) -> list[CompletionResult | Exception]:
            written = await timed("complete", super().complete(completions))
            for completion, each in zip(completions, written, strict=True):
                if each is CompletionResult.DONE:
                    ended.pop(completion.entry.subject_id).set()
            return written

        async def release(self, leases: Sequence[LaneLease], *, clean: Sequence[bool]) -> None:
            await timed("release", super().release(leases, clean=clean))

    class Hints(PostgresHintStore):
        async def enqueue(self, hints: Sequence[NewHint]) -> list[EnqueueResult | Exception]:
            return await timed("enqueue", super().enqueue(hints))

    async with ours.running_worker(dsn, Store, ours.UpdatedHandler):
        database = Database(dsn)
        notifications = PostgresNotifications(database)
        notifications.start()
        enqueuer = Enqueuer(Hints(database, notifications))

        async def one(number: int) -> None:
            done = ended[number] = asyncio.Event()
            await enqueuer.enqueue(NewHint(AccountId(f"shop-{number % accounts + 1}"), EntryKind.CUSTOMER, number, Priority.LIVE))
            await done.wait()

        try:
            filled = rate * _HELD_SECONDS
            await _at_full_speed(one, filled, max(accounts, _AT_ONCE))
            await _at_rate(one, filled, rate, _UNMEASURED_SECONDS)
            timed.times.clear()
            await _at_rate(one, 2 * filled, rate, _MEASURED_SECONDS)
            return dict(timed.times)
        finally:
            await enqueuer.close()
            await notifications.stop()
            await database.close()


async def _at_full_speed(one: Callable[[int], Awaitable[None]], count: int, at_once: int) -> None:
    """Runs ``at_once`` callers. Each has one entry in flight."""

    async def caller(first: int) -> None:
        for number in range(first, count + 1, at_once):
            await one(number)

    async with asyncio.TaskGroup() as callers:
        for first in range(1, at_once + 1):
            callers.create_task(caller(first))


async def _at_rate(one: Callable[[int], Awaitable[None]], after: int, rate: int, seconds: float) -> None:
    began = time.monotonic()
    async with asyncio.timeout(seconds + _LONGEST_SECONDS), asyncio.TaskGroup() as calls:
        for number in range(1, int(rate * seconds) + 1):
            await asyncio.sleep(began + number / rate - time.monotonic())
            calls.create_task(_call(one, after + number))


async def _call(one: Callable[[int], Awaitable[None]], number: int) -> None:
    await one(number)


def _percentiles(times: _Times) -> dict[str, tuple[float, float]]:
    """Returns p50 and p99 in milliseconds, by statement."""
    return {name: (_at(times[name], 0.5), _at(times[name], 0.99)) for name in _STATEMENTS}


def _at(seconds: Sequence[float], part: float) -> float:
    return sorted(seconds)[min(int(len(seconds) * part), len(seconds) - 1)] * 1000


def _shown(figures: dict[str, tuple[float, float]]) -> str:
    return ", ".join(f"{name} {middle:.1f}/{late:.1f}" for name, (middle, late) in figures.items())
