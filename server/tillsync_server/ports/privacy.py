"""Exports and erases everything that is stored about one person. Implemented by ``adapters/postgres``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from tillsync_server.domain.ids import AccountId, EposCustomerId, WooCustomerId


class PersonCategory(StrEnum):
    """Categories of stored records, in the order of an export."""

    LINK = "link"
    LINK_MARK = "link_mark"
    """The shop customer was unlinked by hand."""
    PENDING_REMOVAL = "pending_removal"
    """Values still to be removed from the shop."""
    QUEUE_ENTRY = "queue_entry"
    """Live and finished entries, with attempts."""
    ORDER_MATCH = "order_match"
    """The answer of an order."""
    EVENT = "event"
    CREATE_INTENT = "create_intent"
    SHOP_VALUES = "shop_values"
    """Values that this service wrote to the shop. An erasure counts them. The shop itself exports them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The person of a request. A record that matches any of these keys is the person's. ``emails`` are normalised, in every stored form.

    ``unproven_epos``, ``unproven_woo``: ids named by records with one of the emails. Only a side that was not asked could prove that they
    are the person's. An erasure keeps the records that lead to them.
    """

    emails: tuple[str, ...] = ()
    woo_customer_ids: tuple[WooCustomerId, ...] = ()
    epos_customer_ids: tuple[EposCustomerId, ...] = ()
    unproven_epos: tuple[EposCustomerId, ...] = ()
    unproven_woo: tuple[WooCustomerId, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkedPair:
    """The two customers of a link. ``is_crossed`` False: the shop customer is gone, and another user may have its id now.
    ``woo_registered_at``: registration time of the user that the link was made for. None: not reported yet."""

    epos_customer_id: EposCustomerId
    woo_customer_id: WooCustomerId
    is_crossed: bool
    woo_registered_at: datetime | None
    create_time: datetime


@dataclass(frozen=True, slots=True)
class NamedByRecords:
    """Ids that records with one email name. The shop customers had it as account email. Orders with it were matched to the till customers,
    created them, or have them as candidates. The default customer never counts. ``billed``: shop customers with another account email,
    whose orders had this one as billing email."""

    epos_customer_ids: tuple[EposCustomerId, ...]
    woo_customer_ids: tuple[WooCustomerId, ...]
    billed: tuple[WooCustomerId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRecord:
    """``fields``: labels and stored values in reading order. ``record_id`` orders the records of a category."""

    category: PersonCategory
    record_id: str
    create_time: datetime | None
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Records that must stay for now. ``retry_time``: when an erasure can be tried again."""

    category: PersonCategory
    count: int
    reason: str
    retry_time: datetime


@dataclass(frozen=True, slots=True)
class ErasureResult:
    counts: Mapping[PersonCategory, int]
    retained: tuple[Retention, ...]


class PrivacyStore(Protocol):
    """Works on a person that is already resolved. No method follows a link or an email any further."""

    async def links_of(
        self, account_id: AccountId, epos_customer_ids: Sequence[EposCustomerId], woo_customer_ids: Sequence[WooCustomerId]
    ) -> list[LinkedPair]:
        """All links of these customers."""
        ...

    async def named_with(self, account_id: AccountId, email: str) -> NamedByRecords:
        """The ids that entries, answers and creates of the account with this email name, at most 50 of each kind."""
        ...

    async def records(
        self, account_id: AccountId, person: Person, category: PersonCategory, *, after: str, limit: int
    ) -> list[PersonRecord]:
        """The person's records of one category after ``after``, in ascending order of ``record_id``. An empty ``after`` begins at the
        first."""
        ...

    async def erase(self, account_id: AccountId, person: Person, *, dry_run: bool = False) -> ErasureResult:
        """Closes the person's live entries, then removes the person from all records, in steps under the lane's lock.

        A create that the till may still store stays, with the records that lead to it. The removal of a link's values from the shop is
        queued, and its record stays until the removal is done. ``dry_run`` counts what would be erased and erases nothing.
        """
        ...

    async def removals_waiting(self, account_id: AccountId, person: Person) -> int:
        """The number of the person's shop customers whose values are not removed from the shop yet."""
        ...


class Sealer(Protocol):
    """Encrypts texts that only this service can read."""

    def seal(self, text: str) -> str: ...

    def unseal(self, sealed: str) -> str | None:
        """The sealed text. None: this service did not seal it, or it was altered."""
        ...
