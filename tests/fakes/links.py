"""Links in memory: reads, links by orders, and decisions of people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from fakes.accounts import FakeAccounts
from fakes.clock import FakeClock
from fakes.queues import FakeQueues
from fakes.script import Faults, Step, no_step, raise_fault
from tillsync_server.domain.emails import addresses_in, email_forms
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryKind, EntryState, LinkGround, Outcome
from tillsync_server.domain.errors import AlreadyExists, FailedPrecondition, NotFound
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, WooCustomerId, new_entry_id
from tillsync_server.domain.link import Link, LinkOrigin
from tillsync_server.domain.shop_users import is_linked_person
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease
from tillsync_server.ports.links import (
    LinkedByHand,
    LinkFilter,
    OrderLinkOutcome,
    OrderResolved,
    ShopUserChange,
    ShopUsersReport,
    StoredCustomer,
    UnlinkedByHand,
)


class FakeLinks:
    """Implements ports.links.LinkReader, OrderLinker and LinkWriter over one set of links.

    ``queues`` and ``accounts`` are optional. With them, held orders are requeued, and a claim is stale if its entry or settings have
    changed. Without them every entry is as it was claimed. Tests script ``faults``, ``next_outcomes`` and ``before_link``.
    """

    def __init__(
        self,
        clock: FakeClock | None = None,
        step: Step = no_step,
        *,
        queues: FakeQueues | None = None,
        accounts: FakeAccounts | None = None,
    ) -> None:
        self._clock = clock or FakeClock()
        self._step = step
        self._queues = queues
        self._accounts = accounts
        self._by_epos: dict[tuple[AccountId, EposCustomerId], Link] = {}
        self._by_woo: dict[tuple[AccountId, WooCustomerId], Link] = {}
        self.marks: set[tuple[AccountId, WooCustomerId]] = set()
        self.removals: dict[tuple[AccountId, WooCustomerId], EposCustomerId] = {}
        self.leases: dict[AccountId, tuple[str, int]] = {}
        """Owner and token of the present lease of each lane. A missing account accepts every lease."""
        self.look_ups = 0
        self.requeued_guests: list[str] = []
        """Normalised emails of guests whose held orders were requeued."""
        self.enqueued_live: list[EposCustomerId] = []
        """Till customers whose LIVE entry was enqueued."""
        self.chosen: dict[EntryId, EposCustomerId] = {}
        """Till customer that a person chose for an order, by the order's entry."""
        self.enqueued_bulk: list[EposCustomerId] = []
        """Till customers whose BULK entry was enqueued, because their last read is long ago."""
        self.next_outcomes: list[OrderLinkOutcome] = []
        self.before_link: list[Callable[[], object]] = []
        """Callbacks. Each of the next :meth:`link` calls runs one of them first, in order."""
        self.faults: Faults = {}

    # for tests

    def add(self, account_id: AccountId, epos: int, woo: int, *, gone: bool = False, woo_gone: bool = False) -> Link:
        return self.put(
            Link(
                account_id=account_id,
                epos_customer_id=EposCustomerId(epos),
                woo_customer_id=WooCustomerId(woo),
                origin=LinkOrigin.BY_HAND,
                ground=LinkGround.BY_HAND,
                create_time=self._clock.database_now(),
                epos_gone_at=self._clock.database_now() if gone else None,
                woo_gone_at=self._clock.database_now() if woo_gone else None,
            )
        )

    def put(self, link: Link) -> Link:
        """Replaces the till customer's link. As in the database, a shop customer has at most one link."""
        if (before := self._by_epos.pop((link.account_id, link.epos_customer_id), None)) is not None:
            del self._by_woo[before.account_id, before.woo_customer_id]
        assert (link.account_id, link.woo_customer_id) not in self._by_woo, f"shop customer {link.woo_customer_id} has a link already"
        self._by_epos[link.account_id, link.epos_customer_id] = self._by_woo[link.account_id, link.woo_customer_id] = link
        if self._accounts is not None:
            self._accounts.linked.add((link.account_id, link.epos_customer_id))
        return link

    @property
    def links(self) -> list[Link]:
        return list(self._by_epos.values())

    def remove(self, *links: Link) -> None:
        for link in links:
            del self._by_epos[link.account_id, link.epos_customer_id], self._by_woo[link.account_id, link.woo_customer_id]
            if self._accounts is not None:
                self._accounts.linked.discard((link.account_id, link.epos_customer_id))

    def pairs(self) -> set[tuple[int, int]]:
        return {(each.epos_customer_id, each.woo_customer_id) for each in self.links}

    def of_epos(self, epos: int) -> Link:
        [found] = [each for each in self.links if each.epos_customer_id == epos]
        return found

    def of_woo(self, account_id: AccountId, woo_customer_id: WooCustomerId) -> Link | None:
        return self._by_woo.get((account_id, woo_customer_id))

    def want_removal(self, account_id: AccountId, epos: int, woo: int) -> None:
        self.removals[account_id, WooCustomerId(woo)] = EposCustomerId(epos)

    def give_lane_to(self, lease: LaneLease) -> None:
        """Makes every other lease of this lane stale."""
        self.leases[lease.account_id] = (lease.owner, lease.token)

    def take_over(self, account_id: AccountId) -> None:
        """Makes another process the owner of the lane."""
        self.leases[account_id] = ("another", 0)

    def owns_lane(self, lease: LaneLease) -> bool:
        return self.leases.get(lease.account_id, (lease.owner, lease.token)) == (lease.owner, lease.token)

    def enqueue_live(self, account_id: AccountId, epos_customer_id: EposCustomerId) -> EntryId:
        """Enqueues the LIVE customer entry of a link that is new, unconfirmed or gone."""
        self.enqueued_live.append(epos_customer_id)
        if self._queues is None:
            return new_entry_id()
        return self._queues.hint(account_id, EntryKind.CUSTOMER, epos_customer_id)

    # LinkReader

    async def by_epos(self, account_id: AccountId, ids: Sequence[EposCustomerId]) -> dict[EposCustomerId, Link]:
        await self._step("links.by_epos")
        return {each: self._by_epos[account_id, each] for each in ids if (account_id, each) in self._by_epos}

    async def by_woo(self, account_id: AccountId, woo_customer_id: WooCustomerId) -> Link | None:
        await self._step("links.by_woo")
        return self.of_woo(account_id, woo_customer_id)

    async def stored_customers(self, account_id: AccountId, ids: Sequence[EposCustomerId]) -> dict[EposCustomerId, StoredCustomer]:
        await self._step("links.stored_customers")
        raise_fault(self.faults, "stored_customers")
        self.look_ups += 1
        candidates = {candidate for each in self._held_orders(account_id) for candidate in each.candidate_ids}
        removals = sorted((woo, epos) for (account, woo), epos in self.removals.items() if account == account_id)
        return {
            each: StoredCustomer(
                self._by_epos.get((account_id, each)), tuple(woo for woo, epos in removals if epos == each), each in candidates
            )
            for each in ids
        }

    async def list_links(self, account_id: AccountId, wanted: LinkFilter, *, after: EposCustomerId | None, limit: int) -> list[Link]:
        found = [
            link
            for link in sorted(self.links, key=lambda link: link.epos_customer_id)
            if link.account_id == account_id
            and link.epos_customer_id > (after or 0)
            and wanted.epos_customer_id in (None, link.epos_customer_id)
            and wanted.woo_customer_id in (None, link.woo_customer_id)
            and not (wanted.broken_only and link.is_usable)
            and not (wanted.unconfirmed_only and link.ground not in (LinkGround.NOT_KEPT, LinkGround.TRUSTED_ACCOUNT))
        ]
        return found[:limit]

    async def is_marked_do_not_auto_link(self, account_id: AccountId, woo_customer_id: WooCustomerId) -> bool:
        await self._step("links.is_marked")
        return (account_id, woo_customer_id) in self.marks

    # OrderLinker

    def _is_as_claimed(self, lease: LaneLease, entry: ClaimedEntry) -> bool:
        if not self.owns_lane(lease):
            return False
        if self._accounts is not None and self._accounts.accounts[entry.account_id].config_version != entry.config_version:
            return False
        if self._queues is None:
            return True
        now = self._queues.entries.get(entry.entry_id)
        return now is not None and now.state is EntryState.PENDING and now.entry_revision == entry.entry_revision

    async def is_still_valid(self, lease: LaneLease, entry: ClaimedEntry) -> bool:
        await self._step("links.is_still_valid")
        return self._is_as_claimed(lease, entry)

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
        await self._step("links.link")
        if self.before_link:
            self.before_link.pop(0)()
        if self.next_outcomes and (outcome := self.next_outcomes.pop(0)) is not OrderLinkOutcome.LINKED:
            return outcome
        if not self._is_as_claimed(lease, entry):
            return OrderLinkOutcome.STALE
        if self._is_default_customer(lease.account_id, epos_customer_id):
            raise ValueError(f"the default customer {epos_customer_id} of account {lease.account_id} cannot be linked")
        stored = self._of_either(lease.account_id, epos_customer_id, woo_customer_id)
        conflicting = [each for each in stored if each.is_usable and not _is_same(each, replaces)]
        if any((each.epos_customer_id, each.woo_customer_id) == (epos_customer_id, woo_customer_id) for each in conflicting):
            return OrderLinkOutcome.LINKED
        if conflicting:
            return OrderLinkOutcome.CONFLICT
        self._put_link(
            lease.account_id,
            epos_customer_id,
            woo_customer_id,
            origin,
            stored,
            ground=ground,
            deciding=entry.entry_id,
            woo_registered_at=woo_registered_at,
        )
        self._requeue_held_of(lease.account_id, woo_customer_id, but=entry.entry_id)
        return OrderLinkOutcome.LINKED

    async def confirm_person(self, lease: LaneLease, link: Link, woo_registered_at: datetime) -> None:
        await self._step("links.confirm_person")
        now = self.of_woo(lease.account_id, link.woo_customer_id)
        if not self.owns_lane(lease) or now is None or now.epos_customer_id != link.epos_customer_id:
            return
        content_hash = now.content_hash if now.woo_gone_at is None else None
        self.put(replace(now, woo_registered_at=woo_registered_at, woo_gone_at=None, content_hash=content_hash))
        if link.woo_gone_at is not None:
            self.enqueue_live(lease.account_id, link.epos_customer_id)

    async def end_of_person(self, lease: LaneLease, link: Link) -> None:
        await self._step("links.end_of_person")
        if not self.owns_lane(lease):
            return
        broken, _ = self.mark_gone(lease.account_id, woo=[link.woo_customer_id], of=[link.epos_customer_id])
        if broken:
            self.want_removal(lease.account_id, link.epos_customer_id, link.woo_customer_id)
            self.enqueue_live(lease.account_id, link.epos_customer_id)

    async def check_soon(self, lease: LaneLease, epos_customer_id: EposCustomerId) -> None:
        await self._step("links.check_soon")
        if not self.owns_lane(lease):
            return
        self.enqueued_bulk.append(epos_customer_id)
        if self._queues is not None:
            self._queues.hint(lease.account_id, EntryKind.CUSTOMER, epos_customer_id)

    async def requeue_held_with_candidate(
        self, lease: LaneLease, epos_customer_id: EposCustomerId, *, email: str, waits_anyway: bool
    ) -> int:
        await self._step("links.requeue_held_with_candidate")
        if not self.owns_lane(lease):
            return 0
        held = self._held_orders(lease.account_id)
        forms = set(email_forms(email))
        similar = forms | addresses_in(email)

        def decides(order: Entry) -> bool:
            emails = {order.account_email, order.billing_email} - {""}
            if Outcome.DUPLICATE_EMAIL in (order.outcome, *order.causes):
                return not emails & forms
            return (not waits_anyway and bool(emails & forms)) or not emails & similar

        return self._requeue([each for each in held if epos_customer_id in each.candidate_ids and decides(each)])

    async def requeue_held_of_guest(self, lease: LaneLease, entry: ClaimedEntry, *, email: str) -> int:
        await self._step("links.requeue_held_of_guest")
        if not email or not self._is_as_claimed(lease, entry):
            return 0
        self.requeued_guests.append(email)
        held = self._held_of_guest(lease.account_id, email, but=entry.entry_id)
        return self._requeue([each for each in held if each.outcome is not Outcome.PRODUCT_NOT_MATCHED])

    def mark_gone(
        self,
        account_id: AccountId,
        *,
        epos: Sequence[EposCustomerId] = (),
        woo: Sequence[WooCustomerId] = (),
        of: Sequence[EposCustomerId] = (),
    ) -> tuple[list[Link], int]:
        """Marks links as gone, and requeues the held orders that depend on them.

        Returns the broken links and the number of requeued orders.
        """
        now = self._clock.database_now()
        broken: list[Link] = []
        for link in [each for each in self.links if each.account_id == account_id]:
            gone = replace(
                link,
                epos_gone_at=link.epos_gone_at or now if link.epos_customer_id in epos else link.epos_gone_at,
                woo_gone_at=link.woo_gone_at or now
                if link.woo_customer_id in woo and (not of or link.epos_customer_id in of)
                else link.woo_gone_at,
            )
            if gone != link:
                self.put(gone)
                broken += [link] if link.is_usable else []
        self._raise_waiting_revisions([link for link in broken if link.epos_customer_id in epos], deciding=None)
        requeued = self._requeue_dependent(
            account_id,
            {*epos, *(link.epos_customer_id for link in broken)},
            {*woo, *(link.woo_customer_id for link in broken)},
        )
        return broken, requeued

    def _requeue_dependent(self, account_id: AccountId, epos: set[EposCustomerId], woo: set[WooCustomerId]) -> int:
        return self._requeue(
            [
                each
                for each in self._held_orders(account_id)
                if each.woo_customer_id in woo or each.epos_customer_id in epos or epos.intersection(each.candidate_ids)
            ]
        )

    # LinkWriter

    async def report_shop_users(self, account_id: AccountId, changes: Sequence[ShopUserChange]) -> ShopUsersReport:
        self._require(account_id)
        unlinked = requeued = 0
        for change in changes:
            if not change.is_deleted:
                requeued += self._requeue_dependent(account_id, set(), {change.woo_customer_id})
                continue
            link = self.of_woo(account_id, change.woo_customer_id)
            if link is not None and not _is_of(link, change):
                continue
            self.marks.discard((account_id, change.woo_customer_id))
            broken, held = self.mark_gone(account_id, woo=[change.woo_customer_id])
            unlinked += len(broken)
            requeued += held
        return ShopUsersReport(unlinked, requeued)

    async def create(self, account_id: AccountId, epos_customer_id: EposCustomerId, woo_customer_id: WooCustomerId) -> LinkedByHand:
        self._require(account_id)
        link, refresh = self._link_by_hand(account_id, epos_customer_id, woo_customer_id)
        requeued = self._requeue_held_of(account_id, woo_customer_id, but=None)
        return LinkedByHand(link=link, refresh_entry_id=refresh, requeued_order_entries=requeued)

    async def delete(
        self, account_id: AccountId, *, epos_customer_id: EposCustomerId | None = None, woo_customer_id: WooCustomerId | None = None
    ) -> UnlinkedByHand:
        self._require(account_id)
        found = [
            link
            for link in self._of_either(account_id, epos_customer_id, woo_customer_id)
            if epos_customer_id in (None, link.epos_customer_id) and woo_customer_id in (None, link.woo_customer_id)
        ]
        if not found:
            raise NotFound("this customer is not linked", reason="LINK_NOT_FOUND")
        [link] = found
        self._raise_config_version(account_id)
        self.marks.add((account_id, link.woo_customer_id))
        self.remove(link)
        self.want_removal(account_id, link.epos_customer_id, link.woo_customer_id)
        self._raise_waiting_revisions([link], deciding=None)
        self._requeue_dependent(account_id, {link.epos_customer_id}, set())
        return UnlinkedByHand(link=link, removal_entry_id=self.enqueue_live(account_id, link.epos_customer_id))

    async def resolve_order(
        self, account_id: AccountId, entry_id: EntryId, epos_customer_id: EposCustomerId, *, create_link: bool
    ) -> OrderResolved:
        if (before := await self.resolved_before(account_id, entry_id, epos_customer_id, create_link=create_link)) is not None:
            return before
        order = self._order_to_resolve(account_id, entry_id)
        woo_customer_id = order.woo_customer_id
        link, others = None, []
        if create_link:
            if woo_customer_id is None:
                raise FailedPrecondition("this is a guest's order: a guest cannot be linked", reason="GUEST_CANNOT_BE_LINKED")
            link, _ = self._link_by_hand(account_id, epos_customer_id, woo_customer_id)
        elif woo_customer_id is None and order.billing_email:
            others = self._held_of_guest(account_id, order.billing_email, but=entry_id)
        assert self._queues is not None
        if order.state is EntryState.FAILED:
            entry_id = self._queues.add_successor(order).entry_id
        else:
            self._requeue([order])
        requeued = self._requeue(others)
        if create_link and woo_customer_id is not None:
            requeued = self._requeue_held_of(account_id, woo_customer_id, but=entry_id)
        else:
            self.chosen |= dict.fromkeys([entry_id, *(each.entry_id for each in others)], epos_customer_id)
        return OrderResolved(entry_id=entry_id, link=link, requeued_order_entries=requeued)

    async def resolved_before(
        self, account_id: AccountId, entry_id: EntryId, epos_customer_id: EposCustomerId, *, create_link: bool
    ) -> OrderResolved | None:
        self._require(account_id)
        named = order = self._order(account_id, entry_id)
        assert self._queues is not None
        if named.state is EntryState.FAILED and (newest := self._queues.newest_of(named)).retried_from == entry_id:
            order = newest
        chosen = self.chosen.get(order.entry_id)
        match order.state:
            case EntryState.PROCESSED:
                is_resolved = order.epos_customer_id == epos_customer_id
            case EntryState.PENDING:
                is_resolved = chosen == epos_customer_id or (create_link and chosen is None)
            case EntryState.HELD if order is not named:
                is_resolved = chosen == epos_customer_id and not create_link
            case _:
                is_resolved = False
        link = None if order.woo_customer_id is None else self.of_woo(account_id, order.woo_customer_id)
        if create_link:
            by_hand = link is not None and link.is_usable and link.origin is LinkOrigin.BY_HAND
            is_resolved = is_resolved and by_hand and link is not None and link.epos_customer_id == epos_customer_id
        if not is_resolved:
            return None
        return OrderResolved(entry_id=order.entry_id, link=link if create_link else None, requeued_order_entries=0)

    def _link_by_hand(
        self, account_id: AccountId, epos_customer_id: EposCustomerId, woo_customer_id: WooCustomerId
    ) -> tuple[Link, EntryId]:
        if self._is_default_customer(account_id, epos_customer_id):
            raise FailedPrecondition(f"till customer {epos_customer_id} is the account's default customer", reason="DEFAULT_CUSTOMER")
        stored = self._of_either(account_id, epos_customer_id, woo_customer_id)
        usable = [link for link in stored if link.is_usable]
        for link in usable:
            if (link.epos_customer_id, link.woo_customer_id) != (epos_customer_id, woo_customer_id):
                raise _linked_already(link, epos_customer_id)
        was_marked = (account_id, woo_customer_id) in self.marks
        self.marks.discard((account_id, woo_customer_id))
        if usable:
            if was_marked:
                self._raise_config_version(account_id)
            by_hand = self.put(replace(usable[0], origin=LinkOrigin.BY_HAND, ground=LinkGround.BY_HAND))
            return by_hand, self.enqueue_live(account_id, epos_customer_id)
        self._raise_config_version(account_id)
        return self._put_link(
            account_id, epos_customer_id, woo_customer_id, LinkOrigin.BY_HAND, stored, ground=LinkGround.BY_HAND, deciding=None
        )

    def _order(self, account_id: AccountId, entry_id: EntryId) -> Entry:
        entry = None if self._queues is None else self._queues.entries.get(entry_id)
        if entry is None or entry.account_id != account_id:
            raise NotFound(f"entry {entry_id} does not exist", reason="ENTRY_NOT_FOUND")
        if entry.kind is not EntryKind.ORDER_CUSTOMER:
            raise FailedPrecondition("this entry is not an order", reason="NOT_AN_ORDER")
        return entry

    def _order_to_resolve(self, account_id: AccountId, entry_id: EntryId) -> Entry:
        entry = self._order(account_id, entry_id)
        if entry.state not in (EntryState.HELD, EntryState.FAILED):
            raise FailedPrecondition(f"the order is {entry.state.name}, not HELD or FAILED", reason="ORDER_NOT_HELD")
        if entry.state is EntryState.FAILED and self._queues is not None and self._queues.newest_of(entry) != entry:
            raise FailedPrecondition("the order has a newer entry: resolve that entry", reason="ORDER_NOT_HELD")
        return entry

    # shared by orders and people

    def _require(self, account_id: AccountId) -> None:
        if self._accounts is not None and account_id not in self._accounts.accounts:
            raise NotFound(f"account {account_id} does not exist", reason="ACCOUNT_NOT_FOUND")

    def _raise_config_version(self, account_id: AccountId) -> None:
        if self._accounts is not None:
            self._accounts.raise_config_version(account_id)

    def _is_default_customer(self, account_id: AccountId, epos_customer_id: EposCustomerId) -> bool:
        return self._accounts is not None and self._accounts.accounts[account_id].default_epos_customer_id == epos_customer_id

    def _of_either(self, account_id: AccountId, epos: EposCustomerId | None, woo: WooCustomerId | None) -> list[Link]:
        """Returns the links of the two customers: at most two, and one if they are linked to each other."""
        by_epos = None if epos is None else self._by_epos.get((account_id, epos))
        by_woo = None if woo is None else self.of_woo(account_id, woo)
        return [each for each in dict.fromkeys((by_epos, by_woo)) if each is not None]

    def _put_link(
        self,
        account_id: AccountId,
        epos_customer_id: EposCustomerId,
        woo_customer_id: WooCustomerId,
        origin: LinkOrigin,
        instead_of: Sequence[Link],
        *,
        ground: LinkGround,
        deciding: EntryId | None,
        woo_registered_at: datetime | None = None,
    ) -> tuple[Link, EntryId]:
        self.remove(*instead_of)
        for link in instead_of:
            if link.woo_customer_id != woo_customer_id and link.woo_gone_at is None:
                self.want_removal(account_id, link.epos_customer_id, link.woo_customer_id)
        made = self.put(
            replace(
                self.add(account_id, epos_customer_id, woo_customer_id), origin=origin, woo_registered_at=woo_registered_at, ground=ground
            )
        )
        self.removals.pop((account_id, woo_customer_id), None)
        self._raise_waiting_revisions([made, *instead_of], deciding=deciding, but=None if deciding is None else woo_customer_id)
        return made, self.enqueue_live(account_id, epos_customer_id)

    def _raise_waiting_revisions(self, links: Sequence[Link], *, deciding: EntryId | None, but: WooCustomerId | None = None) -> None:
        """Raises the revision of waiting orders that may run under the former links. Skips orders of the shop customer ``but``."""
        if self._queues is None or not links:
            return
        woo, epos = {link.woo_customer_id for link in links}, {link.epos_customer_id for link in links}
        for entry in list(self._queues.entries.values()):
            waits = entry.kind is EntryKind.ORDER_CUSTOMER and entry.state is EntryState.PENDING and entry.entry_id != deciding
            if but is not None and entry.woo_customer_id == but:
                continue
            if waits and entry.account_id == links[0].account_id and (entry.woo_customer_id in woo or entry.epos_customer_id in epos):
                self._queues.raise_revision([entry.entry_id])

    def _held_of_guest(self, account_id: AccountId, email: str, *, but: EntryId) -> list[Entry]:
        held = self._held_orders(account_id, but=but)
        return [each for each in held if each.woo_customer_id is None and each.billing_email == email]

    def _requeue_held_of(self, account_id: AccountId, woo_customer_id: WooCustomerId, *, but: EntryId | None) -> int:
        return self._requeue([each for each in self._held_orders(account_id, but=but) if each.woo_customer_id == woo_customer_id])

    def _held_orders(self, account_id: AccountId, *, but: EntryId | None = None) -> list[Entry]:
        return [] if self._queues is None else self._queues.held_orders(account_id, but=but)

    def _requeue(self, held: Sequence[Entry]) -> int:
        return 0 if self._queues is None else self._queues.requeue_held([each.entry_id for each in held])


def _is_same(link: Link, read: Link | None) -> bool:
    return read is not None and (link.epos_customer_id, link.woo_customer_id, link.create_time) == (
        read.epos_customer_id,
        read.woo_customer_id,
        read.create_time,
    )


def _is_of(link: Link, change: ShopUserChange) -> bool:
    if change.registered_at is not None:
        return is_linked_person(link.woo_registered_at, link.create_time, change.registered_at)
    return change.changed_at is None or change.changed_at >= link.create_time


def _linked_already(link: Link, epos_customer_id: EposCustomerId) -> AlreadyExists:
    reason = "EPOS_CUSTOMER_LINKED" if link.epos_customer_id == epos_customer_id else "WOO_CUSTOMER_LINKED"
    metadata = {"epos_customer_id": str(link.epos_customer_id), "woo_customer_id": str(link.woo_customer_id)}
    message = {
        "EPOS_CUSTOMER_LINKED": f"till customer {link.epos_customer_id} is linked to shop customer {link.woo_customer_id}",
        "WOO_CUSTOMER_LINKED": f"shop customer {link.woo_customer_id} is linked to till customer {link.epos_customer_id}",
    }[reason]
    return AlreadyExists(message, reason=reason, metadata=metadata)
