"""Links that a person makes or deletes, and a person's choice for an order. Lock order: the lane, then its entries and links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.engine.locked_lane import LockedLane, locked_lane
from tillsync_server.adapters.postgres.links.dependent_orders import mark_gone, note_unlinked, requeue_dependent_orders
from tillsync_server.adapters.postgres.links.held_orders import MAX_REQUEUED, held_of_guest, requeue_orders
from tillsync_server.adapters.postgres.links.link_rows import delete_link, is_default_customer, links_of_either, put_link
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import EntryKind, EntryState, LinkGround
from tillsync_server.domain.errors import AlreadyExists, FailedPrecondition, NotFound
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, WooCustomerId, new_entry_id
from tillsync_server.domain.link import Link, LinkOrigin
from tillsync_server.domain.shop_users import is_linked_person
from tillsync_server.ports.links import LinkedByHand, OrderResolved, ShopUserChange, ShopUsersReport, UnlinkedByHand
from tillsync_server.ports.wakeups import Notifier

_SET_MARK = load("links/set_mark")
_CLEAR_MARK = load("links/clear_mark")
_CLEAR_MARK_BEFORE = load("links/clear_mark_before")
_RAISE_CONFIG_VERSION = load("engine/raise_config_version")
_LIVE_ENTRY = load("links/live_entry")
_FINISHED_ENTRY = load("links/finished_entry")
_REQUEUE_FAILED_ORDER = load("links/requeue_failed_order")
_MARK_MADE_BY_HAND = load("links/mark_made_by_hand")


class PostgresLinkWriter:
    """Implements :class:`tillsync_server.ports.links.LinkWriter`."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier

    async def create(self, account_id: AccountId, epos_customer_id: EposCustomerId, woo_customer_id: WooCustomerId) -> LinkedByHand:
        async with locked_lane(self._database, account_id) as lane:
            link, refresh = await _link_by_hand(lane, epos_customer_id, woo_customer_id)
            requeued = await requeue_dependent_orders(lane, woo=[woo_customer_id])
        lane.notify(self._notifier)
        return LinkedByHand(link=link, refresh_entry_id=refresh, requeued_order_entries=requeued)

    async def delete(
        self, account_id: AccountId, *, epos_customer_id: EposCustomerId | None = None, woo_customer_id: WooCustomerId | None = None
    ) -> UnlinkedByHand:
        """If both customers are given, they must be linked to each other."""
        async with locked_lane(self._database, account_id) as lane:
            found = [
                link
                for link in await links_of_either(lane, epos_customer_id, woo_customer_id)
                if epos_customer_id in (None, link.epos_customer_id) and woo_customer_id in (None, link.woo_customer_id)
            ]
            if not found:
                raise NotFound("this customer is not linked", reason="LINK_NOT_FOUND")
            [link] = found
            await lane.connection.execute(_RAISE_CONFIG_VERSION, account_id)
            await lane.connection.execute(_SET_MARK, account_id, link.woo_customer_id, lane.at)
            removal = await delete_link(lane, link)
            await requeue_dependent_orders(lane, epos=[link.epos_customer_id])
            await note_unlinked(lane, link)
        lane.notify(self._notifier)
        return UnlinkedByHand(link=link, removal_entry_id=removal)

    async def report_shop_users(self, account_id: AccountId, changes: Sequence[ShopUserChange]) -> ShopUsersReport:
        unlinked = requeued = 0
        for change in changes:  # one transaction for each change, because each may requeue as many orders as a transaction allows
            async with locked_lane(self._database, account_id) as lane:
                broken, held = await _report(lane, change)
            if held:
                lane.notify(self._notifier)
            unlinked += broken
            requeued += held
        return ShopUsersReport(unlinked, requeued)

    async def resolve_order(
        self, account_id: AccountId, entry_id: EntryId, epos_customer_id: EposCustomerId, *, create_link: bool
    ) -> OrderResolved:
        """``requeued_order_entries`` counts the other orders. A guest may have more held orders than one transaction may requeue. Then the
        others are requeued chunk by chunk, and the named order last, so that a caller can repeat an interrupted call."""
        requeued = 0
        while True:
            async with locked_lane(self._database, account_id) as lane:
                order = await _order(lane, entry_id)
                if (before := await _resolved_before(lane, order, epos_customer_id, create_link=create_link)) is not None:
                    return before
                _require_undecided(order)
                woo_customer_id: WooCustomerId | None = order["woo_customer_id"]
                others: list[EntryId] = []
                link = None
                if create_link:
                    if woo_customer_id is None:
                        raise FailedPrecondition("this is a guest's order: a guest cannot be linked", reason="GUEST_CANNOT_BE_LINKED")
                    link, _ = await _link_by_hand(lane, epos_customer_id, woo_customer_id, order["woo_registered_at"])
                elif woo_customer_id is None and order["billing_email"]:
                    others = await held_of_guest(lane, order["billing_email"], except_entry=entry_id, limit=MAX_REQUEUED)
                last = len(others) < MAX_REQUEUED
                current = entry_id
                if last:
                    current, count = await _requeue_with_choice(lane, order, entry_id, others, None if create_link else epos_customer_id)
                    if create_link and woo_customer_id is not None:
                        count = await requeue_dependent_orders(lane, woo=[woo_customer_id], except_entry=current)
                else:
                    count = await requeue_orders(lane, others, chosen=epos_customer_id)
                requeued += count
            lane.notify(self._notifier)
            if last:
                return OrderResolved(entry_id=current, link=link, requeued_order_entries=requeued)

    async def resolved_before(
        self, account_id: AccountId, entry_id: EntryId, epos_customer_id: EposCustomerId, *, create_link: bool
    ) -> OrderResolved | None:
        async with locked_lane(self._database, account_id) as lane:
            return await _resolved_before(lane, await _order(lane, entry_id), epos_customer_id, create_link=create_link)


async def _report(lane: LockedLane, change: ShopUserChange) -> tuple[int, int]:
    """Returns how many links became unusable, and how many held orders were requeued."""
    if not change.is_deleted:
        return 0, await requeue_dependent_orders(lane, woo=[change.woo_customer_id])
    if any(not _is_of(link, change) for link in await links_of_either(lane, None, change.woo_customer_id)):
        return 0, 0
    await lane.connection.execute(_CLEAR_MARK_BEFORE, lane.account_id, change.woo_customer_id, change.changed_at or lane.at)
    broken, held = await mark_gone(lane, woo=[change.woo_customer_id])
    return len(broken), held


async def _link_by_hand(
    lane: LockedLane, epos_customer_id: EposCustomerId, woo_customer_id: WooCustomerId, woo_registered_at: datetime | None = None
) -> tuple[Link, EntryId]:
    """Makes a link, or marks an existing equal link as made by hand and enqueues its refresh again.

    ``woo_registered_at`` is the registration time of the shop customer in the order that the link is made for.
    """
    if await is_default_customer(lane, epos_customer_id):
        raise FailedPrecondition(
            f"till customer {epos_customer_id} is the account's default customer, which guest orders go to: it cannot be linked",
            reason="DEFAULT_CUSTOMER",
        )
    existing = await links_of_either(lane, epos_customer_id, woo_customer_id)
    is_unmarked = await lane.connection.fetchval(_CLEAR_MARK, lane.account_id, woo_customer_id) is not None
    for link in existing:
        if not link.is_usable or _is_of_another(link, woo_customer_id, woo_registered_at):
            continue
        if (link.epos_customer_id, link.woo_customer_id) != (epos_customer_id, woo_customer_id):
            raise _linked_already(link, epos_customer_id)
        if is_unmarked:
            await lane.connection.execute(_RAISE_CONFIG_VERSION, lane.account_id)
        await lane.connection.execute(_MARK_MADE_BY_HAND, lane.account_id, epos_customer_id)
        by_hand = replace(link, origin=LinkOrigin.BY_HAND, ground=LinkGround.BY_HAND)
        return by_hand, await lane.enqueue_customer(epos_customer_id)
    await lane.connection.execute(_RAISE_CONFIG_VERSION, lane.account_id)
    return await put_link(
        lane,
        epos_customer_id,
        woo_customer_id,
        LinkOrigin.BY_HAND,
        ground=LinkGround.BY_HAND,
        instead_of=existing,
        deciding=None,
        woo_registered_at=woo_registered_at,
    )


def _is_of_another(link: Link, woo_customer_id: WooCustomerId, registered_at: datetime | None) -> bool:
    """Returns whether the number of this link now belongs to another person, who registered later."""
    if link.woo_customer_id != woo_customer_id or registered_at is None:
        return False
    is_later = link.woo_registered_at is None or registered_at > link.woo_registered_at
    return is_later and not is_linked_person(link.woo_registered_at, link.create_time, registered_at)


def _is_of(link: Link, change: ShopUserChange) -> bool:
    """Returns whether the deleted user is the user of this link."""
    if change.registered_at is not None:
        return is_linked_person(link.woo_registered_at, link.create_time, change.registered_at)
    return change.changed_at is None or change.changed_at >= link.create_time


def _linked_already(link: Link, epos_customer_id: EposCustomerId) -> AlreadyExists:
    metadata = {"epos_customer_id": str(link.epos_customer_id), "woo_customer_id": str(link.woo_customer_id)}
    if link.epos_customer_id == epos_customer_id:
        message = f"till customer {link.epos_customer_id} is linked to shop customer {link.woo_customer_id}: delete that link first"
        return AlreadyExists(message, reason="EPOS_CUSTOMER_LINKED", metadata=metadata)
    message = f"shop customer {link.woo_customer_id} is linked to till customer {link.epos_customer_id}: delete that link first"
    return AlreadyExists(message, reason="WOO_CUSTOMER_LINKED", metadata=metadata)


async def _order(lane: LockedLane, entry_id: EntryId) -> asyncpg.Record:
    row = await lane.connection.fetchrow(_LIVE_ENTRY, lane.account_id, entry_id)
    if row is None:
        row = await lane.connection.fetchrow(_FINISHED_ENTRY, lane.account_id, entry_id)
    if row is None:
        raise NotFound(f"entry {entry_id} does not exist", reason="ENTRY_NOT_FOUND")
    if row["kind"] != EntryKind.ORDER_CUSTOMER:
        raise FailedPrecondition("this entry is not an order", reason="NOT_AN_ORDER")
    return row


def _require_undecided(order: asyncpg.Record) -> None:
    state = EntryState(order["state"])
    if state not in (EntryState.HELD, EntryState.FAILED):
        raise FailedPrecondition(f"the order is {state.name}, not HELD or FAILED", reason="ORDER_NOT_HELD")
    if state is EntryState.FAILED and not order["is_current"]:
        raise FailedPrecondition("the order has a newer entry: resolve that entry", reason="ORDER_NOT_HELD")
    if not order["has_facts"]:
        raise FailedPrecondition("the facts of the order are no longer stored: match the order again", reason="ORDER_NOT_HELD")


async def _resolved_before(
    lane: LockedLane, named: asyncpg.Record, epos_customer_id: EposCustomerId, *, create_link: bool
) -> OrderResolved | None:
    """Returns the result of an earlier call with this decision. None: the order is undecided, or another decision was made."""
    order = named
    if named["state"] == EntryState.FAILED and not named["is_current"] and named["current_entry_id"] is not None:
        order = await _order(lane, named["current_entry_id"])
        if order["retried_from"] != named["entry_id"]:
            return None
    match order["state"]:
        case EntryState.PROCESSED:
            is_same_decision = order["epos_customer_id"] == epos_customer_id
        case EntryState.PENDING:
            is_same_decision = order["chosen_epos_customer_id"] in ((epos_customer_id, None) if create_link else (epos_customer_id,))
        case EntryState.HELD if order is not named:
            is_same_decision = order["chosen_epos_customer_id"] == epos_customer_id and not create_link
        case _:
            is_same_decision = False
    link = await _link_made_by_hand(lane, order, epos_customer_id) if is_same_decision and create_link else None
    if not is_same_decision or (create_link and link is None):
        return None
    return OrderResolved(entry_id=EntryId(order["entry_id"]), link=link, requeued_order_entries=0)


async def _link_made_by_hand(lane: LockedLane, order: asyncpg.Record, epos_customer_id: EposCustomerId) -> Link | None:
    """Returns the usable link, made by hand, of the order's shop customer with this till customer."""
    woo_customer_id: WooCustomerId | None = order["woo_customer_id"]
    if woo_customer_id is None:
        return None
    for link in await links_of_either(lane, epos_customer_id, woo_customer_id):
        is_the_pair = (link.epos_customer_id, link.woo_customer_id) == (epos_customer_id, woo_customer_id)
        if is_the_pair and link.is_usable and link.origin is LinkOrigin.BY_HAND:
            return None if _is_of_another(link, woo_customer_id, order["woo_registered_at"]) else link
    return None


async def _requeue_with_choice(
    lane: LockedLane, order: asyncpg.Record, entry_id: EntryId, others: Sequence[EntryId], chosen: EposCustomerId | None
) -> tuple[EntryId, int]:
    """Requeues the order and the others. Returns the order's entry (a successor of a failed one) and the number of others."""
    if order["state"] == EntryState.FAILED:
        successor = await lane.connection.fetchval(_REQUEUE_FAILED_ORDER, lane.account_id, entry_id, new_entry_id(), chosen, lane.at)
        await lane.wake()
        return EntryId(successor), await requeue_orders(lane, others, chosen=chosen)
    requeued = await requeue_orders(lane, sorted([entry_id, *others]), chosen=chosen)
    return entry_id, requeued - 1
