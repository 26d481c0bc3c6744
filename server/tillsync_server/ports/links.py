"""Links, and what hangs on them: content hashes, write versions, marks, pending removals. Implemented by ``adapters/postgres``."""

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
    """Of ground NOT_KEPT or TRUSTED_ACCOUNT."""


@dataclass(frozen=True, slots=True)
class StoredCustomer:
    """What is stored about one till customer."""

    link: Link | None
    removals: tuple[WooCustomerId, ...] = ()
    """Shop customers whose values a DeleteLink wants removed, ascending."""
    is_candidate: bool = False
    """HELD orders have it to choose from."""


class LinkReader(Protocol):
    async def by_epos(self, account_id: AccountId, ids: Sequence[EposCustomerId]) -> dict[EposCustomerId, Link]: ...

    async def by_woo(self, account_id: AccountId, woo_customer_id: WooCustomerId) -> Link | None: ...

    async def list_links(self, account_id: AccountId, wanted: LinkFilter, *, after: EposCustomerId | None, limit: int) -> list[Link]:
        """By ascending till customer id, from ``after`` on."""
        ...

    async def is_marked_do_not_auto_link(self, account_id: AccountId, woo_customer_id: WooCustomerId) -> bool: ...

    async def stored_customers(self, account_id: AccountId, ids: Sequence[EposCustomerId]) -> dict[EposCustomerId, StoredCustomer]:
        """All of them, as they are at one moment."""
        ...


@dataclass(frozen=True, slots=True)
class ConfirmedWrite:
    """A write the shop has confirmed. ``content_hash`` None clears it (result unknown, or values removed)."""

    epos_customer_id: EposCustomerId
    woo_customer_id: WooCustomerId
    content_hash: bytes | None
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class WriteBasis:
    """What writes to the shop rest on; one whose basis has changed is not sent (invariant 6)."""

    settings_of: datetime | None
    """``Account.update_time`` of the settings. None: not asked."""
    linked: Mapping[WooCustomerId, EposCustomerId]
    """By shop customer: to whom it must still be linked, for its values to be written."""
    removals: Sequence[WooCustomerId] = ()
    """Whose values are still to be removed."""


class ShopStateStore(Protocol):
    """What the shop is known to hold. Every change is fenced by the lane (invariant 3): a stale lease changes nothing."""

    async def next_versions(
        self,
        lease: LaneLease,
        woo_customer_ids: Sequence[WooCustomerId],
        *,
        at_least: Mapping[WooCustomerId, int],
        basis: WriteBasis | None = None,
    ) -> dict[WooCustomerId, int]:
        """max(last sent + 1, ``at_least`` + 1, database time in µs) for each, stored as last sent. Outlives links.

        Empty when the lease is no longer ours. Those whose ``basis`` has changed are left out; all of them when it is the settings.
        ``at_least``: versions the shop answered with ``stale``.
        """
        ...

    async def next_type_version(
        self, lease: LaneLease, type_id: EposCustomerTypeId, *, at_least: int = 0, settings_of: datetime | None = None
    ) -> int | None:
        """None: the lease is no longer ours, or the settings are no longer those of ``settings_of``."""
        ...

    async def confirm(self, lease: LaneLease, writes: Sequence[ConfirmedWrite]) -> None:
        """Store (or clear) content hashes and as_of on links that still join these two customers, with the lease's lapses."""
        ...

    async def confirm_type(self, lease: LaneLease, type_id: EposCustomerTypeId, content_hash: bytes | None, *, gone: bool) -> None: ...

    async def known_type_hash(self, lease: LaneLease, type_id: EposCustomerTypeId) -> bytes | None:
        """None when unknown, or stored before a lapse of the lane."""
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
        """Links of these customers become unusable (a proven 404); of shop customers only links with a till customer of ``of``, if any is
        given: another one may have been linked to the number since. Orders that were held because of them are decided again, in order of
        arrival; orders that were answered with a till customer of ``epos`` get a note, and the shop is told."""
        ...

    async def note_read(self, lease: LaneLease, epos: Sequence[EposCustomerId]) -> None:
        """The till still has these customers: their links' ``epos_read_at`` is now."""
        ...


class OrderLinkOutcome(IntEnum):
    LINKED = 1
    CONFLICT = 2
    """The till customer (or the shop customer) got another link meanwhile: decide again."""
    STALE = 3
    """The lane moved on, settings changed, or the entry's revision moved: nothing was written, run the entry again."""


class OrderLinker(Protocol):
    """Links made by the order flow. Every change is fenced by the lane, the entry's config_version and its revision (invariant 6)."""

    async def is_still_valid(self, lease: LaneLease, entry: ClaimedEntry) -> bool:
        """The lane is ours, and settings, links made by hand and the order are as they were when the entry was claimed."""
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
        """In one transaction: fence, insert the link (after deleting ``replaces``, a broken one, or one of another person with this
        number), drop a pending removal of that shop customer, queue the LIVE customer entry, and let every other HELD order of that shop
        customer run again."""
        ...

    async def confirm_person(self, lease: LaneLease, link: Link, woo_registered_at: datetime) -> None:
        """The shop customer of ``link`` is there and registered then: the link keeps the time, and is no longer marked gone."""
        ...

    async def end_of_person(self, lease: LaneLease, link: Link) -> None:
        """The number of ``link`` belongs to another person now: the link is unusable, our values are removed from that user, and what was
        held because of the link is decided again."""
        ...

    async def check_soon(self, lease: LaneLease, epos_customer_id: EposCustomerId) -> None:
        """Queues a BULK customer entry: the till customer has not been read for long."""
        ...

    async def release_held_with_candidate(
        self, lease: LaneLease, epos_customer_id: EposCustomerId, *, email: str, waits_anyway: bool
    ) -> int:
        """The till customer may have been changed; ``email``: what it has now (raw). HELD orders that have it as a candidate run again
        where that decides something: it is no longer one of several with their email, or has their email in place of one that resembles it,
        or does not even resemble it any more. ``waits_anyway``: they wait for another reason than the email (a link, a setting), so that
        having it decides nothing. Returns how many."""
        ...

    async def release_held_of_guest(self, lease: LaneLease, entry: ClaimedEntry, *, email: str) -> int:
        """A guest's candidates have become one: every other HELD order without a shop customer and with this normalised billing
        email runs again, in order of arrival. Returns how many."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedByHand:
    link: Link
    refresh_entry_id: EntryId
    requeued_order_entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlinkedByHand:
    link: Link
    """As it was."""
    removal_entry_id: EntryId


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResolved:
    entry_id: EntryId
    link: Link | None
    requeued_order_entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopUserChange:
    """What happened to a user of the shop. ``is_deleted`` False: the email is another one."""

    woo_customer_id: WooCustomerId
    is_deleted: bool
    registered_at: datetime | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ShopUsersReported:
    unlinked: int
    """Links that became unusable."""
    released: int
    """HELD orders that run again."""


class LinkWriter(Protocol):
    """Links made and removed by a person: each locks the lane, raises config_version and the entry_revisions concerned, and queues
    what it sets going, in one transaction. NotFound for an unknown account."""

    async def create(self, account_id: AccountId, epos_customer_id: EposCustomerId, woo_customer_id: WooCustomerId) -> LinkedByHand:
        """Idempotent. AlreadyExists where one of the two has another usable link (an unusable one is replaced); FailedPrecondition
        (DEFAULT_CUSTOMER) for the default customer. Clears the do-not-auto-link mark and a pending removal."""
        ...

    async def delete(
        self, account_id: AccountId, *, epos_customer_id: EposCustomerId | None = None, woo_customer_id: WooCustomerId | None = None
    ) -> UnlinkedByHand:
        """NotFound when there is none. Leaves the do-not-auto-link mark and queues the removal of our values (LIVE). Orders of the shop
        customer that were answered with the till customer get a note."""
        ...

    async def resolve_order(
        self, account_id: AccountId, entry_id: EntryId, epos_customer_id: EposCustomerId, *, create_link: bool
    ) -> OrderResolved:
        """A person's decision about a HELD or FAILED order. With ``create_link`` the shop customer is linked as by :meth:`create`.
        Otherwise the choice is kept on this order and, for a guest, on every HELD order of the same normalised billing email; all of
        these run again in order of arrival. NotFound; FailedPrecondition (NOT_AN_ORDER, ORDER_NOT_HELD, GUEST_CANNOT_BE_LINKED).
        The decision of :meth:`resolved_before` again changes nothing, and is answered as there."""
        ...

    async def resolved_before(
        self, account_id: AccountId, entry_id: EntryId, epos_customer_id: EposCustomerId, *, create_link: bool
    ) -> OrderResolved | None:
        """The answer to this decision, where the order has it already: it waits to run with this choice (or with this link, made by hand),
        or it was processed with this till customer. Of a FAILED entry its successor counts. ``requeued_order_entries`` is 0 then.
        None: the order is open, or something else was decided. NotFound; FailedPrecondition (NOT_AN_ORDER)."""
        ...

    async def report_shop_users(self, account_id: AccountId, changes: Sequence[ShopUserChange]) -> ShopUsersReported:
        """Links of deleted users become unusable, and their do-not-auto-link marks go. What was HELD because of a user runs again in order
        of arrival. A change of a user with another registration time than the link's is another person's: the link stays."""
        ...
