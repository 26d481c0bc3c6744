"""Retention drops rows that are too old. It drops partitions of finished entries, and deletes old intents, tokens and versions.

It also makes the partitions of finished entries a month ahead. The functions for partitions are in the first migration.
"""

from __future__ import annotations

import asyncpg
import structlog

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.statements import load

_ENSURE_PARTITIONS = load("maintenance/ensure_partitions")
_DROP_PARTITIONS = load("maintenance/drop_partitions")
_DELETE_INTENTS = load("maintenance/delete_intents")
_DELETE_TOKENS = load("maintenance/delete_tokens")
_DELETE_VERSIONS = load("maintenance/delete_versions")

WEEKS_AHEAD = 5
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
the database's time in microseconds, so it is higher unless the database's clock goes back by so many days."""
_DELETE_BATCH = 10_000
_MAINTENANCE_SECONDS = 120.0
"""No caller waits for it, and deleting a week of a large history from the disk may take long."""
_LOG = structlog.get_logger(__name__)


class PostgresHistory:
    """Runs retention. Any number of processes may call it at any time; most calls find nothing to do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def maintain(self) -> None:
        """Makes the partitions a month ahead. Drops partitions past their retention (14 and 90 days). Deletes create intents that settled
        30 days ago, tokens revoked 90 days ago, and versions of writes from 30 days ago that nothing needs.

        It makes partitions before it drops any. A drop takes an exclusive lock, may wait a second for readers, and may fail without harm.
        """
        async with self._database.acquire() as connection:
            try:
                made: int = await connection.fetchval(_ENSURE_PARTITIONS, WEEKS_AHEAD, timeout=_MAINTENANCE_SECONDS)
            except asyncpg.DuplicateTableError:  # another process made them at this moment
                made = 0
            except asyncpg.LockNotAvailableError:  # the partitions are for the month ahead, so a later run is early enough
                _LOG.warning("history_partitions_postponed")
                made = 0
            try:
                rows = await connection.fetch(_DROP_PARTITIONS, SHORT_RETENTION_DAYS, LONG_RETENTION_DAYS, timeout=_MAINTENANCE_SECONDS)
                dropped = [row["name"] for row in rows]
            except asyncpg.UndefinedTableError:  # another process dropped them at this moment
                dropped = []
            except asyncpg.LockNotAvailableError:  # readers hold the lock: the next run drops them
                _LOG.info("history_drop_postponed")
                dropped = []
        if made or dropped:
            _LOG.info("history_partitions", made=made, partitions=dropped)
        async with self._database.acquire() as connection:
            await connection.execute(_DELETE_INTENTS, INTENT_RETENTION_DAYS, _DELETE_BATCH, timeout=_MAINTENANCE_SECONDS)
            await connection.execute(_DELETE_TOKENS, TOKEN_RETENTION_DAYS, timeout=_MAINTENANCE_SECONDS)
            await connection.execute(_DELETE_VERSIONS, VERSION_RETENTION_DAYS, _DELETE_BATCH, timeout=_MAINTENANCE_SECONDS)
