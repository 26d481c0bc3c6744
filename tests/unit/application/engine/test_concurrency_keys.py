"""Entries that share a subject, an email or a shop customer run one at a time, in order."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from tillsync_server.application.engine.concurrency_keys import ConcurrencyKeys, concurrency_keys
from tillsync_server.domain.enums import EntryKind, Priority
from tillsync_server.domain.ids import AccountId, EntryId, WooCustomerId
from tillsync_server.ports.lanes import ClaimedEntry


def order(number: int, woo: int | None = None, account_email: str = "", billing_email: str = "") -> ClaimedEntry:
    return ClaimedEntry(
        AccountId("shop-a"),
        EntryId(UUID(int=number)),
        EntryKind.ORDER_CUSTOMER,
        number,
        Priority.LIVE,
        1,
        1,
        0,
        0,
        False,
        account_email,
        billing_email,
        None if woo is None else WooCustomerId(woo),
        None,
        None,
    )


def numbers(entries: list[ClaimedEntry]) -> list[int]:
    return [entry.subject_id for entry in entries]


def test_one_entry_of_each_customer_runs_and_the_others_follow_in_order() -> None:
    keys = ConcurrencyKeys()
    assert numbers(keys.acquire([order(1, 7), order(2, 7), order(3, 8), order(4, 7)])) == [1, 3]
    assert keys.acquire([]) == []
    keys.release(EntryId(UUID(int=1)))
    assert numbers(keys.acquire([order(5, 7)])) == [2], "what came later waits behind"
    keys.release(EntryId(UUID(int=2)))
    assert numbers(keys.acquire([])) == [4]
    keys.release(EntryId(UUID(int=4)))
    assert numbers(keys.acquire([])) == [5]


def test_an_entry_with_two_emails_waits_for_both() -> None:
    keys = ConcurrencyKeys()
    taken = keys.acquire([order(1, account_email="a@example.test"), order(2, account_email="b@example.test")])
    assert numbers(taken) == [1, 2]
    assert keys.acquire([order(3, account_email="a@example.test", billing_email="b@example.test")]) == []
    keys.release(EntryId(UUID(int=1)))
    assert keys.acquire([]) == []
    keys.release(EntryId(UUID(int=2)))
    assert numbers(keys.acquire([])) == [3]


def test_older_of_two_entries_unblocked_together_runs_first() -> None:
    """The two entries wait for different keys and share a third key that no entry holds."""
    keys = ConcurrencyKeys()
    keys.acquire([order(1, account_email="a@example.test"), order(2, account_email="b@example.test")])
    keys.acquire([order(3, 9, account_email="b@example.test"), order(4, 9, account_email="a@example.test")])
    keys.release(EntryId(UUID(int=1)))
    keys.release(EntryId(UUID(int=2)))
    assert numbers(keys.acquire([])) == [3]


entries = st.builds(
    order,
    st.integers(min_value=1, max_value=1),
    st.sampled_from([None, 1, 2, 3]),
    st.sampled_from(["", "a@example.test", "b@example.test"]),
    st.sampled_from(["", "a@example.test", "c@example.test"]),
)


@given(st.lists(st.lists(entries, max_size=6), max_size=12), st.randoms(use_true_random=False))
def test_entries_never_overlap_none_is_lost_and_equal_keys_stay_in_order(batches: list[list[ClaimedEntry]], random) -> None:  # type: ignore[no-untyped-def]
    keys, running, started, arrived, number = ConcurrencyKeys(), dict[int, ClaimedEntry](), list[int](), list[ClaimedEntry](), 0
    rounds = [*batches, *([[]] * (sum(map(len, batches)) + 1))]
    for batch in rounds:
        named = []
        for each in batch:
            number += 1
            named.append(order(number, each.woo_customer_id, each.account_email, each.billing_email))
        arrived += named
        for entry in keys.acquire(named):
            held = {key for other in running.values() for key in concurrency_keys(other)}
            assert held.isdisjoint(concurrency_keys(entry))
            running[entry.subject_id] = entry
            started.append(entry.subject_id)
        assert running or len(started) == len(arrived), "a waiting entry waits for a running one"
        for subject in random.sample(sorted(running), k=(len(running) + 1) // 2):
            keys.release(running.pop(subject).entry_id)
    assert sorted(started) == [entry.subject_id for entry in arrived]
    position = {subject: index for index, subject in enumerate(started)}
    alike: dict[tuple[object, ...], int] = {}
    for entry in arrived:
        named_by = tuple(sorted(map(str, list(concurrency_keys(entry))[1:])))
        if named_by and named_by in alike:
            assert position[alike[named_by]] < position[entry.subject_id]
        alike[named_by] = entry.subject_id
