"""Writing what a shop is to be told of its orders, in the transaction that changes them. Statements in ``events.sql``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from tillsync_server.adapters.postgres.connections.pool import Connection
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.ids import AccountId, EntryId

_RECORD = load("events/record")
_RECORD_OF_ENTRIES = load("events/record_of_entries")


async def record_order_events(connection: Connection, orders: Iterable[tuple[AccountId, int]], at: datetime) -> int:
    """These orders' answers have ended, are held, or are open again. After the answers are written, under the lanes' locks.

    Returns how many events wait now. If any does, the caller calls ``Notifier.order_events`` after the commit.
    """
    pairs = sorted(set(orders))
    if not pairs:
        return 0
    return _written(await connection.execute(_RECORD, [account_id for account_id, _ in pairs], [order_id for _, order_id in pairs], at))


async def record_events_of_entries(connection: Connection, account_id: AccountId, entry_ids: Sequence[EntryId], at: datetime) -> int:
    """The same, by the orders' live entries; those of other kinds are passed over."""
    if not entry_ids:
        return 0
    return _written(await connection.execute(_RECORD_OF_ENTRIES, account_id, list(entry_ids), at))


def _written(command_tag: str) -> int:
    """Rows by PostgreSQL's command tag, for example ``INSERT 0 3``."""
    return int(command_tag.rpartition(" ")[2])
