"""Reads the ids of till customers, customer types or transactions from webhook bodies. Keys may have V2 or V4 names, in any case."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_BODY_BYTES = 256 * 1024
MAX_IDS = 500
_LARGEST_ID = 2**63 - 1


def subject_ids(body: bytes, keys: tuple[str, ...]) -> list[int]:
    """Returns the ids that a body names. The body is an object (V2 or V4 names, any case), a bare id (deletes), or a list of either. Raises
    ValueError with the reason."""
    return list(dict.fromkeys(_subject_id(item, keys) for item in _items(body)))


@dataclass(frozen=True, slots=True)
class SaleSubjects:
    """Ids that the body of sales names. Both are empty for sales without a customer that the till knows."""

    customer_ids: tuple[int, ...]
    transaction_ids: tuple[int, ...]
    """Transactions whose body does not mention a customer."""


def sale_subjects(body: bytes) -> SaleSubjects:
    """Returns the ids in a body of ``Transaction/Complete``. Its shape is not known (docs/epos-now.md#webhooks), so the customer's id, the
    customer as an object, and the transaction's id alone are all read. Raises ValueError with the reason."""
    customers: dict[int, None] = {}
    transactions: dict[int, None] = {}
    for item in _items(body):
        customer_id = _customer_id(item)
        if customer_id is not None:
            customers[customer_id] = None
        elif not _mentions_customer(item):
            transactions[_subject_id(item, ("transactionid", "id"))] = None
    return SaleSubjects(tuple(customers), tuple(transactions))


def _mentions_customer(item: Any) -> bool:
    """Returns True also for an item that says that there is no customer."""
    return isinstance(item, Mapping) and any(str(name).lower() in ("customerid", "customer") for name in item)


def _customer_id(item: Any) -> int | None:
    if not isinstance(item, Mapping):
        return None
    by_name = {str(name).lower(): value for name, value in item.items()}
    for found in (by_name.get("customerid"), by_name.get("customer")):
        if isinstance(found, Mapping):
            return _subject_id(found, ("customerid", "id"))
        if found not in (None, 0, "", "0"):
            return _id(found)
    return None


def _items(body: bytes) -> list[Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("the body is no JSON") from error
    items = content if isinstance(content, list) else [content]
    if not items or len(items) > MAX_IDS:
        raise ValueError(f"the body must name 1 to {MAX_IDS} objects")
    return items


def _subject_id(item: Any, keys: tuple[str, ...]) -> int:
    if not isinstance(item, Mapping):
        return _id(item)
    by_name = {str(name).lower(): value for name, value in item.items()}
    found = next((by_name[key] for key in keys if by_name.get(key) is not None), None)
    if found is None:
        raise ValueError(f"the body has none of the keys {', '.join(keys)}")
    return _id(found)


def _id(found: Any) -> int:
    if isinstance(found, str) and found.strip().isascii() and found.strip().isdigit() and len(found) <= 20:
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 < found <= _LARGEST_ID:
        raise ValueError("the id must be a whole number greater than 0")
    return found
