"""Rewrites stored emails to the present form, chunk by chunk, while the service runs (table ``email_rekey``).

Until it has finished, look-ups also use the previous form (``domain.emails.email_forms``), so nothing waits for it. Any number of processes
may run it: two processes that work on one chunk write the same values. Each table is read at least twice, an hour apart, because processes
of the previous release may write their form until they are replaced.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, LiteralString
from uuid import UUID

import asyncpg
import structlog

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.engine.locked_lane import locked_lane
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.emails import EMAIL_FORM, normalise_email
from tillsync_server.domain.errors import NotFound, Unavailable
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.order import OrderFacts

_NEXT = load("maintenance/next_rekey")
_MOVE = load("maintenance/move_rekey")
_END_PASS = load("maintenance/end_pass")
_REKEY_INTENT = load("maintenance/rekey_intent")

CHUNK = 500
PASS_AGAIN_SECONDS = 3600.0
_LOG = structlog.get_logger(__name__)

Change = tuple[Any, ...]
"""Id, stored values, new values: the columns of the statement after the account."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A table to rewrite, one ``what`` of email_rekey. ``first`` is an id before all others."""

    name: str
    read: LiteralString
    write: LiteralString
    first: UUID | int | str
    change: Callable[[asyncpg.Record], Change | None]


def _entry_change(row: asyncpg.Record) -> Change | None:
    before = row["account_email"], row["billing_email"]
    after = _form(row["given_account_email"], before[0]), _form(row["given_billing_email"], before[1])
    return None if after == before else (row["id"], *before, *after)


def _match_change(row: asyncpg.Record) -> Change | None:
    """Makes a new hash only if the stored one is of exactly these facts. An entry's facts may be older."""
    before = row["account_email"], row["billing_email"], row["facts_hash"]
    facts = None if row["facts"] is None else OrderFacts.from_json(json.loads(row["facts"]))
    if facts is not None and before[2] in facts.facts_hashes():
        after = facts.account_email_normalised or None, facts.billing_email_normalised or None, facts.facts_hash()
    else:
        after = _form(None, before[0]), _form(None, before[1]), before[2]
    return None if after == before else (row["id"], *before, *after)


def _intent_change(row: asyncpg.Record) -> Change | None:
    after = normalise_email(row["id"])
    return None if after == row["id"] or not row["is_past"] else (row["id"], after)


def _form(given: str | None, stored: str | None) -> str | None:
    """Returns the present form of the order's email if it is stored, else of the stored key. An erased email stays erased."""
    return None if stored is None else normalise_email(stored if given is None else given) or None


_TABLES = {
    1: _Table("entry_history", load("maintenance/history_after"), load("maintenance/rekey_history"), UUID(int=0), _entry_change),
    2: _Table("entry", load("maintenance/entries_after"), load("maintenance/rekey_entries"), UUID(int=0), _entry_change),
    3: _Table("order_match", load("maintenance/matches_after"), load("maintenance/rekey_matches"), 0, _match_change),
    4: _Table("intent", load("maintenance/intents_after"), _REKEY_INTENT, "", _intent_change),
}


class PostgresEmailRekey:
    """Runs the rewrite as recurring work of a process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run_chunk(self) -> bool:
        """Runs one chunk. Returns whether more can be done at once. If an account is locked, the chunk is run again later."""
        async with self._database.acquire() as connection:
            state = await connection.fetchrow(_NEXT)
            if state is None:
                return False
            table = _TABLES[state["what"]]
            after = type(table.first)(state["after_id"]) if state["after_id"] else table.first
            rows = await connection.fetch(table.read, state["after_key"], after, CHUNK)
        try:
            changed = await self._write(table, rows)
        except Unavailable:
            return False
        began = state["what"], state["after_key"], state["after_id"]
        async with self._database.acquire() as connection:
            if len(rows) == CHUNK:
                await connection.execute(_MOVE, *began, rows[-1]["key"], str(rows[-1]["id"]), changed)
                return True
            made = await connection.fetchval(_END_PASS, *began, changed, PASS_AGAIN_SECONDS)
        if made is not None:
            _LOG.info("emails_rekeyed", what=table.name, made=made, version=EMAIL_FORM)
        return True

    async def _write(self, table: _Table, rows: Sequence[asyncpg.Record]) -> int:
        """Returns how many rows needed a change."""
        changed = 0
        for key, of_key in groupby(rows, key=lambda row: str(row["key"])):
            changes = [change for row in of_key if (change := table.change(row)) is not None]
            if changes:
                await self._write_changes(table, key, changes)
                changed += len(changes)
        return changed

    async def _write_changes(self, table: _Table, key: str, changes: Sequence[Change]) -> None:
        if table.write is _REKEY_INTENT:
            async with self._database.acquire() as connection:
                for before, after in changes:
                    try:
                        await connection.execute(_REKEY_INTENT, key, before, after)
                    except asyncpg.UniqueViolationError:
                        continue  # an intent was opened under the new form at this moment: retention deletes the old one
            return
        try:
            async with locked_lane(self._database, AccountId(key)) as lane:
                await lane.connection.execute(table.write, key, *(list(column) for column in zip(*changes, strict=True)))
        except NotFound:
            return
