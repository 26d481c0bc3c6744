"""Reads back the settings that a session was opened with, because a pooler in front of PostgreSQL may drop them silently."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg

_CURRENT_SETTINGS = "SELECT lower(name) AS name, setting FROM pg_settings WHERE lower(name) = ANY ($1::text[])"


class UnusableDatabaseError(asyncpg.InterfaceError):
    """The database, or the connection to it, cannot serve tillsync. The message is one sentence, with the remedy."""


class SettingsDroppedError(UnusableDatabaseError):
    """The session lacks settings that it was opened with, and must not be used. Without ``search_path`` statements would use the tables of
    another schema. Without ``lock_timeout`` a statement could wait for a lock without end."""


async def require_settings(connection: asyncpg.Connection[asyncpg.Record], wanted: Mapping[str, str]) -> None:
    """Checks ``wanted``: settings by lower-case name, in the unit of pg_settings. Raises SettingsDroppedError with the remedy."""
    present = {row["name"]: row["setting"] for row in await connection.fetch(_CURRENT_SETTINGS, list(wanted))}
    dropped = [f"{name} is {present.get(name)!r} instead of {value!r}" for name, value in wanted.items() if present.get(name) != value]
    if dropped:
        raise SettingsDroppedError(
            f"the connection does not keep the settings it was opened with ({', '.join(dropped)}): a pooler in between drops them. "
            "Let it pass start-up parameters on, with session pooling, or set DATABASE_URL to PostgreSQL itself"
        )
