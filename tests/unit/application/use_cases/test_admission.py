"""Caps per account. Rates are exact, waiting entries are sampled, and an ordinary request costs no query."""

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
class AdmissionWorld:
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


def waiting_cap(cap: int) -> AdmissionWorld:
    return AdmissionWorld(AdmissionSettings(max_waiting_entries=cap, entries_per_second=0))


async def test_ordinary_requests_cost_no_query() -> None:
    harness = AdmissionWorld(AdmissionSettings())
    assert all([await harness.admitted(A) for _ in range(1000)])
    assert harness.queues.count("waiting") == 0


async def test_account_at_its_cap_is_refused_and_others_are_admitted() -> None:
    harness = waiting_cap(1000)
    assert sum([await harness.admitted(A) for _ in range(1500)]) == 1000
    assert await harness.admitted(B)


async def test_refusal_names_the_cap_and_the_retry_delay() -> None:
    harness = waiting_cap(100)
    harness.queues.waiting[A] = 100
    refused = None
    for _ in range(5):
        try:
            await harness.admission.admit(A)
        except ResourceExhausted as error:
            refused = error
    assert refused is not None
    assert (refused.reason, refused.metadata, refused.retry_after_seconds) == (
        "TOO_MANY_WAITING_ENTRIES",
        {"max_waiting_entries": "100"},
        30.0,
    )


async def test_new_process_counts_the_queue_within_a_hundredth_of_the_cap() -> None:
    harness = waiting_cap(10_000)
    harness.queues.waiting[A] = 10_000  # filled through other processes
    assert sum([await harness.admitted(A) for _ in range(1000)]) <= 100


async def test_drained_queue_admits_again_and_is_counted_seldom() -> None:
    harness = waiting_cap(1000)
    assert sum([await harness.admitted(A, 100) for _ in range(12)]) == 10
    counts = harness.queues.count("waiting")
    assert not any([await harness.admitted(A, 100) for _ in range(50)])
    assert harness.queues.count("waiting") == counts, "an account over its cap is not counted at every request"
    harness.queues.waiting[A] = 0
    harness.now += RECOUNT_SECONDS
    assert await harness.admitted(A, 100)


async def test_concurrent_requests_of_a_full_account_share_one_count() -> None:
    harness = waiting_cap(100)
    await asyncio.gather(*(harness.admitted(A, 100) for _ in range(30)))
    assert harness.queues.count("waiting") <= 1
    assert harness.queues.waiting[A] <= 100


async def test_batch_larger_than_the_remaining_cap_is_refused() -> None:
    harness = waiting_cap(1000)
    assert await harness.admitted(A, 800)
    assert not await harness.admitted(A, 300)
    assert await harness.admitted(A, 200)


async def test_rate_cap_refuses_with_the_retry_delay() -> None:
    harness = AdmissionWorld(AdmissionSettings(max_waiting_entries=0, entries_per_second=10, burst_entries=20))
    assert sum([await harness.admitted(A) for _ in range(30)]) == 20
    with pytest.raises(ResourceExhausted) as refused:
        await harness.admission.admit(A, 5)
    assert (refused.value.reason, refused.value.retry_after_seconds) == ("RATE_EXCEEDED", 0.5)
    assert await harness.admitted(B, 20), "another account has its own"
    harness.now += 0.5
    assert await harness.admitted(A, 5)
    assert not await harness.admitted(A)
    harness.now += 3600
    assert sum([await harness.admitted(A) for _ in range(100)]) == 20, "quiet time saves up no more than a burst"


async def test_caps_can_be_turned_off() -> None:
    harness = AdmissionWorld(AdmissionSettings(max_waiting_entries=0, entries_per_second=0))
    assert all([await harness.admitted(A, 100_000) for _ in range(100)])
    assert harness.queues.count("waiting") == 0


async def test_counting_an_unknown_account_raises_not_found() -> None:
    harness = waiting_cap(10)
    with pytest.raises(NotFound):
        await harness.admission.admit(AccountId("nobody"), 100)
