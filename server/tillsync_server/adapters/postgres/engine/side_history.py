"""Which entry opened a side's problem, again and again. Written by the statement ``engine/complete``."""

from __future__ import annotations

import asyncio

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import Side
from tillsync_server.ports.lanes import ClaimedEntry

_TIMES_OPENED = load("engine/times_opened")
_AT_ONCE = 2
"""Of the pool's connections. Hung accounts fail by the hundred in the same second, and the rest of the pool is for those that work."""


class PostgresSideHistory:
    """Implements :class:`tillsync_server.ports.lanes.SideHistory`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def times_opened(self, entry: ClaimedEntry, side: Side) -> int:
        async with self._turns, self._database.acquire() as connection:
            times: int | None = await connection.fetchval(_TIMES_OPENED, entry.account_id, int(side), entry.entry_id)
        return times or 0
