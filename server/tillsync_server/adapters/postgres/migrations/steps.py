"""Gives a Python revision the connection, its resumable position, and the operator's progress lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import asyncpg

from tillsync_server.adapters.postgres.statements import load

_KEPT_POSITION = load("migrations/kept_position")
_KEEP_POSITION = load("migrations/keep_position")


Progress = Callable[[str], None]
"""Receives one line for the operator, for example ``revision 0016: built index entry_due, 43 %``."""


class Step:
    """One run of a Python revision. The revision commits chunk by chunk and keeps its position in the same transaction.

    A run after a crash reads the position and goes on behind it.
    """

    def __init__(self, number: str, connection: asyncpg.Connection[asyncpg.Record], progress: Progress) -> None:
        self.number = number
        self.connection = connection
        self._progress = progress

    async def position(self) -> Any:
        """The JSON value that the last committed chunk kept, or None before the first chunk."""
        stored: str | None = await self.connection.fetchval(_KEPT_POSITION, self.number)
        return None if stored is None else json.loads(stored)

    async def keep(self, position: Any) -> None:
        """Keeps ``position`` (a JSON value). Call it in the transaction of the chunk."""
        await self.connection.execute(_KEEP_POSITION, self.number, json.dumps(position))

    def report(self, line: str) -> None:
        """Shows progress to the operator."""
        self._progress(f"revision {self.number}: {line}")
