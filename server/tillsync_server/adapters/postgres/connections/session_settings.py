"""The settings a session was opened with, read back: a pooler between us and PostgreSQL may drop them without a word."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg

_PRESENT = "SELECT lower(name) AS name, setting FROM pg_settings WHERE lower(name) = ANY ($1::text[])"


class UnusableDatabaseError(asyncpg.InterfaceError):
    """The database, or the way to it, is not fit for the service. Its text says so in one sentence, with the remedy."""


class SettingsDroppedError(UnusableDatabaseError):
    """The session lacks settings it was opened with. Nothing may be asked of it: without ``search_path`` the tables of another schema would
    be read and written, without ``lock_timeout`` a lock would be waited for without end."""


async def require_settings(connection: asyncpg.Connection[asyncpg.Record], wanted: Mapping[str, str]) -> None:
    """``wanted``: by lower-case name, in the unit of pg_settings. Raises SettingsDroppedError with the remedy."""
    present = {row["name"]: row["setting"] for row in await connection.fetch(_PRESENT, list(wanted))}
    dropped = [f"{name} is {present.get(name)!r} instead of {value!r}" for name, value in wanted.items() if present.get(name) != value]
    if dropped:
        raise SettingsDroppedError(
            f"the connection does not keep the settings it was opened with ({', '.join(dropped)}): a pooler in between drops them. "
            "Let it pass start-up parameters on, with session pooling, or set DATABASE_URL to PostgreSQL itself"
        )
