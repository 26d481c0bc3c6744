"""Changes of links under the lane's lock, shared by the order flow and by the actions of people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tillsync_server.adapters.postgres.engine.locked_lane import LockedLane
from tillsync_server.adapters.postgres.links.link_reader import link_of_row
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import LinkGround
from tillsync_server.domain.ids import EntryId, EposCustomerId, WooCustomerId
from tillsync_server.domain.link import Link, LinkOrigin

_OF_EITHER = load("links/of_either")
_DEFAULT_CUSTOMER = load("links/default_customer")
_INSERT = load("links/insert")
_DELETE = load("links/delete")
_REQUEST_REMOVALS = load("links/request_removals")
_RAISE_ORDER_REVISIONS = load("links/raise_order_revisions")


async def links_of_either(lane: LockedLane, epos_customer_id: EposCustomerId | None, woo_customer_id: WooCustomerId | None) -> list[Link]:
    """Returns at most one link of each customer, and one in total if they are linked to each other."""
    rows = await lane.connection.fetch(_OF_EITHER, lane.account_id, epos_customer_id, woo_customer_id)
    return [link_of_row(row) for row in rows]


async def is_default_customer(lane: LockedLane, epos_customer_id: EposCustomerId) -> bool:
    return bool(await lane.connection.fetchval(_DEFAULT_CUSTOMER, lane.account_id) == epos_customer_id)


async def put_link(
    lane: LockedLane,
    epos_customer_id: EposCustomerId,
    woo_customer_id: WooCustomerId,
    origin: LinkOrigin,
    *,
    ground: LinkGround,
    instead_of: Sequence[Link],
    deciding: EntryId | None,
    woo_registered_at: datetime | None = None,
) -> tuple[Link, EntryId]:
    """Inserts a link. Returns the link and the LIVE customer entry that brings the values to the shop.

    ``instead_of`` has every link that conflicts with the new one; they are deleted. A shop customer who loses such a link and is not gone
    also loses our values. The same customer entry removes them. Orders that may be running on the old links get a new revision.

    ``deciding`` is the order of the shop customer that makes the link, or None if a person links. The other orders of the shop customer get
    a new revision only if a person links. While ``deciding`` runs, ``ConcurrencyKeys`` lets no other order of that customer run. A new
    revision would then only make each of them run twice.
    """
    if instead_of:
        await lane.connection.execute(_DELETE, lane.account_id, [link.epos_customer_id for link in instead_of])
        unlinked = [link for link in instead_of if link.woo_customer_id != woo_customer_id and link.woo_gone_at is None]
        await request_removals(lane, unlinked)
    row = await lane.connection.fetchrow(
        _INSERT, lane.account_id, epos_customer_id, woo_customer_id, int(origin), lane.at, woo_registered_at, int(ground)
    )
    if row is None:
        raise ValueError(f"a link of till customer {epos_customer_id} or shop customer {woo_customer_id} was left in the way")
    link = link_of_row(row)
    await raise_order_revisions(
        lane, [link, *instead_of], deciding=deciding, except_woo_customer=None if deciding is None else woo_customer_id
    )
    return link, await lane.enqueue_customer(epos_customer_id)


async def delete_link(lane: LockedLane, link: Link) -> EntryId:
    """Deletes a link. Returns the LIVE customer entry that removes our values from the shop."""
    await lane.connection.execute(_DELETE, lane.account_id, [link.epos_customer_id])
    await request_removals(lane, [link])
    await raise_order_revisions(lane, [link], deciding=None)
    return await lane.enqueue_customer(link.epos_customer_id)


async def request_removals(lane: LockedLane, links: Sequence[Link]) -> None:
    if links:
        woo, epos = [link.woo_customer_id for link in links], [link.epos_customer_id for link in links]
        await lane.connection.execute(_REQUEST_REMOVALS, lane.account_id, woo, epos, lane.at)


async def raise_order_revisions(
    lane: LockedLane, links: Sequence[Link], *, deciding: EntryId | None, except_woo_customer: WooCustomerId | None = None
) -> None:
    """Raises the revision of due orders of these customers. Orders of the shop customer ``except_woo_customer`` stay as they are."""
    if not links:
        return
    woo = sorted({link.woo_customer_id for link in links})
    epos = sorted({link.epos_customer_id for link in links})
    await lane.connection.execute(_RAISE_ORDER_REVISIONS, lane.account_id, woo, epos, deciding, lane.at, except_woo_customer)
