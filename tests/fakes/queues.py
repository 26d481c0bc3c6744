"""Queues in memory: the entries that people read, requeue and dismiss."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fakes.clock import START
from tillsync_server.domain.account import Problem
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome, Priority, Queue
from tillsync_server.domain.errors import NotFound
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId, WooCustomerId, new_entry_id
from tillsync_server.ports.queues import ActionOutcome, ActionResult, QueueFilter, QueueSlice

SHOP = AccountId("shop-a")
_DISMISSIBLE = (EntryState.PENDING, EntryState.HELD, EntryState.FAILED)


def an_entry(
    *,
    state: EntryState = EntryState.HELD,
    kind: EntryKind = EntryKind.ORDER_CUSTOMER,
    subject_id: int = 1042,
    woo_customer_id: int | None = 12,
    candidates: Sequence[int] = (),
    outcome: Outcome | None = Outcome.DUPLICATE_EMAIL,
    account_id: AccountId = SHOP,
    **more: Any,
) -> Entry:
    return Entry(
        account_id=account_id,
        entry_id=new_entry_id(),
        kind=kind,
        subject_id=subject_id,
        state=state,
        priority=Priority.LIVE,
        entry_revision=1,
        outcome=outcome,
        comment="",
        causes=(),
        notes=(),
        attempt_count=1,
        coalesced_count=0,
        next_attempt_time=None,
        create_time=START,
        update_time=START,
        woo_customer_id=None if woo_customer_id is None else WooCustomerId(woo_customer_id),
        candidate_ids=tuple(EposCustomerId(each) for each in candidates),
        **more,
    )


@dataclass
class FakeQueues:
    """Implements ports.queues.QueueReader, QueueActions and WaitingCounter over one dictionary of entries.

    ``counts`` and ``waiting`` add numbers of entries without the entries. A filter by text finds nothing, because only PostgreSQL has it.
    """

    entries: dict[EntryId, Entry] = field(default_factory=dict)
    accounts: set[AccountId] = field(default_factory=lambda: {SHOP})
    counts: dict[EntryState, int] = field(default_factory=dict)
    waiting: dict[AccountId, int] = field(default_factory=dict)
    """Number of further PENDING entries, by account."""
    open_problem: Problem | None = None
    on_read: Callable[[], None] = lambda: None
    """Called by :meth:`get` between reading the entries and returning them."""
    calls: list[tuple[str, int]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    # for tests, and for other fakes that use the same entries

    def add(self, *entries: Entry) -> None:
        self.entries.update((entry.entry_id, entry) for entry in entries)

    def count(self, method: str) -> int:
        return sum(name == method for name, _ in self.calls)

    def live_of(self, account_id: AccountId, kind: EntryKind, subject_id: int) -> Entry | None:
        subject = (account_id, kind, subject_id)
        found = [each for each in self.entries.values() if (each.account_id, each.kind, each.subject_id) == subject and each.state.is_live]
        return found[0] if found else None

    def newest_of(self, entry: Entry) -> Entry:
        """Returns the newest entry of the same subject."""
        subject = (entry.account_id, entry.kind, entry.subject_id)
        return max((each for each in self.entries.values() if (each.account_id, each.kind, each.subject_id) == subject), key=_by_id)

    def answered(self, entry: Entry) -> Entry:
        """Returns the entry, or the latest predecessor, that has an outcome."""
        while entry.outcome is None and entry.retried_from in self.entries:
            entry = self.entries[entry.retried_from]
        return entry

    def hint(self, account_id: AccountId, kind: EntryKind, subject_id: int, *, retried_from: EntryId | None = None) -> EntryId:
        """Enqueues a LIVE hint. It coalesces into the live entry of its subject, or makes one."""
        live = self.live_of(account_id, kind, subject_id)
        if live is None:
            made = an_entry(
                account_id=account_id,
                kind=kind,
                subject_id=subject_id,
                state=EntryState.PENDING,
                woo_customer_id=None,
                outcome=None,
                retried_from=retried_from,
            )
            self.add(made)
            return made.entry_id
        self.raise_revision([live.entry_id])
        self.entries[live.entry_id] = replace(self.entries[live.entry_id], coalesced_count=live.coalesced_count + 1)
        return live.entry_id

    def raise_revision(self, entry_ids: Iterable[EntryId], **changed: Any) -> None:
        """Raises the revision of the entries, so that runs under the former revision do not decide."""
        for entry_id in entry_ids:
            entry = self.entries[entry_id]
            self.entries[entry_id] = replace(entry, entry_revision=entry.entry_revision + 1, **changed)

    def requeue_held(self, entry_ids: Sequence[EntryId]) -> int:
        """Requeues the HELD entries with fresh attempts. Returns how many were HELD."""
        held = [each for each in entry_ids if self.entries[each].state is EntryState.HELD]
        self.raise_revision(held, state=EntryState.PENDING, attempt_count=0)
        return len(held)

    def held_orders(self, account_id: AccountId, *, but: EntryId | None = None) -> list[Entry]:
        """Returns the HELD orders of the account except ``but``, in order of arrival."""
        return [
            each
            for entry_id, each in sorted(self.entries.items())
            if each.account_id == account_id and each.kind is EntryKind.ORDER_CUSTOMER and each.state is EntryState.HELD and entry_id != but
        ]

    def _require(self, account_id: AccountId) -> None:
        if account_id not in self.accounts:
            raise NotFound(f"account {account_id} does not exist", reason="ACCOUNT_NOT_FOUND")

    # QueueReader

    async def list_entries(self, wanted: QueueFilter, *, before: EntryId | None, limit: int, with_attempts: bool) -> QueueSlice:
        self.calls.append(("list", limit))
        found = [
            _shown(entry, with_attempts)
            for entry_id, entry in sorted(self.entries.items(), reverse=True)
            if (before is None or entry_id < before) and _matches(entry, wanted)
        ]
        page = tuple(found[:limit])
        return QueueSlice(page, page[-1].entry_id if len(found) > limit else None)

    async def get(self, account_id: AccountId, entry_ids: Sequence[EntryId], *, with_attempts: bool) -> dict[EntryId, Entry]:
        self.calls.append(("get", len(entry_ids)))
        found = ((entry_id, self.entries.get(entry_id)) for entry_id in entry_ids)
        answer = {
            entry_id: _shown(entry, with_attempts) for entry_id, entry in found if entry is not None and entry.account_id == account_id
        }
        self.on_read()
        return answer

    async def state_counts(self, account_id: AccountId, queue: Queue) -> dict[EntryState, int]:
        self.calls.append(("counts", 0))
        states = [each.state for each in self.entries.values() if each.account_id == account_id and each.queue is queue]
        return {state: states.count(state) + self.counts.get(state, 0) for state in EntryState}

    async def problems(self, account_id: AccountId) -> tuple[Problem, ...]:
        self._require(account_id)
        return () if self.open_problem is None else (self.open_problem,)

    async def entries_of_subject(
        self, account_id: AccountId, *, epos_customer_id: EposCustomerId | None = None, order_id: OrderId | None = None, limit: int = 20
    ) -> list[Entry]:
        raise AssertionError("no use case calls this in memory")

    # WaitingCounter

    async def waiting_entries(self, account_id: AccountId, cap: int) -> int:
        self.calls.append(("waiting", cap))
        await asyncio.sleep(0)  # other tasks run during a query
        self._require(account_id)
        pending = sum(each.account_id == account_id and each.state is EntryState.PENDING for each in self.entries.values())
        return min(pending + self.waiting.get(account_id, 0), cap)

    # QueueActions

    async def requeue(self, account_id: AccountId, entry_ids: Sequence[EntryId], *, dry_run: bool = False) -> list[ActionResult]:
        self._require(account_id)
        self.calls.append(("retry", len(entry_ids)))
        return [self._requeue(account_id, entry_id, dry_run) for entry_id in entry_ids]

    def _requeue(self, account_id: AccountId, entry_id: EntryId, dry_run: bool) -> ActionResult:
        entry = self.entries.get(entry_id)
        if entry is None or entry.account_id != account_id:
            return ActionResult(ActionOutcome.MISSING, entry_id, None)
        if entry.kind is EntryKind.ORDER_CUSTOMER and self.newest_of(entry).state is EntryState.PROCESSED:
            return ActionResult(ActionOutcome.UNCHANGED, entry_id, entry.state)
        if entry.state.is_live:
            if not dry_run:
                self.raise_revision([entry_id], state=EntryState.PENDING, attempt_count=0)
            return ActionResult(ActionOutcome.DONE, entry_id, entry.state)
        live = self.live_of(account_id, entry.kind, entry.subject_id)
        if live is not None:
            if not dry_run and entry.kind is EntryKind.ORDER_CUSTOMER:
                self.raise_revision([live.entry_id], state=EntryState.PENDING, attempt_count=0)
            elif not dry_run:
                self.hint(account_id, entry.kind, entry.subject_id)
            return ActionResult(ActionOutcome.COALESCED, live.entry_id, entry.state)
        if dry_run:
            return ActionResult(ActionOutcome.DONE, entry_id, entry.state)
        return ActionResult(ActionOutcome.DONE, self.add_successor(entry).entry_id, entry.state)

    def add_successor(self, entry: Entry) -> Entry:
        """Adds the successor of a finished entry, and returns it."""
        made = replace(
            entry,
            entry_id=new_entry_id(),
            state=EntryState.PENDING,
            entry_revision=1,
            outcome=None,
            comment="",
            causes=(),
            notes=(),
            attempt_count=0,
            retried_from=entry.entry_id,
        )
        self.add(made)
        return made

    async def dismiss(
        self, account_id: AccountId, entry_ids: Sequence[EntryId], reason: str, *, dry_run: bool = False
    ) -> list[ActionResult]:
        self._require(account_id)
        self.calls.append(("dismiss", len(entry_ids)))
        self.reasons.append(reason)
        return [self._dismiss(account_id, entry_id, reason, dry_run) for entry_id in entry_ids]

    def _dismiss(self, account_id: AccountId, entry_id: EntryId, reason: str, dry_run: bool) -> ActionResult:
        entry = self.entries.get(entry_id)
        if entry is None or entry.account_id != account_id:
            return ActionResult(ActionOutcome.MISSING, entry_id, None)
        if entry.state not in _DISMISSIBLE:
            return ActionResult(ActionOutcome.UNCHANGED, entry_id, entry.state)
        if not dry_run:
            self.raise_revision([entry_id], state=EntryState.DISMISSED, notes=(reason, *entry.notes))
        return ActionResult(ActionOutcome.DONE, entry_id, entry.state)


def _by_id(entry: Entry) -> EntryId:
    return entry.entry_id


def _shown(entry: Entry, with_attempts: bool) -> Entry:
    return entry if with_attempts else replace(entry, attempts=())


def _matches(entry: Entry, wanted: QueueFilter) -> bool:
    return (
        entry.account_id == wanted.account_id
        and entry.queue is wanted.queue
        and not wanted.text
        and (not wanted.states or entry.state in wanted.states)
        and (not wanted.outcomes or not wanted.outcomes.isdisjoint({entry.outcome, *entry.causes}))
        and (wanted.epos_customer_id is None or entry.epos_customer_id == wanted.epos_customer_id)
        and (wanted.woo_customer_id is None or entry.woo_customer_id == wanted.woo_customer_id)
        and (wanted.order_id is None or (entry.kind is EntryKind.ORDER_CUSTOMER and entry.subject_id == wanted.order_id))
        and (not wanted.email or wanted.email in (entry.account_email, entry.billing_email))
        and (wanted.created_after is None or entry.create_time >= wanted.created_after)
        and (wanted.created_before is None or entry.create_time < wanted.created_before)
    )
