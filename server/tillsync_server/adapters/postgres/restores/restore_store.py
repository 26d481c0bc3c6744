"""Repairs a restored database with what the shops still know. The statements are in ``restores.sql``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.engine.hints import enqueue_in_transaction
from tillsync_server.adapters.postgres.engine.locked_lane import LockedLane, locked_lane
from tillsync_server.adapters.postgres.links.link_rows import delete_link, links_of_either, put_link
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.catalogue import comment_of
from tillsync_server.domain.emails import normalise_email
from tillsync_server.domain.enums import EntryKind, EntryState, LinkGround, Outcome, Priority, Side
from tillsync_server.domain.errors import Refused
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerTypeId, OrderId, WooCustomerId
from tillsync_server.domain.link import LinkOrigin
from tillsync_server.domain.restored import (
    RESTORED_NOTE,
    LinkStep,
    OrderStep,
    ShopLink,
    ShopOrder,
    StoredAnswer,
    entry_time,
    link_step,
    order_step,
)
from tillsync_server.domain.settings_change import Requeue
from tillsync_server.ports.lanes import NewHint
from tillsync_server.ports.restores import LinksTaken, OrdersTaken, Queued, Restore

_PENDING = load("restores/pending")
_BEGIN = load("restores/begin")
_REPLACE = load("restores/replace")
_MARK_TILLS = load("restores/mark_tills")
_FORGET_TILLS = load("restores/forget_tills")
_DONE_ACCOUNTS = load("restores/done_accounts")
_COMPLETE = load("restores/complete")
_FORGET_ACCOUNTS = load("restores/forget_accounts")
_END = load("restores/end")
_KEEP_ANSWERS = load("restores/keep_answers")
_KEEP_CREATES = load("restores/keep_creates")
_ASK_AGAIN = load("restores/ask_again")
_RAISE_SEQUENCES = load("restores/raise_sequences")
_CLEAR_LINK_HASHES = load("restores/clear_link_hashes")
_SYNCS_CUSTOMERS = load("restores/syncs_customers")
_UNKNOWN_TYPES = load("restores/unknown_types")
_STORED_ORDERS = load("orders/stored_orders")
_RAISE_CONFIG_VERSION = load("engine/raise_config_version")
_CLEAR_TYPE_HASHES = load("accounts/clear_type_hashes")
_COUNT_REQUEUES = load("accounts/count_requeues")
_WRITE_REQUEUE = load("accounts/write_requeue")
_DEFAULT_CUSTOMER = load("links/default_customer")
_SET_MARK = load("links/set_mark")

_REQUEUES = (Requeue.LINKED_CUSTOMERS, Requeue.KNOWN_TYPES, Requeue.PENDING_REMOVALS)


class PostgresRestores:
    """Implements :class:`tillsync_server.ports.restores.RestoreStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pending(self) -> Restore | None:
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(_PENDING)
        return None if row is None else Restore(row["restored_at"], row["since"])

    async def note_restored(self, since: datetime | None) -> None:
        """Stores that the database was just restored from a backup of this time. From now on no process of the service starts."""
        async with self._database.acquire() as connection, connection.transaction():
            await connection.execute(_REPLACE, since)
            await connection.execute(_FORGET_ACCOUNTS)

    async def begin(self, since: datetime) -> Restore:
        async with self._database.acquire() as connection, connection.transaction():
            if await connection.fetchrow(_PENDING) is None:
                await connection.execute(_FORGET_ACCOUNTS)
            row = await connection.fetchrow(_BEGIN, since)
            assert row is not None
            await connection.execute(_MARK_TILLS, row["restored_at"])
            await connection.execute(_FORGET_TILLS)
        return Restore(row["restored_at"], row["since"])

    async def done_accounts(self) -> set[AccountId]:
        async with self._database.acquire() as connection:
            return {AccountId(row["account_id"]) for row in await connection.fetch(_DONE_ACCOUNTS)}

    async def take_orders(self, account_id: AccountId, orders: Sequence[ShopOrder], *, dry_run: bool) -> OrdersTaken:
        latest = {order.order_id: order for order in orders}
        async with self._lane(account_id, dry_run=dry_run) as lane:
            stored = {
                row["order_id"]: StoredAnswer(row["order_key"], EntryId(row["entry_id"]), EntryState(row["state"]))
                for row in await lane.connection.fetch(_STORED_ORDERS, account_id, list(latest))
            }
            steps = {order_id: order_step(order, stored.get(order_id)) for order_id, order in latest.items()}
            kept = [order for order_id, order in latest.items() if steps[order_id] is OrderStep.KEEP]
            again = [order_id for order_id, step in steps.items() if step is OrderStep.ASK_AGAIN]
            others = [order_id for order_id, step in steps.items() if step in (OrderStep.UNCHANGED, OrderStep.LOST_REQUEST)]
            if kept:
                # A run of one of these orders that is under way decides nothing.
                await lane.connection.execute(_RAISE_CONFIG_VERSION, account_id)
                await lane.connection.execute(_KEEP_ANSWERS, account_id, lane.at, *_answer_columns(kept, lane.at))
                await _keep_creates(lane, kept)
            if again:
                await lane.connection.execute(_ASK_AGAIN, account_id, again, lane.at)
            await lane.connection.execute(_RAISE_SEQUENCES, account_id, others, lane.at)
        lost = tuple(order_id for order_id, step in steps.items() if step is OrderStep.LOST_REQUEST)
        return OrdersTaken(kept=len(kept), asked_again=len(again), lost_requests=tuple(OrderId(each) for each in lost))

    async def take_links(self, account_id: AccountId, links: Sequence[ShopLink], *, since: datetime, dry_run: bool) -> LinksTaken:
        restored, unlinked, conflicts = 0, list[WooCustomerId](), list[ShopLink]()
        async with self._lane(account_id, dry_run=dry_run) as lane:
            default_customer = await lane.connection.fetchval(_DEFAULT_CUSTOMER, account_id)
            await lane.connection.execute(_RAISE_CONFIG_VERSION, account_id)
            for shown in links:
                existing = await links_of_either(lane, shown.epos_customer_id, shown.woo_customer_id)
                match link_step(shown, existing, since=since, default_customer=default_customer):
                    case LinkStep.RESTORE if shown.epos_customer_id is not None:
                        await put_link(
                            lane,
                            shown.epos_customer_id,
                            shown.woo_customer_id,
                            LinkOrigin.MATCHED_EMAIL,
                            ground=LinkGround.NOT_KEPT,  # The shop does not know how the link was made.
                            instead_of=existing,
                            deciding=None,
                            woo_registered_at=shown.registered_at,
                        )
                        restored += 1
                    case LinkStep.UNLINK:
                        [own] = [link for link in existing if link.woo_customer_id == shown.woo_customer_id]
                        await lane.connection.execute(_SET_MARK, account_id, shown.woo_customer_id, lane.at)
                        await delete_link(lane, own)
                        unlinked.append(shown.woo_customer_id)
                    case LinkStep.CONFLICT:
                        conflicts.append(shown)
                    case _:
                        pass
        return LinksTaken(restored=restored, unlinked=tuple(unlinked), conflicts=tuple(conflicts))

    async def queue_all(self, account_id: AccountId, type_ids: Sequence[EposCustomerTypeId], *, dry_run: bool) -> Queued:
        async with self._lane(account_id, dry_run=dry_run) as lane:
            await lane.connection.execute(_RAISE_CONFIG_VERSION, account_id)
            # invariant: restored-hashes-are-forgotten
            await lane.connection.execute(_CLEAR_LINK_HASHES, account_id)
            await lane.connection.execute(_CLEAR_TYPE_HASHES, account_id)
            if not await lane.connection.fetchval(_SYNCS_CUSTOMERS, account_id):
                return Queued(customers=0, types=0)  # Switching sync on queues everything.
            requeues = [int(each) for each in _REQUEUES]
            counts = {row["what"]: row["entries"] for row in await lane.connection.fetch(_COUNT_REQUEUES, account_id, requeues)}
            await lane.connection.execute(_WRITE_REQUEUE, account_id, requeues, lane.at)
            unknown = [row["id"] for row in await lane.connection.fetch(_UNKNOWN_TYPES, account_id, list(type_ids))]
            hints = [NewHint(account_id, EntryKind.CUSTOMER_TYPE, type_id, Priority.BULK) for type_id in unknown]
            if hints:
                await enqueue_in_transaction(lane.connection, hints)
        return Queued(customers=counts[Requeue.LINKED_CUSTOMERS], types=counts[Requeue.KNOWN_TYPES] + len(unknown))

    async def complete(self, account_id: AccountId) -> None:
        async with self._database.acquire() as connection:
            await connection.execute(_COMPLETE, account_id)

    async def end(self) -> bool:
        async with self._database.acquire() as connection, connection.transaction():
            await connection.execute(_FORGET_ACCOUNTS)
            return await connection.fetchval(_END) is not None

    @asynccontextmanager
    async def _lane(self, account_id: AccountId, *, dry_run: bool) -> AsyncIterator[LockedLane]:
        """Locks the lane. With ``dry_run`` it rolls back at the end. Raises Refused for rows of the shop that PostgreSQL cannot store, such
        as a text with a NUL, so that one shop does not end the run of all shops."""
        try:
            async with locked_lane(self._database, account_id) as lane:
                yield lane
                if dry_run:
                    raise _RollBackError
        except _RollBackError:
            pass
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            # The text of the error may name a person.
            text = f"the database cannot store what the shop answered ({type(error).__name__}): check the shop's plugin and its orders"
            raise Refused(Side.SHOP, text) from error


class _RollBackError(Exception):
    """Rolls back a transaction of a dry run."""


def _answer_columns(orders: Sequence[ShopOrder], at: datetime) -> list[list[Any]]:
    """Returns the columns of $3 to $17 of the statement ``restores/keep_answers``."""
    return [
        [order.order_id for order in orders],
        [order.order_key for order in orders],
        [order.entry_id for order in orders],
        [None if order.state is None else int(order.state) for order in orders],
        [None if order.outcome is None else int(order.outcome) for order in orders],
        [None if order.cause is None else int(order.cause) for order in orders],
        ["" if order.outcome is None else comment_of(order.outcome) for order in orders],
        ["\n".join((*order.notes, RESTORED_NOTE)) for order in orders],
        [order.epos_customer_id for order in orders],
        [order.woo_customer_id for order in orders],
        [normalise_email(order.account_email) or None for order in orders],
        [normalise_email(order.billing_email) or None for order in orders],
        [order.order_number for order in orders],
        [f"order {order.order_number or order.order_id}" for order in orders],
        [at if order.entry_id is None else entry_time(order.entry_id, at) for order in orders],
    ]


async def _keep_creates(lane: LockedLane, orders: Sequence[ShopOrder]) -> None:
    """Stores intents for customers that the service created. It does not know which of the two emails the customer has; the order flow
    compares."""
    created = [order for order in orders if order.outcome is Outcome.CUSTOMER_CREATED and order.epos_customer_id is not None]
    pairs = [
        (email, order.epos_customer_id)
        for order in created
        for email in sorted({normalise_email(order.account_email), normalise_email(order.billing_email)} - {""})
    ]
    if pairs:
        emails, customers = [email for email, _ in pairs], [customer for _, customer in pairs]
        await lane.connection.execute(_KEEP_CREATES, lane.account_id, lane.at, emails, customers)
