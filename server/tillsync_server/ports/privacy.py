"""Everything kept about one person, to be handed out or erased. Implemented by ``adapters/postgres``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    SHOP_VALUES = "shop_values"
    """What this service wrote to the shop. Counted by an erasure; the shop itself hands it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a request was resolved to; records that match any of it are the person's. ``emails`` are normalised,
    in every form that records are kept in.

    ``unproven_epos``, ``unproven_woo``: numbers that records with an email name, and that only a side which was not asked could prove. An
    erasure leaves the records that lead to them.
    """

    emails: tuple[str, ...] = ()
    woo_customer_ids: tuple[WooCustomerId, ...] = ()
    epos_customer_ids: tuple[EposCustomerId, ...] = ()
    unproven_epos: tuple[EposCustomerId, ...] = ()
    unproven_woo: tuple[WooCustomerId, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkedPair:
    """A link. ``is_crossed`` False: the shop customer is gone, and its number may be somebody else's by now. ``woo_registered_at``: of the
    user whom it was made for; None: not heard yet."""

    epos_customer_id: EposCustomerId
    woo_customer_id: WooCustomerId
    is_crossed: bool
    woo_registered_at: datetime | None
    create_time: datetime


@dataclass(frozen=True, slots=True)
class NamedByRecords:
    """Numbers that records with an email name: shop customers whose account email it was, till customers that orders with it went to,
    waited for, or were created as. What went to the default customer names nobody. ``billed``: shop customers with another account email,
    whose orders gave this one as billing email."""

    epos_customer_ids: tuple[EposCustomerId, ...]
    woo_customer_ids: tuple[WooCustomerId, ...]
    billed: tuple[WooCustomerId, ...] = ()


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
class ErasureResult:
    counts: Mapping[PersonCategory, int]
    retained: tuple[Retention, ...]


class PrivacyStore(Protocol):
    """Takes the person as it was resolved: nothing here follows a link or an email any further."""

    async def links_of(
        self, account_id: AccountId, epos_customer_ids: Sequence[EposCustomerId], woo_customer_ids: Sequence[WooCustomerId]
    ) -> list[LinkedPair]:
        """The links of any of these customers."""
        ...

    async def named_with(self, account_id: AccountId, email: str) -> NamedByRecords:
        """By entries, answers and creates of the account; at most 50 of each kind."""
        ...

    async def records(
        self, account_id: AccountId, person: Person, category: PersonCategory, *, after: str, limit: int
    ) -> list[PersonRecord]:
        """Of one category, by ascending ``record_id`` from ``after`` on (empty: from the first)."""
        ...

    async def erase(self, account_id: AccountId, person: Person, *, dry_run: bool = False) -> ErasureResult:
        """Closes the person's live entries, then takes the person out of everything, in steps under the lane's lock. While a create of
        the person may still surprise us, it stays, and with it what leads to it. The removal of a link's values from the shop is queued,
        and stays until it is done. ``dry_run``: what would be erased; nothing is."""
        ...

    async def removals_waiting(self, account_id: AccountId, person: Person) -> int:
        """Shop customers of the person whose values are still to be removed, or are being removed."""
        ...


class Sealer(Protocol):
    """Makes a text unreadable outside this service."""

    def seal(self, text: str) -> str: ...

    def unseal(self, sealed: str) -> str | None:
        """None: not sealed by this service, or altered."""
        ...
