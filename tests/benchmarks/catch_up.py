"""Row `catch-up`: time and requests for live changes of 50 customers in each of many accounts.

Each account has a till of 600 customers, which are three list pages, and 50 links spread over it. One sandbox represents all tills, and one
all shops, because they share two cores with the service. Every account has its own allowance and its own knowledge of its till. A till
request takes 100 ms, a shop request 200 ms. The fewest requests are one reading of the list and one shop write for each account, and one
read of the plugin's abilities for each process and shop. All processes share the two cores, which limit the time.

In the form "waiting", the process `tillsync worker` starts when all hints are stored, as after a stop. The time begins with its first
request. In the form "as they come", the worker runs, and each hint is a separate call, 50 of an account at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from benchmarks.bench import Bench
from benchmarks.report import Figure, Goal
from benchmarks.service_world import ServiceWorld, service_world
from support.service import child, environment
from tillsync.v1 import vocabulary_pb2

ON_TILL, PAGES, CHANGED = 600, 3, 50
TILL_SECONDS, SHOP_SECONDS = 0.1, 0.2
_ACCOUNT_SECONDS = 0.025
"""Time of the two cores for one account. A prototype took 5 s for 10,000 customers of 200 accounts."""
_CALLS_AT_ONCE = 200

_Changed = Mapping[str, Sequence[int]]
"""Till customers by account."""


async def catch_up(bench: Bench) -> list[Figure]:
    return [*await _measure(bench, "waiting", _waiting), *await _measure(bench, "as they come", _as_they_come)]


async def _waiting(bench: Bench, world: ServiceWorld, changed: _Changed) -> float:
    for account, customers in changed.items():
        await world.client.sync.sync_customers(account, customers, priority=vocabulary_pb2.PRIORITY_LIVE)
    async with _working(bench, world):
        await world.all_updated(sum(map(len, changed.values())))
        return time.time() - min(request.time for request in world.till.log)


async def _as_they_come(bench: Bench, world: ServiceWorld, changed: _Changed) -> float:
    slots = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def sync(account: str, customer: int) -> None:
        async with slots:
            await world.client.sync.sync_customer(account, customer)

    async with _working(bench, world):
        began = time.perf_counter()
        async with asyncio.TaskGroup() as calls:
            for account, customers in changed.items():
                for customer in customers:
                    calls.create_task(sync(account, customer))
        await world.all_updated(sum(map(len, changed.values())))
        return time.perf_counter() - began


@asynccontextmanager
async def _working(bench: Bench, world: ServiceWorld) -> AsyncIterator[None]:
    with child(["worker"], environment(world.dsn, TILLSYNC_ALLOWED_HOSTS="127.0.0.1"), bench.directory) as worker:
        await worker.started()
        yield
        await worker.stop()


async def _measure(bench: Bench, name: str, run: Callable[[Bench, ServiceWorld, _Changed], Awaitable[float]]) -> list[Figure]:
    accounts = bench.plan.catch_up_accounts
    async with service_world(bench) as world:
        customers = world.add_customers(ON_TILL)[:: ON_TILL // CHANGED]
        changed = {f"shop-{number}": customers for number in range(accounts)}
        for account in changed:
            await world.open_account(with_bridge=True, account=account)
            await world.link(customers, account=account)
        world.till.switches.latency_seconds, world.shop.switches.latency_seconds = TILL_SECONDS, SHOP_SECONDS
        seconds = await run(bench, world, changed)
        kinds = Counter("page" if "page" in request.query else "single" for request in world.till.log)
        till = world.till.log.total
        methods = Counter(request.method for request in world.shop.log)
    what = f"{accounts} accounts × {CHANGED} live changes, {name}"

    def figure(part: str, got: float, limit: float, detail: str = "") -> Figure:
        goal = Goal(must=1.5 * limit, aim=1.1 * limit, lower_is_better=True)
        return Figure(row="catch-up", what=f"{what}: {part}", goal=goal, got=got, detail=detail)

    return [
        figure("till requests", till, accounts * PAGES, detail=f"{dict(kinds)}"),
        figure("shop writes", methods["POST"], accounts, detail=f"and {methods['GET']} reads of what the shop's plugin can do"),
        Figure(
            row="catch-up",
            what=f"{what}: time",
            goal=Goal(must=accounts * _ACCOUNT_SECONDS, aim=accounts * _ACCOUNT_SECONDS, unit="s", lower_is_better=True),
            got=seconds,
            detail=f"{accounts * CHANGED / seconds:,.0f} customers/s",
        ),
    ]
