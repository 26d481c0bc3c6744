"""Stores the version of each account's bridge. The statements are in ``seen_bridges.sql``."""

from __future__ import annotations

from collections.abc import Sequence

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.bridges import SeenBridge

_NOTE = load("accounts/note_bridge")
_LIST = load("accounts/list_bridges")


class PostgresSeenBridges:
    """Implements ports.bridges.SeenBridges."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, account_id: AccountId, version: str) -> None:
        async with self._database.acquire() as connection:
            await connection.execute(_NOTE, account_id, version)

    async def list_seen(self, *, after: AccountId | None, limit: int) -> Sequence[SeenBridge]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_LIST, after or "", limit)
        return [SeenBridge(AccountId(row["account_id"]), row["version"], row["seen_time"]) for row in rows]
