"""The database stops under load for longer than a lease, or it hangs with open connections.

Calls get UNAVAILABLE quickly, workers wait, no accepted work is lost, and the service resumes without help.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg
import psutil
import pytest
import pytest_asyncio
from support.race_environment import an_order
from support.service import ADMIN_TOKEN, RunningService, running_service
from support.soak import rounds
from support.waiting import until, within
from tillsync.v1 import account_pb2, customer_sync_service_pb2, queue_entry_pb2, vocabulary_pb2
from tillsync_client import TillsyncError, UnavailableError
from tillsync_sandbox import SandboxShop, SandboxTill
from tillsync_server.adapters.postgres.connections import pool
from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.embedded import WHEEL, EmbeddedPostgres
from tillsync_server.adapters.postgres.migrations import migrate

LEASE_SECONDS = 8.0
pytestmark = pytest.mark.own_server
AWAY_SECONDS = rounds(LEASE_SECONDS + 1, 60.0)
QUICKLY_SECONDS, GIVEN_UP_SECONDS, CALLERS_SECONDS = 6.0, 9.0, 10.0
"""Limits in seconds: of a call that waits for a connection, of a call that waits for a statement, and of a caller by default."""
ACCOUNT, COUNT, EPOS, WOO = "shop-1", 500, 5000, 2000
WEBHOOK = aiohttp.encode_basic_auth("webhook-user", "webhook-password")
LIVE = vocabulary_pb2.PRIORITY_LIVE

CALLS: dict[str, dict[str, object]] = {
    "CustomerSyncService/SyncCustomer": {"accountId": ACCOUNT, "eposCustomerId": str(EPOS + 450)},
    "CustomerSyncService/BatchSyncCustomers": {"accountId": ACCOUNT, "eposCustomerIds": [str(EPOS + 450)]},
    "CustomerSyncService/SyncCustomerType": {"accountId": ACCOUNT, "eposCustomerTypeId": "7", "action": "CUSTOMER_TYPE_ACTION_ADD"},
    "CustomerSyncService/ListQueue": {"accountId": ACCOUNT, "queue": "QUEUE_CUSTOMERS"},
    "CustomerSyncService/BatchGetOrderMatches": {"accountId": ACCOUNT, "orderIds": ["1042"]},
    "QueueService/GetQueueEntry": {"accountId": ACCOUNT, "entryId": "01890000-0000-7000-8000-000000000000"},
    "LinkService/CreateLink": {"accountId": ACCOUNT, "eposCustomerId": "1", "wooCustomerId": "2"},
    "LinkService/ListLinks": {"accountId": ACCOUNT},
    "AccountService/GetAccount": {"accountId": ACCOUNT},
    "AccountService/ListAccounts": {},
    "AccountService/UpdateAccount": {"accountId": ACCOUNT, "account": {"name": "n"}, "updateMask": "name"},
}


@dataclass
class World:
    postgres: EmbeddedPostgres
    running: RunningService
    till: SandboxTill
    shop: SandboxShop

    @property
    def ids(self) -> list[int]:
        return [EPOS + number for number in range(COUNT)]

    def points(self) -> dict[int, str | None]:
        return {user: row.points for user, row in self.shop.store.bridge_rows.items()}

    async def connect_call(self, method: str, body: dict[str, object]) -> tuple[int, str, float]:
        """Returns HTTP status, code and seconds of one call, without the client's retries."""
        began = time.monotonic()
        async with self.running.http.post(
            f"{self.running.http_url}/tillsync.v1.{method}", json=body, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}
        ) as response:
            answer = await response.json()
            return response.status, answer.get("code", ""), time.monotonic() - began

    async def webhook(self, customer_id: int) -> int:
        async with self.running.http.post(
            f"{self.running.http_url}/webhooks/eposnow/{ACCOUNT}",
            json={"CustomerID": customer_id},
            headers={"Epos-Object": "Customer", "Epos-Action": "Update", "Authorization": WEBHOOK},
        ) as response:
            return response.status

    async def probe(self, path: str) -> int:
        async with self.running.http.get(f"{self.running.http_url}{path}") as response:
            return response.status

    async def ready(self) -> None:
        async def is_ready() -> bool:
            return await self.probe("/readyz") == 200

        await until(is_ready, lambda: self.probe("/readyz"))

    async def until_nothing_waits(self) -> None:
        async def waiting() -> list[queue_entry_pb2.QueueEntry]:
            pending = [vocabulary_pb2.ENTRY_STATE_PENDING]
            queues = (vocabulary_pb2.QUEUE_CUSTOMERS, vocabulary_pb2.QUEUE_ORDERS)
            listed = [self.running.client.sync.list_queue(ACCOUNT, queue, states=pending, page_size=1) for queue in queues]
            return [entry for entries in listed async for entry in entries]

        async def none_waits() -> bool:
            return not await waiting()

        await until(none_waits, waiting)

    async def admin(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.postgres.dsn())
        for statement in statements:
            await connection.execute(statement)
        await connection.close()


@pytest_asyncio.fixture
async def world(directory: Path) -> AsyncIterator[World]:
    async with open_world(directory) as made:
        yield made


@pytest_asyncio.fixture
async def impatient_world(directory: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A world with shorter limits of the pool than the defaults. The difference to the callers' limits allows for a busy machine."""
    defaults = Database.__init__.__kwdefaults__
    assert defaults is not None
    assert defaults["acquire_timeout_seconds"] < QUICKLY_SECONDS
    assert pool._ANSWER_SECONDS < GIVEN_UP_SECONDS < CALLERS_SECONDS
    monkeypatch.setitem(defaults, "acquire_timeout_seconds", 1.5)
    monkeypatch.setattr(pool, "_ANSWER_SECONDS", 2.5)
    async with open_world(directory) as made:
        yield made


@contextlib.asynccontextmanager
async def open_world(directory: Path) -> AsyncIterator[World]:
    """Linked customers whose new points are not in the shop yet, on a durable PostgreSQL that belongs to the test."""
    postgres = EmbeddedPostgres(directory, bin_dir=WHEEL, durable=True)
    dsn = await postgres.start()
    try:
        await migrate(dsn)
        changes = {
            "TILLSYNC_LEASE_SECONDS": f"{LEASE_SECONDS:g}",
            "TILLSYNC_TILL_TIMEOUT_SECONDS": "3",
            "TILLSYNC_SHOP_TIMEOUT_SECONDS": "3",
        }
        async with SandboxTill() as till, SandboxShop() as shop, running_service(dsn, changes=changes) as running:
            made = World(postgres, running, till, shop)
            till.switches.latency_seconds = shop.switches.latency_seconds = 0.02
            account = account_pb2.Account(
                epos=account_pb2.EposSettings(
                    base_url=till.origin,
                    api_key=till.switches.api_key,
                    api_secret=till.switches.api_secret,
                    requests_per_minute=100_000,
                    webhook_key="webhook-user",
                    webhook_secret="webhook-password",
                ),
                shop=account_pb2.ShopSettings(base_url=shop.origin, bridge_secret=shop.switches.bridge_secret),
            )
            await running.client.accounts.create_account(ACCOUNT, account)
            for number in range(COUNT):
                till.add_customer(EPOS + number, email=f"{number}@example.test", points=number + 1)
                shop.add_customer(WOO + number, email=f"{number}@example.test")
            connection = await asyncpg.connect(dsn)
            await connection.execute(
                "INSERT INTO tillsync.link (account_id, epos_customer_id, woo_customer_id, origin) "
                "SELECT $1, $2 + n, $3 + n, 3 FROM generate_series(0, $4 - 1) AS n",
                *(ACCOUNT, EPOS, WOO, COUNT),
            )
            await connection.close()
            yield made
            worker = running.service.worker
            assert worker is not None
            assert worker.counters.lost_wakeups == 0
    finally:
        await postgres.stop()


async def send_until_acknowledged(world: World, ids: list[int]) -> None:
    """Resends each id until the service acknowledges it, as a caller does. The service may answer only UNAVAILABLE."""
    while ids:
        with contextlib.suppress(UnavailableError):
            answers = await world.running.client.sync.sync_customers(ACCOUNT, ids, priority=LIVE)
            errors = [answer for answer in answers if isinstance(answer, TillsyncError)]
            assert all(isinstance(error, UnavailableError) for error in errors), errors
            ids = [each for each, answer in zip(ids, answers, strict=True) if isinstance(answer, TillsyncError)]
        await asyncio.sleep(0.05)


async def test_service_resumes_after_the_database_was_unavailable_for_longer_than_a_lease(world: World) -> None:
    await send_until_acknowledged(world, world.ids[:400])
    held = world.till.faults.script(method="POST", path="/api/v2/customer*", hang="after")
    order = an_order(woo=WOO + COUNT, email="new@example.test")
    await world.running.client.sync.match_orders(ACCOUNT, [customer_sync_service_pb2.OrderToMatch(order=order)])
    await held.arrived()  # The till has created the customer. Its answer arrives while the database is away.
    await world.postgres.stop()
    away = time.monotonic()
    held.release()
    assert await world.probe("/healthz") == 200
    answers = await asyncio.gather(*(world.connect_call(method, body) for method, body in CALLS.items()), world.webhook(EPOS + 450))
    for method, answer in zip(CALLS, answers[:-1], strict=True):
        assert isinstance(answer, tuple)
        status, code, seconds = answer
        assert ((status, code), seconds < QUICKLY_SECONDS) == ((503, "unavailable"), True), (method, answer)
    assert answers[-1] == 503
    assert await world.probe("/readyz") == 503
    # The test needs the time itself to pass, so that the leases expire.
    await asyncio.sleep(max(AWAY_SECONDS - (time.monotonic() - away), 0))
    await world.postgres.start()
    await world.ready()
    assert await world.webhook(EPOS + 450) == 202
    await world.until_nothing_waits()
    points = world.points()
    assert {number for number in [*range(400), 450] if points.get(WOO + number) != str(number + 1)} == set()
    [created] = world.till.customers_by_email("new@example.test")
    [match] = await world.running.client.sync.get_order_matches(ACCOUNT, [1042])
    assert not isinstance(match, TillsyncError)
    entry = await world.running.client.queue.get_entry(ACCOUNT, match.entry_id)
    assert (match.epos_customer_id, match.state) == (created, vocabulary_pb2.ENTRY_STATE_PROCESSED), f"{match} {entry}"


@contextlib.contextmanager
def suspended(postgres: EmbeddedPostgres) -> Iterator[None]:
    """Suspends all processes of the server within the block. Connections stay open and get no answer, as behind a cut line."""
    assert postgres.pid is not None
    server = psutil.Process(postgres.pid)
    processes = [server, *server.children(recursive=True)]  # The postmaster stops first, so that it starts no other process.
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(processes):
            process.resume()


async def test_calls_on_a_hanging_database_are_answered_within_their_limits(impatient_world: World) -> None:
    """Callers get UNAVAILABLE within their deadline, also during a statement. Waiting calls do not make later calls wait longer."""
    world = impatient_world
    await send_until_acknowledged(world, world.ids[:300])
    with suspended(world.postgres):
        for patience in (GIVEN_UP_SECONDS, QUICKLY_SECONDS):  # the first calls still find connections in the pool
            answers = await asyncio.gather(*(world.connect_call(method, body) for method, body in CALLS.items()))
            for method, (status, code, seconds) in zip(CALLS, answers, strict=True):
                assert ((status, code), seconds < patience) == ((503, "unavailable"), True), (method, status, code, seconds)
        assert await world.probe("/healthz") == 200
        assert await world.probe("/readyz") == 503
    await world.ready()
    await send_until_acknowledged(world, world.ids[300:])
    await world.until_nothing_waits()
    points = world.points()
    assert {number for number in range(COUNT) if points.get(WOO + number) != str(number + 1)} == set()


async def test_every_update_is_applied_although_the_database_restarts(world: World) -> None:
    """PostgreSQL restarts while the service accepts and runs 500 updates.

    Each update is accepted once or answered UNAVAILABLE, and applied.
    """
    sending = asyncio.create_task(send_until_acknowledged(world, world.ids))
    await until(lambda: world.till.log.total >= 3)
    await world.postgres.stop()
    await world.postgres.start()
    await within(sending)
    await world.until_nothing_waits()
    points = world.points()
    assert {number for number in range(COUNT) if points.get(WOO + number) != str(number + 1)} == set()


async def test_service_resumes_after_a_read_only_primary(world: World) -> None:
    """A read-only primary, as after a failover: reads succeed, writes are UNAVAILABLE, and the service resumes when the database accepts
    writes.
    """
    await send_until_acknowledged(world, world.ids[:200])
    await world.admin("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")

    async def is_refused() -> bool:
        return (await world.connect_call("CustomerSyncService/SyncCustomer", {"accountId": ACCOUNT, "eposCustomerId": "1"}))[0] != 200

    await until(is_refused)
    for method, body in {
        "CustomerSyncService/SyncCustomer": {"accountId": ACCOUNT, "eposCustomerId": str(EPOS + 300)},
        "LinkService/DeleteLink": {"accountId": ACCOUNT, "eposCustomerId": str(EPOS + 300)},
    }.items():
        assert (await world.connect_call(method, dict(body)))[:2] == (503, "unavailable"), method
    worker = world.running.service.worker
    assert worker is not None
    met = worker.counters.database_errors
    await until(lambda: worker.counters.database_errors >= met + 3, lambda: worker.counters)  # the worker gets the error several times too
    await world.admin(
        "SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"
    )
    await send_until_acknowledged(world, [EPOS + 300])
    await world.until_nothing_waits()
    points = world.points()
    assert {number for number in [*range(200), 300] if points.get(WOO + number) != str(number + 1)} == set()
    link = await world.running.client.links.get_link(ACCOUNT, epos_customer_id=EPOS + 300)
    assert link.usable
