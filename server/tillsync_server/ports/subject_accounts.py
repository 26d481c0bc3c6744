"""Which accounts of a till a change at the till concerns. Implemented by ``adapters/postgres``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tillsync_server.domain.ids import AccountId, TillId


class SubjectAccounts(Protocol):
    """Accounts that are switched on. One that is off needs no hint: switching it on queues what it knows."""

    async def of_customers(self, till_id: TillId, customer_ids: Sequence[int]) -> list[tuple[AccountId, int]]:
        """Account and till customer, in their order: every account of the till that has a link to the customer, or a held
        order with the customer to choose from."""
        ...

    async def of_customer_types(self, till_id: TillId, type_ids: Sequence[int]) -> list[tuple[AccountId, int]]:
        """Account and type, in their order: every account of the till whose shop has the bridge, which alone takes types, and every one
        that knows the type already."""
        ...
