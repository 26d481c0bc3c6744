"""Accounts that fail in the same second read their side histories over few connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from support.flow_world import order_entry, order_facts, till_account
from support.virtual_time import on_virtual_time
from tillsync_server.adapters.postgres.engine.side_history import PostgresSideHistory
from tillsync_server.domain.enums import Side


class CountingDatabase:
    """Counts concurrently acquired connections."""

    def __init__(self) -> None:
        self.borrowed = self.most = self.requests = 0

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[CountingDatabase]:
        self.borrowed += 1
        self.most = max(self.most, self.borrowed)
        try:
            yield self
        finally:
            self.borrowed -= 1

    async def fetchval(self, *_: Any) -> None:
        self.requests += 1
        await asyncio.sleep(0.1)


@on_virtual_time
async def test_simultaneous_failures_use_few_connections() -> None:
    database: Any = CountingDatabase()
    history = PostgresSideHistory(database)
    entries = [order_entry(till_account(), order_facts(number)) for number in range(1, 31)]
    async with asyncio.TaskGroup() as group:
        for entry in entries:
            group.create_task(history.times_opened(entry, Side.TILL))
    assert (database.requests, database.most) == (30, 2)
