"""Finds the accounts that a change at a till concerns. Implemented by ``adapters/postgres``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tillsync_server.domain.ids import AccountId, TillId


class SubjectAccounts(Protocol):
    """Returns only accounts with sync enabled. An account with sync off needs no hint, because enabling sync queues all it knows."""

    async def of_customers(self, till_id: TillId, customer_ids: Sequence[int]) -> list[tuple[AccountId, int]]:
        """Pairs of account and till customer, in ascending order: every account of the till that has a link to the customer, or a held
        order with the customer as a candidate."""
        ...

    async def of_customer_types(self, till_id: TillId, type_ids: Sequence[int]) -> list[tuple[AccountId, int]]:
        """Pairs of account and type, in ascending order: every account of the till that already knows the type or has a bridge. Only a
        bridge accepts types."""
        ...
