"""What an arriving order does to what is known of it: a pure decision (docs/architecture.md#the-life-of-an-order)."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import Enum, auto

from tillsync_server.domain.enums import EntryState

ORDER_ID_REUSED_NOTE = "a different order stood under this order id before"


class Arrival(Enum):
    NEW_ENTRY = auto()
    """A new entry; the order_match names it from now on."""
    REQUEUE_LIVE_ENTRY = auto()
    """The live entry gets the new facts and runs (again) with fresh attempts."""
    UNCHANGED = auto()
    """Nothing changes: the caller joins the wait, or gets the answer that is there."""


@dataclass(frozen=True, slots=True)
class KnownOrder:
    order_key: str
    facts_hash: bytes
    state: EntryState


def decide_arrival(known: KnownOrder | None, *, order_key: str, facts_hashes: Set[bytes], rerun: bool) -> Arrival:
    """``facts_hashes``: of the arriving facts, in each form that may be stored of them. ``known.state`` is its current entry's. A different
    order_key is a different order (database restored, ids reused)."""
    if known is None:
        return Arrival.NEW_ENTRY
    if known.order_key != order_key or rerun:
        return Arrival.REQUEUE_LIVE_ENTRY if known.state.is_live else Arrival.NEW_ENTRY
    if known.facts_hash in facts_hashes:
        return Arrival.UNCHANGED
    if known.state.is_live:
        return Arrival.REQUEUE_LIVE_ENTRY
    # the customer of a PROCESSED order changes only by rerun, and a DISMISSED one was closed by a person
    return Arrival.NEW_ENTRY if known.state is EntryState.FAILED else Arrival.UNCHANGED
