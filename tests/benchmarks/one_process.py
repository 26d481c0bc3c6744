"""Runs producer and worker in one process: ours as in `tillsync serve`, PgQueuer as in a web process that works on its own queue.

Our producer and worker share the pool and the notifications. PgQueuer's producer has its own pool, because the best pool of its manager is
smaller. Neither measurement includes an RPC.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import asyncpg
from benchmarks.open_loop import open_loop, wait_percentiles


class Producer(Protocol):
    async def enqueue(self, number: int) -> None: ...


async def measure(system: str, dsn: str, warm: int, count: int, per_second: int) -> tuple[float, float]:
    """Returns p50 and p99 in milliseconds, from the time at which a call was due to the start of its handler."""
    starts: dict[int, int] = {}
    working = {"ours": _ours, "pgqueuer": _pgqueuer}[system]
    async with working(dsn, starts) as producer:
        due = await open_loop(producer.enqueue, warm + count, per_second)
        async with asyncio.timeout(60):
            while len(starts) < len(due):
                await asyncio.sleep(0.05)
    return wait_percentiles(due, starts, warm)


@asynccontextmanager
async def _ours(dsn: str, starts: dict[int, int]) -> AsyncIterator[Producer]:
    from benchmarks import ours

    async with ours.noting_worker(dsn, starts) as producer:
        yield producer


@asynccontextmanager
async def _pgqueuer(dsn: str, starts: dict[int, int]) -> AsyncIterator[Producer]:
    from benchmarks.peers import pgqueuer

    stop = asyncio.Event()
    async with asyncpg.create_pool(dsn, min_size=4, max_size=10) as pool, asyncio.TaskGroup() as tasks:
        tasks.create_task(pgqueuer.start_times(dsn, starts, stop))
        yield pgqueuer.Producer(pool)
        stop.set()
