"""A cell of the drill: its deployment, its load, and a caller that repeats no call by itself."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from citus_cluster.cluster import CitusCluster
from support.acknowledged_load import ACCOUNT, Load, add_account, loaded
from support.deployment import deployment
from support.service import ADMIN_TOKEN
from tillsync.v1 import customer_sync_service_pb2 as pb
from tillsync.v1.customer_sync_service_pb2_grpc import CustomerSyncServiceStub
from tillsync_sandbox import SandboxShop, SandboxTill

_DEADLINE_SECONDS = 10.0
_PAUSE_SECONDS = 0.05


@dataclass
class Caller:
    """Calls SyncCustomer again and again. The client of the load repeats refused calls, this one shows each refusal."""

    load: Load
    acknowledged: int = 0
    statuses: Counter[grpc.StatusCode] = field(default_factory=Counter)
    last_began: float = 0.0
    """The latest begin of an acknowledged call, in seconds of ``time.monotonic``."""

    @property
    def refused(self) -> int:
        return self.statuses.total()

    async def run(self) -> None:
        async with grpc.aio.insecure_channel(self.load.address, options=[("grpc.enable_retries", 0)]) as channel:
            stub: Any = CustomerSyncServiceStub(channel)
            for epos_id in itertools.cycle(self.load.linked):
                request = pb.SyncCustomerRequest(account_id=ACCOUNT, epos_customer_id=epos_id)
                began = time.monotonic()
                try:
                    answer = await stub.SyncCustomer(
                        request, timeout=_DEADLINE_SECONDS, metadata=(("authorization", f"Bearer {ADMIN_TOKEN}"),)
                    )
                except grpc.aio.AioRpcError as error:
                    self.statuses[error.code()] += 1
                else:
                    self.acknowledged += 1
                    self.last_began = began
                    self.load.entries.add(answer.entry.entry_id)
                await asyncio.sleep(_PAUSE_SECONDS)


@dataclass
class Cell:
    name: str
    load: Load
    caller: Caller
    again: list[float] = field(default_factory=list)
    """Seconds from the start of a dead node until a call was acknowledged that began after it, for each death that the cell felt."""

    @property
    def statuses(self) -> Counter[grpc.StatusCode]:
        return self.caller.statuses + self.load.statuses

    def line(self, lost: int) -> str:
        acknowledged = len(self.load.orders) + self.load.updates.total() + self.caller.acknowledged
        statuses = ", ".join(f"{number:,} {status.name}" for status, number in self.statuses.items()) or "none"
        return (
            f"{self.name}: {acknowledged:,} acknowledged ({len(self.load.orders):,} orders), {acknowledged - lost:,} found, "
            f"{len(self.load.twins())} twins; refused: {statuses}; acknowledged again after at most {max(self.again):.1f} s"
        )

    @asynccontextmanager
    async def loaded(self) -> AsyncIterator[None]:
        """Runs the load and the caller within the block."""
        calls = asyncio.create_task(self.caller.run())
        try:
            async with loaded(self.load):
                yield
                assert not calls.done(), calls.exception()
        finally:
            calls.cancel()
            await asyncio.gather(calls, return_exceptions=True)


@asynccontextmanager
async def running_cell(cluster: CitusCluster, name: str, directory: Path) -> AsyncIterator[Cell]:
    """Makes the cell ``name`` with an account, and runs its processes within the block."""
    directory.mkdir()
    dsn = await cluster.make_cell(name)
    async with SandboxTill() as till, SandboxShop() as shop:
        load = Load(till, shop)
        async with deployment(dsn, directory, load, TILLSYNC_DB_SCHEMA=name):
            await add_account(load)
            yield Cell(name, load, Caller(load))
