"""What a lane's runner knows of its waiting entries: how few looks it needs, and that none of them misses anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from fakes.clock import FakeClock
from tillsync_server.application.engine.lookout import Lookout
from tillsync_server.domain.ids import AccountId, EntryId
from tillsync_server.domain.vocabulary import EntryKind, Priority
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, LaneLease

LEASE = LaneLease(AccountId("shop-a"), "owner", 1, lapses=0, problem_side=None, pause_count=0)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def entry(number: int, priority: Priority = Priority.BULK, due: int | None = None) -> ClaimedEntry:
    return ClaimedEntry(
        AccountId("shop-a"),
        EntryId(UUID(int=number)),
        EntryKind.CUSTOMER,
        number,
        priority,
        1,
        1,
        0,
        0,
        False,
        "",
        "",
        None,
        None,
        None,
        due_at=BEGIN + timedelta(seconds=number if due is None else due),
    )


@dataclass
class Lane:
    """Due entries as the database has them, claimed as `claim.sql` does."""

    waiting: list[ClaimedEntry] = field(default_factory=list)
    asked: list[ClaimRequest] = field(default_factory=list)
    during: Callable[[], None] = lambda: None

    async def claim(self, request: ClaimRequest) -> list[ClaimedEntry]:
        self.asked.append(request)
        claimed = []
        limits = ((Priority.LIVE, request.live_limit, request.live_after), (Priority.BULK, request.bulk_limit, request.bulk_after))
        for priority, limit, after in limits:
            due = sorted((each for each in self.waiting if each.priority is priority), key=lambda each: (each.due_at, each.entry_id))
            due = [each for each in due if after is None or (each.due_at, each.entry_id) > after]
            claimed += [each for each in due if each.entry_id not in request.in_flight][:limit]
        self.during()
        return claimed


def lookout(clock: FakeClock | None = None, floor_seconds: float = 1.0) -> Lookout:
    return Lookout(LEASE, floor_seconds=floor_seconds, clock=clock or FakeClock(100.0))


async def test_a_look_that_brought_less_than_it_might_is_not_repeated() -> None:
    lane, looks = Lane([entry(1), entry(2, Priority.LIVE)]), lookout()
    assert looks.wants(10, 10)
    assert {each.subject_id for each in await looks.look(lane.claim, 10, 10, [])} == {1, 2}
    assert looks.is_exhausted
    assert looks.is_sure
    assert not looks.wants(10, 10)


async def test_a_deep_lane_is_gone_on_with_and_nothing_in_flight_is_named_again() -> None:
    lane, looks = Lane([entry(number) for number in range(1, 26)]), lookout()
    first = await looks.look(lane.claim, 10, 10, [])
    second = await looks.look(lane.claim, 10, 10, first)
    third = await looks.look(lane.claim, 10, 10, first + second)
    assert [each.subject_id for each in first + second + third] == list(range(1, 26))
    assert all(request.in_flight == () for request in lane.asked)
    assert looks.is_exhausted


@pytest.mark.catches("deep-lanes-are-read-from-the-start")
async def test_what_was_committed_later_with_an_earlier_time_is_found_before_the_lane_counts_as_drained() -> None:
    lane, looks = Lane([entry(number) for number in range(10, 30)]), lookout()
    first = await looks.look(lane.claim, 10, 10, [])
    lane.waiting.append(entry(5))  # its transaction began before the others' and ended after them
    rest = await looks.look(lane.claim, 10, 11, first)
    assert looks.is_exhausted
    assert not looks.is_sure
    looks.start_over()
    assert [each.subject_id for each in await looks.look(lane.claim, 10, 100, first + rest)] == [5]
    assert looks.is_exhausted
    assert looks.is_sure


async def test_news_during_a_look_makes_it_worth_another_one() -> None:
    lane, looks = Lane([entry(1)]), lookout()
    lane.during = looks.tell
    await looks.look(lane.claim, 10, 10, [])
    assert looks.wants(10, 10)


async def test_an_entry_in_flight_that_a_hint_made_live_is_not_run_beside_itself() -> None:
    lane, looks = Lane([entry(number) for number in range(1, 21)]), lookout()
    running = await looks.look(lane.claim, 10, 10, [])
    lane.waiting[0] = entry(1, Priority.LIVE)
    looks.tell()
    found = await looks.look(lane.claim, 10, 0, running)
    assert found == []
    assert looks.wants(10, 10), "it is looked for again, and left out, as what is in flight is"
    assert 1 not in {each.subject_id for each in await looks.look(lane.claim, 10, 10, running)}


async def test_an_answer_older_than_an_end_brings_nothing_back() -> None:
    """The entry ended while the look was under way: its answer still shows it."""
    lane, looks = Lane([entry(1, Priority.LIVE)]), lookout()
    [running] = await looks.look(lane.claim, 10, 10, [])
    looks.tell()
    in_flight = [running]

    async def claim(request: ClaimRequest) -> list[ClaimedEntry]:
        in_flight.clear()
        return [running]

    assert await looks.look(claim, 10, 10, in_flight.copy()) == []


async def test_an_entry_that_was_put_off_is_looked_for_when_it_is_due() -> None:
    clock = FakeClock(100.0)
    lane, looks = Lane(), lookout(clock, floor_seconds=1000)
    await looks.look(lane.claim, 10, 10, [])
    looks.due_in(30)
    looks.due_in(60)
    assert looks.again_at == 130
    clock.set(129)
    assert not looks.wants(10, 10)
    clock.set(130)
    assert looks.wants(10, 10)


async def test_a_word_that_was_lost_costs_no_more_than_the_floor() -> None:
    clock = FakeClock(100.0)
    lane, looks = Lane(), lookout(clock, floor_seconds=1.0)
    await looks.look(lane.claim, 10, 10, [])
    clock.advance(0.9)
    assert not looks.wants(10, 10)
    clock.advance(0.1)
    assert looks.wants(10, 10)


async def test_without_room_for_a_priority_what_is_known_of_it_stays() -> None:
    lane, looks = Lane([entry(1)]), lookout()
    assert await looks.look(lane.claim, 10, 0, []) == []
    assert not looks.is_exhausted
    assert not looks.wants(10, 0)
    assert looks.wants(10, 1)
