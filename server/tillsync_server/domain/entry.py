"""Entries and attempts as the queue listing reads them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tillsync_server.domain.enums import EntryKind, EntryState, Outcome, Priority, Queue, Side
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, WooCustomerId
from tillsync_server.domain.order import OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    number: int
    outcome: Outcome
    comment: str
    notes: tuple[str, ...]
    start_time: datetime
    finish_time: datetime
    charged: bool
    upstream_status: int | None = None
    side: Side | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One unit of work as callers see it. ``subject_id`` is a till customer, a customer type or an order, depending on ``kind``."""

    account_id: AccountId
    entry_id: EntryId
    kind: EntryKind
    subject_id: int
    state: EntryState
    priority: Priority
    entry_revision: int
    outcome: Outcome | None
    comment: str
    causes: tuple[Outcome, ...]
    notes: tuple[str, ...]
    attempt_count: int
    coalesced_count: int
    next_attempt_time: datetime | None
    create_time: datetime
    update_time: datetime
    finish_time: datetime | None = None
    retried_from: EntryId | None = None
    epos_customer_id: EposCustomerId | None = None
    woo_customer_id: WooCustomerId | None = None
    order_number: str = ""
    """Orders only: the number that the shopper sees. Empty: the caller gave none."""
    subject_label: str = ""
    account_email: str = ""
    billing_email: str = ""
    candidate_ids: tuple[EposCustomerId, ...] = ()
    facts: OrderFacts | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def queue(self) -> Queue:
        return self.kind.queue
