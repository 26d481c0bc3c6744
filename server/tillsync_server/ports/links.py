"""Stores of links, with content hashes, write versions, marks and pending removals. Implemented by ``adapters/postgres``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Protocol

from tillsync_server.domain.enums import LinkGround
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, EposCustomerTypeId, WooCustomerId
from tillsync_server.domain.link import Link, LinkOrigin
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFilter:
    epos_customer_id: EposCustomerId | None = None
    woo_customer_id: WooCustomerId | None = None
    broken_only: bool = False
    unconfirmed_only: bool = False
    """Only links with ground NOT_KEPT or TRUSTED_ACCOUNT."""


@dataclass(frozen=True, slots=True)
class StoredCustomer:
    """The stored state of one till customer."""

    link: Link | None
    removals: tuple[WooCustomerId, ...] = ()
    """Shop customers whose values DeleteLink marked for removal, in ascending order."""
    is_candidate: bool = False
    """A HELD order has the customer as a candidate."""


class LinkReader(Protocol):
    async def by_epos(self, account_id: AccountId, ids: Sequence[EposCustomerId]) -> dict[EposCustomerId, Link]: ...

    async def by_woo(self, account_id: AccountId, woo_customer_id: WooCustomerId) -> Link | None: ...

    async def list_links(self, account_id: AccountId, wanted: LinkFilter, *, after: EposCustomerId | None, limit: int) -> list[Link]:
        """Links after ``after``, in ascending order of till customer id."""
        ...

    async def is_marked_do_not_auto_link(self, account_id: AccountId, woo_customer_id: WooCustomerId) -> bool: ...

    async def stored_customers(self, account_id: AccountId, ids: Sequence[EposCustomerId]) -> dict[EposCustomerId, StoredCustomer]:
        """The stored state of all ``ids``, from one snapshot."""
        ...


@dataclass(frozen=True, slots=True)
class ConfirmedWrite:
    """A write to the shop whose result is stored. ``content_hash`` None clears the stored hash (result unknown, or values removed)."""

    epos_customer_id: EposCustomerId
    woo_customer_id: WooCustomerId
    content_hash: bytes | None
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class WriteBasis:
    """The state that writes to the shop depend on. A write whose basis changed is not sent (invariant 6)."""

    settings_of: datetime | None
    """``Account.update_time`` of the settings. None: the settings are not checked."""
    linked: Mapping[WooCustomerId, EposCustomerId]
    """For each shop customer, the till customer to which it must still be linked."""
    removals: Sequence[WooCustomerId] = ()
    """Shop customers whose values must still be marked for removal."""


class ShopStateStore(Protocol):
    """The known state of the shop. The lane fences every change, so a stale lease changes nothing (invariant 3)."""

    async def next_versions(
        self,
        lease: LaneLease,
        woo_customer_ids: Sequence[WooCustomerId],
        *,
        at_least: Mapping[WooCustomerId, int],
        basis: WriteBasis | None = None,
    ) -> dict[WooCustomerId, int]:
        """Returns max(last sent + 1, ``at_least`` + 1, database time in µs) for each customer, and stores it as last sent. It outlives
        links.

        Returns an empty result if the process lost the lease or the settings of ``basis`` changed. Leaves out customers whose link or
        removal in ``basis`` changed. ``at_least``: the versions that the shop answered with ``stale``.
        """
        ...

    async def next_type_version(
        self, lease: LaneLease, type_id: EposCustomerTypeId, *, at_least: int = 0, settings_of: datetime | None = None
    ) -> int | None:
        """The next version of the type's values. None: the process lost the lease, or the settings are newer than ``settings_of``."""
        ...

    async def confirm(self, lease: LaneLease, writes: Sequence[ConfirmedWrite]) -> None:
        """Stores or clears content hash and as_of on links that still join the two customers, with the lease's lapse count."""
        ...

    async def confirm_type(self, lease: LaneLease, type_id: EposCustomerTypeId, content_hash: bytes | None, *, gone: bool) -> None: ...

    async def known_type_hash(self, lease: LaneLease, type_id: EposCustomerTypeId) -> bytes | None:
        """The type's confirmed hash. None: it is unknown, or was stored before a lapse of the lane."""
        ...

    async def removal_done(self, lease: LaneLease, woo_customer_ids: Sequence[WooCustomerId]) -> None: ...

    async def mark_gone(
        self,
        lease: LaneLease,
        *,
        epos: Sequence[EposCustomerId] = (),
        woo: Sequence[WooCustomerId] = (),
        of: Sequence[EposCustomerId] = (),
    ) -> None:
        """Makes the links of these customers unusable after a proven 404.

        With ``of``, a link of a shop customer counts only if its till customer is in ``of``, because the shop customer's id may have
        another link by now. Orders that were held because of the links are requeued in order of arrival. Orders that were answered with a
        till customer of ``epos`` get a note, and the shop gets an event.
        """
        ...

    async def note_read(self, lease: LaneLease, epos: Sequence[EposCustomerId]) -> None:
        """Sets ``epos_read_at`` of the links of these customers to now, because the till still has them."""
        ...


class OrderLinkOutcome(IntEnum):
    LINKED = 1
    CONFLICT = 2
    """The till customer or the shop customer got another link meanwhile. The flow must decide again."""
    STALE = 3
    """The process lost the lane, the settings changed, or the entry's revision rose. Nothing was written, and the entry must run again."""


class OrderLinker(Protocol):
    """Creates links for the order flow. The lane, the entry's config_version and its revision fence every change (invariant 6)."""

    async def is_still_valid(self, lease: LaneLease, entry: ClaimedEntry) -> bool:
        """Whether the process still has the lane, and settings, manual links and the order are unchanged since the claim."""
        ...

    async def link(
        self,
        lease: LaneLease,
        entry: ClaimedEntry,
        *,
        epos_customer_id: EposCustomerId,
        woo_customer_id: WooCustomerId,
        origin: LinkOrigin,
        ground: LinkGround,
        replaces: Link | None,
        woo_registered_at: datetime | None = None,
    ) -> OrderLinkOutcome:
        """Creates the link in one transaction, behind the fence.

        Deletes ``replaces`` first, which is unusable or belongs to another person with this shop customer's id. Drops a pending removal of
        the shop customer, queues the LIVE customer entry, and requeues every other HELD order of the shop customer.
        """
        ...

    async def confirm_person(self, lease: LaneLease, link: Link, woo_registered_at: datetime) -> None:
        """Stores the registration time in the link and clears its gone mark, after the shop returned the shop customer of ``link``."""
        ...

    async def end_of_person(self, lease: LaneLease, link: Link) -> None:
        """Makes ``link`` unusable, because its shop customer's id belongs to another person now. Queues the removal of our values from that
        user, and requeues the orders that were held because of the link."""
        ...

    async def check_soon(self, lease: LaneLease, epos_customer_id: EposCustomerId) -> None:
        """Queues a BULK customer entry for a till customer that was not read for long."""
        ...

    async def requeue_held_with_candidate(
        self, lease: LaneLease, epos_customer_id: EposCustomerId, *, email: str, waits_anyway: bool
    ) -> int:
        """Requeues HELD orders with this till customer as a candidate if its possibly changed email may decide them. Returns their number.

        ``email``: the till customer's present raw email. It may decide an order if the customer is no longer one of several with the
        order's email, now has the order's email in place of a resembling one, or no longer resembles it. ``waits_anyway``: the orders wait
        for another reason than the email (a link, a setting), so having the email decides nothing.
        """
        ...

    async def requeue_held_of_guest(self, lease: LaneLease, entry: ClaimedEntry, *, email: str) -> int:
        """Requeues every other HELD guest order with this normalised billing email, in order of arrival, after only one candidate is left.
        Returns their number."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedByHand:
    link: Link
    refresh_entry_id: EntryId
    requeued_order_entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlinkedByHand:
    link: Link
    """The link before its removal."""
    removal_entry_id: EntryId


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResolved:
    entry_id: EntryId
    link: Link | None
    requeued_order_entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopUserChange:
    """A change of a shop user. ``is_deleted`` False: the user's email changed."""

    woo_customer_id: WooCustomerId
    is_deleted: bool
    registered_at: datetime | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ShopUsersReport:
    unlinked: int
    """Links that became unusable."""
    requeued: int
    """HELD orders that were requeued."""


class LinkWriter(Protocol):
    """Creates and removes links for a person. Each call is one transaction. It locks the lane, raises config_version and the affected
    entry_revisions, and queues the resulting work. Raises NotFound for an unknown account."""

    async def create(self, account_id: AccountId, epos_customer_id: EposCustomerId, woo_customer_id: WooCustomerId) -> LinkedByHand:
        """Links the two customers. Replaces an unusable link, and clears the do-not-auto-link mark and a pending removal. Idempotent.

        Raises AlreadyExists if one of the two has another usable link, and FailedPrecondition (DEFAULT_CUSTOMER) for the default customer.
        """
        ...

    async def delete(
        self, account_id: AccountId, *, epos_customer_id: EposCustomerId | None = None, woo_customer_id: WooCustomerId | None = None
    ) -> UnlinkedByHand:
        """Deletes the link, sets the do-not-auto-link mark, and queues the removal of our values (LIVE). Orders of the shop customer that
        were answered with the till customer get a note. Raises NotFound if there is no link."""
        ...

    async def resolve_order(
        self, account_id: AccountId, entry_id: EntryId, epos_customer_id: EposCustomerId, *, create_link: bool
    ) -> OrderResolved:
        """Stores a person's decision about a HELD or FAILED order, and requeues the order.

        With ``create_link`` the shop customer is linked as by :meth:`create`. Otherwise the choice is stored in this order and, for a
        guest, in every HELD order with the same normalised billing email. All of these are requeued in order of arrival. A repeated
        decision changes nothing, and its answer is that of :meth:`resolved_before`. Raises NotFound and FailedPrecondition (NOT_AN_ORDER,
        ORDER_NOT_HELD, GUEST_CANNOT_BE_LINKED).
        """
        ...

    async def resolved_before(
        self, account_id: AccountId, entry_id: EntryId, epos_customer_id: EposCustomerId, *, create_link: bool
    ) -> OrderResolved | None:
        """The answer to a repeated decision, with ``requeued_order_entries`` 0. None: the order has no decision, or another one.

        A decision is repeated if the order waits to run with this choice or with this manual link, or was processed with this till
        customer. The successor of a FAILED entry counts. Raises NotFound and FailedPrecondition (NOT_AN_ORDER).
        """
        ...

    async def report_shop_users(self, account_id: AccountId, changes: Sequence[ShopUserChange]) -> ShopUsersReport:
        """Makes links of deleted users unusable, and clears their do-not-auto-link marks. Requeues orders that were HELD because of a user,
        in order of arrival. A user whose registration time differs from the link's is another person, so the link stays."""
        ...
