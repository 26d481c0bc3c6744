"""Kills the service repeatedly during many updates. Every acknowledged update is applied.

It runs with the embedded PostgreSQL, which stops with its service, and with a database that outlives the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from support.directories import reachable_directory
from support.postgres import TestDatabase
from support.service import ADMIN_TOKEN, Child, child, environment
from support.soak import rounds
from support.waiting import HANG_SECONDS, until
from tillsync.v1 import account_pb2, queue_entry_pb2, vocabulary_pb2
from tillsync_client import TillsyncClient, TillsyncError
from tillsync_sandbox import SandboxShop, SandboxTill

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

BATCHES, KILLS, BATCH = rounds((20, 2, 10), (30, 3, 100))
UPDATES = BATCHES * BATCH
ACCOUNT = "shop-a"
SETTINGS = {
    # The shortest lease that serve allows with such time limits. The lane of a killed worker resumes after this time.
    "TILLSYNC_LEASE_SECONDS": "7.5",
    "TILLSYNC_TILL_TIMEOUT_SECONDS": "2",
    "TILLSYNC_SHOP_TIMEOUT_SECONDS": "2",
}


class KilledService:
    """A real ``tillsync serve`` that is killed and started again. ``client`` calls the running one."""

    def __init__(self, dsn: str | None, data_dir: Path, directory: Path) -> None:
        self._variables = environment(dsn, TILLSYNC_DATA_DIR=str(data_dir), **SETTINGS)
        self._directory = directory
        self._stack = contextlib.AsyncExitStack()
        self.process: Child
        self.client: TillsyncClient

    async def start(self) -> None:
        self.process = self._stack.enter_context(child(["serve"], self._variables, self._directory))
        await self.process.started()
        self.client = await self._stack.enter_async_context(
            TillsyncClient(f"127.0.0.1:{self.process.grpc_port}", ADMIN_TOKEN, deadline_seconds=HANG_SECONDS)
        )

    async def kill(self) -> None:
        await self.process.stop(signal.SIGKILL)
        await self._stack.aclose()
        await self.start()

    async def stop(self) -> None:
        assert await self.process.stop() == 0, self.process.errors
        await self._stack.aclose()


@contextlib.asynccontextmanager
async def killed_service(dsn: str | None, data_dir: Path, directory: Path) -> AsyncIterator[KilledService]:
    service = KilledService(dsn, data_dir, directory)
    await service.start()
    try:
        yield service
    finally:
        await service._stack.aclose()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with reachable_directory() as made:
        yield made


async def add_linked_customers(service: KilledService, till: SandboxTill, shop: SandboxShop) -> dict[int, int]:
    """Adds and links the customers. Returns shop customers by till customer."""
    account = account_pb2.Account(
        customer_sync_enabled=True,
        epos=account_pb2.EposSettings(
            base_url=till.origin, api_key=till.switches.api_key, api_secret=till.switches.api_secret, requests_per_minute=100_000
        ),
        shop=account_pb2.ShopSettings(base_url=shop.origin, bridge_secret=shop.switches.bridge_secret),
    )
    await service.client.accounts.create_account(ACCOUNT, account)
    linked = {}
    for number in range(UPDATES):
        email = f"person-{number}@example.test"
        linked[till.add_customer(forename=f"Person {number}", email=email, points=1)] = shop.add_customer(email=email)
    for start in range(0, UPDATES, BATCH):
        part = list(linked.items())[start : start + BATCH]
        await asyncio.gather(*(service.client.links.create_link(ACCOUNT, epos, woo) for epos, woo in part))
    return linked


async def send_until_acknowledged(service: KilledService, ids: list[int]) -> None:
    """Resends the ids until the service acknowledges all of them, as a caller does."""
    while True:
        with contextlib.suppress(TillsyncError):
            results = await service.client.sync.sync_customers(ACCOUNT, ids, priority=vocabulary_pb2.PRIORITY_LIVE)
            if not any(isinstance(result, TillsyncError) for result in results):
                return
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "outlives",
    [pytest.param(False, marks=pytest.mark.own_server, id="embedded"), pytest.param(True, id="database that outlives the service")],
)
async def test_every_acknowledged_update_is_applied_although_the_service_is_killed(
    outlives: bool, database: TestDatabase, data_dir: Path, tmp_path: Path
) -> None:
    chance = random.Random(7)
    async with (
        SandboxTill() as till,
        SandboxShop() as shop,
        killed_service(database.dsn if outlives else None, data_dir, tmp_path) as service,
    ):
        linked = await add_linked_customers(service, till, shop)
        for epos_id in linked:
            till.change_customer(epos_id, points=500)
        kill_before = {chance.randrange(2, UPDATES // BATCH) for _ in range(40)}
        kill_before = set(sorted(kill_before)[:: max(1, len(kill_before) // KILLS)][:KILLS])
        ids = list(linked)
        kills = 0
        for number, start in enumerate(range(0, UPDATES, BATCH)):
            if number in kill_before:
                await service.kill()
                kills += 1
            await send_until_acknowledged(service, ids[start : start + BATCH])
        assert kills == KILLS
        rows = shop.store.bridge_rows

        def unapplied() -> list[int]:
            return [woo for woo in linked.values() if (row := rows.get(woo)) is None or row.points != "500"]

        await until(
            lambda: not unapplied(),
            lambda: f"{len(unapplied())} acknowledged updates are not applied: {unapplied()[:5]}\n{service.process.errors}",
        )
        await until_nothing_waits(service.client)
        await service.stop()


async def until_nothing_waits(client: TillsyncClient) -> None:
    """Returns within a lease. Entries that were applied but not completed before the kill run once more."""

    async def waiting() -> list[queue_entry_pb2.QueueEntry]:
        pending = [vocabulary_pb2.ENTRY_STATE_PENDING]
        return [entry async for entry in client.sync.list_queue(ACCOUNT, vocabulary_pb2.QUEUE_CUSTOMERS, states=pending, page_size=1)]

    async def none_waits() -> bool:
        return not await waiting()

    await until(none_waits, waiting)
