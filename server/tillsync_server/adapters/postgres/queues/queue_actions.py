"""Actions of people on entries: requeue and dismiss. Each chunk is one transaction under the lane's lock.

The statements are in ``queue_actions.sql``. ``domain.requeue_plan`` decides what a requeue does to each entry.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Connection, Database
from tillsync_server.adapters.postgres.engine.hints import enqueue_in_transaction
from tillsync_server.adapters.postgres.events.event_log import record_events_of_entries, record_order_events
from tillsync_server.adapters.postgres.orders.order_rows import OrderToStore, store_columns
from tillsync_server.adapters.postgres.queues.queue_reader import filed_bounds_of_ids
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import EntryKind, EntryState, Priority
from tillsync_server.domain.errors import NotFound, Unavailable
from tillsync_server.domain.ids import AccountId, EntryId, new_entry_id
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.requeue_plan import PlannedStep, Step, StoredAnswer, StoredEntry, Subject, plan_requeues
from tillsync_server.ports.lanes import EnqueueResult, NewHint
from tillsync_server.ports.queues import ActionOutcome, ActionResult
from tillsync_server.ports.wakeups import Notifier

_LOCK_LANE = load("engine/lock_lane")
_WAKE_LANE = load("engine/wake_lane")
_STORED_ORDERS = load("orders/stored_orders")
_STORE = load("orders/store")
_ENTRIES = load("queues/action_entries")
_LIVE_OF_SUBJECTS = load("queues/live_of_subjects")
_LANE_STATUS = load("queues/lane_status")
_REQUEUE_ENTRIES = load("queues/requeue_entries")
_SET_RETRIED_FROM = load("queues/set_retried_from")
_DISMISS_LIVE = load("queues/dismiss_live")
_DISMISS_FAILED = load("queues/dismiss_failed")

MOST_ENTRIES = 500


class PostgresQueueActions:
    """Implements ports.queues.QueueActions."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier

    async def requeue(self, account_id: AccountId, entry_ids: Sequence[EntryId], *, dry_run: bool = False) -> list[ActionResult]:
        _require_chunk(entry_ids)
        try:
            async with self._database.acquire() as connection, connection.transaction():
                lane = await _begin(connection, account_id, dry_run=dry_run)
                planned = await _plan(connection, account_id, entry_ids)
                if dry_run:
                    return _as_planned(entry_ids, planned)
                requeue = _Requeue(connection, account_id, lane["at"])
                acted = await requeue.apply(entry_ids, planned)
        except asyncpg.LockNotAvailableError as error:
            raise _busy(account_id) from error
        if requeue.has_due_work and lane["lease_expires_at"] is None:
            self._notifier.lanes_ready()
        elif requeue.has_due_work:
            self._notifier.live_work(account_id)
        if requeue.order_events:
            self._notifier.order_events()
        return acted

    async def dismiss(
        self, account_id: AccountId, entry_ids: Sequence[EntryId], reason: str, *, dry_run: bool = False
    ) -> list[ActionResult]:
        _require_chunk(entry_ids)
        try:
            async with self._database.acquire() as connection, connection.transaction():
                lane = await _begin(connection, account_id, dry_run=dry_run)
                stored = await _stored(connection, account_id, entry_ids)
                live = [entry.entry_id for entry in stored.values() if entry.state.is_live]
                failed = [entry.entry_id for entry in stored.values() if entry.state is EntryState.FAILED]
                if live and not dry_run:
                    await connection.execute(_DISMISS_LIVE, account_id, live, reason, lane["at"])
                if failed and not dry_run:
                    filed_from, _ = filed_bounds_of_ids(failed)
                    await connection.execute(_DISMISS_FAILED, account_id, failed, reason, lane["at"], filed_from)
                if not dry_run:
                    orders = [stored[entry_id] for entry_id in (*live, *failed) if stored[entry_id].kind is EntryKind.ORDER_CUSTOMER]
                    await record_order_events(connection, [(account_id, order.subject_id) for order in orders], lane["at"])
        except asyncpg.LockNotAvailableError as error:
            raise _busy(account_id) from error
        dismissed = {*live, *failed}
        if not dry_run:
            for entry_id in dismissed:
                if stored[entry_id].kind is EntryKind.ORDER_CUSTOMER:
                    self._notifier.entry_finished(entry_id)
        return [_dismissed(entry_id, stored.get(entry_id), entry_id in dismissed) for entry_id in entry_ids]


class _Requeue:
    """The writes of one chunk."""

    def __init__(self, connection: Connection, account_id: AccountId, at: datetime) -> None:
        self._connection, self._account_id, self._at = connection, account_id, at
        self.has_due_work = False
        self.order_events = 0
        """Number of order events that these writes recorded."""

    async def apply(self, entry_ids: Sequence[EntryId], planned: Sequence[PlannedStep]) -> list[ActionResult]:
        hints = await self._enqueue_hints(
            [one.entry for one in planned if one.step in (Step.HINT, Step.COALESCE_HINT) and one.entry is not None]
        )
        orders = await self._enqueue_successors(
            [one.entry for one in planned if one.step is Step.ORDER_SUCCESSOR and one.entry is not None]
        )
        await self._requeue(
            {one.entry.entry_id for one in planned if one.step is Step.REQUEUE and one.entry is not None}
            | {one.live_entry_id for one in planned if one.step is Step.REQUEUE_LIVE_ORDER and one.live_entry_id is not None}
        )
        successors = {**hints, **orders}
        results = []
        for one, expected in zip(planned, _as_planned(entry_ids, planned), strict=True):
            current_entry_id = expected.entry_id
            if one.entry is not None and one.step not in (Step.REQUEUE, Step.LEAVE_UNCHANGED):
                current_entry_id = successors.get(one.entry.subject, current_entry_id)
            results.append(ActionResult(expected.outcome, current_entry_id, expected.previous_state))
        return results

    async def _enqueue_hints(self, finished: Sequence[StoredEntry]) -> dict[Subject, EntryId]:
        if not finished:
            return {}
        hints = [NewHint(self._account_id, entry.kind, entry.subject_id, entry.priority, entry.force) for entry in finished]
        results = await enqueue_in_transaction(self._connection, hints)
        entry_ids: dict[Subject, EntryId] = {}
        successors: list[tuple[EntryId, EntryId]] = []
        for entry, result in zip(finished, results, strict=True):
            if not isinstance(result, EnqueueResult):
                raise result
            entry_ids[entry.subject] = result.entry_id
            if not result.coalesced:
                successors.append((result.entry_id, entry.entry_id))
        if successors:
            await self._connection.execute(
                _SET_RETRIED_FROM, self._account_id, [new for new, _ in successors], [old for _, old in successors]
            )
        self.has_due_work = True
        return entry_ids

    async def _enqueue_successors(self, finished: Sequence[StoredEntry]) -> dict[Subject, EntryId]:
        """Enqueues new entries of orders with the facts of their current answer. An older entry may have older facts."""
        if not finished:
            return {}
        orders = [
            OrderToStore(facts, new_entry_id(), entry.entry_id)
            for entry, facts in zip(finished, await self._current_facts(finished), strict=True)
        ]
        await self._connection.execute(_STORE, self._account_id, self._at, None, 0.0, *store_columns(orders))
        self.has_due_work = True
        return {entry.subject: order.entry_id for entry, order in zip(finished, orders, strict=True)}

    async def _current_facts(self, finished: Sequence[StoredEntry]) -> list[OrderFacts]:
        answers = await _answers(self._connection, self._account_id, [entry.subject_id for entry in finished])
        current = {answer.entry_id for answer in answers.values()} - {entry.entry_id for entry in finished}
        stored = await _stored(self._connection, self._account_id, sorted(current))
        facts: list[OrderFacts] = []
        for entry in finished:
            answer = answers.get(entry.subject_id)
            newer = None if answer is None else stored.get(answer.entry_id)
            chosen = entry.facts if newer is None or newer.facts is None else newer.facts
            if chosen is None:
                raise LookupError(f"order entry {entry.entry_id} has no facts")
            facts.append(chosen)
        return facts

    async def _requeue(self, live: set[EntryId]) -> None:
        if not live:
            return
        rows = await self._connection.fetch(_REQUEUE_ENTRIES, self._account_id, sorted(live), self._at)
        self.order_events = await record_events_of_entries(self._connection, self._account_id, sorted(live), self._at)
        for priority in Priority:
            due = [row["due_at"] for row in rows if row["priority"] == priority]
            if due:
                await self._connection.execute(_WAKE_LANE, self._account_id, min(due), priority is Priority.LIVE)
                self.has_due_work = True


async def _begin(connection: Connection, account_id: AccountId, *, dry_run: bool) -> asyncpg.Record:
    lane = await connection.fetchrow(_LANE_STATUS if dry_run else _LOCK_LANE, account_id)
    if lane is None:
        raise NotFound(f"account {account_id} does not exist", reason="ACCOUNT_NOT_FOUND")
    return lane


async def _plan(connection: Connection, account_id: AccountId, entry_ids: Sequence[EntryId]) -> list[PlannedStep]:
    stored = await _stored(connection, account_id, entry_ids)
    finished = {entry.subject for entry in stored.values() if not entry.state.is_live}
    live: dict[Subject, EntryId] = {}
    if finished:
        subjects = sorted(finished)
        rows = await connection.fetch(
            _LIVE_OF_SUBJECTS, account_id, [int(kind) for kind, _ in subjects], [subject for _, subject in subjects]
        )
        live = {(EntryKind(row["kind"]), row["subject_id"]): EntryId(row["entry_id"]) for row in rows}
    orders = [subject for kind, subject in finished if kind is EntryKind.ORDER_CUSTOMER]
    return plan_requeues(entry_ids, stored, live, await _answers(connection, account_id, orders))


async def _stored(connection: Connection, account_id: AccountId, entry_ids: Sequence[EntryId]) -> dict[EntryId, StoredEntry]:
    if not entry_ids:
        return {}
    rows = await connection.fetch(_ENTRIES, account_id, list(entry_ids), *filed_bounds_of_ids(entry_ids))
    return {
        EntryId(row["entry_id"]): StoredEntry(
            account_id=account_id,
            entry_id=EntryId(row["entry_id"]),
            kind=EntryKind(row["kind"]),
            subject_id=row["subject_id"],
            state=EntryState(row["state"]),
            priority=Priority(row["priority"]),
            force=row["force"],
            facts=None if row["facts"] is None else OrderFacts.from_json(json.loads(row["facts"])),
        )
        for row in rows
    }


async def _answers(connection: Connection, account_id: AccountId, order_ids: Sequence[int]) -> dict[int, StoredAnswer]:
    rows = await connection.fetch(_STORED_ORDERS, account_id, list(order_ids)) if order_ids else []
    return {row["order_id"]: StoredAnswer(EntryId(row["entry_id"]), EntryState(row["state"])) for row in rows}


def _as_planned(entry_ids: Sequence[EntryId], planned: Sequence[PlannedStep]) -> list[ActionResult]:
    acted = {
        Step.REQUEUE: ActionOutcome.DONE,
        Step.HINT: ActionOutcome.DONE,
        Step.ORDER_SUCCESSOR: ActionOutcome.DONE,
        Step.COALESCE_HINT: ActionOutcome.COALESCED,
        Step.REQUEUE_LIVE_ORDER: ActionOutcome.COALESCED,
        Step.LEAVE_UNCHANGED: ActionOutcome.UNCHANGED,
        Step.MISSING: ActionOutcome.MISSING,
    }
    return [
        ActionResult(acted[one.step], one.live_entry_id or entry_id, None if one.entry is None else one.entry.state)
        for entry_id, one in zip(entry_ids, planned, strict=True)
    ]


def _dismissed(entry_id: EntryId, stored: StoredEntry | None, dismissed: bool) -> ActionResult:
    if stored is None:
        return ActionResult(ActionOutcome.MISSING, entry_id, None)
    return ActionResult(ActionOutcome.DONE if dismissed else ActionOutcome.UNCHANGED, entry_id, stored.state)


def _require_chunk(entry_ids: Sequence[EntryId]) -> None:
    if len(entry_ids) > MOST_ENTRIES:
        raise ValueError(f"{len(entry_ids)} entries are more than one chunk of {MOST_ENTRIES}")


def _busy(account_id: AccountId) -> Unavailable:
    return Unavailable(f"account {account_id} is busy; try again", reason="ACCOUNT_BUSY")
