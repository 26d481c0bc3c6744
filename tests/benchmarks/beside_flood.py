"""Row `beside-flood`: the additional delay of one token's calls while another token is at full load.

The service is `tillsync serve --no-worker` as it is deployed. The flood runs in a separate process. The measured caller sends SyncCustomer
for another account at a fixed rate, even if earlier calls have not returned.
"""

from __future__ import annotations

import asyncio
import json
import time

from benchmarks.bench import Bench, our_connection
from benchmarks.calls import NO_CAPS
from benchmarks.child import running_child
from benchmarks.durations import Durations
from benchmarks.fill import add_accounts
from benchmarks.flood import KINDS
from benchmarks.open_loop import open_loop
from benchmarks.report import Figure, Goal, of_runs
from support.service import ADMIN_TOKEN, child, environment
from tillsync.v1 import token_pb2
from tillsync_client import TillsyncClient

_GOAL = Goal(must=100, aim=50, unit="ms", lower_is_better=True)
_PER_SECOND = 50
_RAMP_UP_SECONDS = 1.0
"""The flood begins with all its calls at once. The measurement starts after this time."""
_WHAT = {
    "sync": "1,000 SyncCustomer",
    "batch": "64 BatchSyncCustomers of 500",
    "list-full": "64 ListQueue FULL",
    "wrong-token": "1,000 of wrong tokens",
}
# a page of ListQueue FULL: 50 entries of 30 attempts each
_ENTRIES = """
INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, attempt_count, attempts, epos_customer_id, create_time,
  update_time)
SELECT 'shop-1', uuidv7(), 1, 1, n, 2, now(), 30, (
    SELECT jsonb_agg(jsonb_build_object('o', 1, 'g', 1, 's', now(), 'f', now())) FROM generate_series(1, 30)
  ), n, now(), now()
FROM generate_series(1, 500) AS n
"""


async def beside_flood(bench: Bench) -> list[Figure]:
    plan = bench.plan
    dsn = await bench.make_ours("flood")
    connection = await our_connection(dsn)
    await add_accounts(connection, 2)
    await connection.execute(_ENTRIES)
    await connection.close()
    later: dict[str, list[float]] = {kind: [] for kind in KINDS}
    details: dict[str, str] = {}
    with child(["serve", "--no-worker"], environment(dsn, **NO_CAPS), bench.directory) as service:
        await service.started()
        target = f"127.0.0.1:{service.grpc_port}"
        async with TillsyncClient(target, ADMIN_TOKEN) as admin:
            site = (await admin.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id="shop-1")).secret
            other = (await admin.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id="shop-2")).secret
        async with TillsyncClient(target, other) as honest:
            count = int(plan.flood_seconds * _PER_SECOND)
            await _took(honest, count // 4)
            for _ in range(plan.rounds):
                for kind in KINDS:
                    idle = await _took(honest, count)
                    seconds = plan.flood_seconds + 2 * _RAMP_UP_SECONDS
                    async with running_child("flood", target, kind, site, seconds, await_ready=True) as flood:
                        await asyncio.sleep(_RAMP_UP_SECONDS)
                        beside = await _took(honest, count)
                        assert flood.stdout is not None
                        ended = json.loads(await asyncio.wait_for(flood.stdout.read(), 60))["ended"]
                    later[kind].append((beside.p99 - idle.p99) * 1000)
                    details[kind] = (
                        f"p50/p99 {beside.median * 1000:.0f}/{beside.p99 * 1000:.0f} ms, alone {idle.median * 1000:.1f}/"
                        f"{idle.p99 * 1000:.1f} ms; the flood: "
                        + ", ".join(f"{number / seconds:,.0f}/s {code}" for code, number in sorted(ended.items()))
                    )
                    bench.show_progress(f"beside {_WHAT[kind]}: {details[kind]}")
        await service.stop()
    await bench.drop_database("flood")
    return [of_runs("beside-flood", f"p99 beside {_WHAT[kind]}: later than alone", _GOAL, later[kind], details[kind]) for kind in KINDS]


async def _took(honest: TillsyncClient, count: int) -> Durations:
    took: list[float] = []

    async def call(number: int) -> None:
        began = time.perf_counter()
        await honest.sync.sync_customer("shop-2", number)
        took.append(time.perf_counter() - began)

    await open_loop(call, count, _PER_SECOND)
    return Durations(took)
