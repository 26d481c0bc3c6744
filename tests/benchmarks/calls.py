"""Rows `sync`, `lone` and `batch`: a client in another process calls `tillsync serve --no-worker` as it is deployed.

The limits per account are off, because they would refuse this load. Authentication, validation, metrics and the durable write are on.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from benchmarks.bench import Bench, our_connection
from benchmarks.calls_client import ACCOUNTS, BATCH
from benchmarks.child import run_child, running_child
from benchmarks.fill import add_accounts
from benchmarks.report import Figure, Goal, of_runs, of_the_limit
from support.service import ADMIN_TOKEN, child, environment

IN_FLIGHT = 64
BATCHES_IN_FLIGHT = 4
_TURNS = 4
NO_CAPS = {"TILLSYNC_ENTRIES_PER_SECOND": "0", "TILLSYNC_MAX_WAITING_ENTRIES": "0", "TILLSYNC_LOG_LEVEL": "warning"}


@dataclass
class _Servers:
    tillsync: str
    echo: str
    dsn: str
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1, 1_000_000))

    async def insert(self, warm: int, count: int, in_flight: int) -> dict[str, float]:
        """Inserts the rows of the same number of batch calls with the least SQL."""
        return await run_child("insert", self.dsn, warm, count, in_flight, next(self._ids))

    async def calls(self, kind: str, warm: int, count: int, in_flight: int) -> dict[str, float]:
        target = self.echo if kind == "echo" else self.tillsync
        return await run_child("calls", target, kind, ADMIN_TOKEN, warm, count, in_flight, next(self._ids))


@asynccontextmanager
async def _servers(bench: Bench) -> AsyncIterator[_Servers]:
    dsn = await bench.make_ours("calls")
    connection = await our_connection(dsn)
    await add_accounts(connection, ACCOUNTS)
    await connection.close()
    variables = environment(dsn, **NO_CAPS)
    async with running_child("echo") as echo:
        assert echo.stdout is not None
        port = int((await asyncio.wait_for(echo.stdout.readline(), 60)).decode().split()[1])
        with child(["serve", "--no-worker"], variables, bench.directory) as service:
            await service.started()
            yield _Servers(f"127.0.0.1:{service.grpc_port}", f"127.0.0.1:{port}", dsn)
            await service.stop()
    await bench.drop_database("calls")


async def sync(bench: Bench) -> list[Figure]:
    plan = bench.plan
    ours, echo = [], []
    async with _servers(bench) as servers:
        await servers.calls("sync", plan.call_warm, plan.call_warm, IN_FLIGHT)
        for number in range(plan.rounds):
            echo_rates, our_rates = [], []
            for _ in range(_TURNS):  # short turns, so that other load on the machine affects both
                echo_rates.append((await servers.calls("echo", plan.call_warm, plan.call_count // _TURNS, IN_FLIGHT))["per_second"])
                our_rates.append((await servers.calls("sync", plan.call_warm, plan.call_count // _TURNS, IN_FLIGHT))["per_second"])
            echo.append(statistics.harmonic_mean(echo_rates))
            ours.append(statistics.harmonic_mean(our_rates))
            bench.show_progress(f"sync round {number + 1}: SyncCustomer {ours[-1]:,.0f}/s, echo {echo[-1]:,.0f}/s")
    ratios = [our / their for our, their in zip(ours, echo, strict=True)]
    detail = f"{statistics.median(ours):,.0f}/s, echo {statistics.median(echo):,.0f}/s"
    goal = Goal(must=0.75, aim=0.9)
    what = f"SyncCustomer / bare grpc.aio echo, {IN_FLIGHT} in flight"
    return [of_runs("sync", what, goal, ratios, detail, ours_per_second=ours, echo_per_second=echo)]


async def lone(bench: Bench) -> list[Figure]:
    """Measures our part of a lone call, as the difference of the medians of call and echo."""
    plan = bench.plan
    ours, echo = [], []
    async with _servers(bench) as servers:
        for _ in range(plan.rounds):
            echo.append((await servers.calls("echo", plan.lone_calls // 4, plan.lone_calls, 1))["median_ms"])
            ours.append((await servers.calls("sync", plan.lone_calls // 4, plan.lone_calls, 1))["median_ms"])
    above = [our - their for our, their in zip(ours, echo, strict=True)]
    detail = f"median {statistics.median(ours):.2f} ms, echo {statistics.median(echo):.2f} ms"
    goal = Goal(must=2.5, aim=1.5, unit="ms", lower_is_better=True)
    return [of_runs("lone", "lone caller above echo", goal, above, detail, ours_ms=ours, echo_ms=echo)]


async def batch(bench: Bench) -> list[Figure]:
    plan = bench.plan
    runs, least = [], []
    async with _servers(bench) as servers:
        for number in range(plan.rounds):
            sizes = plan.batch_calls // 5, plan.batch_calls, BATCHES_IN_FLIGHT
            runs.append((await servers.calls("batch", *sizes))["per_second"] * BATCH)
            least.append((await servers.insert(*sizes))["per_second"] * BATCH)
            bench.show_progress(f"batch round {number + 1}: BatchSyncCustomers {runs[-1]:,.0f}/s, least SQL {least[-1]:,.0f}/s")
    how = f"{BATCH} entries a call, {BATCHES_IN_FLIGHT} calls in flight, one server process"
    return [
        of_runs("batch", "BatchSyncCustomers", Goal(must=15_000, aim=30_000, unit="/s"), runs, how),
        of_the_limit("batch", "BatchSyncCustomers", runs, least),
    ]
