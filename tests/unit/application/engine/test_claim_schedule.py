"""Times of a lane's next claims: few claims, and none too late."""

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


def test_claim_below_its_limit_is_not_repeated() -> None:
    claims = schedule()
    assert limits_of(claims) == LIMITS
    claim(claims, orders(1))
    assert limits_of(claims) == {}


def test_only_a_class_that_filled_its_limit_is_claimed_again() -> None:
    claims = schedule()
    claim(claims, orders(2))
    assert limits_of(claims) == {WorkClass.ORDER: 2}


def test_notification_during_a_claim_causes_another_claim() -> None:
    claims = schedule()
    limits = limits_of(claims)
    claims.claim_sent(limits)
    claims.wake()
    claims.claim_answered(limits, [])
    assert limits_of(claims) == LIMITS


def test_postponed_entry_is_claimed_when_due() -> None:
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


def test_lost_notification_delays_a_claim_by_at_most_the_floor() -> None:
    clock = FakeClock(100.0)
    claims = schedule(clock, floor_seconds=1.0)
    claim(claims, [])
    clock.advance(0.9)
    assert limits_of(claims) == {}
    clock.advance(0.1)
    assert limits_of(claims) == LIMITS


def test_class_without_room_keeps_its_claim_state() -> None:
    claims = schedule()
    full = LIMITS | {WorkClass.BULK: 0}
    claim(claims, [], full)
    assert limits_of(claims, full) == {}
    assert limits_of(claims) == {WorkClass.BULK: 2}


def test_idle_lane_polls_with_growing_intervals_until_notified() -> None:
    clock = FakeClock(100.0)
    claims = schedule(clock, floor_seconds=1.0)
    claim(claims, [])
    pauses = []
    for _ in range(6):
        pauses.append(claims.seconds_until_next)
        clock.advance(pauses[-1])
        claim(claims, [])
    assert pauses == [1, 2, 4, 8, 8, 8]
    claims.wake()
    claim(claims, [])
    assert claims.seconds_until_next == 1


def test_unannounced_entries_reset_the_polling_floor() -> None:
    clock = FakeClock(100.0)
    claims = schedule(clock, floor_seconds=1.0)
    claim(claims, [])
    for brought in ([], [], orders(1)):
        clock.advance(claims.seconds_until_next)
        claim(claims, brought)
    assert claims.seconds_until_next == 1
