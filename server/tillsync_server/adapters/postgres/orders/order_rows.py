"""Builds the columns of the statements that store orders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tillsync_server.domain.ids import EntryId
from tillsync_server.domain.order import OrderFacts


@dataclass(frozen=True, slots=True)
class OrderToStore:
    """An order to store. ``retried_from`` is its previous entry. ``is_new`` is false if the order has a live entry already."""

    facts: OrderFacts
    entry_id: EntryId
    retried_from: EntryId | None
    note: str = ""
    is_new: bool = True


def store_columns(orders: Sequence[OrderToStore]) -> list[list[Any]]:
    """Returns the columns of $5 to $17 of the statement ``orders/store``."""
    facts = [each.facts for each in orders]
    number, label, account_email, billing_email, woo_customer_id, as_json = _facts_columns(facts)
    return [
        [each.entry_id for each in orders],
        [each.order_id for each in facts],
        [each.order_key for each in facts],
        [each.facts_hash() for each in facts],
        *(number, label, account_email, billing_email, woo_customer_id, as_json),
        [each.retried_from for each in orders],
        [each.note for each in orders],
        [each.is_new for each in orders],
    ]


def requeue_columns(orders: Sequence[OrderToStore]) -> list[list[Any]]:
    """Returns the columns of $3 to $10 of the statement ``orders/requeue_entries``."""
    facts = [each.facts for each in orders]
    return [[each.order_id for each in facts], *_facts_columns(facts), [each.note for each in orders]]


def _facts_columns(facts: Sequence[OrderFacts]) -> list[list[Any]]:
    return [
        [each.order_number for each in facts],
        [each.subject_label for each in facts],
        [each.account_email_normalised or None for each in facts],
        [each.billing_email_normalised or None for each in facts],
        [each.woo_customer_id for each in facts],
        [json.dumps(each.to_json()) for each in facts],
    ]
