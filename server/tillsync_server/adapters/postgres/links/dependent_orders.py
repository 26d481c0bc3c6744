"""Requeues or notes the orders that rest on a changed customer: held orders are requeued, answered orders get a note.

A customer changes when it is found gone, is unlinked, gets another email, or its number belongs to another person.
"""

from __future__ import annotations

from collections.abc import Sequence

from tillsync_server.adapters.postgres.engine.locked_lane import AfterCommit, LockedLane
from tillsync_server.adapters.postgres.events.event_log import record_order_events
from tillsync_server.adapters.postgres.links.held_orders import MAX_COUNTED, MAX_REQUEUED, requeue_in_chunks
from tillsync_server.adapters.postgres.links.link_reader import link_of_row
from tillsync_server.adapters.postgres.links.link_rows import raise_order_revisions
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.emails import addresses_in, email_forms
from tillsync_server.domain.enums import Outcome
from tillsync_server.domain.ids import EntryId, EposCustomerId, WooCustomerId
from tillsync_server.domain.link import Link

_HELD_BECAUSE_OF = load("links/held_because_of")
_HELD_WITH_CANDIDATE = load("links/held_with_candidate")
_MARK_GONE = load("links/mark_gone")
_NOTE_ANSWERS = load("links/note_answers")

GONE_NOTE = "customer {} was deleted in Epos Now after this order was answered: match the order again to find its customer"


UNLINKED_NOTE = "the link to customer {} was taken off after this order was answered: match the order again if it is not theirs"


async def requeue_dependent_orders(
    lane: LockedLane, *, epos: Sequence[EposCustomerId] = (), woo: Sequence[WooCustomerId] = (), except_entry: EntryId | None = None
) -> int:
    """Requeues held orders that rest on one of these customers, in order of arrival. Returns how many (counted up to 10,000)."""
    if not epos and not woo:
        return 0
    rows = await lane.connection.fetch(_HELD_BECAUSE_OF, lane.account_id, sorted(set(epos)), sorted(set(woo)), except_entry, MAX_COUNTED)
    return await requeue_in_chunks(lane, [EntryId(row["entry_id"]) for row in rows])


async def requeue_orders_of_candidate(lane: LockedLane, epos_customer_id: EposCustomerId, *, email: str, waits_anyway: bool) -> int:
    """Requeues held orders with this candidate that its present email decides differently. ``email`` is raw."""
    forms = list(email_forms(email))
    rows = await lane.connection.fetch(
        _HELD_WITH_CANDIDATE,
        lane.account_id,
        epos_customer_id,
        forms,
        [*forms, *(address for address in addresses_in(email) if address)],
        waits_anyway,
        int(Outcome.DUPLICATE_EMAIL),
        MAX_COUNTED,
    )
    return await requeue_in_chunks(lane, [EntryId(row["entry_id"]) for row in rows])


async def mark_gone(
    lane: LockedLane, *, epos: Sequence[EposCustomerId] = (), woo: Sequence[WooCustomerId] = (), of: Sequence[EposCustomerId] = ()
) -> tuple[list[Link], int]:
    """Makes links of these customers unusable.

    ``of`` names the till customers that the customers of ``woo`` were found linked to; a newer link to another till customer stays. Returns
    the links that were usable, and how many held orders were requeued.
    """
    rows = await lane.connection.fetch(_MARK_GONE, lane.account_id, list(epos), list(woo), lane.at, list(of))
    unusable = [link_of_row(row) for row in rows]
    # An order that is just being answered with the till customer has no answer yet that could get a note.
    await raise_order_revisions(lane, [link for link in unusable if link.epos_customer_id in epos], deciding=None)
    requeued = await requeue_dependent_orders(
        lane,
        epos=[*epos, *(link.epos_customer_id for link in unusable)],
        woo=[*woo, *(link.woo_customer_id for link in unusable)],
    )
    for each in sorted(set(epos)):
        await _note_answers(lane, each, GONE_NOTE.format(each))
    return unusable, requeued


async def note_unlinked(lane: LockedLane, link: Link) -> None:
    """Notes on the answers of the shop customer's orders that a person has deleted the link since."""
    await _note_answers(lane, link.epos_customer_id, UNLINKED_NOTE.format(link.epos_customer_id), link.woo_customer_id)


async def _note_answers(
    lane: LockedLane, epos_customer_id: EposCustomerId, note: str, woo_customer_id: WooCustomerId | None = None
) -> None:
    """Adds a note to the newest answers. Records an order event for the shop, as for a new answer."""
    of = (lane.account_id, [epos_customer_id], note, lane.at, MAX_REQUEUED, woo_customer_id)
    noted = await lane.connection.fetch(_NOTE_ANSWERS, *of)
    if await record_order_events(lane.connection, [(lane.account_id, row["order_id"]) for row in noted], lane.at):
        lane.after_commit.add(AfterCommit.ORDER_EVENTS)
