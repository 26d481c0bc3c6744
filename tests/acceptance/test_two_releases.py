"""The previous release and this one on one database, under load: forward, back and forward again by rolling restarts."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from support.directories import REPOSITORY, reachable_directory
from support.earlier_release import newest_release, python_path, unpack
from support.postgres import TestDatabase
from support.race_environment import an_order
from support.service import ADMIN_TOKEN, Child, child, environment, run_command
from support.waiting import HANG_SECONDS, until
from tillsync.v1 import account_pb2, vocabulary_pb2
from tillsync_client import TillsyncClient, TillsyncError
from tillsync_sandbox import SandboxShop, SandboxTill

pytestmark = [pytest.mark.processes, pytest.mark.earlier_release, pytest.mark.timeout(300)]

ACCOUNT, SCHEMA = "shop-a", "two_releases"
CUSTOMERS, SHOPPERS_AT_ONCE = 12, 3
REQUESTS_A_STAGE = 12
"""Acknowledged requests of each kind while two releases run together."""
FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.DATA_LOSS}
UNFINISHED = [vocabulary_pb2.ENTRY_STATE_PENDING, vocabulary_pb2.ENTRY_STATE_HELD, vocabulary_pb2.ENTRY_STATE_FAILED]


@dataclass
class Load:
    """Changes customers at the till and sends orders of new shoppers, each until it is acknowledged."""

    till: SandboxTill
    shop: SandboxShop
    linked: dict[int, int]
    address: str = ""
    updates: Counter[int] = field(default_factory=Counter)
    emails: list[str] = field(default_factory=list)
    statuses: Counter[grpc.StatusCode] = field(default_factory=Counter)
    _orders: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def change_customers(self) -> None:
        for turn in itertools.count(1):
            for epos_id in self.linked:
                self.till.change_customer(epos_id, points=turn)
            await self._acknowledged(
                lambda client: client.sync.sync_customers(ACCOUNT, list(self.linked), priority=vocabulary_pb2.PRIORITY_LIVE)
            )
            self.updates.update(self.linked.keys())

    async def send_orders(self, shopper: int) -> None:
        """Two orders of each new shopper at once: a second customer at the till would be a twin."""
        for number in itertools.count(1):
            email = f"shopper-{shopper}-{number}@example.test"
            user = self.shop.add_customer(email=email)
            await asyncio.gather(*(self._order(user, email) for _ in range(2)))
            self.emails.append(email)

    async def _order(self, user: int, email: str) -> None:
        order = an_order(next(self._orders), woo=user, email=email)
        await self._acknowledged(lambda client: client.sync.match_order(ACCOUNT, order))

    async def _acknowledged(self, call: Callable[[TillsyncClient], Awaitable[object]]) -> None:
        while True:
            async with TillsyncClient(self.address, ADMIN_TOKEN, deadline_seconds=10) as client:
                try:
                    await call(client)
                except TillsyncError as error:
                    self.statuses[error.code] += 1
                    await asyncio.sleep(0.05)
                else:
                    return

    async def more(self) -> None:
        """Returns after some further requests of each kind were acknowledged."""
        updates, orders = self.updates.total() + REQUESTS_A_STAGE, len(self.emails) + REQUESTS_A_STAGE // 2
        await until(
            lambda: self.updates.total() >= updates and len(self.emails) >= orders,
            lambda: f"{self.updates.total()} of {updates} updates, {len(self.emails)} of {orders} shoppers, {self.statuses}",
        )


class Deployment:
    """One ``serve`` and one ``worker`` process. Each is replaced by starting the next one before the old one stops."""

    def __init__(self, variables: dict[str, str], releases: dict[str, str], directory: Path, load: Load) -> None:
        self._variables, self._releases, self._directory, self._load = variables, releases, directory, load
        self._running: dict[str, tuple[AsyncExitStack, Child]] = {}

    def variables(self, release: str) -> dict[str, str]:
        return {**self._variables, **({"PYTHONPATH": self._releases[release]} if self._releases[release] else {})}

    async def replace(self, command: str, release: str) -> None:
        stack = AsyncExitStack()
        made = stack.enter_context(child([command], self.variables(release), self._directory))
        await made.started()
        if command == "serve":
            self._load.address = f"127.0.0.1:{made.grpc_port}"
        before = self._running.get(command)
        self._running[command] = stack, made
        if before is not None:
            assert await before[1].stop() == 0, before[1].errors
            self._check(before[1])
            await before[0].aclose()

    async def stop(self) -> None:
        for stack, process in self._running.values():
            assert await process.stop() == 0, process.errors
            self._check(process)
            await stack.aclose()

    def _check(self, process: Child) -> None:
        errors = [line for line in process.errors.splitlines() if '"level": "error"' in line]
        assert not errors, errors[:3]


@pytest.fixture
def previous() -> Iterator[Path]:
    with reachable_directory("previous-") as directory:
        yield unpack(directory, newest_release())


def revisions(server: Path) -> set[str]:
    """The numbers of the revisions in a release's ``server`` folder."""
    directory = server / "tillsync_server/adapters/postgres/migrations/versions"
    return {found[1] for path in directory.iterdir() if (found := re.match(r"r?(\d{4})_", path.name))}


@asynccontextmanager
async def loaded(load: Load) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(load.change_customers()), *(asyncio.create_task(load.send_orders(n)) for n in range(SHOPPERS_AT_ONCE))]
    try:
        yield
        assert not any(task.done() for task in tasks), [task.exception() for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_rolling_restarts_between_two_releases_lose_nothing_and_make_no_twin(
    database: TestDatabase, previous: Path, tmp_path: Path
) -> None:
    variables = environment(database.dsn, TILLSYNC_DB_SCHEMA=SCHEMA, TILLSYNC_ALLOWED_HOSTS="127.0.0.1")
    async with SandboxTill() as till, SandboxShop() as shop:
        load = Load(till, shop, {})
        deployment = Deployment(variables, {"previous": python_path(previous), "this": ""}, tmp_path, load)
        await asyncio.to_thread(run_command, ["migrate"], deployment.variables("previous"))
        await deployment.replace("serve", "previous")
        await deployment.replace("worker", "previous")
        await add_account(load)
        async with loaded(load):
            await load.more()
            ran = await asyncio.to_thread(run_command, ["migrate"], deployment.variables("this"))
            new = sorted(revisions(REPOSITORY / "server") - revisions(previous / "server"))
            assert ran.stdout.splitlines()[-1] == (f"applied: {', '.join(new)}" if new else "nothing to do: the schema is up to date"), ran
            for release in ("this", "previous", "this"):
                for command in ("serve", "worker"):
                    await deployment.replace(command, release)
                    await load.more()
        await everything_arrived(load)
        await deployment.stop()
    assert not FAULTS & load.statuses.keys(), load.statuses
    twins = {email: found for email in load.emails if len(found := till.customers_by_email(email)) != 1}
    assert not twins, f"of {len(load.emails)} shoppers"


async def add_account(load: Load) -> None:
    epos = account_pb2.EposSettings(
        base_url=load.till.origin,
        api_key=load.till.switches.api_key,
        api_secret=load.till.switches.api_secret,
        requests_per_minute=100_000,
    )
    settings = account_pb2.ShopSettings(base_url=load.shop.origin, bridge_secret=load.shop.switches.bridge_secret)
    async with TillsyncClient(load.address, ADMIN_TOKEN, deadline_seconds=HANG_SECONDS) as client:
        await client.accounts.create_account(ACCOUNT, account_pb2.Account(customer_sync_enabled=True, epos=epos, shop=settings))
        for number in range(CUSTOMERS):
            email = f"person-{number}@example.test"
            epos_id, woo_id = load.till.add_customer(email=email, points=0), load.shop.add_customer(email=email)
            await client.links.create_link(ACCOUNT, epos_id, woo_id)
            load.linked[epos_id] = woo_id


async def everything_arrived(load: Load) -> None:
    """The newest values of each customer are in the shop, and no entry waits."""
    for epos_id in load.linked:
        load.till.change_customer(epos_id, points=123_456)
    async with TillsyncClient(load.address, ADMIN_TOKEN, deadline_seconds=HANG_SECONDS) as client:
        await client.sync.sync_customers(ACCOUNT, list(load.linked), priority=vocabulary_pb2.PRIORITY_LIVE)
        rows = load.shop.store.bridge_rows
        await until(
            lambda: all((row := rows.get(woo)) is not None and row.points == "123456" for woo in load.linked.values()),
            lambda: f"{ {woo: rows.get(woo) for woo in load.linked.values()} }",
        )

        async def unfinished() -> list[str]:
            return [
                f"{entry.comment} {list(entry.notes)}"
                for queue in (vocabulary_pb2.QUEUE_CUSTOMERS, vocabulary_pb2.QUEUE_ORDERS)
                async for entry in client.sync.list_queue(ACCOUNT, queue, states=UNFINISHED)
            ]

        async def all_finished() -> bool:
            return not await unfinished()

        await until(all_finished, unfinished)
