"""Row `citus`: `tillsync serve` on a cell of a Citus cluster beside the same service on plain PostgreSQL of the same version and settings.

The cluster has a coordinator and two workers on this machine, so no network lies between them. The service calls the coordinator. Till and
shop answer at once. Three things are measured on each in turns: customers until their entries have ended, orders until they are answered
and their entries have ended, and a lone SyncCustomer. TILLSYNC_CITUS_BIN names the programs.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.bench import Bench, our_connection
from benchmarks.calls import NO_CAPS
from benchmarks.machine import memory_share
from benchmarks.report import Figure, Goal, of_runs
from benchmarks.service_world import ACCOUNT, ServiceWorld
from citus_cluster.cluster import DATABASE, answers, execute, running_cluster
from citus_cluster.node import Node
from ha.machine import free_ports
from support import citus
from support.race_environment import an_order
from support.service import ADMIN_TOKEN, child, environment
from support.waiting import until
from tillsync.v1 import vocabulary_pb2
from tillsync_client import TillsyncClient
from tillsync_sandbox import SandboxShop, SandboxTill
from tillsync_server.adapters.postgres.migrations import migrate

CELL = "tillsync"
ORDERS_AT_ONCE = 16
_SHORT_DELAYS = ("TILLSYNC_POLL_SECONDS", "TILLSYNC_RETRY_BASE_SECONDS")
_IS_BUSY = "SELECT EXISTS (SELECT FROM entry WHERE state = 1)"
_RATE = Goal(must=0.6, aim=0.75, unit="×")
_TIME = Goal(must=2.4, aim=1.8, unit="×", lower_is_better=True)
"""must: what the prototype reached."""


@dataclass
class _Side:
    """One of the two services. Customers and orders are a second, calls are milliseconds, each by round."""

    name: str
    world: ServiceWorld
    customers: list[float] = field(default_factory=list)
    orders: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    _linked: list[int] = field(default_factory=list)
    _sent: int = 0
    _points: int = 0

    async def prepare(self, customers: int) -> None:
        await self.world.open_account(with_bridge=True)
        self._linked = self.world.add_customers(customers)
        await self.world.link(self._linked)

    async def round(self, customers: int, orders: int, calls: int) -> None:
        self.customers.append(customers / await self._seconds_of_customers(self._linked[:customers]))
        self.orders.append(orders / await self._seconds_of_orders(orders))
        self.calls.append(statistics.median([await self._seconds_of_call(number) for number in range(calls)]) * 1000)

    def shown(self) -> str:
        return f"{self.name}: {self.customers[-1]:,.0f} customers/s, {self.orders[-1]:,.1f} orders/s, a call {self.calls[-1]:.1f} ms"

    async def _seconds_of_customers(self, epos_ids: Sequence[int]) -> float:
        self._points += 1
        for epos_id in epos_ids:
            self.world.till.change_customer(epos_id, points=self._points)
        began = time.perf_counter()
        await self.world.client.sync.sync_customers(ACCOUNT, epos_ids)
        await self._all_ended()
        return time.perf_counter() - began

    async def _seconds_of_orders(self, count: int) -> float:
        """A third is found at the till by its email, a third is of new shoppers, and a third of them again, who are linked by then."""
        emails = [f"shopper{self._sent + number}@example.test" for number in range(count * 2 // 3)]
        for email in emails[: count // 3]:
            self.world.till.add_customer(email=email)
        users = {email: self.world.shop.add_customer(email=email) for email in emails}
        waiting = iter([*emails, *emails[: count - len(emails)]])
        began = time.perf_counter()

        async def one_after_another() -> None:
            for email in waiting:
                self._sent += 1
                await self.world.client.sync.match_order(ACCOUNT, an_order(self._sent, woo=users[email], email=email))

        async with asyncio.TaskGroup() as callers:
            for _ in range(ORDERS_AT_ONCE):
                callers.create_task(one_after_another())
        await self._all_ended()
        return time.perf_counter() - began

    async def _seconds_of_call(self, number: int) -> float:
        epos_id = self._linked[number % len(self._linked)]
        began = time.perf_counter()
        await self.world.client.sync.sync_customer(ACCOUNT, epos_id, priority=vocabulary_pb2.PRIORITY_LIVE)
        seconds = time.perf_counter() - began
        await self._all_ended()
        return seconds

    async def _all_ended(self) -> None:
        connection = await our_connection(self.world.dsn)
        async with asyncio.timeout(120):
            while await connection.fetchval(_IS_BUSY):
                await asyncio.sleep(0.02)
        await connection.close()


async def on_citus(bench: Bench) -> list[Figure]:
    programs = citus.bin_dir()
    if programs is None:
        bench.show_progress(f"citus: not measured, {citus.BIN_VARIABLE} must name the programs of a PostgreSQL 15 with Citus")
        return []
    plan = bench.plan
    async with _sides(bench, programs) as sides:
        for side in sides:
            await side.prepare(plan.citus_customers)
            await side.round(plan.citus_customers, plan.citus_orders // 3, plan.citus_calls // 5)
            for runs in (side.customers, side.orders, side.calls):
                runs.clear()  # the first round warms up
        for number in range(plan.rounds):
            for side in sides if number % 2 else reversed(sides):
                await side.round(plan.citus_customers, plan.citus_orders, plan.citus_calls)
            bench.show_progress(f"citus round {number + 1}: {'; '.join(side.shown() for side in sides)}")
    plain, cell = sides
    return [
        _figure("customers", _RATE, cell.customers, plain.customers, "/s"),
        _figure("orders", _RATE, cell.orders, plain.orders, "/s"),
        _figure("lone SyncCustomer", _TIME, cell.calls, plain.calls, " ms"),
    ]


def _figure(what: str, goal: Goal, cell: Sequence[float], plain: Sequence[float], unit: str) -> Figure:
    ratios = [mine / other for mine, other in zip(cell, plain, strict=True)]
    detail = f"cell {statistics.median(cell):,.1f}{unit}, plain {statistics.median(plain):,.1f}{unit}"
    what = f"{what}: cell of a Citus cluster / plain PostgreSQL 15"
    return of_runs("citus", what, goal, ratios, detail, cell=list(cell), plain=list(plain))


@asynccontextmanager
async def _sides(bench: Bench, programs: Path) -> AsyncIterator[tuple[_Side, _Side]]:
    settings = {"shared_buffers": f"{memory_share() // 4}MB", "max_wal_size": "8GB"}
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(running_cluster(programs, bench.directory, settings))
        [port] = free_ports(1)
        kept = {name: value for name, value in cluster.coordinator.settings.items() if "citus" not in name + value}
        plain = Node("plain", bench.directory / "plain", cluster.coordinator.programs, port, kept)
        plain.make()
        stack.callback(plain.kill)
        plain.start()
        await until(lambda: answers(plain, "postgres"), plain.report)
        await execute(plain, "postgres", f"CREATE ROLE {CELL} LOGIN", f"CREATE DATABASE {DATABASE} OWNER {CELL}")
        served = [
            _Side(name, await stack.enter_async_context(_served(bench, dsn)))
            for name, dsn in (("plain", plain.dsn(DATABASE, CELL)), ("cell", await cluster.make_cell(CELL)))
        ]
        yield served[0], served[1]


@asynccontextmanager
async def _served(bench: Bench, dsn: str) -> AsyncIterator[ServiceWorld]:
    """Runs `tillsync serve` in a process of its own on the schema `tillsync`, with its default delays."""
    await migrate(dsn)
    variables = environment(dsn, **NO_CAPS)
    for name in _SHORT_DELAYS:
        del variables[name]
    async with SandboxTill() as till, SandboxShop() as shop:
        with child(["serve"], variables, bench.directory) as service:
            await service.started()
            async with TillsyncClient(f"127.0.0.1:{service.grpc_port}", ADMIN_TOKEN, deadline_seconds=60) as client:
                yield ServiceWorld(dsn, client, till, shop)
            await service.stop()
