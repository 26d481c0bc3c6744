"""Identifiers. Each is a NewType, so that mypy refuses a shop customer's id where a till customer's is due."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

from uuid_utils.compat import uuid7

AccountId = NewType("AccountId", str)
"""Slug of one shop joined to one Epos Now account: the tenant."""

TillId = NewType("TillId", str)
"""Slug of one Epos Now company; several accounts may share it."""

EposCustomerId = NewType("EposCustomerId", int)
EposCustomerTypeId = NewType("EposCustomerTypeId", int)
WooCustomerId = NewType("WooCustomerId", int)
OrderId = NewType("OrderId", int)

EntryId = NewType("EntryId", UUID)
"""UUIDv7: ordered by creation time, which the queue listing's keyset relies on."""


def new_entry_id() -> EntryId:
    """A fresh entry id; ids made later in this process sort after it, and none runs ahead of the clock, however many are made at once."""
    return EntryId(uuid7())
