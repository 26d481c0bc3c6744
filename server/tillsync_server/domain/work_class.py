"""Classes of an account's work, and the sides that each needs. Orders come first. They need only the till."""

from __future__ import annotations

from enum import IntEnum

from tillsync_server.domain.enums import EntryKind, Priority, Side

_BOTH = frozenset(Side)
_TILL = frozenset({Side.TILL})


def sides_needed(kind: EntryKind) -> frozenset[Side]:
    """An entry waits while one of these sides is paused. Customers and types are read from the till and written to the shop."""
    return _TILL if kind is EntryKind.ORDER_CUSTOMER else _BOTH


class WorkClass(IntEnum):
    """The entries of one queue and priority. A lower value is claimed first."""

    ORDER = 1
    LIVE = 2
    """Customers and customer types."""
    BULK_ORDER = 3
    BULK = 4
    """Customers and customer types."""

    @classmethod
    def of(cls, kind: EntryKind, priority: Priority) -> WorkClass:
        if kind is EntryKind.ORDER_CUSTOMER:
            return cls.ORDER if priority is Priority.LIVE else cls.BULK_ORDER
        return cls.LIVE if priority is Priority.LIVE else cls.BULK

    @property
    def is_bulk(self) -> bool:
        return self in (WorkClass.BULK_ORDER, WorkClass.BULK)

    @property
    def sides(self) -> frozenset[Side]:
        return _TILL if self in (WorkClass.ORDER, WorkClass.BULK_ORDER) else _BOTH
