"""Caps per account: exact about rates, sampled about what waits, and no query for an ordinary request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from fakes.queues import FakeQueues
from tillsync_server.application.use_cases.admission import RECOUNT_SECONDS, Admission, AdmissionSettings
from tillsync_server.domain.errors import NotFound, ResourceExhausted
from tillsync_server.domain.ids import AccountId

A, B = AccountId("shop-a"), AccountId("shop-b")


@dataclass
class Door:
    settings: AdmissionSettings
    queues: FakeQueues = field(default_factory=lambda: FakeQueues(accounts={A, B}, waiting={A: 0, B: 0}))
    now: float = 50.0

    def __post_init__(self) -> None:
        self.admission = Admission(self.queues, self.settings, clock=lambda: self.now)

    async def admitted(self, account_id: AccountId, entries: int = 1) -> bool:
        try:
            await self.admission.admit(account_id, entries)
        except ResourceExhausted:
            return False
        self.queues.waiting[account_id] += entries
        return True


def waiting_cap(cap: int) -> Door:
    return Door(AdmissionSettings(max_waiting_entries=cap, entries_per_second=0))


async def test_ordinary_requests_cost_no_query() -> None:
    door = Door(AdmissionSettings())
    assert all([await door.admitted(A) for _ in range(1000)])
    assert door.queues.count("waiting") == 0


async def test_an_account_is_stopped_at_its_cap_and_other_accounts_are_not() -> None:
    door = waiting_cap(1000)
    assert sum([await door.admitted(A) for _ in range(1500)]) == 1000
    assert await door.admitted(B)


async def test_the_refusal_says_which_cap_and_when_to_come_back() -> None:
    door = waiting_cap(100)
    door.queues.waiting[A] = 100
    refused = None
    for _ in range(5):
        try:
            await door.admission.admit(A)
        except ResourceExhausted as error:
            refused = error
    assert refused is not None
    assert (refused.reason, refused.metadata, refused.retry_after_seconds) == (
        "TOO_MANY_WAITING_ENTRIES",
        {"max_waiting_entries": "100"},
        30.0,
    )


async def test_a_process_that_does_not_know_the_queue_finds_out_within_a_hundredth_of_the_cap() -> None:
    door = waiting_cap(10_000)
    door.queues.waiting[A] = 10_000  # filled through other processes
    assert sum([await door.admitted(A) for _ in range(1000)]) <= 100


async def test_a_queue_that_was_worked_off_is_open_again_and_counted_seldom() -> None:
    door = waiting_cap(1000)
    assert sum([await door.admitted(A, 100) for _ in range(12)]) == 10
    asked = door.queues.count("waiting")
    assert not any([await door.admitted(A, 100) for _ in range(50)])
    assert door.queues.count("waiting") == asked, "an account over its cap is not counted at every request"
    door.queues.waiting[A] = 0
    door.now += RECOUNT_SECONDS
    assert await door.admitted(A, 100)


async def test_a_full_account_asked_by_a_crowd_is_counted_once() -> None:
    door = waiting_cap(100)
    await asyncio.gather(*(door.admitted(A, 100) for _ in range(30)))
    assert door.queues.count("waiting") <= 1
    assert door.queues.waiting[A] <= 100


async def test_a_batch_larger_than_what_is_left_waits() -> None:
    door = waiting_cap(1000)
    assert await door.admitted(A, 800)
    assert not await door.admitted(A, 300)
    assert await door.admitted(A, 200)


async def test_rates_are_capped_with_the_time_to_come_back() -> None:
    door = Door(AdmissionSettings(max_waiting_entries=0, entries_per_second=10, burst_entries=20))
    assert sum([await door.admitted(A) for _ in range(30)]) == 20
    with pytest.raises(ResourceExhausted) as refused:
        await door.admission.admit(A, 5)
    assert (refused.value.reason, refused.value.retry_after_seconds) == ("RATE_EXCEEDED", 0.5)
    assert await door.admitted(B, 20), "another account has its own"
    door.now += 0.5
    assert await door.admitted(A, 5)
    assert not await door.admitted(A)
    door.now += 3600
    assert sum([await door.admitted(A) for _ in range(100)]) == 20, "quiet time saves up no more than a burst"


async def test_caps_can_be_turned_off() -> None:
    door = Door(AdmissionSettings(max_waiting_entries=0, entries_per_second=0))
    assert all([await door.admitted(A, 100_000) for _ in range(100)])
    assert door.queues.count("waiting") == 0


async def test_an_unknown_account_is_not_found_where_it_is_counted() -> None:
    door = waiting_cap(10)
    with pytest.raises(NotFound):
        await door.admission.admit(AccountId("nobody"), 100)
