"""More idle connections than the process may open files. Calls on both ports are still served, and the log reports closed connections."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from support.directories import reachable_directory
from support.postgres import TestDatabase
from support.service import ADMIN_TOKEN, Child, child, environment
from support.waiting import until
from tillsync.v1 import account_pb2
from tillsync_client import TillsyncClient

pytestmark = pytest.mark.processes
COUNT = 1_100
"""Above the usual soft limit of 1,024."""
WITHOUT_END = b"POST /grpc.health.v1.Health/Check HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
GUESS = (
    b"POST /tillsync.v1.CustomerSyncService/SyncCustomer HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Authorization: Bearer tls_wrong\r\nContent-Length: 2\r\n\r\n{}"
)
BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


@pytest.fixture
def directory() -> Iterator[Path]:
    with reachable_directory() as made:
        yield made


@pytest.fixture(autouse=True)
def _raised_file_limit() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 3 * COUNT:
        pytest.skip(f"this machine allows {hard} open files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3 * COUNT), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@asynccontextmanager
async def idle_connections(*ports: int, sends: bytes = b"") -> AsyncIterator[None]:
    """Opens COUNT connections to each port. Each writes ``sends`` once, and reads nothing."""
    opened: list[asyncio.StreamWriter] = []
    try:
        for port in ports:
            for _ in range(COUNT // 100):
                made = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(100)))
                opened += [writer for _, writer in made]
                for _, writer in made:
                    writer.write(sends)
        yield
    finally:
        for writer in opened:
            writer.transport.abort()


class AttackedService:
    def __init__(self, process: Child) -> None:
        self.process = process
        self.http_port = int(process.http_url.rpartition(":")[2])
        self.seconds: list[float] = []

    async def make_account(self) -> None:
        async with TillsyncClient(f"127.0.0.1:{self.process.grpc_port}", ADMIN_TOKEN) as client:
            await client.accounts.create_account("shop-1", account_pb2.Account())

    async def call_grpc(self, customer: int) -> None:
        """Calls over a new connection. The answer needs the database."""
        began = asyncio.get_running_loop().time()
        async with TillsyncClient(f"127.0.0.1:{self.process.grpc_port}", ADMIN_TOKEN, deadline_seconds=30) as client:
            await client.sync.sync_customer("shop-1", customer)
        self.seconds.append(asyncio.get_running_loop().time() - began)

    async def call_http(self, customer: int) -> None:
        began = asyncio.get_running_loop().time()
        url = f"{self.process.http_url}/tillsync.v1.CustomerSyncService/SyncCustomer"
        async with aiohttp.ClientSession() as http:
            async with http.post(url, json={"accountId": "shop-1", "eposCustomerId": str(customer)}, headers=BEARER) as response:
                assert response.status == 200, await response.text()
            for probe in (self.process.http_url, self.process.operations_url):
                async with http.get(f"{probe}/readyz") as response:
                    assert response.status == 200
        self.seconds.append(asyncio.get_running_loop().time() - began)

    def logged(self, event: str) -> list[dict[str, object]]:
        lines = (line for line in self.process.errors.splitlines() if line.startswith("{"))
        return [line for line in map(json.loads, lines) if line["event"] == event]


@asynccontextmanager
async def attacked(database: TestDatabase, directory: Path, limit: str) -> AsyncIterator[AttackedService]:
    with child(["serve"], environment(database.dsn, TILLSYNC_DATA_DIR=str(directory)), directory, limit=limit) as process:
        await process.started()
        made = AttackedService(process)
        await made.make_account()
        yield made
        assert await process.stop() == 0


async def test_both_ports_serve_after_the_soft_limit_is_raised(database: TestDatabase, directory: Path) -> None:
    async with attacked(database, directory, "-Sn 1024") as service:
        [started] = service.logged("started")
        assert int(str(started["open_files"])) > 1024
        assert service.logged("few_open_files") == []
        async with idle_connections(service.http_port, service.process.grpc_port):
            for customer in range(1, 6):
                await asyncio.gather(service.call_http(customer), service.call_grpc(100 + customer))
        assert max(service.seconds) < 20, "it was 48 s"


@pytest.mark.parametrize("sends", [b"", WITHOUT_END, GUESS], ids=["nothing", "a request without an end", "a wrong token"])
async def test_idle_http_connections_are_closed_at_a_fixed_file_limit(database: TestDatabase, directory: Path, sends: bytes) -> None:
    async with attacked(database, directory, "-n 1024") as service:
        [warning] = service.logged("few_open_files")
        assert "1024" in str(warning["reason"])
        async with idle_connections(service.http_port, sends=sends):
            for customer in range(1, 6):
                await asyncio.gather(service.call_http(customer), service.call_grpc(100 + customer))
            limits = [line["what"] for line in service.logged("limit_hit")]
            assert limits.count("idle connections of HTTP") == 1
        assert max(service.seconds) < 5


async def test_idle_grpc_connections_at_a_fixed_file_limit_affect_only_grpc(database: TestDatabase, directory: Path) -> None:
    """gRPC closes no idle connection for a new one. It ends silent connections after 5 s. HTTP and the database keep their open files."""
    async with attacked(database, directory, "-n 1024") as service, idle_connections(service.process.grpc_port):
        for customer in range(1, 6):
            await service.call_http(customer)
        assert max(service.seconds) < 5

        async def is_served() -> bool:
            try:
                await service.call_grpc(100)
            except Exception:
                return False
            return True

        await until(is_served, lambda: service.process.errors, seconds=30)
