"""What time takes: finished entries' partitions (made a month ahead, dropped by retention), and what has long done its work.

The functions for partitions are in the first migration.
"""

from __future__ import annotations

import asyncpg
import structlog

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.statements import load

_ENSURE_PARTITIONS = load("maintenance/ensure_partitions")
_DROP_PARTITIONS = load("maintenance/drop_partitions")
_FORGET_INTENTS = load("maintenance/forget_intents")
_FORGET_TOKENS = load("maintenance/forget_tokens")
_FORGET_VERSIONS = load("maintenance/forget_versions")

WEEKS_AHEAD = 5
SHORT_RETENTION_DAYS = 14
"""PROCESSED and SKIPPED."""
LONG_RETENTION_DAYS = 90
"""FAILED and DISMISSED."""
INTENT_RETENTION_DAYS = 30
"""Create intents that are done, counted from when the till could no longer surprise us: each holds an email address."""
TOKEN_RETENTION_DAYS = 90
"""Revoked tokens."""
VERSION_RETENTION_DAYS = 30
"""Versions of writes to shop customers without link, removal or live entry, counted from the write. A new version is at least the
database's time in microseconds, so it is higher as long as the database's clock does not go back by so many days."""
_FORGOTTEN_AT_ONCE = 10_000
_MAINTENANCE_SECONDS = 120.0
"""Nobody waits for it, and taking a week of a large history off the disk may take long."""
_LOG = structlog.get_logger(__name__)


class PostgresHistory:
    """Any number of processes may call it, whenever: there is nothing to do most of the time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def maintain(self) -> None:
        """Make the partitions a month ahead, drop what is past its retention (14 and 90 days), forget long settled create intents
        (30 days) and long revoked tokens (90).

        First makes, then drops: a drop that must wait for readers (it takes an exclusive lock, for a second at most) spoils nothing.
        """
        async with self._database.acquire() as connection:
            try:
                made: int = await connection.fetchval(_ENSURE_PARTITIONS, WEEKS_AHEAD, timeout=_MAINTENANCE_SECONDS)
            except asyncpg.DuplicateTableError:  # another process made them at this very moment
                made = 0
            except asyncpg.LockNotAvailableError:  # a month ahead: there is time
                _LOG.warning("history_partitions_postponed")
                made = 0
            try:
                rows = await connection.fetch(_DROP_PARTITIONS, SHORT_RETENTION_DAYS, LONG_RETENTION_DAYS, timeout=_MAINTENANCE_SECONDS)
                dropped = [row["name"] for row in rows]
            except asyncpg.UndefinedTableError:  # another process dropped them at this very moment
                dropped = []
            except asyncpg.LockNotAvailableError:  # readers are at it: next time
                _LOG.info("history_drop_postponed")
                dropped = []
        if made or dropped:
            _LOG.info("history_partitions", made=made, partitions=dropped)
        async with self._database.acquire() as connection:
            await connection.execute(_FORGET_INTENTS, INTENT_RETENTION_DAYS, _FORGOTTEN_AT_ONCE, timeout=_MAINTENANCE_SECONDS)
            await connection.execute(_FORGET_TOKENS, TOKEN_RETENTION_DAYS, timeout=_MAINTENANCE_SECONDS)
            await connection.execute(_FORGET_VERSIONS, VERSION_RETENTION_DAYS, _FORGOTTEN_AT_ONCE, timeout=_MAINTENANCE_SECONDS)
