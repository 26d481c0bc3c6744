"""PgQueuer at its best. TUNING"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.models import Job

from tests.benchmarks.tally import Tally

ENTRYPOINT = "sync"
DRAIN_BATCH = 100
DRAIN_MANAGERS = 1
LATENCY_BATCH = 10
_FILL = """
INSERT INTO pgqueuer (priority, status, entrypoint, payload)
SELECT 0, 'queued', 'sync', convert_to(n::text, 'UTF8') FROM generate_series(1, $1::integer) AS n
"""


async def install(dsn: str, entries: int) -> None:
    """Its durable schema (all tables logged) with its own autovacuum advice applied, filled with ``entries`` jobs."""
    connection = await asyncpg.connect(dsn, command_timeout=1800)
    queries = Queries.from_asyncpg_connection(connection)
    await queries.install()
    await queries.optimize_autovacuum()
    if entries:
        await connection.execute(_FILL, entries)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


class _CountingQueries(Queries):
    """Counts a job when the statement that moves it to the log has committed."""

    tally: Tally | None = None

    async def log_jobs(self, job_status: list) -> None:  # type: ignore[type-arg]
        await super().log_jobs(job_status)
        if self.tally is not None:
            self.tally.committed(len(job_status))


@asynccontextmanager
async def _managers(dsn: str, count: int) -> AsyncIterator[list[QueueManager]]:
    connections = [await asyncpg.connect(dsn) for _ in range(count)]
    try:
        yield [QueueManager(_CountingQueries.from_asyncpg_connection(connection)) for connection in connections]
    finally:
        for connection in connections:
            await connection.close()


async def drain(dsn: str, tally: Tally, batch: int = DRAIN_BATCH, managers: int = DRAIN_MANAGERS) -> None:
    async with _managers(dsn, managers) as all_managers:
        for manager in all_managers:
            manager.queries.tally = tally  # type: ignore[attr-defined]

            @manager.entrypoint(ENTRYPOINT)
            async def work(job: Job) -> None:
                return None

        await _run_until(all_managers, tally.done, batch)


async def start_times(dsn: str, starts: dict[int, int], stop: asyncio.Event, batch: int = LATENCY_BATCH) -> None:
    """Runs until ``stop``; notes the monotonic nanoseconds at which each job's function began."""
    async with _managers(dsn, 1) as managers:

        @managers[0].entrypoint(ENTRYPOINT)
        async def work(job: Job) -> None:
            starts[int(job.payload or b"0")] = time.monotonic_ns()

        await _run_until(managers, stop, batch)


async def _run_until(managers: list[QueueManager], stop: asyncio.Event, batch: int) -> None:
    runs = [
        asyncio.create_task(manager.run(batch_size=batch, dequeue_timeout=timedelta(seconds=1), log_aggregation_interval=timedelta(0)))
        for manager in managers
    ]
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([stopping, *runs], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    for manager in managers:
        manager.shutdown.set()
    await asyncio.gather(*runs)


class Producer:
    """One enqueue call a job, on a pool, as a web process would."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._queries = Queries.from_asyncpg_pool(pool)

    async def enqueue(self, number: int) -> None:
        await self._queries.enqueue(ENTRYPOINT, str(number).encode())
