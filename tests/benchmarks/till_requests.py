"""Row `till-requests`: number of till requests for 1,000 waiting customers. The till's log counts them.

The row measures no time, so the account's allowance is 100,000 a minute instead of 60. At 60 each request would take a second. The waiting
customers are spread evenly over the till's list. All of them wait when the worker starts, and the service knows nothing of the till before.
"""

from __future__ import annotations

import time
from collections import Counter

from benchmarks.bench import Bench
from benchmarks.report import Figure, Goal
from benchmarks.service_world import service_world


async def till_requests(bench: Bench) -> list[Figure]:
    return [
        await _count(bench, 2_000, Goal(must=15, aim=10, lower_is_better=True)),
        await _count(bench, 50_000, Goal(must=260, aim=250, lower_is_better=True)),
    ]


async def _count(bench: Bench, on_till: int, goal: Goal) -> Figure:
    waiting = bench.plan.till_waiting
    async with service_world(bench) as world:
        customers = world.add_customers(on_till)[:: on_till // waiting][:waiting]
        await world.open_account(with_bridge=True)
        await world.link(customers)
        began = time.perf_counter()
        await world.sync_waiting(customers)
        seconds = time.perf_counter() - began
        kinds = Counter("page" if "page" in request.query else "single" for request in world.till.log)
        total = world.till.log.total
    detail = f"{dict(kinds)}; {seconds:.1f} s here, about {total} s at 60 a minute"
    what = f"till requests for {waiting:,} waiting customers, on a till of {on_till:,}"
    return Figure(row="till-requests", what=what, goal=goal, got=total, detail=detail, facts={"requests": dict(kinds)})
