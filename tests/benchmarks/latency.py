"""Row `latency`: time from the enqueue call to the start of the handler at 500 a second, compared with PgQueuer.

In the open loop each unit is due at its time, and a late start counts as waiting. There are two forms. In one process, the process enqueues
and works, as `tillsync serve` does. Between two processes, this process produces and another one works, as with `serve --no-worker` and
`worker`. Both read the machine's monotonic clock.
"""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
from benchmarks import ours
from benchmarks.bench import Bench, our_connection
from benchmarks.child import run_child, running_child
from benchmarks.fill import add_accounts
from benchmarks.one_process import Producer
from benchmarks.open_loop import open_loop, wait_percentiles
from benchmarks.peers import pgqueuer
from benchmarks.report import Figure, Goal, of_runs
from tillsync_server.adapters.postgres.connections.notifications import PostgresNotifications
from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.engine.hints import PostgresHintStore
from tillsync_server.application.engine.enqueuer import Enqueuer

_ONE_PROCESS = Goal(must=1, aim=1, unit="×", lower_is_better=True)
_TWO_PROCESSES = Goal(must=1.24, aim=1, unit="×", lower_is_better=True)
"""must: the ratio of the former, heavier engine."""
_PER_SECOND = 500
_Percentiles = tuple[float, float]
"""p50 and p99 in milliseconds."""
_Measure = Callable[[Bench, str], Awaitable[_Percentiles]]


async def latency(bench: Bench) -> list[Figure]:
    dsn = await bench.make_ours("ours_idle")
    connection = await our_connection(dsn)
    await add_accounts(connection, ours.ACCOUNTS)
    await connection.close()
    await pgqueuer.install(await bench.make_database("pgqueuer_idle"), 0)
    figures = [
        await _beside(bench, "in one process, as `tillsync serve`", _ONE_PROCESS, _in_one_process("ours"), _in_one_process("pgqueuer")),
        await _beside(bench, "between two processes", _TWO_PROCESSES, _of_ours, of_pgqueuer),
    ]
    for name in ("ours_idle", "pgqueuer_idle"):
        await bench.drop_database(name)
    return figures


async def _beside(bench: Bench, form: str, goal: Goal, of_ours: _Measure, of_peer: _Measure) -> Figure:
    mine, peer = [], []
    for number in range(bench.plan.rounds):
        async with bench.database("ours_idle") as dsn:
            mine.append(await of_ours(bench, dsn))
        async with bench.database("pgqueuer_idle") as dsn:
            peer.append(await of_peer(bench, dsn))
        bench.show_progress(f"latency {form}, round {number + 1}: p50/p99 ours {_shown(mine[-1])}, PgQueuer {_shown(peer[-1])}")
    ratios = [our[1] / their[1] for our, their in zip(mine, peer, strict=True)]
    detail = f"p50/p99 {_shown(_middle(mine))}, PgQueuer {_shown(_middle(peer))}"
    what = f"enqueue to start {form}, p99 at {_PER_SECOND}/s / PgQueuer"
    return of_runs("latency", what, goal, ratios, detail, ours_p50_p99_ms=mine, pgqueuer_p50_p99_ms=peer)


def _counts(bench: Bench) -> tuple[int, int]:
    """Returns the number of calls to warm up, and to measure."""
    return int(bench.plan.latency_warm_seconds * _PER_SECOND), int(bench.plan.latency_seconds * _PER_SECOND)


def _in_one_process(system: str) -> _Measure:
    async def measure(bench: Bench, dsn: str) -> _Percentiles:
        p50, p99 = (await run_child("one-process", system, dsn, *_counts(bench), _PER_SECOND))["p50_p99_ms"]
        return p50, p99

    return measure


async def _of_ours(bench: Bench, dsn: str) -> _Percentiles:
    database = Database(dsn)
    await database.open()
    notifications = PostgresNotifications(database)
    notifications.start()
    await notifications.listening.wait()
    try:
        return await _between_two(bench, "ours", dsn, ours.Producer(Enqueuer(PostgresHintStore(database, notifications))))
    finally:
        await notifications.stop()
        await database.close()


async def of_pgqueuer(bench: Bench, dsn: str, **options: object) -> _Percentiles:
    async with asyncpg.create_pool(dsn, min_size=4, max_size=10) as pool:
        return await _between_two(bench, "pgqueuer", dsn, pgqueuer.Producer(pool), **options)


async def _between_two(bench: Bench, system: str, dsn: str, producer: Producer, **options: object) -> _Percentiles:
    warm, count = _counts(bench)
    async with running_child("starts", system, dsn, json.dumps(options), await_ready=True) as worker:
        due = await open_loop(producer.enqueue, warm + count, _PER_SECOND)
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(str(len(due)).encode())
        worker.stdin.close()
        answer = json.loads((await asyncio.wait_for(worker.stdout.read(), 90)).decode().strip().splitlines()[-1])
    return wait_percentiles(due, {int(number): at for number, at in answer["starts"].items()}, warm)


def _middle(rounds: Sequence[_Percentiles]) -> _Percentiles:
    p50s, p99s = zip(*rounds, strict=True)
    return statistics.median(p50s), statistics.median(p99s)


def _shown(percentiles: _Percentiles) -> str:
    return f"{percentiles[0]:.1f}/{percentiles[1]:.1f} ms"
