"""PgQueuer with its best settings, found by trials on two cores (18,000 of 22,000 jobs drained; single runs vary by a third):

- asyncpg, twice as fast as psycopg by its own documentation; its durable schema (the default) and its own autovacuum advice.
- Drain, one connection a manager: batches of 10, 50, 250, 500, 1,000 gave 7.0, 12.5, 15.0, 16.6 and 17.3 thousand a second, and in a
  quieter moment with the cycle collector spared 29.6 (500) and 30.3 (1,000); two managers of 250 or 500 the same as one, five of 10
  less than one; a pool of five instead of one connection 27.6. Hence one manager, one connection, batches of 1,000.
- Start of a job at 500 a second (p50/p99): batches of 30 on one connection 3/15 ms, and at times it falls behind for good (batches of
  10 or 100: 5/35 and 11/96 ms in one run, 187/801 and 115/720 ms in the next); on a pool of five 2/6 ms with batches of 10, 2/9 with
  100, 6/56 with 1,000. Hence a pool of five, batches of 10.
- The timed aggregation of its log into statistics is off, because it would only cost time.
- Job functions are empty; a job counts when the statement that moves it to the log has committed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
from benchmarks.tally import Tally
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.models import Job

ENTRYPOINT = "sync"
DRAIN_BATCH = 1000
DRAIN_MANAGERS = 1
DRAIN_POOL = 0
LATENCY_BATCH = 10
LATENCY_POOL = 5
_FILL = """
INSERT INTO pgqueuer (priority, status, entrypoint, payload)
SELECT 0, 'queued', 'sync', convert_to(n::text, 'UTF8') FROM generate_series(1, $1::integer) AS n
"""


async def install(dsn: str, entries: int) -> None:
    """Installs its durable schema (all tables logged) with its own autovacuum advice, and adds ``entries`` jobs."""
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
async def _managers(dsn: str, count: int, pool_size: int = 0) -> AsyncIterator[list[QueueManager]]:
    """Yields managers. Each has its own connection, or all share one pool of ``pool_size``."""
    if pool_size:
        async with asyncpg.create_pool(dsn, min_size=pool_size, max_size=pool_size) as pool:
            yield [QueueManager(_CountingQueries.from_asyncpg_pool(pool)) for _ in range(count)]
        return
    connections = [await asyncpg.connect(dsn) for _ in range(count)]
    try:
        yield [QueueManager(_CountingQueries.from_asyncpg_connection(connection)) for connection in connections]
    finally:
        for connection in connections:
            await connection.close()


async def drain(dsn: str, tally: Tally, batch: int = DRAIN_BATCH, managers: int = DRAIN_MANAGERS, pool_size: int = DRAIN_POOL) -> None:
    async with _managers(dsn, managers, pool_size) as all_managers:
        for manager in all_managers:
            manager.queries.tally = tally  # type: ignore[attr-defined]

            @manager.entrypoint(ENTRYPOINT)
            async def work(job: Job) -> None:
                return None

        await _run_until(all_managers, tally.done, batch)


async def start_times(
    dsn: str, starts: dict[int, int], stop: asyncio.Event, batch: int = LATENCY_BATCH, pool_size: int = LATENCY_POOL
) -> None:
    """Runs until ``stop``. Records the start of each job's function, in monotonic nanoseconds."""
    async with _managers(dsn, 1, pool_size) as managers:

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
    """Enqueues each job with one call, on a pool, as a web process would."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._queries = Queries.from_asyncpg_pool(pool)

    async def enqueue(self, number: int) -> None:
        await self._queries.enqueue(ENTRYPOINT, str(number).encode())
