"""Runs the real service in this process with a sandbox till and shop, for the rows that count requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.bench import Bench, our_connection
from support.service import environment, running_service
from tillsync.v1 import account_pb2
from tillsync_client import TillsyncClient
from tillsync_sandbox import SandboxShop, SandboxTill
from tillsync_server.composition.service import Service
from tillsync_server.composition.settings import load_settings

ACCOUNT = "shop-a"
REQUESTS_PER_MINUTE = 100_000
WEBHOOK_KEY, WEBHOOK_SECRET = "hook", "secret of the hook"
_LINKS = """
INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin)
SELECT $1, epos, woo, 2 FROM unnest($2::bigint[], $3::bigint[]) AS t(epos, woo)
"""
_UNFINISHED = "SELECT count(*) FROM entry"
_BY_OUTCOME = "SELECT outcome, count(*) AS entries FROM entry_history GROUP BY outcome"
_UPDATED = 1


@dataclass
class ServiceWorld:
    dsn: str
    client: TillsyncClient
    till: SandboxTill
    shop: SandboxShop

    async def open_account(
        self, *, with_bridge: bool, account: str = ACCOUNT, requests_per_minute: int = REQUESTS_PER_MINUTE, till: str = ""
    ) -> None:
        """Creates an account. ``till`` is the origin of another till. The default allowance is the highest of the service, because most
        rows count requests and need not wait."""
        switches = self.shop.switches
        shop = account_pb2.ShopSettings(base_url=self.shop.origin)
        if with_bridge:
            shop.bridge_secret = switches.bridge_secret
        else:
            shop.consumer_key, shop.consumer_secret = switches.consumer_key, switches.consumer_secret
        epos = account_pb2.EposSettings(
            base_url=till or self.till.origin,
            api_key=self.till.switches.api_key,
            api_secret=self.till.switches.api_secret,
            webhook_key=WEBHOOK_KEY,
            webhook_secret=WEBHOOK_SECRET,
            requests_per_minute=requests_per_minute,
        )
        settings = account_pb2.Account(customer_sync_enabled=True, trusted_accounts=account_pb2.TRUSTED_ACCOUNTS_ALL, epos=epos, shop=shop)
        await self.client.accounts.create_account(account, settings)

    def add_customers(self, count: int) -> list[int]:
        """Adds customers at the till only. Returns their ids."""
        return [self.till.add_customer(email=f"c{number}@example.test", points=number) for number in range(count)]

    async def link(self, epos_ids: Sequence[int], *, account: str = ACCOUNT) -> None:
        """Links each to a new shop customer by SQL, which enqueues no entry."""
        woo_ids = [self.shop.add_customer(email=f"w{epos_id}.{account}@example.test") for epos_id in epos_ids]
        connection = await our_connection(self.dsn)
        await connection.execute(_LINKS, account, list(epos_ids), woo_ids)
        await connection.close()

    async def sync_all(self, epos_ids: Sequence[int]) -> None:
        """Enqueues by BatchSyncCustomers, 500 a call, while a worker runs. Returns when every entry is updated. Raises RuntimeError for
        another outcome."""
        async with self.working():
            await self.client.sync.sync_customers(ACCOUNT, epos_ids)
            await self.all_updated(len(epos_ids))

    async def sync_waiting(self, epos_ids: Sequence[int]) -> None:
        """Enqueues all customers, then starts a worker. Returns and raises like :meth:`sync_all`."""
        await self.client.sync.sync_customers(ACCOUNT, epos_ids)
        async with self.working():
            await self.all_updated(len(epos_ids))

    def working(self) -> Service:
        """Returns a worker, as an async context manager."""
        return Service(load_settings(environment(self.dsn, TILLSYNC_ALLOWED_HOSTS="127.0.0.1")), serves=False)

    async def all_ended(self, seconds: float = 300.0) -> None:
        """Waits until no account has a live entry. Raises TimeoutError after ``seconds``."""
        connection = await our_connection(self.dsn)
        try:
            async with asyncio.timeout(seconds):
                while await connection.fetchval(_UNFINISHED):
                    await asyncio.sleep(0.1)
        finally:
            await connection.close()

    async def all_updated(self, entries: int) -> None:
        """Waits like :meth:`all_ended`. Raises RuntimeError unless exactly this many entries were updated, without other outcomes."""
        await self.all_ended()
        connection = await our_connection(self.dsn)
        try:
            outcomes = {row["outcome"]: row["entries"] for row in await connection.fetch(_BY_OUTCOME)}
        finally:
            await connection.close()
        if outcomes != {_UPDATED: entries}:
            raise RuntimeError(f"not every entry was updated: {outcomes}")


@asynccontextmanager
async def service_world(bench: Bench) -> AsyncIterator[ServiceWorld]:
    dsn = await bench.make_ours("service")
    async with SandboxTill() as till, SandboxShop() as shop, running_service(dsn, works=False) as running:
        yield ServiceWorld(dsn, running.client, till, shop)
    await bench.drop_database("service")
