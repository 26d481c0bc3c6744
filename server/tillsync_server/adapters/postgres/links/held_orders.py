"""Requeues held orders after a change of links or a person's choice, in order of arrival. The rows of one transaction are limited."""

from __future__ import annotations

from collections.abc import Sequence

from tillsync_server.adapters.postgres.engine.locked_lane import AfterCommit, LockedLane
from tillsync_server.adapters.postgres.events.event_log import record_events_of_entries
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.emails import email_forms, normalise_email
from tillsync_server.domain.enums import Outcome
from tillsync_server.domain.ids import EntryId, EposCustomerId

MAX_REQUEUED = 500
"""Most rows that a transaction under the lane's lock requeues (invariant 7)."""
MAX_COUNTED = 10_000
"""Most held orders that are counted."""

_HELD_OF_GUEST = load("links/held_of_guest")
_REQUEUE_ORDERS = load("links/requeue_orders")
_WRITE_REQUEUE_OF_HELD_ORDERS = load("links/write_requeue_of_held_orders")


async def held_of_guest(
    lane: LockedLane, email: str, *, except_entry: EntryId | None, limit: int = MAX_COUNTED, without_outcome: Outcome | None = None
) -> list[EntryId]:
    """Returns HELD orders without a shop customer and with this billing email (raw or normalised), in order of arrival.

    The previous release's form of emails gave different mailboxes one key. The raw email of each order decides, if it is still stored.
    """
    rows = await lane.connection.fetch(
        _HELD_OF_GUEST, lane.account_id, email_forms(email), except_entry, limit, without_outcome and int(without_outcome)
    )
    wanted = normalise_email(email)
    return [EntryId(row["entry_id"]) for row in rows if row["raw_email"] is None or normalise_email(row["raw_email"]) == wanted]


async def requeue_in_chunks(lane: LockedLane, entry_ids: Sequence[EntryId]) -> int:
    """Requeues the first 500 orders in this transaction.

    If there are more, the transaction also writes a row of ``requeue`` for all held orders of the account. They are then requeued chunk by
    chunk. Orders that are not in ``entry_ids`` run again too, which does no harm, and a crash loses none. Returns how many of ``entry_ids``
    are requeued.
    """
    requeued = await requeue_orders(lane, entry_ids[:MAX_REQUEUED], chosen=None)
    if len(entry_ids) > MAX_REQUEUED:
        await lane.connection.execute(_WRITE_REQUEUE_OF_HELD_ORDERS, lane.account_id, lane.at)
        lane.after_commit.add(AfterCommit.REQUEUE)
        requeued += len(entry_ids) - MAX_REQUEUED
    return requeued


async def requeue_orders(lane: LockedLane, entry_ids: Sequence[EntryId], *, chosen: EposCustomerId | None) -> int:
    """Requeues these HELD orders with the till customer that a person chose for them. Wakes the lane. Returns how many were HELD."""
    if not entry_ids:
        return 0
    requeued: int = await lane.connection.fetchval(_REQUEUE_ORDERS, lane.account_id, list(entry_ids), lane.at, chosen)
    if await record_events_of_entries(lane.connection, lane.account_id, entry_ids, lane.at):
        lane.after_commit.add(AfterCommit.ORDER_EVENTS)
    await lane.wake()
    return requeued
