"""The outbox of order events as its sender uses it. The statements are in ``events.sql``; ``event_log`` writes the events."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import EntryState, Outcome
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId
from tillsync_server.ports.events import (
    AcknowledgedEvent,
    EventAnswer,
    EventLease,
    EventType,
    OrderEvent,
    RefusedEvent,
    WaitingEvents,
)

_CLAIM = load("events/claim")
_SECONDS_UNTIL_DUE = load("events/seconds_until_due")
_WAITING = load("events/waiting")
_ACKNOWLEDGE = load("events/acknowledge")
_REFUSE = load("events/refuse")
_RESEND = load("events/resend")
_RELEASE = load("events/release")

HELD_COUNT_CAP = 10_000
_TYPES = {1: EventType.ORDER_FINISHED, 2: EventType.DECISION_NEEDED, 3: EventType.DECISION_CLOSED}


class PostgresEvents:
    """Implements ports.events.EventOutbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, *, limit: int, lease_seconds: float) -> list[EventLease]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_CLAIM, limit, lease_seconds)
        return [EventLease(AccountId(row["account_id"]), row["lease_token"], row["failures"]) for row in rows]

    async def seconds_until_due(self) -> float | None:
        async with self._database.acquire() as connection:
            seconds: float | None = await connection.fetchval(_SECONDS_UNTIL_DUE)
        return seconds

    async def waiting(self, account_id: AccountId, limit: int) -> WaitingEvents:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_WAITING, account_id, limit, HELD_COUNT_CAP)
        events = tuple(
            OrderEvent(
                order_id=OrderId(row["order_id"]),
                sequence=row["sequence"],
                type=_TYPES[row["type"]],
                entry_id=None if row["entry_id"] is None else EntryId(row["entry_id"]),
                state=EntryState(row["state"]),
                outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
                answer=_answer(row) if row["is_answered"] else None,
            )
            for row in rows
        )
        return WaitingEvents(events, rows[0]["held_count"] if rows else 0)

    async def acknowledge(self, account_id: AccountId, acknowledged: Sequence[AcknowledgedEvent]) -> None:
        async with self._database.acquire() as connection:
            await connection.execute(
                _ACKNOWLEDGE,
                account_id,
                [one.order_id for one in acknowledged],
                [one.sequence for one in acknowledged],
                [one.held_sequence for one in acknowledged],
            )

    async def refuse(self, account_id: AccountId, refused: Sequence[RefusedEvent]) -> None:
        orders, sequences, fields = ([one.order_id for one in refused], [one.sequence for one in refused], [one.field for one in refused])
        async with self._database.acquire() as connection:
            await connection.execute(_REFUSE, account_id, orders, sequences, fields)

    async def resend(self, *, sent_before_seconds: float, limit: int) -> int:
        async with self._database.acquire() as connection:
            resent: int = await connection.fetchval(_RESEND, sent_before_seconds, limit)
        return resent

    async def release(self, lease: EventLease, *, failures: int, delay_seconds: float) -> None:
        async with self._database.acquire() as connection:
            await connection.execute(_RELEASE, lease.account_id, lease.token, failures, delay_seconds)


def _answer(row: asyncpg.Record) -> EventAnswer:
    return EventAnswer(
        comment=row["comment"],
        cause=None if row["cause"] is None else Outcome(row["cause"]),
        epos_customer_id=None if row["epos_customer_id"] is None else EposCustomerId(row["epos_customer_id"]),
        note_count=row["notes"].count("\n") + 1 if row["notes"] else 0,
    )
