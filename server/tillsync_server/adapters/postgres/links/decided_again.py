"""What rests on a customer that has changed: held orders are decided again, answered ones get a note. One place for every change: a
customer is gone, was unlinked, has another email, belongs to another person."""

from __future__ import annotations

from collections.abc import Sequence

from tillsync_server.adapters.postgres.engine.locked_lane import AfterCommit, LockedLane
from tillsync_server.adapters.postgres.events.event_log import record_order_events
from tillsync_server.adapters.postgres.links.held_orders import MAX_COUNTED, MAX_RELEASED, release_now_or_soon
from tillsync_server.adapters.postgres.links.link_reader import link_of_row
from tillsync_server.adapters.postgres.links.link_rows import revise_waiting_orders
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


async def decide_again(
    lane: LockedLane, *, epos: Sequence[EposCustomerId] = (), woo: Sequence[WooCustomerId] = (), but: EntryId | None = None
) -> int:
    """Held orders that rest on one of these customers run again, in order of arrival. Returns how many (at most 10,000 are counted)."""
    if not epos and not woo:
        return 0
    rows = await lane.connection.fetch(_HELD_BECAUSE_OF, lane.account_id, sorted(set(epos)), sorted(set(woo)), but, MAX_COUNTED)
    return await release_now_or_soon(lane, [EntryId(row["entry_id"]) for row in rows])


async def decide_candidates_again(lane: LockedLane, epos_customer_id: EposCustomerId, *, email: str, waits_anyway: bool) -> int:
    """Held orders with this candidate, whose email is ``email`` now (raw)."""
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
    return await release_now_or_soon(lane, [EntryId(row["entry_id"]) for row in rows])


async def mark_gone(
    lane: LockedLane, *, epos: Sequence[EposCustomerId] = (), woo: Sequence[WooCustomerId] = (), of: Sequence[EposCustomerId] = ()
) -> tuple[list[Link], int]:
    """Links of these customers are unusable from now on. ``of``: the till customers that those of ``woo`` were found linked to; a link that
    was made since stays. Returns the links that were usable, and how many held orders run again."""
    rows = await lane.connection.fetch(_MARK_GONE, lane.account_id, list(epos), list(woo), lane.at, list(of))
    broken = [link_of_row(row) for row in rows]
    # an order that is being answered with the till customer has no answer yet that could get a note
    await revise_waiting_orders(lane, [link for link in broken if link.epos_customer_id in epos], deciding=None)
    released = await decide_again(
        lane,
        epos=[*epos, *(link.epos_customer_id for link in broken)],
        woo=[*woo, *(link.woo_customer_id for link in broken)],
    )
    for each in sorted(set(epos)):
        await _note_answers(lane, each, GONE_NOTE.format(each))
    return broken, released


async def note_unlinked(lane: LockedLane, link: Link) -> None:
    """Orders of the shop customer that were answered with the till customer: a person has taken the link off since."""
    await _note_answers(lane, link.epos_customer_id, UNLINKED_NOTE.format(link.epos_customer_id), link.woo_customer_id)


async def _note_answers(
    lane: LockedLane, epos_customer_id: EposCustomerId, note: str, woo_customer_id: WooCustomerId | None = None
) -> None:
    """The shop is told, as of a new answer."""
    of = (lane.account_id, [epos_customer_id], note, lane.at, MAX_RELEASED, woo_customer_id)
    noted = await lane.connection.fetch(_NOTE_ANSWERS, *of)
    if await record_order_events(lane.connection, [(lane.account_id, row["order_id"]) for row in noted], lane.at):
        lane.after_commit.add(AfterCommit.ORDER_EVENTS)
