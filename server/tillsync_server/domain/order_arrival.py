"""Decides whether an arriving order needs a new entry, a requeue or nothing (docs/architecture.md#the-life-of-an-order)."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import Enum, auto

from tillsync_server.domain.enums import EntryState

ORDER_ID_REUSED_NOTE = "a different order stood under this order id before"


class Arrival(Enum):
    NEW_ENTRY = auto()
    """The order gets a new entry, and its order_match names that entry."""
    REQUEUE_LIVE_ENTRY = auto()
    """The live entry gets the new facts and runs with fresh attempts."""
    UNCHANGED = auto()
    """Nothing changes. The caller waits for the present entry, or gets its answer."""


@dataclass(frozen=True, slots=True)
class KnownOrder:
    order_key: str
    facts_hash: bytes
    state: EntryState


def decide_arrival(known: KnownOrder | None, *, order_key: str, facts_hashes: Set[bytes], rerun: bool) -> Arrival:
    """Compares an arriving order with the stored one.

    ``facts_hashes``: the hash of the arriving facts in every form that may be stored. ``known.state``: the state of the order's current
    entry. Another order_key means another order, for example after a restored database reused ids.
    """
    if known is None:
        return Arrival.NEW_ENTRY
    if known.order_key != order_key or rerun:
        return Arrival.REQUEUE_LIVE_ENTRY if known.state.is_live else Arrival.NEW_ENTRY
    if known.facts_hash in facts_hashes:
        return Arrival.UNCHANGED
    if known.state.is_live:
        return Arrival.REQUEUE_LIVE_ENTRY
    # Only ``rerun`` changes the customer of a PROCESSED order. A person closed a DISMISSED one.
    return Arrival.NEW_ENTRY if known.state is EntryState.FAILED else Arrival.UNCHANGED
