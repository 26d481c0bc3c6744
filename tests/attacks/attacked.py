"""The attacked service, in its own process with two accounts and a token of each role, and the requests of an attacker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import grpc
import grpc.aio
import psutil
from support.directories import reachable_directory
from support.service import ADMIN_TOKEN, Child, child, environment
from support.waiting import HANG_SECONDS, within
from tillsync.v1 import account_pb2, token_pb2
from tillsync.v1 import customer_sync_service_pb2 as sync_pb2
from tillsync_client import TillsyncClient

SYNC = "/tillsync.v1.CustomerSyncService/SyncCustomer"
MATCH_MANY = "/tillsync.v1.CustomerSyncService/BatchMatchOrderCustomers"
UNLIMITED = {"TILLSYNC_ENTRIES_PER_SECOND": "0", "TILLSYNC_MAX_WAITING_ENTRIES": "0"}
_NO_LIMIT = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1))
_ROLES = {
    "SITE": (token_pb2.TOKEN_ROLE_SITE, "shop-1"),
    "OTHER_SITE": (token_pb2.TOKEN_ROLE_SITE, "shop-2"),
    "SERVICE": (token_pb2.TOKEN_ROLE_SERVICE, ""),
    "SUPPORT": (token_pb2.TOKEN_ROLE_SUPPORT, ""),
}


@dataclass(frozen=True)
class AttackedService:
    process: Child
    tokens: dict[str, str]
    """Secrets by role; OTHER_SITE is of shop-2."""
    admin: TillsyncClient
    """Client with the admin token."""
    http: aiohttp.ClientSession

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.process.grpc_port}"

    @property
    def url(self) -> str:
        return self.process.http_url

    def connection(self, *, compression: grpc.Compression = grpc.Compression.NoCompression) -> grpc.aio.Channel:
        """Opens a new connection without client-side limits."""
        return grpc.aio.insecure_channel(self.target, options=_NO_LIMIT, compression=compression)

    def as_role(self, role: str) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.tokens[role]}"),)

    @property
    def memory(self) -> int:
        """Resident memory in bytes."""
        resident: int = psutil.Process(self.process.process.pid).memory_info().rss
        return resident

    async def assert_serves(self) -> None:
        """Asserts that both edges answer an honest caller, and that the service is ready."""
        await within(self.admin.sync.sync_customer("shop-1", 7))
        async with self.http.get(f"{self.url}/readyz") as ready:
            assert ready.status == 200
        async with self.http.post(
            f"{self.url}{SYNC}", json={"accountId": "shop-1", "eposCustomerId": "7"}, headers=self.bearer("SITE")
        ) as sent:
            assert sent.status == 200

    def bearer(self, role: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[role]}"}

    def fault_lines(self) -> list[str]:
        """Returns the log lines that report a fault of the service."""
        return [line for line in self.process.errors.splitlines() if '"error"' in line or "Traceback" in line]


async def codes_of(calls: Sequence[Awaitable[object]]) -> Counter[str]:
    """Counts the calls by their status code."""

    async def code_of(call: Awaitable[object]) -> str:
        try:
            await call
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"

    return Counter(await within(asyncio.gather(*(code_of(call) for call in calls)), seconds=2 * HANG_SECONDS))


def raw_call(connection: grpc.aio.Channel, path: str) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    """Returns a unary call that sends and receives bytes."""
    return connection.unary_unary(path)


def sync_request(number: int = 7, account: str = "shop-1") -> bytes:
    return sync_pb2.SyncCustomerRequest(account_id=account, epos_customer_id=number).SerializeToString()


@asynccontextmanager
async def attacked_service(dsn: str) -> AsyncIterator[AttackedService]:
    with reachable_directory() as directory, child(["serve", "--no-worker"], environment(dsn, **UNLIMITED), directory) as process:
        await process.started()
        async with TillsyncClient(f"127.0.0.1:{process.grpc_port}", ADMIN_TOKEN) as admin, aiohttp.ClientSession() as http:
            for account in ("shop-1", "shop-2"):
                epos = account_pb2.EposSettings(base_url="http://127.0.0.1:9", api_key="k", api_secret="s")
                await admin.accounts.create_account(account, account_pb2.Account(epos=epos))
            tokens = {"ADMIN": ADMIN_TOKEN}
            for role, (number, account) in _ROLES.items():
                tokens[role] = (await admin.accounts.create_token(number, account_id=account)).secret
            yield AttackedService(process, tokens, admin, http)
        assert await process.stop() == 0
