"""The plan of a requeue, one step for each entry."""

from __future__ import annotations

from datetime import UTC, datetime

from tillsync_server.domain.enums import EntryKind, EntryState, Priority
from tillsync_server.domain.ids import AccountId, EntryId, OrderId, new_entry_id
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.requeue_plan import PlannedStep, Step, StoredAnswer, StoredEntry, Subject, plan_requeues

FACTS = OrderFacts(order_id=OrderId(1), order_key="key", create_time=datetime(2026, 1, 2, tzinfo=UTC))


def entry(
    kind: EntryKind = EntryKind.CUSTOMER, subject_id: int = 1, state: EntryState = EntryState.FAILED, facts: OrderFacts | None = None
) -> StoredEntry:
    return StoredEntry(
        account_id=AccountId("shop-a"),
        entry_id=new_entry_id(),
        kind=kind,
        subject_id=subject_id,
        state=state,
        priority=Priority.LIVE,
        force=False,
        facts=facts,
    )


def an_order(state: EntryState = EntryState.FAILED, facts: OrderFacts | None = FACTS) -> StoredEntry:
    return entry(EntryKind.ORDER_CUSTOMER, state=state, facts=facts)


def plan(
    *entries: StoredEntry, live: dict[Subject, EntryId] | None = None, answers: dict[int, StoredAnswer] | None = None
) -> list[tuple[Step, EntryId | None]]:
    planned: list[PlannedStep] = plan_requeues(
        [one.entry_id for one in entries], {one.entry_id: one for one in entries}, live or {}, answers or {}
    )
    return [(one.step, one.live_entry_id) for one in planned]


def test_an_unknown_entry_is_missing() -> None:
    assert [one.step for one in plan_requeues([new_entry_id()], {}, {}, {})] == [Step.MISSING]


def test_live_entry_is_requeued() -> None:
    assert plan(an_order(EntryState.HELD), entry(state=EntryState.PENDING)) == [(Step.REQUEUE, None)] * 2


def test_finished_customers_get_one_hint_per_chunk() -> None:
    assert plan(entry(), entry(), entry(subject_id=2)) == [(Step.HINT, None), (Step.COALESCE_HINT, None), (Step.HINT, None)]


def test_finished_customer_coalesces_into_the_live_entry_of_its_subject() -> None:
    live = new_entry_id()
    assert plan(entry(), live={(EntryKind.CUSTOMER, 1): live}) == [(Step.COALESCE_HINT, live)]


def test_failed_order_gets_one_successor_per_chunk() -> None:
    assert plan(an_order(), an_order()) == [(Step.ORDER_SUCCESSOR, None), (Step.REQUEUE_LIVE_ORDER, None)]


def test_failed_order_requeues_its_live_entry() -> None:
    live = new_entry_id()
    assert plan(an_order(), live={(EntryKind.ORDER_CUSTOMER, 1): live}) == [(Step.REQUEUE_LIVE_ORDER, live)]


def test_answered_order_keeps_its_customer() -> None:
    answered = StoredAnswer(new_entry_id(), EntryState.PROCESSED)
    assert plan(an_order(EntryState.PROCESSED)) == [(Step.LEAVE_UNCHANGED, None)]
    assert plan(an_order(), answers={1: answered}) == [(Step.LEAVE_UNCHANGED, None)], "not even by an older entry of the order"


def test_order_without_stored_facts_is_left_unchanged() -> None:
    assert plan(an_order(facts=None)) == [(Step.LEAVE_UNCHANGED, None)]
