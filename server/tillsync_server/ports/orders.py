"""Stores of arriving orders and of their answers. Implemented by ``adapters/postgres``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tillsync_server.domain.enums import EntryState, Outcome
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId, WooCustomerId
from tillsync_server.domain.order import OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMatch:
    """The current answer of one order. ``outcome`` None: no attempt yet."""

    account_id: AccountId
    order_id: OrderId
    order_key: str
    facts_hash: bytes
    entry_id: EntryId
    state: EntryState
    outcome: Outcome | None
    cause: Outcome | None
    comment: str
    notes: tuple[str, ...]
    epos_customer_id: EposCustomerId | None
    woo_customer_id: WooCustomerId | None = None
    candidate_ids: tuple[EposCustomerId, ...]
    update_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    account_id: AccountId
    facts: OrderFacts
    rerun: bool = False


@dataclass(frozen=True, slots=True)
class OrderEnqueued:
    """``entry_id``: the order's current entry. ``queued``: the entry runs because of this call."""

    entry_id: EntryId
    queued: bool


class OrderIntake(Protocol):
    async def enqueue(self, orders: Sequence[NewOrder]) -> list[OrderEnqueued | Exception]:
        """Commits the orders. Returns one result for each, in the same order. An order with unchanged facts keeps its entry."""
        ...


class OrderMatchReader(Protocol):
    async def get(self, account_id: AccountId, order_ids: Sequence[OrderId]) -> dict[OrderId, OrderMatch]: ...

    async def answerable(self, entries: Sequence[tuple[AccountId, EntryId]], *, beyond_seconds: float) -> set[EntryId]:
        """The entries of ``entries`` that are finished, held, or not due within ``beyond_seconds``, by one query for all accounts."""
        ...
