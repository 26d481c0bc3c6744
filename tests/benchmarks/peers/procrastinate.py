"""procrastinate with locks and its best settings, found by trials on two cores (200 jobs of 20,000, 5,000 keys):

- psycopg with its C part, on our pool (its own pool checks the connection at each checkout).
- It fetches one job at a time, so concurrency only overlaps the ends of jobs: concurrency 1, 2, 10, 30, 100 gave 733, 1,023, 988, 907
  and 689 a second. Hence 10 on 4 connections.
- Jobs that succeeded are deleted (954 a second when they are kept): the fetch walks past fewer rows.
- The worker listens (the default), and its queue is never empty, so no polling interval matters.
- A job counts when the statement that ends it has committed.
"""

from __future__ import annotations

import asyncio
import logging

import procrastinate
import psycopg_pool
from benchmarks.bench import our_connection
from benchmarks.tally import OrderCheck, Tally

CONCURRENCY = 10
CONNECTIONS = 4
_FILL = """
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, args)
SELECT 'default', 'sync', 0, 'customer-' || key, jsonb_build_object('key', key, 'part', part)
FROM generate_series(1, $2::integer) AS p(part) CROSS JOIN generate_series(1, $1::integer) AS k(key) ORDER BY p.part, k.key
"""


def _app(dsn: str) -> procrastinate.App:
    return procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))


async def install(dsn: str, keys: int, each: int) -> None:
    app = _app(dsn)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
    connection = await our_connection(dsn)
    await connection.execute("SET search_path = public")
    await connection.execute(_FILL, keys, each)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def drain(
    dsn: str,
    tally: Tally,
    check: OrderCheck,
    concurrency: int = CONCURRENCY,
    connections: int = CONNECTIONS,
    delete: str = "successful",
) -> None:
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    app = _app(dsn)

    @app.task(name="sync")
    async def work(key: int, part: int) -> None:
        check.started(key, part)
        check.ended(key)

    # procrastinate's own pool would check the connection with a query at each checkout
    pool = psycopg_pool.AsyncConnectionPool(dsn, min_size=connections, max_size=connections, open=False)
    await pool.open(wait=True)
    try:
        await app.connector.open_async(pool)  # type: ignore[call-arg]
        finish = app.job_manager.finish_job

        async def counted(*args: object, **kwargs: object) -> None:
            await finish(*args, **kwargs)  # type: ignore[arg-type]
            tally.committed(1)

        app.job_manager.finish_job = counted  # type: ignore[method-assign]
        run = asyncio.create_task(
            app.run_worker_async(concurrency=concurrency, delete_jobs=delete, install_signal_handlers=False, wait=True)
        )
        stopping = asyncio.create_task(tally.done.wait())
        await asyncio.wait([run, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
    finally:
        await pool.close()
