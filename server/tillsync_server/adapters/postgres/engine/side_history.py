"""Counts how often in a row one entry opened a side's problem. The statement ``engine/complete`` writes the count."""

from __future__ import annotations

import asyncio

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import Side
from tillsync_server.ports.lanes import ClaimedEntry

_TIMES_OPENED = load("engine/times_opened")
_MAX_CONNECTIONS = 2
"""Connections of the pool that this class uses. Hung accounts fail by the hundred in one second, and the other connections must stay free
for working accounts."""


class PostgresSideHistory:
    """Implements :class:`tillsync_server.ports.lanes.SideHistory`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turns = asyncio.Semaphore(_MAX_CONNECTIONS)

    async def times_opened(self, entry: ClaimedEntry, side: Side) -> int:
        async with self._turns, self._database.acquire() as connection:
            times: int | None = await connection.fetchval(_TIMES_OPENED, entry.account_id, int(side), entry.entry_id)
        return times or 0
