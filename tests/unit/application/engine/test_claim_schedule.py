"""When a lane claims again: few claims, and none of them too late."""

from __future__ import annotations

from fakes.clock import FakeClock
from support.engine import claim_limits
from support.flow_world import order_entry, order_facts, till_account
from tillsync_server.application.engine.claim_schedule import ClaimSchedule
from tillsync_server.domain.work_class import WorkClass
from tillsync_server.ports.lanes import ClaimedEntry

LIMITS = claim_limits(2)


def schedule(clock: FakeClock | None = None, floor_seconds: float = 1000) -> ClaimSchedule:
    return ClaimSchedule(floor_seconds=floor_seconds, clock=clock or FakeClock(100.0))


def orders(count: int) -> list[ClaimedEntry]:
    return [order_entry(till_account(), order_facts(number)) for number in range(1, count + 1)]


def limits_of(claims: ClaimSchedule, room: dict[WorkClass, int] = LIMITS) -> dict[WorkClass, int]:
    return {work_class: room[work_class] for work_class in claims.due_classes() if room[work_class] > 0}


def claim(claims: ClaimSchedule, brought: list[ClaimedEntry], room: dict[WorkClass, int] | None = None) -> None:
    limits = limits_of(claims, room or LIMITS)
    claims.claim_sent(limits)
    claims.claim_answered(limits, brought)


def test_a_claim_that_brought_less_than_its_limit_is_not_repeated() -> None:
    claims = schedule()
    assert limits_of(claims) == LIMITS
    claim(claims, orders(1))
    assert limits_of(claims) == {}


def test_a_class_that_came_back_full_is_claimed_again_and_no_other() -> None:
    claims = schedule()
    claim(claims, orders(2))
    assert limits_of(claims) == {WorkClass.ORDER: 2}


def test_news_during_a_claim_makes_it_worth_another_one() -> None:
    claims = schedule()
    limits = limits_of(claims)
    claims.claim_sent(limits)
    claims.look_again()
    claims.claim_answered(limits, [])
    assert limits_of(claims) == LIMITS


def test_an_entry_that_was_put_off_is_claimed_when_it_is_due() -> None:
    clock = FakeClock(100.0)
    claims = schedule(clock)
    claim(claims, [])
    claims.due_in(30)
    claims.due_in(60)
    assert claims.seconds_until_next == 30
    clock.set(129)
    assert limits_of(claims) == {}
    clock.set(130)
    assert limits_of(claims) == LIMITS


def test_a_notification_that_was_lost_costs_no_more_than_the_floor() -> None:
    clock = FakeClock(100.0)
    claims = schedule(clock, floor_seconds=1.0)
    claim(claims, [])
    clock.advance(0.9)
    assert limits_of(claims) == {}
    clock.advance(0.1)
    assert limits_of(claims) == LIMITS


def test_without_room_for_a_class_what_is_known_of_it_stays() -> None:
    claims = schedule()
    full = LIMITS | {WorkClass.BULK: 0}
    claim(claims, [], full)
    assert limits_of(claims, full) == {}
    assert limits_of(claims) == {WorkClass.BULK: 2}


def test_a_lane_that_nothing_comes_to_is_asked_less_and_less_until_there_is_news() -> None:
    clock = FakeClock(100.0)
    claims = schedule(clock, floor_seconds=1.0)
    claim(claims, [])
    pauses = []
    for _ in range(6):
        pauses.append(claims.seconds_until_next)
        clock.advance(pauses[-1])
        claim(claims, [])
    assert pauses == [1, 2, 4, 8, 8, 8]
    claims.look_again()
    claim(claims, [])
    assert claims.seconds_until_next == 1


def test_entries_that_nobody_told_of_make_the_floor_short_again() -> None:
    clock = FakeClock(100.0)
    claims = schedule(clock, floor_seconds=1.0)
    claim(claims, [])
    for brought in ([], [], orders(1)):
        clock.advance(claims.seconds_until_next)
        claim(claims, brought)
    assert claims.seconds_until_next == 1
