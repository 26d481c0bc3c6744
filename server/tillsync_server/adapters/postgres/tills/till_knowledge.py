"""Stores what is known of a till under one configuration: search proofs and successful reads, by the database's clock."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from datetime import datetime

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.ids import EposCustomerId, TillId
from tillsync_server.ports.till import CustomerPage, UnreadRow
from tillsync_server.ports.tills import TillKnowledge

_KNOWLEDGE = load("tills/knowledge")
_NOTE_SEARCH = load("tills/note_search")
_NOTE_KINDS = load("tills/note_kinds")
_NOTE_READ = load("tills/note_read")

_HAS_UNREAD = load("tills/has_unread_rows")
_NOTE_UNREAD = load("tills/note_unread_rows")
_DELETE_READABLE = load("tills/delete_readable_rows")
_UNREAD_CUSTOMERS = load("tills/unread_customers")

UNREAD_ROW_DAYS = 7
"""A row that no list page has shown for so many days is deleted, because its page may not be read any more."""
_MAX_UNREAD_PER_PAGE = 200
_NOTE_INTERVAL_SECONDS = 15.0
"""Reads are frequent and a stored read counts for ten minutes. Storing every one would cost a commit each. The stored time is at most this
much too old."""
_MAX_REMEMBERED = 20_000


class PostgresTillKnowledge:
    """Implements :class:`tillsync_server.ports.tills.TillKnowledgeStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[tuple[TillId, str, bool], float] = {}

    async def get(self, till_id: TillId, configuration: str) -> TillKnowledge:
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(_KNOWLEDGE, till_id, configuration)
        if row is None:
            return TillKnowledge()
        kinds = {kind: datetime.fromisoformat(at) for kind, at in json.loads(row["kinds_proven_at"]).items()}
        return TillKnowledge(**{**dict(row), "kinds_proven_at": kinds})

    async def note_search_proven(self, till_id: TillId, configuration: str) -> None:
        await self._note_search(till_id, configuration, proven=True)

    async def note_search_unproven(self, till_id: TillId, configuration: str) -> None:
        await self._note_search(till_id, configuration, proven=False)

    async def note_kinds(self, till_id: TillId, configuration: str, kinds: Collection[str], *, proven: bool) -> None:
        async with self._database.acquire() as connection:
            await connection.execute(_NOTE_KINDS, till_id, configuration, sorted(kinds), proven)

    async def note_customers_read(self, till_id: TillId, configuration: str, *, last_page: int | None = None) -> None:
        """Stores the read always if ``last_page`` is given, otherwise at most every 15 s per process."""
        if last_page is not None or self._is_due(till_id, configuration, of_types=False):
            await self._note_read(till_id, configuration, of_types=False, last_page=last_page)

    async def note_types_read(self, till_id: TillId, configuration: str) -> None:
        if self._is_due(till_id, configuration, of_types=True):
            await self._note_read(till_id, configuration, of_types=True, last_page=None)

    async def note_list_page(self, till_id: TillId, page: CustomerPage) -> None:
        unread = {_key(page.number, row): row for row in page.unread[:_MAX_UNREAD_PER_PAGE]}
        async with self._database.acquire() as connection:
            if unread:
                ids, reasons = [row.customer_id for row in unread.values()], [row.reason for row in unread.values()]
                await connection.execute(_NOTE_UNREAD, till_id, page.number, list(unread), ids, reasons)
            elif not await connection.fetchval(_HAS_UNREAD, till_id):
                return  # nearly every till: hundreds of ids are not sent in vain
            readable = [row.epos_customer_id for row in page.rows]
            await connection.execute(_DELETE_READABLE, till_id, page.number, list(unread), readable, UNREAD_ROW_DAYS)

    async def unread_customers(self, till_id: TillId, *, limit: int) -> list[EposCustomerId]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_UNREAD_CUSTOMERS, till_id, limit)
        return [EposCustomerId(row["epos_customer_id"]) for row in rows]

    async def note_customers_readable(self, till_id: TillId, customer_ids: Sequence[EposCustomerId]) -> None:
        async with self._database.acquire() as connection:
            await connection.execute(_DELETE_READABLE, till_id, 0, [], list(customer_ids), UNREAD_ROW_DAYS)

    def _is_due(self, till_id: TillId, configuration: str, *, of_types: bool) -> bool:
        noted = self._noted.get((till_id, configuration, of_types))
        return noted is None or time.monotonic() - noted >= _NOTE_INTERVAL_SECONDS

    async def _note_search(self, till_id: TillId, configuration: str, *, proven: bool) -> None:
        async with self._database.acquire() as connection:
            await connection.execute(_NOTE_SEARCH, till_id, configuration, proven)

    async def _note_read(self, till_id: TillId, configuration: str, *, of_types: bool, last_page: int | None) -> None:
        began = time.monotonic()
        async with self._database.acquire() as connection:
            await connection.execute(_NOTE_READ, till_id, configuration, not of_types, of_types, last_page)
        if len(self._noted) >= _MAX_REMEMBERED:
            self._noted.clear()
        self._noted[till_id, configuration, of_types] = began


def _key(page: int, row: UnreadRow) -> str:
    """Returns the row's id, or its place on the page if it has none. The next read of the page replaces a place."""
    return str(row.customer_id) if row.customer_id is not None else f"row {row.position} of page {page}"
