"""Row `memory`: peak resident memory of `tillsync serve --no-worker` and of `tillsync worker` with a million entries in the queue.

The worker runs the real flows. Customer sync is disabled, so every entry ends without an outside call, and the worker drains the queue as
fast as it can. A client calls the server during the measurement (SyncCustomer, 64 in flight).
"""

from __future__ import annotations

import asyncio

import psutil
from benchmarks.bench import Bench, our_connection
from benchmarks.child import run_child
from benchmarks.fill import fill_customers
from benchmarks.report import Figure, Goal
from support.service import ADMIN_TOKEN, child, environment

_SAMPLE_SECONDS = 0.1
_QUIET = {"TILLSYNC_LOG_LEVEL": "warning", "TILLSYNC_ENTRIES_PER_SECOND": "0", "TILLSYNC_MAX_WAITING_ENTRIES": "0"}


async def _peak(process: psutil.Process, seconds: float) -> float:
    """Returns the peak in megabytes."""
    peak = 0
    for _ in range(int(seconds / _SAMPLE_SECONDS)):
        peak = max(peak, process.memory_info().rss)
        await asyncio.sleep(_SAMPLE_SECONDS)
    return peak / 1e6


async def memory(bench: Bench) -> list[Figure]:
    plan = bench.plan
    dsn = await bench.make_ours("deep")
    await fill_customers(dsn, plan.memory_entries, plan.deep_accounts, sync_enabled=False)
    variables = environment(dsn, **_QUIET)
    with (
        child(["serve", "--no-worker"], variables, bench.directory) as server,
        child(["worker"], variables, bench.directory) as worker,
    ):
        await asyncio.gather(server.started(), worker.started())
        target = f"127.0.0.1:{server.grpc_port}"
        calls = asyncio.create_task(_call_while(target, plan.memory_seconds))
        peaks = await asyncio.gather(
            _peak(psutil.Process(server.process.pid), plan.memory_seconds), _peak(psutil.Process(worker.process.pid), plan.memory_seconds)
        )
        called = await calls
        connection = await our_connection(dsn)
        left = await connection.fetchval("SELECT count(*) FROM entry")
        done = await connection.fetchval("SELECT count(*) FROM entry_history")
        await connection.close()
        await asyncio.gather(server.stop(), worker.stop())
    await bench.drop_database("deep")
    goal = Goal(must=110, aim=80, unit="MB", lower_is_better=True)
    depth = f"{plan.memory_entries:,} deep"
    return [
        Figure(row="memory", what=f"memory of a server at {depth}", goal=goal, got=peaks[0], detail=f"peak RSS during {called:,} calls"),
        Figure(
            row="memory", what=f"memory of a worker at {depth}", goal=goal, got=peaks[1], detail=f"peak RSS; {done:,} run, {left:,} left"
        ),
    ]


async def _call_while(target: str, seconds: float) -> int:
    loop = asyncio.get_running_loop()
    ends, called, first = loop.time() + seconds - 3, 0, 50_000_000
    while loop.time() < ends:
        await run_child("calls", target, "sync", ADMIN_TOKEN, 0, 2_000, 64, first)
        called += 2_000
        first += 2_000
    return called
