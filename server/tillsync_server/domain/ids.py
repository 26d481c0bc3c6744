"""Defines the identifiers. Each is a NewType, so that mypy rejects a shop customer's id in place of a till customer's."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

from uuid_utils.compat import uuid7

AccountId = NewType("AccountId", str)
"""Slug of one shop joined to one Epos Now account. An account is the tenant."""

TillId = NewType("TillId", str)
"""Slug of one Epos Now company. Several accounts may share it."""

EposCustomerId = NewType("EposCustomerId", int)
EposCustomerTypeId = NewType("EposCustomerTypeId", int)
WooCustomerId = NewType("WooCustomerId", int)
OrderId = NewType("OrderId", int)

EntryId = NewType("EntryId", UUID)
"""UUIDv7. The keyset of the queue listing relies on its order by creation time."""


def new_entry_id() -> EntryId:
    """A new entry id. It sorts after all earlier ids of this process, and its time is never ahead of the clock, even in a burst."""
    return EntryId(uuid7())
