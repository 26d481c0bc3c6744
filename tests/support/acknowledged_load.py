"""A load of acknowledged requests on one account: changed customers, and orders of new shoppers.

A caller repeats a request until the service acknowledges it. Afterwards every acknowledged request must be carried out, and each shopper
must have one customer at the till.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from support.race_environment import an_order
from support.service import ADMIN_TOKEN
from support.waiting import HANG_SECONDS, until
from tillsync.v1 import account_pb2, vocabulary_pb2
from tillsync_client import TillsyncClient, TillsyncError
from tillsync_sandbox import SandboxShop, SandboxTill

ACCOUNT = "shop-a"
CUSTOMERS, SHOPPERS_AT_ONCE = 12, 3
FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.DATA_LOSS}
"""Statuses that no call of the load may get."""
UNFINISHED = [vocabulary_pb2.ENTRY_STATE_PENDING, vocabulary_pb2.ENTRY_STATE_HELD, vocabulary_pb2.ENTRY_STATE_FAILED]
_PAUSE_SECONDS = 0.05
"""Between a refused request and its repetition."""


@dataclass
class Load:
    """Changes customers at the till and sends orders of new shoppers, each until it is acknowledged."""

    till: SandboxTill
    shop: SandboxShop
    linked: dict[int, int] = field(default_factory=dict)
    """Shop customers by till customer."""
    address: str = ""
    updates: Counter[int] = field(default_factory=Counter)
    """Acknowledged updates by till customer."""
    points: dict[int, int] = field(default_factory=dict)
    """The till's points at the last acknowledged update, by till customer."""
    entries: set[str] = field(default_factory=set)
    """Ids of the entries that an update was acknowledged with."""
    emails: list[str] = field(default_factory=list)
    """Shoppers whose orders are acknowledged."""
    orders: list[int] = field(default_factory=list)
    """Ids of acknowledged orders."""
    statuses: Counter[grpc.StatusCode] = field(default_factory=Counter)
    last_began: float = 0.0
    """The latest begin of an acknowledged call, in seconds of ``time.monotonic``."""
    slowest: float = 0.0
    """The most seconds from a request's first call until it was acknowledged. A test may reset it."""
    _order_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def change_customers(self) -> None:
        for turn in itertools.count(1):
            for epos_id in self.linked:
                self.till.change_customer(epos_id, points=turn)
            await self._acknowledged(self._sync_all)
            self.updates.update(self.linked.keys())
            self.points.update(dict.fromkeys(self.linked, turn))

    async def _sync_all(self, client: TillsyncClient) -> None:
        for answer in await client.sync.sync_customers(ACCOUNT, list(self.linked), priority=vocabulary_pb2.PRIORITY_LIVE):
            if isinstance(answer, TillsyncError):
                raise answer
            self.entries.add(answer.entry.entry_id)

    async def send_orders(self, shopper: int) -> None:
        """Two orders of each new shopper at once: a second customer at the till would be a twin."""
        for number in itertools.count(1):
            email = f"shopper-{shopper}-{number}@example.test"
            user = self.shop.add_customer(email=email)
            await asyncio.gather(*(self._order(user, email) for _ in range(2)))
            self.emails.append(email)

    async def _order(self, user: int, email: str) -> None:
        order = an_order(next(self._order_ids), woo=user, email=email)
        await self._acknowledged(lambda client: client.sync.match_order(ACCOUNT, order))
        self.orders.append(order.order_id)

    async def _acknowledged(self, call: Callable[[TillsyncClient], Awaitable[object]]) -> None:
        first = time.monotonic()
        while True:
            began = time.monotonic()
            async with TillsyncClient(self.address, ADMIN_TOKEN, deadline_seconds=10) as client:
                try:
                    await call(client)
                except TillsyncError as error:
                    self.statuses[error.code] += 1
                    await asyncio.sleep(_PAUSE_SECONDS)
                else:
                    self.last_began = max(self.last_began, began)
                    self.slowest = max(self.slowest, time.monotonic() - first)
                    return

    async def more(self, requests: int) -> None:
        """Returns after ``requests`` further updates, and half as many shoppers, were acknowledged."""
        updates, shoppers = self.updates.total() + requests, len(self.emails) + requests // 2
        await until(
            lambda: self.updates.total() >= updates and len(self.emails) >= shoppers,
            lambda: f"{self.updates.total()} of {updates} updates, {len(self.emails)} of {shoppers} shoppers, {self.statuses}",
        )

    def twins(self) -> dict[str, list[int]]:
        """The shoppers without exactly one customer at the till, with the customers found."""
        return {email: found for email in self.emails if len(found := self.till.customers_by_email(email)) != 1}


@asynccontextmanager
async def loaded(load: Load) -> AsyncIterator[None]:
    """Runs the load within the block. Then requests that are not acknowledged yet end."""
    tasks = [asyncio.create_task(load.change_customers()), *(asyncio.create_task(load.send_orders(n)) for n in range(SHOPPERS_AT_ONCE))]
    try:
        yield
        assert not any(task.done() for task in tasks), [task.exception() for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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
    await nothing_waits(load)


async def nothing_waits(load: Load, seconds: float = HANG_SECONDS) -> None:
    """Returns when no entry is PENDING, HELD or FAILED. Raises AssertionError after ``seconds``."""
    async with TillsyncClient(load.address, ADMIN_TOKEN, deadline_seconds=HANG_SECONDS) as client:

        async def unfinished() -> list[str]:
            return [
                f"{entry.comment} {list(entry.notes)}"
                for queue in (vocabulary_pb2.QUEUE_CUSTOMERS, vocabulary_pb2.QUEUE_ORDERS)
                async for entry in client.sync.list_queue(ACCOUNT, queue, states=UNFINISHED)
            ]

        async def all_finished() -> bool:
            return not await unfinished()

        await until(all_finished, unfinished, seconds)


async def unfinished_requests(load: Load) -> list[str]:
    """The acknowledged requests that the service has lost or has not carried out. Call it after the load, when no entry waits."""
    async with TillsyncClient(load.address, ADMIN_TOKEN, deadline_seconds=HANG_SECONDS) as client:
        matches = zip(load.orders, await client.sync.get_order_matches(ACCOUNT, load.orders), strict=True)
        orders = [
            f"order {number}: {match}"
            for number, match in matches
            if isinstance(match, TillsyncError) or match.state != vocabulary_pb2.ENTRY_STATE_PROCESSED or not match.epos_customer_id
        ]
        entries = []
        for entry_id in load.entries:
            try:
                entry = await client.queue.get_entry(ACCOUNT, entry_id)
            except TillsyncError as error:
                entries.append(f"entry {entry_id}: {error}")
            else:
                entries += [f"entry {entry_id}: {entry.comment}"] if entry.state in UNFINISHED else []
    rows = load.shop.store.bridge_rows
    updates = [
        f"customer {epos_id}: {points} points were acknowledged"
        for epos_id, points in load.points.items()
        if (row := rows.get(load.linked[epos_id])) is None or int(row.points or 0) < points
    ]
    return orders + entries + updates
