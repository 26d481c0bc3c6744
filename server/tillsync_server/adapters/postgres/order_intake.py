"""Orders' way in, and their answers: under the lane's lock, what arrives is compared with what is known, then queued or joined."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import asyncpg

from tillsync_server.adapters.postgres.event_log import record_order_events
from tillsync_server.adapters.postgres.lane_offers import answered
from tillsync_server.adapters.postgres.pool import Connection, Database
from tillsync_server.adapters.postgres.sql_files import load
from tillsync_server.domain.errors import NotFound, Unavailable
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId, WooCustomerId, new_entry_id
from tillsync_server.domain.order_arrival import ORDER_ID_REUSED_NOTE, Arrival, KnownOrder, decide_arrival
from tillsync_server.domain.vocabulary import EntryState, Outcome
from tillsync_server.ports.lanes import LaneLease, LaneOffer
from tillsync_server.ports.orders import NewOrder, OrderMatch, OrderTaken
from tillsync_server.ports.wakeups import Notifier

_LOCK_LANE = load("engine/lock_lane")
_WAKE_LANE = load("engine/wake_lane")
_WAKE_AND_LEASE = load("engine/wake_and_lease")
_KNOWN = load("orders/known")
_INSERT_ENTRIES = load("orders/insert_entries")
_REVISE_ENTRIES = load("orders/revise_entries")
_STORE_MATCHES = load("orders/store_matches")
_GET_MATCHES = load("orders/get_matches")
_SETTLED = load("orders/settled")


@dataclass(frozen=True, slots=True)
class _Queued:
    order: NewOrder
    entry_id: EntryId
    retried_from: EntryId | None
    note: str


class PostgresOrderIntake:
    """Implements ports.orders.OrderIntake and OrderMatchReader. ``offer``: asked before each transaction, for its one lane."""

    def __init__(self, database: Database, notifier: Notifier, offer: Callable[[int], LaneOffer | None] | None = None) -> None:
        self._database = database
        self._notifier = notifier
        self._offer = offer

    async def take(self, orders: Sequence[NewOrder]) -> list[OrderTaken | Exception]:
        """One transaction an account: one busy account never delays another's orders."""
        results: list[OrderTaken | Exception] = [Unavailable("not tried")] * len(orders)
        for account_id in sorted({order.account_id for order in orders}):
            positions = [position for position, order in enumerate(orders) if order.account_id == account_id]
            own = await self._take_of_account(account_id, [orders[position] for position in positions])
            for position, result in zip(positions, own, strict=True):
                results[position] = result
        return results

    async def _take_of_account(self, account_id: AccountId, orders: Sequence[NewOrder]) -> Sequence[OrderTaken | Exception]:
        offer, lease = None if self._offer is None else self._offer(1), None
        try:
            async with self._database.acquire() as connection, _answered_transaction(connection, offer, account_id):
                lane = await connection.fetchrow(_LOCK_LANE, account_id)
                if lane is None:
                    missing = NotFound(f"account {account_id} does not exist", reason="ACCOUNT_NOT_FOUND")
                    return [missing] * len(orders)
                taken, order_events = await self._take_under_lock(connection, account_id, orders, lane["at"])
                if any(result.queued for result in taken):
                    lease = await _wake(connection, account_id, lane["at"], offer)
        except asyncpg.LockNotAvailableError:
            return [Unavailable(f"account {account_id} is busy; try again", reason="ACCOUNT_BUSY")] * len(orders)
        if lease is not None and offer is not None:
            offer.leased(lease, ())
        elif any(result.queued for result in taken):
            if lane["lease_expires_at"] is None:
                self._notifier.lanes_ready()
            else:
                self._notifier.live_work(account_id)
        if order_events:
            self._notifier.order_events()
        return taken

    async def _take_under_lock(
        self, connection: Connection, account_id: AccountId, orders: Sequence[NewOrder], at: datetime
    ) -> tuple[list[OrderTaken], int]:
        """By position, and how many order events wait because of it."""
        last_of = {order.facts.order_id: order for order in orders}  # asked twice in one batch: the later facts count
        known = {
            row["order_id"]: (EntryId(row["entry_id"]), KnownOrder(row["order_key"], row["facts_hash"], EntryState(row["state"])))
            for row in await connection.fetch(_KNOWN, account_id, list(last_of))
        }
        inserts: list[_Queued] = []
        revisions: list[_Queued] = []
        current: dict[OrderId, OrderTaken] = {}
        for order_id, order in last_of.items():
            entry_id, before = known.get(order_id, (None, None))
            reused = before is not None and before.order_key != order.facts.order_key
            if reused:
                order = replace(order, facts=replace(order.facts, is_of_reused_id=True))
            note = ORDER_ID_REUSED_NOTE if reused else ""
            arrival = decide_arrival(
                before,
                order_key=order.facts.order_key,
                facts_hashes=order.facts.facts_hashes(),
                rerun=any(each.rerun for each in orders if each.facts.order_id == order_id),
            )
            if arrival is Arrival.JOIN and entry_id is not None:
                current[order_id] = OrderTaken(entry_id, queued=False)
            elif arrival is Arrival.REVISE_LIVE_ENTRY and entry_id is not None:
                revisions.append(_Queued(order, entry_id, None, note))
                current[order_id] = OrderTaken(entry_id, queued=True)
            else:
                fresh = new_entry_id()
                inserts.append(_Queued(order, fresh, None if reused else entry_id, note))
                current[order_id] = OrderTaken(fresh, queued=True)
        if inserts:
            await connection.execute(_INSERT_ENTRIES, *_entry_columns(account_id, inserts, at))
        if revisions:
            await connection.execute(_REVISE_ENTRIES, *_entry_columns(account_id, revisions, at))
        order_events = 0
        if inserts or revisions:
            await connection.execute(_STORE_MATCHES, *_match_columns(account_id, inserts + revisions, at))
            revised = [(account_id, item.order.facts.order_id) for item in revisions]
            order_events = await record_order_events(connection, revised, at)
        return [current[order.facts.order_id] for order in orders], order_events

    async def get(self, account_id: AccountId, order_ids: Sequence[OrderId]) -> dict[OrderId, OrderMatch]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_GET_MATCHES, account_id, list(order_ids))
        return {OrderId(row["order_id"]): _order_match(account_id, row) for row in rows}

    async def settled(self, entries: Sequence[tuple[AccountId, EntryId]], *, beyond_seconds: float) -> set[EntryId]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_SETTLED, [entry[0] for entry in entries], [entry[1] for entry in entries], beyond_seconds)
        return {EntryId(row["entry_id"]) for row in rows}


@asynccontextmanager
async def _answered_transaction(connection: Connection, offer: LaneOffer | None, account_id: AccountId) -> AsyncIterator[None]:
    with answered(offer, [account_id]):
        async with connection.transaction():
            yield


async def _wake(connection: Connection, account_id: AccountId, at: datetime, offer: LaneOffer | None) -> LaneLease | None:
    """The lane whose lock is held got work that is due ``at``. The lease, where it is leased with it."""
    if offer is not None:
        leased = await connection.fetchrow(_WAKE_AND_LEASE, account_id, at, offer.owner, offer.lease_seconds)
        if leased is not None:
            return LaneLease(account_id, offer.owner, leased["lease_token"], leased["lapses"])
    await connection.execute(_WAKE_LANE, account_id, at, True)
    return None


def _entry_columns(account_id: AccountId, queued: Sequence[_Queued], at: datetime) -> list[Any]:
    facts = [item.order.facts for item in queued]
    return [
        account_id,
        [item.entry_id for item in queued],
        [each.order_id for each in facts],
        [each.order_number for each in facts],
        [each.subject_label for each in facts],
        [each.account_email_normalised or None for each in facts],
        [each.billing_email_normalised or None for each in facts],
        [each.woo_customer_id for each in facts],
        [json.dumps(each.to_json()) for each in facts],
        [item.retried_from for item in queued],
        [item.note for item in queued],
        at,
    ]


def _match_columns(account_id: AccountId, queued: Sequence[_Queued], at: datetime) -> list[Any]:
    facts = [item.order.facts for item in queued]
    return [
        account_id,
        [each.order_id for each in facts],
        [each.order_key for each in facts],
        [each.facts_hash() for each in facts],
        [item.entry_id for item in queued],
        [each.account_email_normalised or None for each in facts],
        [each.billing_email_normalised or None for each in facts],
        [each.woo_customer_id for each in facts],
        at,
    ]


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
