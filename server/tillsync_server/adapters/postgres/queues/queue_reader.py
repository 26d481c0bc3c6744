"""Reads live and finished entries as one list, newest first. The statements are in ``queue_reader.sql``.

Each page is one statement over the view ``queue_entry``. A filter of several outcomes takes one statement for each, in one snapshot. The
most selective filter that is set chooses the statement, so that an index yields the rows in order (``ListQueueRequest``). The other filters
are checked on those rows. A statement reads entries together with their account's lane, because a pause commits together with the attempt
that met it. Two reads could show the pause without the attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, TypeAlias
from uuid import UUID

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Connection, Database
from tillsync_server.adapters.postgres.queues.entry_rows import entry_from, lane_status
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.application.concurrency.in_slices import in_slices
from tillsync_server.domain.account import Problem
from tillsync_server.domain.emails import email_forms
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryKind, EntryState, Queue
from tillsync_server.domain.errors import NotFound
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId
from tillsync_server.ports.queues import COUNT_CAP, TEXT_SEARCH_ENTRIES, QueueFilter, QueueSlice

_LANE_STATUS = load("queues/lane_status")
_ROWS_AT_A_TIME = 25
"""Rows read without a pause for other calls. A row may have thirty attempts."""


def _with_lane(statement: LiteralString) -> LiteralString:
    """Returns a statement of the same rows, newest first. PENDING rows have the columns of ``lane_status``. $1 must be the account."""
    return (
        f"WITH page AS MATERIALIZED ({statement}), lane_status AS MATERIALIZED ({_LANE_STATUS}) "
        "SELECT * FROM page LEFT JOIN lane_status ON page.state = 1 ORDER BY page.entry_id DESC"
    )


_BY_ORDER = _with_lane(load("queues/list_by_order"))
_BY_EPOS_CUSTOMER = _with_lane(load("queues/list_by_epos_customer"))
_BY_WOO_CUSTOMER = _with_lane(load("queues/list_by_woo_customer"))
_BY_EMAIL = _with_lane(load("queues/list_by_email"))
_BY_TEXT = _with_lane(load("queues/list_by_text"))
_BY_OUTCOME = _with_lane(load("queues/list_by_outcome"))
_BY_STATES = _with_lane(load("queues/list_by_states"))
_GET = _with_lane(load("queues/get"))
_OF_SUBJECT = _with_lane(load("queues/of_subject"))
_STATE_COUNTS = load("queues/state_counts")
_WAITING = load("queues/waiting")

_FIRST_ID, _LAST_ID = UUID(int=0), UUID(int=2**128 - 1)
_ID_SLACK = timedelta(seconds=30)
"""How much wider the bounds of ids are. The process makes an id, the database sets ``create_time``, and an enqueue may wait for its lane.
create_time decides exactly."""
_CLOCK_SLACK = timedelta(days=1)
"""Most difference between this process's clock, which selects partitions, and the database's."""
_EPOCH, _BEGINNING = datetime(1970, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)
_LATEST_MILLISECONDS = 32_503_680_000_000  # the year 3000: the latest time that is read from an id of another form

PageStatement: TypeAlias = "tuple[LiteralString, list[Any]]"
"""A statement with its parameters."""


class PostgresQueueReader:
    """Implements ports.queues.QueueReader and WaitingCounter."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_entries(self, wanted: QueueFilter, *, before: EntryId | None, limit: int, with_attempts: bool) -> QueueSlice:
        statements = page_statements(wanted, before=before, rows=limit + 1, with_attempts=with_attempts)
        async with self._database.acquire() as connection:
            rows = await _newest(connection, statements, limit + 1)
        entries = await _entries(rows[:limit])
        return QueueSlice(tuple(entries), entries[-1].entry_id if len(rows) > limit else None)

    async def get(self, account_id: AccountId, entry_ids: Sequence[EntryId], *, with_attempts: bool) -> dict[EntryId, Entry]:
        if not entry_ids:
            return {}
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_GET, account_id, list(entry_ids), *filed_bounds_of_ids(entry_ids), with_attempts)
        return {entry.entry_id: entry for entry in await _entries(rows)}

    async def state_counts(self, account_id: AccountId, queue: Queue) -> dict[EntryState, int]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_STATE_COUNTS, account_id, int(queue), COUNT_CAP + 1)
        return {EntryState(row["state"]): row["entries"] for row in rows}

    async def problems(self, account_id: AccountId) -> tuple[Problem, ...]:
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(_LANE_STATUS, account_id)
        if row is None:
            raise _unknown(account_id)
        return lane_status(row).problems

    async def entries_of_subject(
        self, account_id: AccountId, *, epos_customer_id: EposCustomerId | None = None, order_id: OrderId | None = None, limit: int = 20
    ) -> list[Entry]:
        if (epos_customer_id is None) == (order_id is None):
            raise ValueError("name a till customer or an order")
        kind, subject = (EntryKind.CUSTOMER, epos_customer_id) if order_id is None else (EntryKind.ORDER_CUSTOMER, order_id)
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_OF_SUBJECT, account_id, int(kind), subject, limit, True)
        return await _entries(rows)

    async def waiting_entries(self, account_id: AccountId, cap: int) -> int:
        async with self._database.acquire() as connection:
            waiting: int | None = await connection.fetchval(_WAITING, account_id, cap)
        if waiting is None:
            raise _unknown(account_id)
        return waiting


def page_statements(wanted: QueueFilter, *, before: EntryId | None, rows: int, with_attempts: bool) -> list[PageStatement]:
    """Returns the statements that serve a filter by an index. The newest rows of all of them are the page.

    There is one statement, or one for each of several outcomes, times the forms that the email may be stored in. ``rows`` is the most rows:
    one more than the page has.
    """
    forms = email_forms(wanted.email) or ("",)
    return [
        statement
        for form in forms
        for statement in _statements_of_form(replace(wanted, email=form), before=before, rows=rows, with_attempts=with_attempts)
    ]


def _statements_of_form(wanted: QueueFilter, *, before: EntryId | None, rows: int, with_attempts: bool) -> list[PageStatement]:
    lowest, window_end = _id_bounds(wanted)
    states = wanted.states or frozenset(EntryState)
    parameters: list[Any] = [
        wanted.account_id,
        int(wanted.queue),
        sorted(int(state) for state in wanted.states) or None,
        sorted(int(outcome) for outcome in wanted.outcomes) or None,
        wanted.epos_customer_id,
        wanted.woo_customer_id,
        wanted.order_id,
        wanted.email or None,
        wanted.text or None,
        wanted.created_after,
        wanted.created_before,
        lowest,
        window_end if before is None else min(before, window_end),
        *_filed_bounds(wanted.created_after),
        sorted({_retention(state) for state in states}),
        rows,
        with_attempts,
    ]
    if wanted.order_id is not None:
        return [(_BY_ORDER, parameters)]
    if wanted.epos_customer_id is not None:
        return [(_BY_EPOS_CUSTOMER, parameters)]
    if wanted.woo_customer_id is not None:
        return [(_BY_WOO_CUSTOMER, parameters)]
    if wanted.email:
        return [(_BY_EMAIL, parameters)]
    if wanted.text:
        return [(_BY_TEXT, [*parameters, window_end, TEXT_SEARCH_ENTRIES])]
    if wanted.outcomes:
        return [(_BY_OUTCOME, [*parameters, int(outcome)]) for outcome in sorted(wanted.outcomes)]
    parameters[2] = sorted(int(state) for state in states)
    return [(_BY_STATES, parameters)]


def filed_bounds_of_ids(entry_ids: Sequence[EntryId]) -> tuple[datetime, datetime]:
    """Returns bounds of ``filed_at``. An entry is filed after it was made, and its UUIDv7 has that time. An id of another form, which this
    service never makes, excludes nothing."""
    milliseconds = min(entry_id.int for entry_id in entry_ids) >> 80
    return _filed_bounds(_EPOCH + timedelta(milliseconds=min(milliseconds, _LATEST_MILLISECONDS)) - _ID_SLACK)


def _filed_bounds(created_after: datetime | None) -> tuple[datetime, datetime]:
    start = _BEGINNING if created_after is None or created_after <= _BEGINNING + _CLOCK_SLACK else created_after - _CLOCK_SLACK
    return start, datetime.now(UTC) + _CLOCK_SLACK


def _id_bounds(wanted: QueueFilter) -> tuple[UUID, UUID]:
    """Returns the first id of the time window and the id after it."""
    lowest = _FIRST_ID if wanted.created_after is None else _smallest_id(wanted.created_after, -_ID_SLACK)
    end = _LAST_ID if wanted.created_before is None else _smallest_id(wanted.created_before, _ID_SLACK)
    return lowest, end


def _smallest_id(time: datetime, shift: timedelta) -> UUID:
    """Returns the lower bound of all UUIDv7 from that millisecond on. Far-off times give the first or last id."""
    milliseconds = (time - _EPOCH + shift) // timedelta(milliseconds=1)
    return UUID(int=min(max(milliseconds, 0), 2**48 - 1) << 80)


def _retention(state: EntryState) -> int:
    """Returns where entries of this state are kept: 0 the hot table, 1 the short history, 2 the long history."""
    if state.is_live:
        return 0
    return 1 if state in (EntryState.PROCESSED, EntryState.SKIPPED) else 2


def _unknown(account_id: AccountId) -> NotFound:
    return NotFound(f"account {account_id} does not exist", reason="ACCOUNT_NOT_FOUND")


async def _newest(connection: Connection, statements: Sequence[PageStatement], rows: int) -> list[asyncpg.Record]:
    if len(statements) == 1:
        statement, parameters = statements[0]
        return await connection.fetch(statement, *parameters)
    found: list[asyncpg.Record] = []
    # One snapshot: otherwise an entry that moves between two statements would be missed or appear twice.
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for statement, parameters in statements:
            found += await connection.fetch(statement, *parameters)
    once = {row["entry_id"]: row for row in found}  # an entry may match one form as account email and another as billing email
    return [once[entry_id] for entry_id in sorted(once, reverse=True)[:rows]]


async def _entries(rows: Sequence[asyncpg.Record]) -> list[Entry]:
    return [entry_from(row, None if row["at"] is None else lane_status(row)) async for row in in_slices(rows, _ROWS_AT_A_TIME)]
