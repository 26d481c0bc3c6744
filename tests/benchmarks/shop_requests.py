"""Row `shop-requests`: number of shop requests for 3,000 changed customers, including probes. The shop's log counts them."""

from __future__ import annotations

import time
from collections import Counter

from benchmarks.bench import Bench
from benchmarks.report import Figure, Goal
from benchmarks.service_world import service_world


async def shop_requests(bench: Bench) -> list[Figure]:
    return [
        await _count(bench, with_bridge=False, goal=Goal(must=100, aim=35, lower_is_better=True)),
        await _count(bench, with_bridge=True, goal=Goal(must=20, aim=8, lower_is_better=True)),
    ]


async def _count(bench: Bench, *, with_bridge: bool, goal: Goal) -> Figure:
    updates = bench.plan.request_updates
    async with service_world(bench) as world:
        customers = world.add_customers(updates)
        await world.open_account(with_bridge=with_bridge)
        await world.link(customers)
        began = time.perf_counter()
        await world.sync_all(customers)
        seconds = time.perf_counter() - began
        kinds = Counter(f"{request.method} {request.path}" for request in world.shop.log)
        total, till = world.shop.log.total, world.till.log.total
    bench.show_progress(f"shop requests {'with' if with_bridge else 'without'} the bridge: {dict(kinds)}")
    detail = f"in {seconds:.1f} s, with {till} till requests"
    what = f"shop requests for {updates:,} updates, sandbox {'with' if with_bridge else 'without'} the bridge"
    return Figure(row="shop-requests", what=what, goal=goal, got=total, detail=detail, facts={"requests": dict(kinds)})
