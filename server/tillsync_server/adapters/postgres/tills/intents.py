"""Stores create intents: at most one create in progress for one till and normalised email. Each change commits by itself."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId
from tillsync_server.domain.intent import Intent, IntentState

_GET = load("tills/get_intent")
_OPEN = load("tills/open_intent")
_MARK_UNKNOWN = load("tills/mark_intent_unknown")
_COMPLETE = load("tills/complete_intent")
_CLEAR = load("tills/clear_intent")

_ReplacedColumns = tuple[int, str, int | None, datetime, datetime]
_NO_INTENT = (None, None, None, None, None)


class PostgresIntents:
    """Implements :class:`tillsync_server.ports.tills.IntentStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, till_id: TillId, email: str) -> Intent | None:
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(_GET, till_id, email)
        return None if row is None else _intent(till_id, email, row)

    async def open(
        self,
        till_id: TillId,
        emails: tuple[str, ...],
        account_id: AccountId,
        owner: str,
        *,
        settle_seconds: float,
        replaces: tuple[Intent, ...] = (),
    ) -> Intent | None:
        """Replaces an intent of ``replaces`` only if it is done, or past its ``settled_at`` by the database's clock.

        All keys are opened in one transaction, in one order everywhere. A refused insert keeps the present row locked, so that no session
        clears the row before it is read.
        """
        replaceable = {intent.email: _replaced_columns(intent) for intent in replaces}
        try:
            async with self._database.acquire() as connection, connection.transaction():
                for email in sorted(emails):
                    columns = replaceable.get(email, _NO_INTENT)
                    if await connection.fetchval(_OPEN, till_id, email, account_id, owner, settle_seconds, *columns):
                        continue
                    row = await connection.fetchrow(_GET, till_id, email)
                    if row is None:
                        raise LookupError("an intent that the lost attempt holds locked is gone")
                    raise _IntentExistsError(_intent(till_id, email, row))
        except _IntentExistsError as existing:
            return existing.intent
        return None

    async def mark_unknown(self, till_id: TillId, emails: tuple[str, ...], owner: str) -> None:
        await self._execute(_MARK_UNKNOWN, till_id, emails, owner)

    async def complete(self, till_id: TillId, emails: tuple[str, ...], owner: str, customer_id: EposCustomerId) -> None:
        """Also completes an intent that was marked unknown: a later search of the same owner found the customer."""
        await self._execute(_COMPLETE, till_id, emails, owner, customer_id)

    async def clear(self, till_id: TillId, emails: tuple[str, ...], owner: str) -> None:
        """Leaves intents that are unknown or done."""
        await self._execute(_CLEAR, till_id, emails, owner)

    async def _execute(self, statement: str, till_id: TillId, emails: tuple[str, ...], *parameters: object) -> None:
        """Runs the statement key by key, each in its own commit. After an interruption the other intents settle."""
        async with self._database.acquire() as connection:
            for email in emails:
                await connection.execute(statement, till_id, email, *parameters)


class _IntentExistsError(Exception):
    """Rolls back the intents that were opened under other keys."""

    def __init__(self, intent: Intent) -> None:
        super().__init__()
        self.intent = intent


def _replaced_columns(intent: Intent) -> _ReplacedColumns:
    return int(intent.state), intent.account_id, intent.epos_customer_id, intent.settled_at, intent.create_time


def _intent(till_id: TillId, email: str, row: asyncpg.Record) -> Intent:
    return Intent(
        till_id=till_id,
        email=email,
        state=IntentState(row["state"]),
        account_id=AccountId(row["account_id"]),
        epos_customer_id=None if row["epos_customer_id"] is None else EposCustomerId(row["epos_customer_id"]),
        settled_at=row["settled_at"],
        create_time=row["create_time"],
        read_at=row["read_at"],
    )
