"""What is wrong with accounts without stopping them, put together from what each part keeps. Statement ``sql/accounts/warnings``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tillsync_server.adapters.postgres.pool import Database
from tillsync_server.adapters.postgres.sql_files import load
from tillsync_server.domain.account_warnings import AccountWarning
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.vocabulary import WarningReason

_WARNINGS = load("accounts/warnings")
COUNT_CAP = 10_000


class PostgresAccountWarnings:
    """Implements ports.accounts.AccountWarnings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, account_ids: Sequence[AccountId]) -> Mapping[AccountId, tuple[AccountWarning, ...]]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_WARNINGS, list(account_ids), COUNT_CAP)
        found: dict[AccountId, tuple[AccountWarning, ...]] = {}
        for row in rows:
            warning = AccountWarning(
                reason=WarningReason(row["reason"]),
                count=row["count"],
                since=row["since"],
                last_time=row["last_time"],
                detail=row["detail"],
            )
            account_id = AccountId(row["account_id"])
            found[account_id] = (*found.get(account_id, ()), warning)
        return found
