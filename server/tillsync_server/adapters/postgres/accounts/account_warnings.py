"""Collects problems that do not stop an account, from several tables. The statements are in ``account_warnings.sql``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.adapters.postgres.tills.till_budget import BUSY_SECONDS
from tillsync_server.domain.account_warnings import AccountWarning, StrayOutput
from tillsync_server.domain.enums import WarningReason
from tillsync_server.domain.ids import AccountId

_WARNINGS = load("accounts/warnings")
_NOTE_STRAY_OUTPUT = load("accounts/note_stray_output")
_DELETE_STRAY_OUTPUT = load("accounts/delete_stray_output")
COUNT_CAP = 10_000
STRAY_OUTPUT_DAYS = 7
_NOTE_INTERVAL_SECONDS = 60.0
"""Answers are frequent, so a process stores an unchanged result of a route at most once in this time."""
_MAX_REMEMBERED = 20_000


class PostgresAccountWarnings:
    """Implements ports.accounts.AccountWarnings."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[tuple[AccountId, str], tuple[StrayOutput | None, float]] = {}

    async def of(self, account_ids: Sequence[AccountId]) -> Mapping[AccountId, tuple[AccountWarning, ...]]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_WARNINGS, list(account_ids), COUNT_CAP, STRAY_OUTPUT_DAYS, BUSY_SECONDS)
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

    async def note_answer(self, account_id: AccountId, route: str, stray: StrayOutput | None) -> None:
        now, known = time.monotonic(), self._noted.get((account_id, route))
        if known is not None and known[0] == stray and now - known[1] < _NOTE_INTERVAL_SECONDS:
            return
        with suppress(*DATABASE_GONE):
            async with self._database.acquire() as connection:
                if stray is None:
                    await connection.execute(_DELETE_STRAY_OUTPUT, account_id, route)
                else:
                    await connection.execute(_NOTE_STRAY_OUTPUT, account_id, route, stray.kind, stray.plugin)
            if len(self._noted) >= _MAX_REMEMBERED:
                self._noted.clear()
            self._noted[account_id, route] = stray, now
