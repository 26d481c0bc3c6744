"""Entries that a lane may start with working, failing or probed sides."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest
from fakes.clock import FakeClock
from tillsync_server.application.engine.lane_sides import LaneSides
from tillsync_server.application.engine.slots import Probes, ProvenSides, Slots
from tillsync_server.domain.enums import Side
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.work_class import WorkClass
from tillsync_server.ports.lanes import PausedSide

SHOP = AccountId("shop-a")


class Harness:
    def __init__(self, *, probes: int = 1, **ill: float) -> None:
        """``till``, ``shop``: seconds until the ill side's probe."""
        self.clock = FakeClock(100.0)
        self.probes, self.proven = Probes(probes), ProvenSides()
        self.sides = self.lease(**ill)

    def lease(self, **ill: float) -> LaneSides:
        sides = {Side[name.upper()]: PausedSide(3, seconds) for name, seconds in ill.items()}
        return LaneSides(SHOP, sides, self.probes, self.proven, self.clock, asyncio.Event())

    def room(self, *running: WorkClass) -> dict[WorkClass, int]:
        return {each: self.sides.room(each, 50, running) for each in WorkClass}

    @property
    def may_start(self) -> set[WorkClass]:
        return {each for each, room in self.room().items() if room == 50}


ORDERS = {WorkClass.ORDER, WorkClass.BULK_ORDER}


def test_orders_need_only_the_till() -> None:
    assert Harness().may_start == set(WorkClass)
    assert Harness(shop=60).may_start == ORDERS
    assert Harness(till=60).may_start == set()


def test_probe_is_one_entry_and_its_success_opens_the_side() -> None:
    harness = Harness(shop=60)
    harness.clock.advance(60)
    assert harness.room()[WorkClass.LIVE] == 1
    assert harness.sides.try_start(WorkClass.LIVE, ())
    assert harness.room(WorkClass.LIVE)[WorkClass.BULK] == 0, "one at a time"
    assert harness.room(WorkClass.LIVE)[WorkClass.ORDER] == 50
    assert harness.sides.record_success({Side.TILL}) == frozenset()
    assert harness.room()[WorkClass.LIVE] == 1, "the till's word says nothing of the shop"
    assert harness.sides.record_success({Side.TILL, Side.SHOP}) == {Side.SHOP}
    assert harness.may_start == set(WorkClass)
    assert harness.probes.taken == 0


def test_both_sides_are_probed_together() -> None:
    harness = Harness(probes=2, till=10, shop=20)
    harness.clock.advance(10)
    assert (harness.room()[WorkClass.ORDER], harness.room()[WorkClass.LIVE]) == (1, 0)
    harness.clock.advance(10)
    assert harness.room()[WorkClass.LIVE] == 1


@pytest.mark.catches("probes-have-a-bounded-share")
def test_probes_of_a_process_are_bounded() -> None:
    harness = Harness(probes=1, shop=0)
    other = harness.lease(shop=0)
    assert harness.room()[WorkClass.LIVE] == other.room(WorkClass.LIVE, 50, ()) == 1, "no probe is running yet"
    assert harness.sides.try_start(WorkClass.LIVE, ())
    assert other.room(WorkClass.LIVE, 50, ()) == 0
    assert not other.try_start(WorkClass.LIVE, ())
    harness.sides.close()
    assert other.room(WorkClass.LIVE, 50, ()) == 1


def test_probe_of_two_sides_takes_two_probe_slots_or_none() -> None:
    harness = Harness(probes=1, till=0, shop=0)
    assert harness.room()[WorkClass.LIVE] == 0
    assert not harness.sides.try_start(WorkClass.LIVE, ())
    assert harness.probes.taken == 0
    assert harness.sides.try_start(WorkClass.ORDER, ())
    assert harness.probes.taken == 1


def test_no_second_entry_starts_during_a_probe() -> None:
    harness = Harness(shop=0)
    assert harness.sides.try_start(WorkClass.LIVE, ())
    assert not harness.sides.try_start(WorkClass.LIVE, {WorkClass.LIVE})
    assert harness.sides.try_start(WorkClass.ORDER, {WorkClass.LIVE})


def test_new_settings_start_a_probe_at_once() -> None:
    harness = Harness(shop=600)
    harness.clock.advance(1)
    harness.sides.update({Side.SHOP: PausedSide(0, 0.0)}, asked_at=100.5)
    assert harness.room()[WorkClass.LIVE] == 1


def test_dropped_recovery_is_reported_again() -> None:
    harness = Harness(shop=0)
    assert harness.sides.try_start(WorkClass.LIVE, ())
    mended = harness.sides.record_success({Side.SHOP})
    harness.sides.undo(mended, None)
    harness.sides.update({Side.SHOP: PausedSide(3, 0.0)}, asked_at=101.0)
    assert harness.sides.record_success({Side.SHOP}) == {Side.SHOP}


def test_dropped_failure_leaves_the_side_to_the_database() -> None:
    harness = Harness()
    assert harness.sides.record_failure(Side.TILL, started_at=100.0) == 1
    harness.sides.undo((), Side.TILL)
    assert harness.may_start == set(WorkClass)


def test_failure_is_reported_once_with_the_next_count() -> None:
    harness = Harness(shop=0)
    assert harness.sides.try_start(WorkClass.LIVE, ())
    assert harness.sides.record_failure(Side.SHOP, started_at=100.0) == 4, "three before this lease"
    assert harness.sides.record_failure(Side.SHOP, started_at=100.0) is None
    assert harness.probes.taken == 0
    harness.clock.advance(1000)
    assert harness.may_start == ORDERS, "not before the database knows of it"
    harness.sides.confirm_failure(Side.SHOP, 60.0)
    assert harness.sides.seconds_until_probe == 60
    harness.clock.advance(60)
    assert harness.room()[WorkClass.LIVE] == 1


def test_late_failure_of_a_run_before_recovery_opens_no_problem() -> None:
    harness = Harness(shop=0)
    harness.room()
    harness.clock.advance(5)
    harness.sides.record_success({Side.SHOP})
    assert harness.sides.record_failure(Side.SHOP, started_at=101.0) is None
    assert harness.sides.record_failure(Side.SHOP, started_at=106.0) == 1


def test_problem_applies_to_runs_that_began_before_it_ended() -> None:
    harness = Harness(shop=0)
    assert harness.sides.paused_since(100.0) == {Side.SHOP}
    harness.clock.advance(5)
    harness.sides.record_success({Side.SHOP})
    assert (harness.sides.paused_since(104.0), harness.sides.paused_since(105.0)) == ({Side.SHOP}, set())


def test_side_restored_by_a_person_is_open() -> None:
    harness = Harness(shop=600)
    harness.clock.advance(1)
    harness.sides.update({}, asked_at=100.5)
    assert harness.may_start == set(WorkClass)


def test_success_of_an_earlier_run_does_not_end_a_newer_problem() -> None:
    harness = Harness()
    assert harness.sides.record_failure(Side.SHOP, started_at=100.0) == 1
    harness.clock.advance(1)
    harness.sides.confirm_failure(Side.SHOP, 60.0)
    harness.sides.update({}, asked_at=100.5)
    assert harness.may_start == ORDERS
    harness.sides.update({}, asked_at=101.5)
    assert harness.may_start == set(WorkClass)


def test_failure_of_an_earlier_run_does_not_fail_a_recovered_side() -> None:
    harness = Harness(shop=0)
    harness.room()
    harness.sides.record_success({Side.SHOP})
    harness.sides.update({Side.SHOP: PausedSide(3, 60)}, asked_at=100.0)
    assert harness.may_start == set(WorkClass)


def test_unproven_accounts_leave_most_slots_to_proven_ones() -> None:
    slots = Slots(lanes=2048, live_reserved_lanes=512, entries=4000)
    slots.acquire(300, unproven=0)
    for number in range(1000):
        room = slots.entries_of_unproven(0, 0)
        assert room == (250 if number < 8 else 1), "half of the process for all of them"
        slots.acquire(room, unproven=room)
    assert slots.entries_of_proven(0) == 4000 - 300 - 8 * 250 - 992
    assert slots.entries_of_unproven(1, 1) == 0
    slots.release(1192, unproven=1192)
    assert slots.entries_of_unproven(0, 0) == 200
    assert slots.entries_of_unproven(0, 150) == 100, "what the lane runs of other classes counts"
    slots.acquire(1830, unproven=0)
    assert slots.entries_of_unproven(0, 0) == slots.entries_of_proven(0) == 70


def test_unproven_account_starts_a_whole_batch_or_one_entry() -> None:
    """Entries started a few at a time share neither a list page nor a shop request."""
    slots = Slots(lanes=2048, live_reserved_lanes=512, entries=200)
    slots.acquire(50, unproven=50)
    assert slots.entries_of_unproven(0, 0) == 50
    slots.acquire(1, unproven=1)
    assert slots.entries_of_unproven(0, 0) == 1
    assert slots.entries_of_proven(0) == 149, "a proven account takes all free slots"


def test_claim_under_way_reserves_one_batch_only() -> None:
    slots = Slots(lanes=2048, live_reserved_lanes=512, entries=4000)
    with ExitStack() as claims:
        for _ in range(20):
            claims.enter_context(slots.reserved(500, unproven=250))
        assert (slots.entries_taken, slots.unproven_taken) == (1000, 1000)
        claims.enter_context(slots.reserved(3, unproven=0))
        assert (slots.entries_taken, slots.unproven_taken) == (1003, 1000)
    assert (slots.entries_taken, slots.unproven_taken) == (0, 0)


def test_a_side_is_proven_until_it_fails() -> None:
    harness = Harness()
    assert not harness.sides.are_proven(WorkClass.LIVE)
    harness.sides.record_success({Side.TILL})
    assert (harness.sides.are_proven(WorkClass.ORDER), harness.sides.are_proven(WorkClass.LIVE)) == (True, False)
    harness.sides.record_success({Side.SHOP})
    assert harness.lease().are_proven(WorkClass.LIVE), "the next lease knows it"
    harness.sides.record_failure(Side.SHOP, started_at=100.0)
    assert not harness.lease().are_proven(WorkClass.LIVE)
