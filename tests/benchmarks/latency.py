"""Row `latency`: from the enqueue call to the start of the handler, 500 a second, beside PgQueuer.

An open loop: each unit has its time, and the wait of one that is late in leaving counts. The producer is this process, the worker
another one; both read the machine's one monotonic clock.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from typing import Protocol

import asyncpg
from benchmarks import ours
from benchmarks.bench import Bench, our_connection
from benchmarks.child import running_child
from benchmarks.fill import add_accounts
from benchmarks.peers import pgqueuer
from benchmarks.report import Figure, Goal, of_runs
from tillsync_server.adapters.postgres.notifications import PostgresNotifications
from tillsync_server.adapters.postgres.pool import Database

_GOAL = Goal(must=0.5, aim=0.2, unit="×", lower_is_better=True)
_PER_SECOND = 500
_ACCOUNTS = 100


class _Producer(Protocol):
    async def enqueue(self, number: int) -> None: ...


async def latency(bench: Bench) -> list[Figure]:
    dsn = await bench.make_ours("ours_idle")
    connection = await our_connection(dsn)
    await add_accounts(connection, _ACCOUNTS)
    await connection.close()
    await pgqueuer.install(await bench.make_database("pgqueuer_idle"), 0)
    mine, peer = [], []
    for number in range(bench.plan.rounds):
        async with bench.database("ours_idle") as dsn:
            mine.append(await _of_ours(bench, dsn))
        async with bench.database("pgqueuer_idle") as dsn:
            peer.append(await of_pgqueuer(bench, dsn))
        bench.tell(f"latency round {number + 1}: p50/p99 ours {_shown(mine[-1])}, PgQueuer {_shown(peer[-1])}")
    for name in ("ours_idle", "pgqueuer_idle"):
        await bench.drop_database(name)
    ratios = [our[1] / their[1] for our, their in zip(mine, peer, strict=True)]
    middle = [tuple(statistics.median(each[i] for each in side) for i in (0, 1)) for side in (mine, peer)]
    detail = f"p50/p99 {_shown(middle[0])}, PgQueuer {_shown(middle[1])}"
    what = f"enqueue to start, p99 at {_PER_SECOND}/s / PgQueuer"
    return [of_runs("latency", what, _GOAL, ratios, detail, ours_p50_p99_ms=mine, pgqueuer_p50_p99_ms=peer)]


async def _of_ours(bench: Bench, dsn: str) -> tuple[float, ...]:
    database = Database(dsn)
    await database.open()
    notifications = PostgresNotifications(database)
    notifications.start()
    await notifications.listening.wait()
    try:
        return await _measure(bench, "ours", dsn, ours.Producer(database, notifications, _ACCOUNTS))
    finally:
        await notifications.stop()
        await database.close()


async def of_pgqueuer(bench: Bench, dsn: str, **options: object) -> tuple[float, ...]:
    async with asyncpg.create_pool(dsn, min_size=4, max_size=10) as pool:
        return await _measure(bench, "pgqueuer", dsn, pgqueuer.Producer(pool), **options)


async def _measure(bench: Bench, system: str, dsn: str, producer: _Producer, **options: object) -> tuple[float, ...]:
    """p50 and p99 in milliseconds of what was due after the warm-up."""
    plan = bench.plan
    warm, count = int(plan.latency_warm_seconds * _PER_SECOND), int(plan.latency_seconds * _PER_SECOND)
    due: dict[int, int] = {}
    async with running_child("starts", system, dsn, json.dumps(options), await_ready=True) as worker:
        calls = set()
        begin = time.monotonic_ns() + 200_000_000
        for number in range(1, warm + count + 1):
            due[number] = begin + number * 1_000_000_000 // _PER_SECOND
            ahead = (due[number] - time.monotonic_ns()) / 1e9
            if ahead > 0:
                await asyncio.sleep(ahead)
            call = asyncio.create_task(producer.enqueue(number))
            calls.add(call)
            call.add_done_callback(calls.discard)
        await asyncio.gather(*calls)
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(str(len(due)).encode())
        worker.stdin.close()
        answer = json.loads((await asyncio.wait_for(worker.stdout.read(), 90)).decode().strip().splitlines()[-1])
    starts = {int(number): at for number, at in answer["starts"].items()}
    waits = sorted((starts[number] - due[number]) / 1e6 for number in due if number > warm)
    return waits[len(waits) // 2], waits[int(len(waits) * 0.99)]


def _shown(figures: tuple[float, ...]) -> str:
    return f"{figures[0]:.1f}/{figures[1]:.1f} ms"
