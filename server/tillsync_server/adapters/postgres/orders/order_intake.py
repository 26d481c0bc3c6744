"""Enqueues orders and reads their answers. Each order is compared with the stored one under the lane's lock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Connection, Database
from tillsync_server.adapters.postgres.engine.lane_offers import report_if_unanswered
from tillsync_server.adapters.postgres.events.event_log import record_order_events
from tillsync_server.adapters.postgres.orders.order_rows import OrderToStore, requeue_columns, store_columns
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import EntryState, Outcome
from tillsync_server.domain.errors import NotFound, Unavailable
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId, WooCustomerId, new_entry_id
from tillsync_server.domain.order_arrival import ORDER_ID_REUSED_NOTE, Arrival, KnownOrder, decide_arrival
from tillsync_server.ports.lanes import LaneLease, LaneOffer
from tillsync_server.ports.orders import NewOrder, OrderEnqueued, OrderMatch
from tillsync_server.ports.wakeups import Notifier

_LOCK_LANE = load("engine/lock_lane")
_STORED_ORDERS = load("orders/stored_orders")
_REQUEUE_ENTRIES = load("orders/requeue_entries")
_STORE = load("orders/store")
_GET_MATCHES = load("orders/get_matches")
_ANSWERABLE = load("orders/answerable")


class PostgresOrderIntake:
    """Implements ports.orders.OrderIntake and OrderMatchReader. ``offer`` is called before each transaction, for its one lane."""

    def __init__(self, database: Database, notifier: Notifier, offer: Callable[[int], LaneOffer | None] | None = None) -> None:
        self._database = database
        self._notifier = notifier
        self._offer = offer

    async def enqueue(self, orders: Sequence[NewOrder]) -> list[OrderEnqueued | Exception]:
        """Stores the orders in one transaction per account, so that no account delays another."""
        results: list[OrderEnqueued | Exception] = [Unavailable("not tried")] * len(orders)
        for account_id in sorted({order.account_id for order in orders}):
            positions = [position for position, order in enumerate(orders) if order.account_id == account_id]
            own = await self._enqueue_of_account(account_id, [orders[position] for position in positions])
            for position, result in zip(positions, own, strict=True):
                results[position] = result
        return results

    async def _enqueue_of_account(self, account_id: AccountId, orders: Sequence[NewOrder]) -> Sequence[OrderEnqueued | Exception]:
        offer, lease = None if self._offer is None else self._offer(1), None
        try:
            async with self._database.acquire() as connection, _reported_transaction(connection, offer, account_id):
                lane = await connection.fetchrow(_LOCK_LANE, account_id)
                if lane is None:
                    missing = NotFound(f"account {account_id} does not exist", reason="ACCOUNT_NOT_FOUND")
                    return [missing] * len(orders)
                results, to_store = await self._decide_arrivals(connection, account_id, orders)
                if to_store:
                    lease = await _store(connection, account_id, lane["at"], to_store, offer)
                requeued = [(account_id, each.facts.order_id) for each in to_store if not each.is_new]
                order_events = await record_order_events(connection, requeued, lane["at"])
        except asyncpg.LockNotAvailableError:
            return [Unavailable(f"account {account_id} is busy; try again", reason="ACCOUNT_BUSY")] * len(orders)
        if lease is not None and offer is not None:
            offer.leased(lease, ())
        elif any(result.queued for result in results):
            if lane["lease_expires_at"] is None:
                self._notifier.lanes_ready()
            else:
                self._notifier.live_work(account_id)
        if order_events:
            self._notifier.order_events()
        return results

    async def _decide_arrivals(
        self, connection: Connection, account_id: AccountId, orders: Sequence[NewOrder]
    ) -> tuple[list[OrderEnqueued], list[OrderToStore]]:
        """Returns the result of each order, by position, and the orders to store. Runs under the lane's lock."""
        latest = {order.facts.order_id: order for order in orders}  # of two calls for one order in a batch, the later facts count
        stored = {
            row["order_id"]: (EntryId(row["entry_id"]), KnownOrder(row["order_key"], row["facts_hash"], EntryState(row["state"])))
            for row in await connection.fetch(_STORED_ORDERS, account_id, list(latest))
        }
        to_store: list[OrderToStore] = []
        current: dict[OrderId, OrderEnqueued] = {}
        for order_id, order in latest.items():
            entry_id, before = stored.get(order_id, (None, None))
            reused = before is not None and before.order_key != order.facts.order_key
            facts = replace(order.facts, is_of_reused_id=True) if reused else order.facts
            note = ORDER_ID_REUSED_NOTE if reused else ""
            arrival = decide_arrival(
                before,
                order_key=facts.order_key,
                facts_hashes=facts.facts_hashes(),
                rerun=any(each.rerun for each in orders if each.facts.order_id == order_id),
            )
            if arrival is Arrival.UNCHANGED and entry_id is not None:
                current[order_id] = OrderEnqueued(entry_id, queued=False)
            elif arrival is Arrival.REQUEUE_LIVE_ENTRY and entry_id is not None:
                to_store.append(OrderToStore(facts, entry_id, None, note, is_new=False))
                current[order_id] = OrderEnqueued(entry_id, queued=True)
            else:
                new_id = new_entry_id()
                to_store.append(OrderToStore(facts, new_id, None if reused else entry_id, note))
                current[order_id] = OrderEnqueued(new_id, queued=True)
        return [current[order.facts.order_id] for order in orders], to_store

    async def get(self, account_id: AccountId, order_ids: Sequence[OrderId]) -> dict[OrderId, OrderMatch]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_GET_MATCHES, account_id, list(order_ids))
        return {OrderId(row["order_id"]): _order_match(account_id, row) for row in rows}

    async def answerable(self, entries: Sequence[tuple[AccountId, EntryId]], *, beyond_seconds: float) -> set[EntryId]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_ANSWERABLE, [entry[0] for entry in entries], [entry[1] for entry in entries], beyond_seconds)
        return {EntryId(row["entry_id"]) for row in rows}


@asynccontextmanager
async def _reported_transaction(connection: Connection, offer: LaneOffer | None, account_id: AccountId) -> AsyncIterator[None]:
    with report_if_unanswered(offer, [account_id]):
        async with connection.transaction():
            yield


async def _store(
    connection: Connection, account_id: AccountId, at: datetime, to_store: Sequence[OrderToStore], offer: LaneOffer | None
) -> LaneLease | None:
    """Stores the orders and wakes the lane. Returns the lease if the statement leased the lane."""
    requeued = [each for each in to_store if not each.is_new]
    if requeued:
        await connection.execute(_REQUEUE_ENTRIES, account_id, at, *requeue_columns(requeued))
    owner, seconds = (None, 0.0) if offer is None else (offer.owner, offer.lease_seconds)
    row = await connection.fetchrow(_STORE, account_id, at, owner, seconds, *store_columns(to_store))
    if owner is None or row is None or row["lease_token"] is None:
        return None
    return LaneLease(account_id, owner, row["lease_token"], row["lapses"])


def _order_match(account_id: AccountId, row: asyncpg.Record) -> OrderMatch:
    return OrderMatch(
        account_id=account_id,
        order_id=OrderId(row["order_id"]),
        order_key=row["order_key"],
        facts_hash=row["facts_hash"],
        entry_id=EntryId(row["entry_id"]),
        state=EntryState(row["state"]),
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        cause=None if row["cause"] is None else Outcome(row["cause"]),
        comment=row["comment"],
        notes=tuple(row["notes"].split("\n")) if row["notes"] else (),
        epos_customer_id=None if row["epos_customer_id"] is None else EposCustomerId(row["epos_customer_id"]),
        woo_customer_id=None if row["woo_customer_id"] is None else WooCustomerId(row["woo_customer_id"]),
        candidate_ids=tuple(EposCustomerId(value) for value in row["candidate_ids"] or ()),
        update_time=row["update_time"],
    )
