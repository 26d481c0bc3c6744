from __future__ import annotations

import pytest
from fakes.queues import SHOP, FakeQueues, an_entry
from tillsync_server.application.use_cases.queue_listing import Count, FilterFields
from tillsync_server.application.use_cases.queue_work import EntryFailure, EntrySelection, FailureKind, QueueWork
from tillsync_server.domain.enums import EntryKind, EntryState, Queue
from tillsync_server.domain.errors import InvalidArgument, NotFound
from tillsync_server.domain.ids import AccountId, new_entry_id

ALL_ORDERS = FilterFields(queue=Queue.ORDERS)
UNKNOWN = AccountId("nobody")


def queue_work(queues: FakeQueues) -> QueueWork:
    return QueueWork(queues, queues)


async def test_get_returns_only_entries_of_the_account() -> None:
    queues = FakeQueues(accounts={SHOP, AccountId("shop-b")})
    mine, other = an_entry(), an_entry(account_id=AccountId("shop-b"))
    queues.add(mine, other)
    assert await queue_work(queues).get(SHOP, str(mine.entry_id)) == mine
    for text in (str(other.entry_id), "42", "", str(mine.entry_id).upper(), "{" + str(mine.entry_id) + "}"):
        with pytest.raises(NotFound) as missing:
            await queue_work(queues).get(SHOP, text)
        assert missing.value.reason == "ENTRY_NOT_FOUND"
    with pytest.raises(NotFound) as unknown:
        await queue_work(queues).get(UNKNOWN, str(mine.entry_id))
    assert unknown.value.reason == "ACCOUNT_NOT_FOUND"


async def test_requeue_by_ids_counts_previous_states_and_names_failures() -> None:
    queues = FakeQueues()
    held = an_entry(subject_id=1)
    failed = an_entry(subject_id=2, state=EntryState.FAILED)
    earlier = an_entry(subject_id=3, state=EntryState.FAILED)
    live = an_entry(subject_id=3, state=EntryState.PENDING)
    processed = an_entry(subject_id=4, state=EntryState.PROCESSED)
    queues.add(held, failed, earlier, live, processed)
    gone = str(new_entry_id())
    named = (*(str(entry.entry_id) for entry in (held, failed, earlier, processed, held)), gone, "no id")
    done = await queue_work(queues).requeue(EntrySelection(account_id=SHOP, entry_ids=named))
    assert (done.affected, done.coalesced, done.unchanged) == (2, 1, 1)
    assert done.previous_states == (Count(EntryState.HELD, 1), Count(EntryState.FAILED, 2))
    assert done.failures == (
        EntryFailure(str(processed.entry_id), FailureKind.STATE_DOES_NOT_ALLOW),
        EntryFailure(gone, FailureKind.NOT_FOUND),
        EntryFailure("no id", FailureKind.NOT_FOUND),
    )
    assert done.next_continuation_token == ""
    shown = {entry.subject_id: entry for entry in done.entries}
    assert shown[1].state is EntryState.PENDING
    assert shown[2].retried_from == failed.entry_id
    assert shown[3].entry_id == live.entry_id


async def test_requeue_needs_exactly_one_of_ids_and_filter() -> None:
    for chosen in (
        EntrySelection(account_id=SHOP),
        EntrySelection(account_id=SHOP, entry_ids=("x",), filter=ALL_ORDERS),
        EntrySelection(account_id=SHOP, entry_ids=("x",) * 501),
    ):
        with pytest.raises(InvalidArgument, match="entry_ids"):
            await queue_work(FakeQueues()).requeue(chosen)
    with pytest.raises(InvalidArgument, match="continuation_token"):
        await queue_work(FakeQueues()).requeue(EntrySelection(account_id=SHOP, entry_ids=("x",), continuation_token="y"))
    with pytest.raises(InvalidArgument, match=r"filter\.text"):
        await queue_work(FakeQueues()).requeue(EntrySelection(account_id=SHOP, filter=FilterFields(queue=Queue.ORDERS, text="a")))


async def test_requeue_by_filter_runs_in_chunks_and_skips_its_own_successors() -> None:
    queues = FakeQueues()
    queues.add(*(an_entry(subject_id=number, state=EntryState.FAILED) for number in range(1, 1201)))
    chosen = EntrySelection(account_id=SHOP, filter=FilterFields(queue=Queue.ORDERS, states=(EntryState.FAILED, EntryState.PENDING)))
    affected, token, calls = 0, "", 0
    while True:
        done = await queue_work(queues).requeue(EntrySelection(account_id=SHOP, filter=chosen.filter, continuation_token=token))
        affected, calls = affected + done.affected, calls + 1
        assert len(done.entries) == min(100, done.affected)
        if not (token := done.next_continuation_token):
            break
    assert (affected, calls) == (1200, 3)
    assert len(queues.entries) == 2400


async def test_validate_only_changes_nothing_and_returns_current_entries() -> None:
    queues = FakeQueues()
    queues.add(*(an_entry(subject_id=number, state=EntryState.FAILED) for number in range(1, 1201)))
    before = dict(queues.entries)
    chosen = EntrySelection(account_id=SHOP, filter=ALL_ORDERS, validate_only=True)
    done = await queue_work(queues).requeue(chosen)
    assert (done.affected, done.next_continuation_token) == (1200, "")
    assert {entry.state for entry in done.entries} == {EntryState.FAILED}
    assert queues.entries == before


async def test_validate_only_counts_up_to_ten_thousand_per_call() -> None:
    queues = FakeQueues()
    queues.add(*(an_entry(subject_id=number) for number in range(1, 10_002)))
    done = await queue_work(queues).dismiss(EntrySelection(account_id=SHOP, filter=ALL_ORDERS, validate_only=True), "")
    assert done.affected == 10_000
    rest = EntrySelection(account_id=SHOP, filter=ALL_ORDERS, validate_only=True, continuation_token=done.next_continuation_token)
    assert (await queue_work(queues).dismiss(rest, "")).affected == 1


async def test_continuation_token_is_bound_to_its_operation() -> None:
    queues = FakeQueues()
    queues.add(*(an_entry(subject_id=number) for number in range(1, 502)))
    token = (await queue_work(queues).dismiss(EntrySelection(account_id=SHOP, filter=ALL_ORDERS), "done")).next_continuation_token
    chosen = EntrySelection(account_id=SHOP, filter=ALL_ORDERS, continuation_token=token)
    with pytest.raises(InvalidArgument, match="continuation_token"):
        await queue_work(queues).requeue(chosen)
    with pytest.raises(InvalidArgument, match="continuation_token"):
        await queue_work(queues).dismiss(chosen, "another reason")
    assert (await queue_work(queues).dismiss(chosen, "done")).affected == 1


async def test_dismiss_closes_open_entries_with_the_reason() -> None:
    queues = FakeQueues()
    held, processed = an_entry(subject_id=1), an_entry(subject_id=2, state=EntryState.PROCESSED, kind=EntryKind.CUSTOMER)
    queues.add(held, processed)
    chosen = EntrySelection(account_id=SHOP, entry_ids=(str(held.entry_id), str(processed.entry_id)))
    done = await queue_work(queues).dismiss(chosen, " ")
    assert (done.affected, done.unchanged, queues.reasons) == (1, 1, ["closed by hand"])
    assert done.entries[0].state is EntryState.DISMISSED
    assert done.failures == (EntryFailure(str(processed.entry_id), FailureKind.STATE_DOES_NOT_ALLOW),)
    for reason in ("x" * 201, "a\nb"):
        with pytest.raises(InvalidArgument, match="reason"):
            await queue_work(queues).dismiss(chosen, reason)


async def test_unknown_account_raises_not_found_by_ids_and_by_filter() -> None:
    work = queue_work(FakeQueues())
    for chosen in (
        EntrySelection(account_id=UNKNOWN, filter=ALL_ORDERS),
        EntrySelection(account_id=UNKNOWN, entry_ids=("no id",)),
        EntrySelection(account_id=UNKNOWN, entry_ids=(str(new_entry_id()),)),
    ):
        with pytest.raises(NotFound) as unknown:
            await work.requeue(chosen)
        assert unknown.value.reason == "ACCOUNT_NOT_FOUND"
