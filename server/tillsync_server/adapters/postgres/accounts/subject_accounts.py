"""Finds the accounts of a till that a customer or a customer type concerns."""

from __future__ import annotations

from collections.abc import Sequence

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.ids import AccountId, TillId

_OF_CUSTOMERS = load("accounts/of_till_customers")
_OF_CUSTOMER_TYPES = load("accounts/of_till_customer_types")


class PostgresSubjectAccounts:
    """Implements :class:`tillsync_server.ports.subject_accounts.SubjectAccounts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_customers(self, till_id: TillId, customer_ids: Sequence[int]) -> list[tuple[AccountId, int]]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_OF_CUSTOMERS, till_id, list(customer_ids))
        return [(AccountId(row["account_id"]), row["subject_id"]) for row in rows]

    async def of_customer_types(self, till_id: TillId, type_ids: Sequence[int]) -> list[tuple[AccountId, int]]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_OF_CUSTOMER_TYPES, till_id, list(type_ids))
        return [(AccountId(row["account_id"]), row["subject_id"]) for row in rows]
