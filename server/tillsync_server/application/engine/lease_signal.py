"""When a worker leases lanes again before its poll floor. Shared by the worker and by the statements of its lanes."""

from __future__ import annotations

import asyncio


class LeaseSignal:
    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.waits_for_database = False
        """Lanes are ready that were not leased, because the database had enough to do."""

    def set(self) -> None:
        self.event.set()

    def database_caught_up(self) -> None:
        """A statement has ended, and no more statements wait than the database takes next."""
        if self.waits_for_database:
            self.event.set()
