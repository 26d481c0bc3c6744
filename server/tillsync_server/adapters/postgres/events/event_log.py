"""Records order events for shops, in the transaction that changes the orders. The statements are in ``events.sql``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from tillsync_server.adapters.postgres.connections.pool import Connection
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.ids import AccountId, EntryId

_RECORD = load("events/record")
_RECORD_OF_ENTRIES = load("events/record_of_entries")


async def record_order_events(connection: Connection, orders: Iterable[tuple[AccountId, int]], at: datetime) -> int:
    """Records events of orders whose answer has ended, is held, or is PENDING again. Returns how many events wait now.

    Call it after the answers are written, under the lanes' locks. If it returns any, call ``Notifier.order_events`` after the commit.
    """
    pairs = sorted(set(orders))
    if not pairs:
        return 0
    return _written(await connection.execute(_RECORD, [account_id for account_id, _ in pairs], [order_id for _, order_id in pairs], at))


async def record_events_of_entries(connection: Connection, account_id: AccountId, entry_ids: Sequence[EntryId], at: datetime) -> int:
    """Records events of the orders of these live entries. Entries of other kinds are skipped."""
    if not entry_ids:
        return 0
    return _written(await connection.execute(_RECORD_OF_ENTRIES, account_id, list(entry_ids), at))


def _written(command_tag: str) -> int:
    """Returns the rows of PostgreSQL's command tag, for example ``INSERT 0 3``."""
    return int(command_tag.rpartition(" ")[2])
