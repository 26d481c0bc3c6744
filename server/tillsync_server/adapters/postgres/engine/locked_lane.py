"""One lane, locked in one transaction: for a person's action, whichever process has the lease, or fenced for the lease's owner."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Connection, Database
from tillsync_server.adapters.postgres.engine.hints import enqueue_in_transaction
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import EntryKind, Priority
from tillsync_server.domain.errors import NotFound, Unavailable
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId
from tillsync_server.ports.lanes import LaneLease, NewHint
from tillsync_server.ports.wakeups import Notifier

_LOCK_LANE = load("engine/lock_lane")
_FENCE = load("engine/fence")
_WAKE_LANE = load("engine/wake_lane")


class AfterCommit(Enum):
    """Writes of a transaction that other tasks wait for. Each is announced after the commit."""

    ORDER_EVENTS = auto()
    REQUEUE = auto()


@dataclass(frozen=True, slots=True)
class LockedLane:
    """The lane inside the transaction that locked it. It is valid only in that transaction. ``at`` is the database's time."""

    connection: Connection
    account_id: AccountId
    at: datetime
    config_version: int
    is_leased: bool
    after_commit: set[AfterCommit] = field(default_factory=set)
    """Further writes that :meth:`notify` announces besides live work."""

    async def enqueue_customer(self, epos_customer_id: EposCustomerId) -> EntryId:
        """Enqueues a LIVE hint for the customer of a link that was made or found gone. Returns the entry's id."""
        hint = NewHint(self.account_id, EntryKind.CUSTOMER, epos_customer_id, Priority.LIVE)
        [result] = await enqueue_in_transaction(self.connection, [hint])
        if isinstance(result, Exception):
            raise result
        return result.entry_id

    async def wake(self) -> None:
        """Wakes the lane for live entries that are due now. The release of a leased lane finds them without it."""
        await self.connection.execute(_WAKE_LANE, self.account_id, self.at, True)

    def notify(self, notifier: Notifier) -> None:
        """Announces live work and everything that :meth:`notify_other_tasks` announces. Call it after the commit."""
        if self.is_leased:
            notifier.live_work(self.account_id)
        else:
            notifier.lanes_ready()
        self.notify_other_tasks(notifier)

    def notify_other_tasks(self, notifier: Notifier) -> None:
        """Announces writes that tasks other than the lane's owner wait for. Call it after the commit."""
        if AfterCommit.ORDER_EVENTS in self.after_commit:
            notifier.order_events()
        if AfterCommit.REQUEUE in self.after_commit:
            notifier.requeue_waiting()


@asynccontextmanager
async def locked_lane(database: Database, account_id: AccountId) -> AsyncIterator[LockedLane]:
    """Opens a transaction under the lane's lock.

    Raises NotFound for an unknown account, and Unavailable (ACCOUNT_BUSY) when another session keeps the lock.
    """
    try:
        async with database.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_LOCK_LANE, account_id)
            if row is None:
                raise NotFound(f"account {account_id} does not exist", reason="ACCOUNT_NOT_FOUND")
            yield LockedLane(connection, account_id, row["at"], row["config_version"], row["lease_expires_at"] is not None)
    except asyncpg.LockNotAvailableError as error:
        raise Unavailable(f"account {account_id} is busy; try again", reason="ACCOUNT_BUSY") from error


@asynccontextmanager
async def fenced_lane(database: Database, lease: LaneLease) -> AsyncIterator[LockedLane | None]:
    """Opens a transaction under the lane's lock if this process still has the lease (invariant 3). Else yields None and locks nothing."""
    async with database.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(_FENCE, [lease.account_id], [lease.owner], [lease.token])
        yield None if row is None else LockedLane(connection, lease.account_id, row["at"], row["config_version"], True)
