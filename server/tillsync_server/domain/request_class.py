"""Classes of requests to the till. The class decides the order in which waiting requests are sent (``application.concurrency.turns``)."""

from __future__ import annotations

from enum import IntEnum

from tillsync_server.domain.enums import Priority


class RequestClass(IntEnum):
    """A lower value is sent first."""

    ORDER = 1
    """An order, a person at a screen, or a check that orders depend on. Only this class reserves requests ahead."""
    LIVE = 2
    """A change at the till that a shopper may see at once."""
    BULK = 3
    """A sweep."""

    @classmethod
    def of(cls, priority: Priority) -> RequestClass:
        """The class of a customer or customer type entry with this priority."""
        return cls.LIVE if priority is Priority.LIVE else cls.BULK
