"""Makes links for the order flow, fenced by the lane, the entry's config_version and its revision (invariants 3 and 6).

A link of the order flow does not raise config_version, because that would void the verdict of its own entry and of every other run. Other
decisions that rest on the old links are covered one by one. The till customer's entry gets a hint. Orders of the same shop customer or with
an email in common never run beside this one (``ConcurrencyKeys``). Other due orders of either customer get a new revision.
"""

from __future__ import annotations

from datetime import datetime

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Connection, Database
from tillsync_server.adapters.postgres.engine.hints import enqueue_in_transaction
from tillsync_server.adapters.postgres.engine.locked_lane import fenced_lane
from tillsync_server.adapters.postgres.links.dependent_orders import mark_gone, requeue_orders_of_candidate
from tillsync_server.adapters.postgres.links.held_orders import MAX_COUNTED, held_of_guest, requeue_in_chunks
from tillsync_server.adapters.postgres.links.link_reader import link_of_row
from tillsync_server.adapters.postgres.links.link_rows import put_link, request_removals
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import EntryKind, LinkGround, Outcome, Priority
from tillsync_server.domain.ids import EntryId, EposCustomerId, WooCustomerId
from tillsync_server.domain.link import Link, LinkOrigin
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease, NewHint
from tillsync_server.ports.links import OrderLinkOutcome
from tillsync_server.ports.wakeups import Notifier

_ORDER_LINK_BASIS = load("links/order_link_basis")
_CONFIRM_PERSON = load("links/confirm_person")


class PostgresOrderLinker:
    """Implements :class:`tillsync_server.ports.links.OrderLinker`."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier

    async def is_still_valid(self, lease: LaneLease, entry: ClaimedEntry) -> bool:
        """Compares with what is committed. It does not see a change of another session that still holds the lane's lock."""
        async with self._database.acquire() as connection:
            return bool(await _link_basis(connection, lease, entry))

    async def link(
        self,
        lease: LaneLease,
        entry: ClaimedEntry,
        *,
        epos_customer_id: EposCustomerId,
        woo_customer_id: WooCustomerId,
        origin: LinkOrigin,
        ground: LinkGround,
        replaces: Link | None,
        woo_registered_at: datetime | None = None,
    ) -> OrderLinkOutcome:
        """Replaces ``replaces`` if it is still the same link, and other broken links of the two customers.

        Returns LINKED and writes nothing if exactly this link exists. Returns STALE also if the lane stays locked. Raises ValueError if the
        till customer is the account's default customer.
        """
        try:
            async with fenced_lane(self._database, lease) as lane:
                rows = [] if lane is None else await _link_basis(lane.connection, lease, entry, epos_customer_id, woo_customer_id)
                if lane is None or not rows:
                    return OrderLinkOutcome.STALE
                if rows[0]["default_epos_customer_id"] == epos_customer_id:
                    raise ValueError(f"the default customer {epos_customer_id} of account {lane.account_id} cannot be linked")
                existing = [link_of_row(row) for row in rows if row["epos_customer_id"] is not None]
                conflicting = [link for link in existing if link.is_usable and not _is_same(link, replaces)]
                if any(link.epos_customer_id == epos_customer_id and link.woo_customer_id == woo_customer_id for link in conflicting):
                    return OrderLinkOutcome.LINKED
                if conflicting:
                    return OrderLinkOutcome.CONFLICT
                await put_link(
                    lane,
                    epos_customer_id,
                    woo_customer_id,
                    origin,
                    ground=ground,
                    instead_of=existing,
                    deciding=entry.entry_id,
                    woo_registered_at=woo_registered_at,
                )
                await requeue_in_chunks(lane, [EntryId(entry_id) for entry_id in rows[0]["held_entry_ids"]])
        except asyncpg.LockNotAvailableError:
            return OrderLinkOutcome.STALE
        lane.notify(self._notifier)
        return OrderLinkOutcome.LINKED

    async def confirm_person(self, lease: LaneLease, link: Link, woo_registered_at: datetime) -> None:
        async with fenced_lane(self._database, lease) as lane:
            if lane is None:
                return
            await lane.connection.execute(_CONFIRM_PERSON, lane.account_id, link.epos_customer_id, link.woo_customer_id, woo_registered_at)
            if link.woo_gone_at is not None:  # The shop customer was restored. Changes in between were not written to the shop.
                await lane.enqueue_customer(link.epos_customer_id)
        if lane is not None and link.woo_gone_at is not None:
            lane.notify(self._notifier)

    async def end_of_person(self, lease: LaneLease, link: Link) -> None:
        async with fenced_lane(self._database, lease) as lane:
            if lane is None:
                return
            broken, _ = await mark_gone(lane, woo=[link.woo_customer_id], of=[link.epos_customer_id])
            if broken:  # Otherwise the number was linked to another person in between, and the shop's values are that person's.
                await request_removals(lane, [link])
                await lane.enqueue_customer(link.epos_customer_id)
        lane.notify(self._notifier)

    async def check_soon(self, lease: LaneLease, epos_customer_id: EposCustomerId) -> None:
        async with fenced_lane(self._database, lease) as lane:
            if lane is not None:
                hint = NewHint(lane.account_id, EntryKind.CUSTOMER, epos_customer_id, Priority.BULK)
                await enqueue_in_transaction(lane.connection, [hint])

    async def requeue_held_with_candidate(
        self, lease: LaneLease, epos_customer_id: EposCustomerId, *, email: str, waits_anyway: bool
    ) -> int:
        async with fenced_lane(self._database, lease) as lane:
            requeued = (
                0 if lane is None else await requeue_orders_of_candidate(lane, epos_customer_id, email=email, waits_anyway=waits_anyway)
            )
        if requeued and lane is not None:
            lane.notify(self._notifier)
        return requeued

    async def requeue_held_of_guest(self, lease: LaneLease, entry: ClaimedEntry, *, email: str) -> int:
        """Leaves out orders that wait only for products. They have their customer, and two of them would requeue each other for ever."""
        if not email:
            return 0
        try:
            async with fenced_lane(self._database, lease) as lane:
                if lane is None or not await _link_basis(lane.connection, lease, entry):
                    return 0
                held = await held_of_guest(lane, email, except_entry=entry.entry_id, without_outcome=Outcome.PRODUCT_NOT_MATCHED)
                requeued = await requeue_in_chunks(lane, held)
        except asyncpg.LockNotAvailableError:
            return 0
        if requeued:
            lane.notify(self._notifier)
        return requeued


async def _link_basis(
    connection: Connection,
    lease: LaneLease,
    entry: ClaimedEntry,
    epos_customer_id: EposCustomerId | None = None,
    woo_customer_id: WooCustomerId | None = None,
) -> list[asyncpg.Record]:
    """Returns the rows of the statement ``links/order_link_basis``: none if lease, settings or entry changed after the claim."""
    claimed = (lease.account_id, lease.owner, lease.token, entry.config_version, entry.entry_id, entry.entry_revision)
    return list(await connection.fetch(_ORDER_LINK_BASIS, *claimed, epos_customer_id, woo_customer_id, MAX_COUNTED))


def _is_same(link: Link, read: Link | None) -> bool:
    return read is not None and (link.epos_customer_id, link.woo_customer_id, link.create_time) == (
        read.epos_customer_id,
        read.woo_customer_id,
        read.create_time,
    )
