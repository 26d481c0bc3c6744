"""Copies the values of a till customer to the shop.

The flow checks the settings and the link, reads the till, compares the values with the hash of the link, writes them, and stores the hash.

docs/architecture.md#the-life-of-a-webhook shows the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.application.flows.shop_write import ShopWrite
from tillsync_server.application.flows.shop_writer import ShopWriter
from tillsync_server.application.flows.till_reader import TillReader
from tillsync_server.application.flows.write_verdicts import WRITING, WriteVerdicts, always_stale
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.enums import Outcome, Priority, Side
from tillsync_server.domain.errors import UpstreamError
from tillsync_server.domain.ids import EposCustomerId, WooCustomerId
from tillsync_server.domain.link import Link
from tillsync_server.domain.shop_users import ADOPTED_WITHIN
from tillsync_server.domain.shop_values import shop_values_of
from tillsync_server.domain.shown_text import first_letter, shown
from tillsync_server.domain.verdict import Disposition, Verdict
from tillsync_server.ports.lanes import ClaimedEntry
from tillsync_server.ports.links import StoredCustomer
from tillsync_server.ports.shop import WriteResult, WriteStatus

_READING = "reading the customer from Epos Now"
_REMOVING = "removing our values from the shop"
UNCHANGED = "unchanged"
TILL_ONLY, _SHOP_ONLY = frozenset({Side.TILL}), frozenset({Side.SHOP})


class CustomerFlow:
    """One per lease and configuration, so that its entries share reads and writes."""

    def __init__(self, context: LaneContext) -> None:
        self._context = context
        self._services = context.services
        self._account = context.account
        self._reader = TillReader(context)
        self._writer = ShopWriter(context)
        self._verdicts = WriteVerdicts(context)

    async def stored_customers(self, entries: Sequence[ClaimedEntry]) -> dict[int, StoredCustomer]:
        """Returns the stored customer of each entry by its subject, for :meth:`run`. Uses one statement, and none while sync is off."""
        if not self._account.customer_sync_enabled:
            return {entry.subject_id: StoredCustomer(None) for entry in entries}
        ids = [EposCustomerId(entry.subject_id) for entry in entries]
        stored = await self._services.links.stored_customers(self._account.account_id, ids)
        return {each: stored[each] for each in ids}

    async def run(self, entry: ClaimedEntry, linked: StoredCustomer) -> Verdict:
        """Returns a verdict for all that till and shop answer. Raises RunInterrupted and the errors of the database."""
        if not self._account.customer_sync_enabled:
            return Verdict.skipped(Outcome.SYNC_DISABLED)
        with self._writer.pending_write():
            removed = await self._remove(entry, linked)
            if removed is not None and removed.disposition is Disposition.PAUSE_SIDE:
                return removed
            link = linked.link
            if link is None or not link.is_usable:
                failed_read = await self._check_candidate(entry) if linked.is_candidate else None
                return removed or failed_read or _not_linked(link)
            verdict = await self._sync(entry, link, is_candidate=linked.is_candidate)
        if removed is None:
            return verdict
        if removed.outcome is not Outcome.UPDATED:
            return verdict if verdict.disposition is Disposition.PAUSE_SIDE else removed
        return replace(verdict, notes=(*verdict.notes, *removed.notes))

    async def close(self) -> None:
        """Ends every read and write. No task of the flow runs afterwards."""
        try:
            await self._reader.close()
        finally:
            await self._writer.close()

    # values that DeleteLink asked to remove

    async def _remove(self, entry: ClaimedEntry, linked: StoredCustomer) -> Verdict | None:
        """Returns None if there is nothing to remove, and the first failure if there is one."""
        link = linked.link
        removals = [each for each in linked.removals if link is None or not link.is_usable or each != link.woo_customer_id]
        if not removals:
            return None
        if (missing := self._context.failures.missing_settings(Side.SHOP, Outcome.WOO_NOT_UPDATED)) is not None:
            return missing
        failed: Verdict | None = None
        for woo_customer_id in removals:
            verdict = await self._remove_one(entry, woo_customer_id)
            failed = failed or verdict
        return failed or replace(Verdict.finished(Outcome.UPDATED, "values removed from the shop"), sides_met=_SHOP_ONLY)

    async def _remove_one(self, entry: ClaimedEntry, woo_customer_id: WooCustomerId) -> Verdict | None:
        """Returns None if the values were removed or the shop customer does not exist."""
        epos_customer_id, at_least = EposCustomerId(entry.subject_id), 0
        for _ in range(self._services.settings.stale_rounds):
            write = ShopWrite(
                woo_customer_id=woo_customer_id,
                epos_customer_id=epos_customer_id,
                values=None,
                is_live=entry.priority is Priority.LIVE,
                at_least=at_least,
            )
            try:
                result = await self._write(write)
            except UpstreamError as error:
                return await self._verdicts.of_error(error, _REMOVING)
            if result.status is WriteStatus.STALE:
                at_least = result.version or 0
                continue
            if result.status in (WriteStatus.UPDATED, WriteStatus.UNCHANGED, WriteStatus.NOT_FOUND):
                return None
            return await self._verdicts.of_failure(result, woo_customer_id, _REMOVING)
        return always_stale(_REMOVING)

    # held orders that have the customer as a candidate

    async def _check_candidate(self, entry: ClaimedEntry) -> Verdict | None:
        """Reads a customer without a usable link, because a change at the till may decide a held order. Returns a verdict if that fails."""
        failures, customer_id = self._context.failures, EposCustomerId(entry.subject_id)
        if failures.missing_settings(Side.TILL, Outcome.EPOS_FETCH_FAILED) is not None:
            return None
        try:
            read = await self._reader.read(customer_id, is_live=entry.priority is Priority.LIVE)
        except UpstreamError as error:
            unproven = await self._context.deletion_check.of_customer(error)
            if unproven is not None:
                return await failures.classify_error(unproven, Outcome.EPOS_FETCH_FAILED, _READING)
            await self._services.shop_state.mark_gone(self._context.lane.lease, epos=[customer_id])
            return None
        # if the orders wait for a person whatever the email is, only a changed email can decide one
        waits_anyway = not self._account.auto_link or customer_id == self._account.default_epos_customer_id
        await self._requeue_held_orders(read.customer, waits_anyway=waits_anyway)
        return None

    async def _requeue_held_orders(self, customer: TillCustomer, *, waits_anyway: bool) -> None:
        lease, customer_id = self._context.lane.lease, customer.epos_customer_id
        await self._services.order_linker.requeue_held_with_candidate(lease, customer_id, email=customer.email, waits_anyway=waits_anyway)

    # values of the linked customer

    async def _sync(self, entry: ClaimedEntry, link: Link, *, is_candidate: bool = False) -> Verdict:
        failures = self._context.failures
        if (missing := failures.missing_settings(Side.TILL, Outcome.EPOS_FETCH_FAILED)) is not None:
            return _of_link(link, missing)
        if (missing := failures.missing_settings(Side.SHOP, Outcome.WOO_NOT_UPDATED)) is not None:
            return _of_link(link, missing)
        at_least = 0
        for _ in range(self._services.settings.stale_rounds):
            try:
                read = await self._reader.read(link.epos_customer_id, is_live=entry.priority is Priority.LIVE)
            except UpstreamError as error:
                return _of_link(link, await self._read_failed(error, link))
            await self._record_read(link)
            if is_candidate:
                await self._requeue_held_orders(read.customer, waits_anyway=True)
            shop_values = shop_values_of(read.customer, self._account)
            values, notes = shop_values.values, shop_values.notes
            content_hash = values.content_hash(link.woo_customer_id, self._account)
            label = _label(read.customer)
            if not at_least and not entry.force and self._is_unchanged(link, content_hash):
                return _of_link(link, replace(Verdict.finished(Outcome.UPDATED, UNCHANGED, *notes), sides_met=TILL_ONLY), label)
            write = ShopWrite(
                woo_customer_id=link.woo_customer_id,
                epos_customer_id=link.epos_customer_id,
                values=values,
                content_hash=content_hash,
                as_of=read.as_of,
                registered_at=link.woo_registered_at,
                registered_before=None if link.woo_registered_at is not None else link.create_time + ADOPTED_WITHIN,
                is_live=entry.priority is Priority.LIVE,
                at_least=at_least,
            )
            try:
                result = await self._write(write)
            except UpstreamError as error:
                return _of_link(link, await self._verdicts.of_error(error, WRITING), label)
            # invariant: stale-writes-are-not-applied
            if result.status is not WriteStatus.STALE:
                verdict = await self._verdicts.of_result(result, link.woo_customer_id)
                return _of_link(link, replace(verdict, notes=(*verdict.notes, *notes)), label)
            at_least = result.version or 0
        return _of_link(link, always_stale(WRITING), label)

    async def _record_read(self, link: Link) -> None:
        """Records the read if the last record is older than half of the age at which an order asks for another read."""
        if self._services.now() - link.last_read_at > timedelta(seconds=self._services.settings.linked_check_seconds / 2):
            await self._services.shop_state.note_read(self._context.lane.lease, [link.epos_customer_id])

    def _is_unchanged(self, link: Link, content_hash: bytes) -> bool:
        """Ignores a hash from before a lapse, because an interrupted run may have sent other values since."""
        return link.content_hash == content_hash and link.hash_lapses >= self._context.lane.lease.lapses

    async def _read_failed(self, error: UpstreamError, link: Link) -> Verdict:
        unproven = await self._context.deletion_check.of_customer(error)
        if unproven is not None:
            return await self._context.failures.classify_error(unproven, Outcome.EPOS_FETCH_FAILED, _READING)
        await self._services.shop_state.mark_gone(self._context.lane.lease, epos=[link.epos_customer_id])
        verdict = Verdict.failed(Outcome.EPOS_FETCH_FAILED, "deleted in Epos Now")
        return replace(verdict, side=Side.TILL, upstream_status=error.status)

    async def _write(self, write: ShopWrite) -> WriteResult:
        with self._writer.write_queued():
            return await self._writer.write(write)


def _not_linked(link: Link | None) -> Verdict:
    if link is None:
        return Verdict.skipped(Outcome.CUSTOMER_NOT_LINKED)
    gone = "the customer is deleted in Epos Now" if link.epos_gone_at is not None else "the shop customer is deleted"
    return _of_link(link, Verdict.skipped(Outcome.CUSTOMER_NOT_LINKED, f"the link is broken: {gone}"))


def _of_link(link: Link, verdict: Verdict, label: str | None = None) -> Verdict:
    return replace(verdict, epos_customer_id=link.epos_customer_id, woo_customer_id=link.woo_customer_id, subject_label=label)


def _label(customer: TillCustomer) -> str | None:
    """Returns a label like ``Ada B.``. Support recognises the customer by it, and it holds no whole surname."""
    letter = first_letter(customer.surname)
    initial = f"{letter}." if letter else ""
    return " ".join(part for part in (shown(customer.forename), initial) if part) or shown(customer.business_name) or None
