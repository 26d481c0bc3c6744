"""Retention drops rows that are too old. It drops weeks of finished entries, and deletes old intents, tokens and versions.

``history_partitions`` makes and drops the weeks.
"""

from __future__ import annotations

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database
from tillsync_server.adapters.postgres.maintenance.history_partitions import HistoryPartitions
from tillsync_server.adapters.postgres.statements import load

_DELETE_INTENTS = load("maintenance/delete_intents")
_DELETE_TOKENS = load("maintenance/delete_tokens")
_DELETE_VERSIONS = load("maintenance/delete_versions")

SHORT_RETENTION_DAYS = 14
"""Retention of PROCESSED and SKIPPED entries."""
LONG_RETENTION_DAYS = 90
"""Retention of FAILED and DISMISSED entries."""
INTENT_RETENTION_DAYS = 30
"""Retention of create intents that are done, counted from when they settled. Each holds an email address."""
TOKEN_RETENTION_DAYS = 90
"""Retention of revoked tokens."""
VERSION_RETENTION_DAYS = 30
"""Retention of versions of writes to shop customers without link, removal or live entry, counted from the write. A new version is at least
the database's time in microseconds. So it is higher than a deleted one, unless the database's clock goes back by these days."""
_DELETE_BATCH = 10_000
_MAINTENANCE_SECONDS = 120.0
"""Per statement. No caller waits for it."""


class PostgresHistory:
    """Runs retention. Any number of processes may call it at any time; most calls find nothing to do."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._partitions = HistoryPartitions(database, short_days=SHORT_RETENTION_DAYS, long_days=LONG_RETENTION_DAYS)

    async def maintain(self) -> None:
        """Makes the history's weeks ahead and drops those past their retention (14 and 90 days). Deletes create intents that settled 30
        days ago, tokens revoked 90 days ago, and versions of writes from 30 days ago that nothing needs.
        """
        failure: Exception | None = None
        try:
            await self._delete_rows()
        except (asyncpg.PostgresError, *DATABASE_GONE) as error:
            failure = error
        await self._partitions.maintain()
        if failure is not None:
            raise failure

    async def _delete_rows(self) -> None:
        async with self._database.acquire() as connection:
            await connection.execute(_DELETE_INTENTS, INTENT_RETENTION_DAYS, _DELETE_BATCH, timeout=_MAINTENANCE_SECONDS)
            await connection.execute(_DELETE_TOKENS, TOKEN_RETENTION_DAYS, timeout=_MAINTENANCE_SECONDS)
            await connection.execute(_DELETE_VERSIONS, VERSION_RETENTION_DAYS, _DELETE_BATCH, timeout=_MAINTENANCE_SECONDS)
