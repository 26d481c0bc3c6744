"""Who waits for a request to the till. The class decides who goes first (``application.concurrency.turns``)."""

from __future__ import annotations

from enum import IntEnum

from tillsync_server.domain.enums import Priority


class RequestClass(IntEnum):
    """Lower goes first."""

    ORDER = 1
    """An order, a person in front of a screen, or a check that orders depend on. Only this class books requests ahead."""
    LIVE = 2
    """A change at the till that a shopper may see at once."""
    BULK = 3
    """A sweep."""

    @classmethod
    def of(cls, priority: Priority) -> RequestClass:
        """Of an entry that is no order."""
        return cls.LIVE if priority is Priority.LIVE else cls.BULK
