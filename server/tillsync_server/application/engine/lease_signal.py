"""Wakes the worker to lease lanes before its poll floor. The worker and the statements of its lanes share the signal."""

from __future__ import annotations

import asyncio


class LeaseSignal:
    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.waits_for_database = False
        """Ready lanes were not leased, because the database was behind."""

    def set(self) -> None:
        self.event.set()

    def database_caught_up(self) -> None:
        """To call when a statement has ended and the database is no longer behind."""
        if self.waits_for_database:
            self.event.set()
