"""Everything kept about one person, to be handed out or erased. Implemented by ``adapters/postgres``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from tillsync_server.domain.ids import AccountId, EposCustomerId, WooCustomerId


class PersonCategory(StrEnum):
    """In the order they are handed out."""

    LINK = "link"
    LINK_MARK = "link_mark"
    """Unlinked by hand."""
    PENDING_REMOVAL = "pending_removal"
    """Values still to be removed from the shop."""
    QUEUE_ENTRY = "queue_entry"
    """Live and finished, with attempts."""
    ORDER_MATCH = "order_match"
    """The answer of an order."""
    EVENT = "event"
    CREATE_INTENT = "create_intent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is given selects; records that match any of it are the person's. ``email`` is normalised, or empty."""

    email: str = ""
    woo_customer_id: WooCustomerId | None = None
    epos_customer_id: EposCustomerId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRecord:
    """``fields``: label and value as kept, in reading order. ``record_id`` orders the records of a category."""

    category: PersonCategory
    record_id: str
    create_time: datetime | None
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Has to stay for now. ``retry_time``: when erasing can be tried again."""

    category: PersonCategory
    count: int
    reason: str
    retry_time: datetime


@dataclass(frozen=True, slots=True)
class Erased:
    counts: Mapping[PersonCategory, int]
    retained: tuple[Retention, ...]


class PrivacyStore(Protocol):
    """A link of a given customer brings in the customer on its other side; an email brings in no ids: addresses change hands."""

    async def records(
        self, account_id: AccountId, person: Person, category: PersonCategory, *, after: str, limit: int
    ) -> list[PersonRecord]:
        """Of one category, by ascending ``record_id`` from ``after`` on (empty: from the first)."""
        ...

    async def erase(self, account_id: AccountId, person: Person, *, dry_run: bool = False) -> Erased:
        """Closes the person's live entries, then takes the person out of everything, in steps under the lane's lock. While a create of
        the person may still surprise us, it stays, and with it what leads to it. ``dry_run``: what would be erased; nothing is."""
        ...
