"""Changes during a run. One account's run on a real service stops at a chosen point, and the test makes a change through the public API.

A run stops outside (the sandbox till or shop hangs before or after it carries out a request) or inside (a store call hangs before or
after it runs). Serial runs give the allowed results: change first and then hint, or hint first and then change.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Literal, NotRequired, Protocol, TypedDict

import asyncpg
import pytest
from support.postgres import Cluster
from support.service import RunningService, running_service
from support.waiting import HANG_SECONDS, until, within
from tillsync.v1 import account_pb2, customer_sync_service_pb2, order_pb2, queue_entry_pb2, vocabulary_pb2
from tillsync_client.customer_sync import timestamp
from tillsync_sandbox import SandboxShop, SandboxTill
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.engine.lane_store import PostgresLaneStore
from tillsync_server.adapters.postgres.links.link_reader import PostgresLinks
from tillsync_server.adapters.postgres.links.order_linker import PostgresOrderLinker
from tillsync_server.adapters.postgres.links.shop_state import PostgresShopState
from tillsync_server.adapters.postgres.tills.intents import PostgresIntents
from tillsync_server.application.engine.lane_runner import LaneRunner

QUEUES = (vocabulary_pb2.QUEUE_CUSTOMERS, vocabulary_pb2.QUEUE_ORDERS)
When = Literal["before", "after"]
_names = (f"run-{number}" for number in count(1))


class Held(Protocol):
    async def arrived(self) -> None: ...

    def release(self) -> None: ...


class Gate:
    """Stops one call of a store once."""

    def __init__(self, when: When) -> None:
        self.when = when
        self._arrived = asyncio.Event()
        self._released = asyncio.Event()

    async def arrived(self) -> None:
        await within(self._arrived.wait())

    def release(self) -> None:
        self._released.set()

    async def pass_through(self) -> None:
        self._arrived.set()
        await self._released.wait()


def _of_lease(*args: Any) -> list[str]:
    return [args[0].account_id]


_POINTS: dict[str, tuple[type, Callable[..., list[str]]]] = {
    "at_version": (PostgresAccounts, lambda account_id, *_: [account_id]),
    "claim": (LaneRunner, lambda runner: [runner.lane.lease.account_id]),  # a lease also returns entries, without a claim of the store
    "complete": (PostgresLaneStore, lambda completions: [completion.entry.account_id for completion in completions]),
    "by_epos": (PostgresLinks, lambda account_id, *_: [account_id]),
    "stored_customers": (PostgresLinks, lambda account_id, *_: [account_id]),
    "by_woo": (PostgresLinks, lambda account_id, *_: [account_id]),
    "is_marked_do_not_auto_link": (PostgresLinks, lambda account_id, *_: [account_id]),
    "next_versions": (PostgresShopState, _of_lease),
    "confirm": (PostgresShopState, _of_lease),
    "removal_done": (PostgresShopState, _of_lease),
    "known_type_hash": (PostgresShopState, _of_lease),
    "next_type_version": (PostgresShopState, _of_lease),
    "confirm_type": (PostgresShopState, _of_lease),
    "link": (PostgresOrderLinker, _of_lease),
    "open": (PostgresIntents, lambda _till_id, _email, account_id, *_: [account_id]),
    # the till's id is the account's by default
    "take_done": (PostgresIntents, lambda till_id, *_: [till_id]),
}
_METHODS = {"take_done": "complete", "claim": "_claim"}


class StoreGates:
    """``hold(account, point, when)`` stops the next call of that store for the account. After a claim: the next one with entries."""

    def __init__(self) -> None:
        self._gates: dict[tuple[str, str], Gate] = {}

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for point, (store, accounts_of) in _POINTS.items():
            method = _METHODS.get(point, point)
            patch.setattr(store, method, self._wrapped(point, getattr(store, method), accounts_of))

    def hold(self, account_id: str, point: str, when: When) -> Gate:
        gate = self._gates[point, account_id] = Gate(when)
        return gate

    def _wrapped(self, point: str, method: Callable[..., Awaitable[Any]], accounts_of: Callable[..., list[str]]) -> Any:
        async def call(store: Any, *args: Any, **named: Any) -> Any:
            keys = [(point, account_id) for account_id in accounts_of(*args or (store,))] if self._gates else []
            before = [self._gates.pop(key) for key in keys if key in self._gates and self._gates[key].when == "before"]
            for gate in before:
                await gate.pass_through()
            answer = await method(store, *args, **named)
            for key in keys:
                if key in self._gates and (point != "claim" or answer):
                    await self._gates.pop(key).pass_through()
            return answer

        return call


class SandboxRequest(TypedDict):
    """The request to a till or shop at which a run stops. It is unpacked into :class:`Point`."""

    side: Literal["till", "shop"]
    method: NotRequired[str]
    path: str


@dataclass(frozen=True)
class Point:
    """A point at which a run stops. With ``sent`` its outside write has been sent by then, or may have been."""

    name: str
    when: When
    store: str = ""
    side: Literal["till", "shop", ""] = ""
    method: str = ""
    path: str = "*"
    query: Mapping[str, str] = field(default_factory=dict)
    skip: int = 0
    sent: bool = False

    def __str__(self) -> str:
        return f"{self.when} {self.name}"


@dataclass
class SandboxAccount:
    """One account with its own till and two shops. A change of address leads to the second shop."""

    running: RunningService
    gates: StoreGates
    connection: asyncpg.Connection[asyncpg.Record]
    account: str
    till: SandboxTill
    shop: SandboxShop
    other_shop: SandboxShop

    def hold(self, point: Point) -> Held:
        if point.store:
            return self.gates.hold(self.account, point.store, point.when)
        sandbox: SandboxTill | SandboxShop = self.till if point.side == "till" else self.shop
        return sandbox.faults.script(method=point.method or None, path=point.path, query=point.query, skip=point.skip, hang=point.when)

    async def update(self, *paths: str, **fields: Any) -> None:
        await self.running.client.accounts.update_account(self.account, account_pb2.Account(**fields), paths or list(fields))

    async def link(self, epos: int, woo: int) -> None:
        await self.running.client.links.create_link(self.account, epos, woo)

    async def unlink(self, epos: int) -> None:
        await self.running.client.links.delete_link(self.account, epos_customer_id=epos)

    async def hint(self, epos: int, *, force: bool = False) -> None:
        await self.running.client.sync.sync_customer(self.account, epos, force=force)

    async def hint_type(self, type_id: int) -> None:
        action = vocabulary_pb2.CUSTOMER_TYPE_ACTION_UPDATE
        await self.running.client.sync.sync_customer_type(self.account, type_id, action)

    async def order(self, order: order_pb2.Order, *, rerun: bool = False) -> None:
        """Queues the order without waiting for its answer."""
        request = customer_sync_service_pb2.OrderToMatch(order=order, rerun=rerun)
        [answer] = await self.running.client.sync.match_orders(self.account, [request])
        if isinstance(answer, Exception):
            raise answer

    async def match_of(self, order_id: int) -> order_pb2.OrderMatch:
        [match] = await self.running.client.sync.get_order_matches(self.account, [order_id])
        assert isinstance(match, order_pb2.OrderMatch), match
        return match

    async def quiet(self, seconds: float = HANG_SECONDS) -> None:
        """Waits until no entry of the account is due, queued or running."""

        async def waiting() -> str:
            pending = [(entry.comment, *entry.notes) async for entry in self.entries() if entry.state == vocabulary_pb2.ENTRY_STATE_PENDING]
            lane = await self.connection.fetchrow("SELECT *, now() FROM lane WHERE account_id = $1", self.account)
            return f"the account does not come to rest: {pending}\n{lane}"

        await until(lambda: self.connection.fetchval(_QUIET, self.account), waiting, seconds)

    async def entries(self) -> AsyncIterator[queue_entry_pb2.QueueEntry]:
        for queue in QUEUES:
            async for entry in self.running.client.sync.list_queue(self.account, queue, full=True):
                yield entry

    async def newest(self, subject: str, subject_id: int) -> queue_entry_pb2.QueueEntry:
        async for entry in self.entries():
            if getattr(entry, subject) == subject_id:
                return entry
        raise AssertionError(f"no entry of {subject} {subject_id}")

    async def links(self) -> set[tuple[int, int, bool]]:
        found = self.running.client.links.list_links(self.account)
        return {(link.epos_customer_id, link.woo_customer_id, link.usable) async for link in found}


_QUIET = """
SELECT NOT EXISTS (SELECT FROM entry WHERE account_id = $1 AND state = 1) AND NOT EXISTS (SELECT FROM requeue WHERE account_id = $1)
  AND (SELECT lease_expires_at IS NULL FROM lane WHERE account_id = $1)"""


@contextlib.asynccontextmanager
async def new_account(
    running: RunningService,
    gates: StoreGates,
    connection: asyncpg.Connection[asyncpg.Record],
    **settings: Any,
) -> AsyncIterator[SandboxAccount]:
    async with SandboxTill() as till, SandboxShop() as shop, SandboxShop() as other_shop:
        made = SandboxAccount(running, gates, connection, next(_names), till, shop, other_shop)
        account = account_pb2.Account(
            trusted_accounts=account_pb2.TRUSTED_ACCOUNTS_ALL,
            epos=account_pb2.EposSettings(
                base_url=till.origin, api_key=till.switches.api_key, api_secret=till.switches.api_secret, requests_per_minute=100_000
            ),
            shop=account_pb2.ShopSettings(base_url=shop.origin, bridge_secret=shop.switches.bridge_secret),
        )
        account.MergeFrom(account_pb2.Account(**settings))
        await running.client.accounts.create_account(made.account, account)
        try:
            yield made
        finally:
            # hanging requests continue, and the lane ends before its till and shop stop
            till.faults.clear()
            shop.faults.clear()
            with contextlib.suppress(AssertionError):
                await made.quiet(5)


@dataclass
class RaceEnvironment:
    """One service on one database, shared by all runs of a module. ``serial`` has the results of serial runs, by scenario and change."""

    running: RunningService
    gates: StoreGates
    connection: asyncpg.Connection[asyncpg.Record]
    serial: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    def new_account(self, **settings: Any) -> contextlib.AbstractAsyncContextManager[SandboxAccount]:
        return new_account(self.running, self.gates, self.connection, **settings)

    async def in_turn(
        self, scenario: str, change: Change, run: Callable[[RaceEnvironment, Change, str], Awaitable[Any]], *firsts: str
    ) -> list[Any]:
        """The results of ``run`` with each of ``firsts`` done first."""
        for first in firsts:
            if (scenario, change.name, first) not in self.serial:
                self.serial[scenario, change.name, first] = await run(self, change, first)
        return [self.serial[scenario, change.name, first] for first in firsts]


@contextlib.asynccontextmanager
async def race_environment(cluster: Cluster, **changes: str) -> AsyncIterator[RaceEnvironment]:
    gates = StoreGates()
    with pytest.MonkeyPatch.context() as patch:
        gates.install(patch)
        async with cluster.database() as database, running_service(database.dsn, changes=changes) as running:
            connection = await asyncpg.connect(database.dsn, server_settings={"search_path": "tillsync"})
            yield RaceEnvironment(running, gates, connection)
            await connection.close()


@dataclass(frozen=True)
class Change:
    """``outcomes`` are the allowed outcomes of the customer's newest entry afterwards, and ``types`` those of the customer type's."""

    name: str
    make: Callable[[SandboxAccount], Awaitable[None]]
    outcomes: tuple[int, ...] = (vocabulary_pb2.OUTCOME_UPDATED,)
    types: tuple[int, ...] = (vocabulary_pb2.OUTCOME_UPDATED,)

    def __str__(self) -> str:
        return self.name


def an_order(order_id: int = 1042, *, woo: int = 0, email: str = "", billing: str = "", **fields: Any) -> order_pb2.Order:
    return order_pb2.Order(
        order_id=order_id,
        order_key=hashlib.sha256(f"order {order_id}".encode()).hexdigest(),
        create_time=timestamp(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        woo_customer_id=woo,
        account_email=email if woo else "",
        billing_email=billing or email,
        **{"first_name": "Grace", "last_name": "Hopper", **fields},
    )


def shop_state(shop: SandboxShop) -> dict[str, Any]:
    """The tillsync data of a shop without versions and times."""
    store = shop.store
    return {
        "values": {user: row.values for user, row in store.bridge_rows.items() if row.values is not None},
        "metas": {
            user: metas
            for user in store.users
            if (
                metas := {
                    key: value for key, value in shop.metas(user).items() if key.startswith("tillsync_") and not key.endswith("as_of")
                }
            )
        },
        "names": {user: (row.first_name, row.last_name) for user, row in store.users.items()},
        "types": {type_id: (row.name, row.discount) for type_id, row in store.customer_types.items() if not row.removed},
    }
