"""Finished entries, written directly into the tables, for tests that read queues or act on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from support.engine import EngineWorld
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome
from tillsync_server.domain.ids import AccountId, EntryId, OrderId, WooCustomerId, new_entry_id
from tillsync_server.domain.order import OrderFacts
from tillsync_server.ports.orders import NewOrder, OrderEnqueued

SHORT, LONG = 1, 2


def order_facts(order_id: int, *, key: str = "key", email: str = "ada@example.test", woo: int | None = 12, number: str = "") -> OrderFacts:
    return OrderFacts(
        order_id=OrderId(order_id),
        order_key=key,
        order_number=number or str(order_id),
        create_time=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        woo_customer_id=None if woo is None else WooCustomerId(woo),
        account_email=email if woo is not None else "",
        billing_email=email,
        first_name="Ada",
        last_name="Byron",
        phone="01200000000",
    )


async def take_order(world: EngineWorld, account: str, facts: OrderFacts, *, rerun: bool = False) -> EntryId:
    [taken] = await world.orders.enqueue([NewOrder(account_id=AccountId(account), facts=facts, rerun=rerun)])
    assert isinstance(taken, OrderEnqueued), taken
    return taken.entry_id


@dataclass
class Finish:
    """The end of a live entry, as the engine's completion would write it."""

    state: EntryState
    outcome: Outcome = Outcome.UPDATED
    comment: str = "Successfully Updated"
    notes: str = ""
    cause: Outcome | None = None


async def finish(world: EngineWorld, entry_id: EntryId, how: Finish) -> None:
    """Moves the entry to the history, or holds it, and stores the answer of its order."""
    values = (int(how.state), int(how.outcome), how.comment, how.notes, None if how.cause is None else int(how.cause))
    if how.state.is_live:
        await world.fetch(
            "UPDATE entry SET state = $2, outcome = $3, comment = $4, notes = $5, cause = $6 WHERE entry_id = $1 RETURNING 1",
            entry_id,
            *values,
        )
    else:
        await world.fetch(
            "WITH gone AS (DELETE FROM entry WHERE entry_id = $1 RETURNING *) "
            "INSERT INTO entry_history (account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, "
            "attempt_count, coalesced_count, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, order_number, "
            "subject_label, account_email, billing_email, candidate_ids, facts, attempts, retried_from, create_time, update_time, "
            "finish_time, retention) SELECT account_id, entry_id, queue, kind, subject_id, $2, priority, force, entry_revision, "
            "attempt_count, coalesced_count, $3, $6, $4, $5, epos_customer_id, woo_customer_id, order_number, subject_label, "
            "account_email, billing_email, candidate_ids, facts, attempts, retried_from, create_time, now(), now(), $7 "
            "FROM gone RETURNING 1",
            entry_id,
            *values,
            SHORT if how.state in (EntryState.PROCESSED, EntryState.SKIPPED) else LONG,
        )
    await world.fetch(
        "UPDATE order_match SET state = $2, outcome = $3, comment = $4, notes = $5, cause = $6 WHERE entry_id = $1 RETURNING 1",
        entry_id,
        *values,
    )


FAILED = Finish(EntryState.FAILED, Outcome.EPOS_FETCH_FAILED, "Customer Endpoint Point call api failed", "not reached: DNS")
PROCESSED = Finish(EntryState.PROCESSED)
HELD = Finish(
    EntryState.HELD,
    Outcome.DUPLICATE_EMAIL,
    "We could not auto-link the customer as there is more than one customer in EposNow with the same email address.",
)


def id_at(time: datetime, number: int = 0) -> UUID:
    """A UUIDv7 of that millisecond. ``number`` orders ids of the same millisecond."""
    milliseconds = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | number)


async def add_finished(
    world: EngineWorld,
    account: str,
    subject_id: int,
    *,
    kind: EntryKind = EntryKind.CUSTOMER,
    state: EntryState = EntryState.PROCESSED,
    outcome: Outcome = Outcome.UPDATED,
    create_time: datetime | None = None,
    finish_time: datetime | None = None,
    **columns: object,
) -> EntryId:
    """Inserts a history row of any age."""
    made = create_time or datetime.now(UTC)
    entry_id = id_at(made, subject_id) if create_time else new_entry_id()
    row: dict[str, object] = {
        "account_id": account,
        "entry_id": str(entry_id),
        "queue": int(kind.queue),
        "kind": int(kind),
        "subject_id": subject_id,
        "state": int(state),
        "priority": 1,
        "force": False,
        "entry_revision": 1,
        "attempt_count": 1,
        "coalesced_count": 0,
        "outcome": int(outcome),
        "comment": "",
        "notes": "",
        "subject_label": "",
        "attempts": [],
        "create_time": made.isoformat(),
        "update_time": made.isoformat(),
        "finish_time": (finish_time or made).isoformat(),
        "retention": SHORT if state in (EntryState.PROCESSED, EntryState.SKIPPED) else LONG,
        **columns,
    }
    await world.fetch("SELECT ensure_history_partitions($1, 0)", finish_time or made)
    await world.fetch(
        "INSERT INTO entry_history SELECT * FROM jsonb_populate_record(NULL::entry_history, $1::jsonb) RETURNING 1", json.dumps(row)
    )
    return EntryId(entry_id)


def ids(entries: Sequence[object]) -> list[UUID]:
    return [entry.entry_id for entry in entries]  # type: ignore[attr-defined]
