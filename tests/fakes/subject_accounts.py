"""Accounts that a change at the till concerns, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fakes.accounts import FakeAccounts
from tillsync_server.domain.account import Account
from tillsync_server.domain.ids import AccountId, TillId


@dataclass
class FakeSubjectAccounts:
    """Implements ports.subject_accounts.SubjectAccounts.

    ``linked``, ``candidates`` (of held orders) and ``known_types`` are pairs of an account and a till customer, or a type.
    """

    accounts: FakeAccounts
    linked: set[tuple[str, int]] = field(default_factory=set)
    candidates: set[tuple[str, int]] = field(default_factory=set)
    known_types: set[tuple[str, int]] = field(default_factory=set)

    async def of_customers(self, till_id: TillId, customer_ids: Sequence[int]) -> list[tuple[AccountId, int]]:
        return [
            (account.account_id, customer_id)
            for account in await self._switched_on(till_id)
            for customer_id in sorted(set(customer_ids))
            if (account.account_id, customer_id) in self.linked | self.candidates
        ]

    async def of_customer_types(self, till_id: TillId, type_ids: Sequence[int]) -> list[tuple[AccountId, int]]:
        return [
            (account.account_id, type_id)
            for account in await self._switched_on(till_id)
            for type_id in sorted(set(type_ids))
            if account.shop.has_bridge or (account.account_id, type_id) in self.known_types
        ]

    async def _switched_on(self, till_id: TillId) -> list[Account]:
        return [account for account in await self.accounts.accounts_of_till(till_id) if account.customer_sync_enabled]
