"""Stores sales that wait to be read: a row for each sale, and the time of the till's next read in the till's row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.errors import ResourceExhausted
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.ports.sales import ALLOWANCE_SHARE, MAX_WAITING_SALES, WaitingSale
from tillsync_server.ports.wakeups import Notifier

_INSERT_OR_LOCK_TILL = load("tills/insert_or_lock_till")
_ADD = load("tills/add_sales")
_SECONDS_UNTIL_SALE = load("tills/seconds_until_sale")
_LOCK_READY = load("tills/lock_ready_for_sales")
_CLAIM = load("tills/claim_sales")
_FINISH = load("tills/finish_sale")
_POSTPONE = load("tills/postpone_sale")
_PAUSE = load("tills/pause_sales")

_RECHECK_SECONDS = 5.0


class PostgresSales:
    """Implements :class:`tillsync_server.ports.sales.SaleStore`. ``till_share`` is the part of the till's limit that we take."""

    def __init__(self, database: Database, notifier: Notifier, *, till_share: float = 1.0) -> None:
        self._database = database
        self._notifier = notifier
        self._pace = 60.0 * ALLOWANCE_SHARE / till_share
        """Seconds between two reads, multiplied by the till's requests a minute."""

    async def add(self, till_id: TillId, account_id: AccountId, transaction_ids: Sequence[int]) -> None:
        unique_ids = sorted(set(transaction_ids))
        async with self._database.acquire() as connection, connection.transaction():
            await connection.execute(_INSERT_OR_LOCK_TILL, till_id)
            added = await connection.fetchval(_ADD, till_id, account_id, unique_ids, MAX_WAITING_SALES)
        if not added:
            raise ResourceExhausted(
                f"till {till_id} has {MAX_WAITING_SALES} sales waiting already; call again when they have been read",
                reason="TOO_MANY_WAITING_SALES",
                retry_after_seconds=30.0,
            )
        self._notifier.sales_waiting()

    async def seconds_until_due(self) -> float | None:
        async with self._database.acquire() as connection:
            seconds: float | None = await connection.fetchval(_SECONDS_UNTIL_SALE)
        return seconds

    async def claim(self, *, limit: int, lease_seconds: float) -> list[WaitingSale]:
        async with self._database.acquire() as connection, connection.transaction():
            ready = [row["till_id"] for row in await connection.fetch(_LOCK_READY, limit)]
            rows = await connection.fetch(_CLAIM, ready, lease_seconds, self._pace, _RECHECK_SECONDS) if ready else []
        return [
            WaitingSale(
                till_id=TillId(row["till_id"]),
                transaction_id=row["transaction_id"],
                account_id=AccountId(row["account_id"]),
                revision=row["revision"],
                attempt_count=row["attempt_count"],
                waited_seconds=row["waited_seconds"],
            )
            for row in rows
        ]

    async def done(self, sale: WaitingSale) -> None:
        async with self._database.acquire() as connection:
            finished = await connection.fetchval(_FINISH, sale.till_id, sale.transaction_id, sale.revision)
        if finished is None:
            await self.postpone(sale, 0.0)

    async def postpone(self, sale: WaitingSale, seconds: float) -> None:
        await self._execute_under_till(_POSTPONE, sale, seconds)

    async def pause(self, sale: WaitingSale, seconds: float) -> None:
        await self._execute_under_till(_PAUSE, sale, seconds)

    async def _execute_under_till(self, statement: LiteralString, sale: WaitingSale, seconds: float) -> None:
        async with self._database.acquire() as connection, connection.transaction():
            await connection.execute(_INSERT_OR_LOCK_TILL, sale.till_id)
            await connection.execute(statement, sale.till_id, sale.transaction_id, seconds)
