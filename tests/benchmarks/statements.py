"""Row `statements`: number of statements and CPU time of one lone update, and of one lone order of each kind.

The service is `tillsync serve` as it is deployed, with default settings, in a separate process. The sandbox till and the sandbox shop with
the bridge run in this process. Each unit begins when the previous one is done and its lane is released. All statements count, including
BEGIN and COMMIT. The costs of an idle process are measured before, and subtracted. The CPU time is that of the service's process.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
from benchmarks.bench import Bench, our_connection
from benchmarks.child import running_child
from benchmarks.report import Figure, Goal
from benchmarks.service_world import ACCOUNT, REQUESTS_PER_MINUTE
from support.service import ADMIN_TOKEN, command_environment, environment
from tillsync.v1 import account_pb2, customer_sync_service_pb2, order_pb2
from tillsync_client import TillsyncClient
from tillsync_sandbox import SandboxShop, SandboxTill

_LIVE = "SELECT EXISTS (SELECT FROM entry) OR EXISTS (SELECT FROM lane WHERE lease_expires_at IS NOT NULL)"
_OUTCOMES = "SELECT outcome, count(*) AS entries FROM entry_history WHERE kind = $1 GROUP BY outcome"
_PAUSE_SECONDS = 0.05
"""Pause after a unit, for its notifications and notes."""
_REGISTERED = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
_LINKED, _BY_EMAIL, _CREATED = "linked", "matched by email", "created"


@dataclass
class _Cost:
    statements: Counter[str] = field(default_factory=Counter)
    cpu: float = 0.0
    seconds: float = 0.0


@dataclass
class _World:
    process: asyncio.subprocess.Process
    client: TillsyncClient
    http_url: str
    till: SandboxTill
    shop: SandboxShop
    database: asyncpg.Connection[asyncpg.Record]

    async def take(self) -> tuple[Counter[str], float]:
        """Returns the statements and CPU seconds of the service since the last call."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(b"\n")
        taken: dict[str, Any] = json.loads(await asyncio.wait_for(stdout.readline(), 60))
        return Counter(taken["statements"]), taken["cpu"]

    async def cost(self, run: Callable[[], Awaitable[None]]) -> _Cost:
        await self.take()
        began = time.perf_counter()
        await run()
        seconds = time.perf_counter() - began
        return _Cost(*await self.take(), seconds)

    async def done(self) -> None:
        """Waits until every entry has ended and no lane is leased."""
        async with asyncio.timeout(60):
            while await self.database.fetchval(_LIVE):
                await asyncio.sleep(0.002)
        await asyncio.sleep(_PAUSE_SECONDS)

    async def open_account(self) -> None:
        switches, site = self.till.switches, self.shop.switches
        switches.webhook_key, switches.webhook_secret = "hook", "secret of the hook"
        epos = account_pb2.EposSettings(
            base_url=self.till.origin,
            api_key=switches.api_key,
            api_secret=switches.api_secret,
            webhook_key=switches.webhook_key,
            webhook_secret=switches.webhook_secret,
            requests_per_minute=REQUESTS_PER_MINUTE,
        )
        shop = account_pb2.ShopSettings(base_url=self.shop.origin, bridge_secret=site.bridge_secret)
        account = account_pb2.Account(customer_sync_enabled=True, trusted_accounts=account_pb2.TRUSTED_ACCOUNTS_ALL, epos=epos, shop=shop)
        await self.client.accounts.create_account(ACCOUNT, account)
        switches.webhook_url = f"{self.http_url}/webhooks/eposnow/{ACCOUNT}"

    async def add_shopper(self, number: int, *, at_till: bool) -> int:
        """Adds a shop user with a new email. Returns the user's id."""
        email = f"shopper{number}@example.test"
        if at_till:
            self.till.store.add_customer(by_api=True, email_address=email, forename="Ada", surname="Byron")
        return self.shop.add_customer(email=email, registered=_REGISTERED.strftime("%Y-%m-%dT%H:%M:%S"))

    async def order(self, order_id: int, woo_customer_id: int, number: int) -> None:
        email = f"shopper{number}@example.test"
        key = hashlib.sha256(f"order {order_id}".encode()).hexdigest()
        facts = order_pb2.Order(order_id=order_id, order_key=key, woo_customer_id=woo_customer_id, account_email=email, billing_email=email)
        facts.first_name, facts.last_name = "Nova", "Newcomer"
        facts.create_time.GetCurrentTime()
        facts.woo_registered_time.FromDatetime(_REGISTERED)  # as the bridge sends it
        [result] = await self.client.sync.match_orders(ACCOUNT, [customer_sync_service_pb2.OrderToMatch(order=facts)])
        if not isinstance(result, customer_sync_service_pb2.MatchOrderCustomerResponse):
            raise RuntimeError(f"the order was not accepted: {result}")
        await self.done()


async def statements(bench: Bench) -> list[Figure]:
    units, idle_seconds = bench.plan.statement_units, bench.plan.statement_idle_seconds
    async with _world(bench) as world:
        await world.open_account()
        shoppers = {
            kind: [await world.add_shopper(start + each, at_till=kind is not _CREATED) for each in range(units + 1)]
            for kind, start in ((_BY_EMAIL, 0), (_CREATED, units + 1))
        }
        await world.done()
        idle = await world.cost(lambda: asyncio.sleep(idle_seconds))
        costs = {kind: await _orders(world, kind, shoppers[kind], first) for kind, first in ((_BY_EMAIL, 0), (_CREATED, units + 1))}
        costs[_LINKED] = await _orders(world, _LINKED, shoppers[_BY_EMAIL], 0)
        update = await _updates(world, units)
        for kind, name in ((1, "customers"), (3, "orders")):
            outcomes = {row["outcome"]: row["entries"] for row in await world.database.fetch(_OUTCOMES, kind)}
            bench.show_progress(f"{name} by outcome: {outcomes}")
    return [
        _idle_figure(idle),
        _figure(bench, "an update", update, idle, units, Goal(must=20, aim=12.5, lower_is_better=True)),
        *(
            _figure(bench, f"an order, {kind}", costs[kind], idle, units, Goal(must=today, aim=today * 0.75, lower_is_better=True))
            for kind, today in ((_LINKED, 30), (_BY_EMAIL, 61), (_CREATED, 74))
        ),
        _cpu_figure(update, idle, units),
    ]


async def _orders(world: _World, kind: str, shoppers: list[int], first: int) -> _Cost:
    """Measures orders of one kind. The first order does not count, because it learns how the till searches."""
    base = {_BY_EMAIL: 10_000, _CREATED: 20_000, _LINKED: 30_000}[kind]
    await world.order(base, shoppers[0], first)

    async def run() -> None:
        for offset, shopper in enumerate(shoppers[1:], start=1):
            await world.order(base + offset, shopper, first + offset)

    return await world.cost(run)


async def _updates(world: _World, units: int) -> _Cost:
    """Measures changes of a linked customer, announced by the till's webhook."""
    [epos_id] = [row["epos_customer_id"] for row in await world.database.fetch("SELECT epos_customer_id FROM link LIMIT 1")]

    async def change(points: int) -> None:
        finished = await world.database.fetchval("SELECT count(*) FROM entry_history WHERE kind = 1")
        world.till.change_customer(epos_id, points=points)
        async with asyncio.timeout(60):
            while await world.database.fetchval("SELECT count(*) FROM entry_history WHERE kind = 1") == finished:
                await asyncio.sleep(0.002)
        await world.done()

    await change(1)

    async def run() -> None:
        for number in range(units):
            await change(2 + number)

    return await world.cost(run)


def _per_unit(cost: _Cost, idle: _Cost, units: int) -> tuple[dict[str, float], float]:
    """Returns the statements by name and the CPU seconds of one unit, minus those of an idle process in that time."""
    share = cost.seconds / idle.seconds
    by_name = {name: (count - idle.statements[name] * share) / units for name, count in cost.statements.most_common()}
    return {name: each for name, each in by_name.items() if each >= 0.05}, (cost.cpu - idle.cpu * share) / units


def _figure(bench: Bench, what: str, cost: _Cost, idle: _Cost, units: int, goal: Goal) -> Figure:
    by_name, cpu = _per_unit(cost, idle, units)
    bench.show_progress(f"{what}: " + ", ".join(f"{name} {each:.1f}" for name, each in by_name.items()))
    detail = f"{cpu * 1000:.1f} ms of CPU, {cost.seconds / units * 1000:.0f} ms, {units} one after the other"
    return Figure(row="statements", what=f"statements for {what}", goal=goal, got=sum(by_name.values()), detail=detail, facts=by_name)


def _cpu_figure(update: _Cost, idle: _Cost, units: int) -> Figure:
    _, cpu = _per_unit(update, idle, units)
    goal = Goal(must=5.7, aim=2.9, unit="ms", lower_is_better=True)
    return Figure(row="statements", what="CPU of the service for an update", goal=goal, got=cpu * 1000, detail="webhook to shop")


def _idle_figure(idle: _Cost) -> Figure:
    by_name = {name: round(count / idle.seconds, 2) for name, count in idle.statements.most_common()}
    goal = Goal(must=4.8, aim=2.4, unit="/s", lower_is_better=True)
    got = idle.statements.total() / idle.seconds
    what = "statements of an idle service"
    detail = f"{idle.cpu / idle.seconds * 1000:.1f} ms of CPU a second, in {idle.seconds:.0f} s"
    return Figure(row="statements", what=what, goal=goal, got=got, detail=detail, facts=by_name)


@asynccontextmanager
async def _world(bench: Bench) -> AsyncIterator[_World]:
    dsn = await bench.make_ours("statements")
    variables = environment(dsn, TILLSYNC_LOG_LEVEL="warning", TILLSYNC_ALLOWED_HOSTS="127.0.0.1")
    for quick in ("TILLSYNC_POLL_SECONDS", "TILLSYNC_RETRY_BASE_SECONDS", "TILLSYNC_DRAIN_SECONDS"):
        variables.pop(quick)
    async with (
        SandboxTill() as till,
        SandboxShop() as shop,
        running_child("service", variables=command_environment(**variables)) as process,
    ):
        assert process.stdout is not None
        _, grpc_port, http_port = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().split()
        database = await our_connection(dsn)
        async with TillsyncClient(f"127.0.0.1:{grpc_port}", ADMIN_TOKEN) as client:
            yield _World(process, client, f"http://127.0.0.1:{http_port}", till, shop, database)
        await database.close()
    await bench.drop_database("statements")
