"""Enqueued orders and their answers in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fakes.queues import FakeQueues, an_entry
from tillsync_server.domain.enums import EntryState
from tillsync_server.domain.errors import NotFound
from tillsync_server.domain.ids import AccountId, EntryId, OrderId
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.order_arrival import Arrival, KnownOrder, decide_arrival
from tillsync_server.ports.orders import NewOrder, OrderEnqueued, OrderMatch


@dataclass
class FakeOrders:
    """Implements ports.orders.OrderIntake and OrderMatchReader over the entries of ``queues``.

    ``faults``: errors by order. ``stored_answers``: answers whose entries are deleted. ``received`` and ``polls`` record the calls.
    """

    queues: FakeQueues = field(default_factory=FakeQueues)
    order_entries: dict[tuple[AccountId, OrderId], tuple[OrderFacts, EntryId]] = field(default_factory=dict)
    """The present facts of each order, and the entry that they enqueued. The newest successor of that entry represents the order."""
    stored_answers: dict[tuple[AccountId, OrderId], OrderMatch] = field(default_factory=dict)
    faults: dict[OrderId, Exception] = field(default_factory=dict)
    received: list[NewOrder] = field(default_factory=list)
    polls: list[int] = field(default_factory=list)

    async def enqueue(self, orders: Sequence[NewOrder]) -> list[OrderEnqueued | Exception]:
        self.received += orders
        return [self.faults.get(each.facts.order_id) or self._enqueue(each) for each in orders]

    def _enqueue(self, order: NewOrder) -> OrderEnqueued | Exception:
        account_id, facts = order.account_id, order.facts
        if account_id not in self.queues.accounts:
            return NotFound(f"account {account_id} does not exist", reason="ACCOUNT_NOT_FOUND")
        key = (account_id, facts.order_id)
        before, entry_id = self._current(key)
        arrival = decide_arrival(
            None if before is None else KnownOrder(before.order_key, before.facts_hash(), self._state(key, entry_id)),
            order_key=facts.order_key,
            facts_hashes=facts.facts_hashes(),
            rerun=order.rerun,
        )
        if arrival is Arrival.UNCHANGED and entry_id is not None:
            return OrderEnqueued(entry_id, queued=False)
        if arrival is Arrival.REQUEUE_LIVE_ENTRY and entry_id is not None:
            self.queues.raise_revision([entry_id], state=EntryState.PENDING, attempt_count=0, facts=facts, **_of_facts(facts))
        else:
            is_same_order = before is not None and before.order_key == facts.order_key
            made = an_entry(
                account_id=account_id,
                subject_id=facts.order_id,
                state=EntryState.PENDING,
                outcome=None,
                woo_customer_id=facts.woo_customer_id,
                facts=facts,
                retried_from=entry_id if is_same_order else None,
                **_of_facts(facts),
            )
            self.queues.add(made)
            entry_id = made.entry_id
        self.order_entries[key] = (facts, entry_id)
        return OrderEnqueued(entry_id, queued=True)

    def _current(self, key: tuple[AccountId, OrderId]) -> tuple[OrderFacts | None, EntryId | None]:
        facts, entry_id = self.order_entries.get(key, (None, None))
        entry = None if entry_id is None else self.queues.entries.get(entry_id)
        return facts, entry_id if entry is None else self.queues.newest_of(entry).entry_id

    def _state(self, key: tuple[AccountId, OrderId], entry_id: EntryId | None) -> EntryState:
        entry = None if entry_id is None else self.queues.entries.get(entry_id)
        return self.stored_answers[key].state if entry is None else entry.state

    async def get(self, account_id: AccountId, order_ids: Sequence[OrderId]) -> dict[OrderId, OrderMatch]:
        answers = {order_id: self._answer(account_id, order_id) for order_id in order_ids}
        return {order_id: answer for order_id, answer in answers.items() if answer is not None}

    def _answer(self, account_id: AccountId, order_id: OrderId) -> OrderMatch | None:
        facts, entry_id = self._current((account_id, order_id))
        entry = None if entry_id is None else self.queues.entries.get(entry_id)
        if facts is None or entry is None:
            return self.stored_answers.get((account_id, order_id))
        answered = self.queues.answered(entry)
        return OrderMatch(
            account_id=account_id,
            order_id=order_id,
            order_key=facts.order_key,
            facts_hash=facts.facts_hash(),
            entry_id=entry.entry_id,
            state=entry.state,
            outcome=answered.outcome,
            cause=answered.causes[0] if answered.causes else None,
            comment=answered.comment,
            notes=answered.notes,
            epos_customer_id=answered.epos_customer_id,
            woo_customer_id=entry.woo_customer_id,
            candidate_ids=answered.candidate_ids,
            update_time=entry.update_time,
        )

    async def answerable(self, entries: Sequence[tuple[AccountId, EntryId]], *, beyond_seconds: float) -> set[EntryId]:
        self.polls.append(len(entries))
        soon = datetime.now(UTC) + timedelta(seconds=beyond_seconds)
        return {entry_id for account_id, entry_id in entries if not self._is_about_to_run(account_id, entry_id, soon)}

    def _is_about_to_run(self, account_id: AccountId, entry_id: EntryId, soon: datetime) -> bool:
        entry = self.queues.entries.get(entry_id)
        if entry is None or entry.account_id != account_id or entry.state is not EntryState.PENDING:
            return False
        return entry.next_attempt_time is None or entry.next_attempt_time <= soon


def _of_facts(facts: OrderFacts) -> dict[str, Any]:
    return {
        "order_number": facts.order_number,
        "subject_label": facts.subject_label,
        "account_email": facts.account_email_normalised,
        "billing_email": facts.billing_email_normalised,
    }
