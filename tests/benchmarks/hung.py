"""Rows `hung-60`, `hung-1000`: a live change of a healthy account while the tills of that many other accounts accept and never answer.

Each hung account has five changed customers, and gets more hints during the measurement. Timeouts, delays and polling have the service's
defaults, so the first requests reach the till's timeout (15 s). The worker is a separate process, and its peak memory has a row too.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence

import psutil
from benchmarks.bench import Bench
from benchmarks.child import running_child
from benchmarks.report import Figure, Goal
from benchmarks.service_world import ACCOUNT, ServiceWorld, service_world
from support.service import child, environment

_CUSTOMERS = range(1, 6)
_BETWEEN_HINTS_SECONDS = 10.0
_IDLE_CHANGES = 10
_CHANGES = 60
_BETWEEN_SECONDS = 0.5
_LONGEST_SECONDS = 60.0
_DEFAULT_DELAYS = {"TILLSYNC_POLL_SECONDS": "", "TILLSYNC_RETRY_BASE_SECONDS": ""}
"""Default delays. The short ones of the tests would probe hung tills every few hundred milliseconds."""


async def hung(bench: Bench) -> list[Figure]:
    return [figure for accounts in bench.plan.hung_accounts for figure in await _beside(bench, accounts)]


async def _beside(bench: Bench, accounts: int) -> list[Figure]:
    names = [f"hung-{number}" for number in range(accounts)]
    async with service_world(bench) as world, running_child("silent") as silent:
        assert silent.stdout is not None
        port = int((await silent.stdout.readline()).decode().split()[1])
        [healthy] = world.add_customers(1)
        await world.open_account(with_bridge=True)
        await world.link([healthy])
        shopper = max(world.shop.store.users)
        for name in names:
            await world.open_account(with_bridge=True, account=name, till=f"http://127.0.0.1:{port}")
            await world.link(_CUSTOMERS, account=name)
        with child(["worker"], environment(world.dsn, TILLSYNC_ALLOWED_HOSTS="127.0.0.1", **_DEFAULT_DELAYS), bench.directory) as worker:
            await worker.started()
            process = psutil.Process(worker.process.pid)
            idle = [await _change(world, healthy, shopper, points) for points in range(1, _IDLE_CHANGES + 1)]
            hinting = asyncio.create_task(_hint(world, names))
            took, memory = [], 0
            for points in range(_IDLE_CHANGES + 1, _IDLE_CHANGES + _CHANGES + 1):
                await asyncio.sleep(_BETWEEN_SECONDS)
                took.append(await _change(world, healthy, shopper, points))
                memory = max(memory, process.memory_info().rss)
            hinting.cancel()
            await asyncio.wait([hinting])
    later = [seconds - statistics.median(idle) for seconds in took]
    what = f"live change of a healthy account beside {accounts:,} hung ones"
    return [
        Figure(
            row=f"hung-{accounts}",
            what=f"{what}: later than alone, worst of {_CHANGES}",
            goal=Goal(must=0.5, aim=0.5, unit="s", lower_is_better=True),
            got=max(later),
            runs=tuple(later),
            detail=f"median {statistics.median(took):.3f} s, alone {statistics.median(idle):.3f} s",
        ),
        Figure(
            row=f"hung-{accounts}-memory",
            what=f"{what}: peak memory of the worker",
            goal=Goal(must=160, aim=160, unit="MB", lower_is_better=True),
            got=memory / 1e6,
        ),
    ]


async def _change(world: ServiceWorld, customer: int, shopper: int, points: int) -> float:
    """Returns the seconds from the change at the till until the shop has it."""
    world.till.change_customer(customer, points=points)
    began = time.perf_counter()
    await world.client.sync.sync_customer(ACCOUNT, customer)
    await world.shop.wait_for(lambda: _points(world, shopper) == points, timeout=_LONGEST_SECONDS)
    return time.perf_counter() - began


def _points(world: ServiceWorld, shopper: int) -> float:
    row = world.shop.store.bridge_rows.get(shopper)
    return float(row.points) if row is not None and row.points is not None else -1.0


async def _hint(world: ServiceWorld, names: Sequence[str]) -> None:
    while True:
        for name in names:
            await world.client.sync.sync_customers(name, _CUSTOMERS)
        await asyncio.sleep(_BETWEEN_HINTS_SECONDS)
