"""Idle lanes stand in nobody's way: no slot, none before others, none too many."""

from __future__ import annotations

from dataclasses import dataclass, field

from tillsync_server.application.engine.idle_lanes import IdleLanes


@dataclass(eq=False)
class Lane:
    told: list[str] = field(default_factory=list)

    def look_up(self) -> None:
        self.told.append("look up")

    def end_idle(self) -> None:
        self.told.append("end")


@dataclass
class Process:
    leased: int = 0
    others_wait: bool = False

    def idle_lanes(self, *, most: int = 10, slots: int = 4, reserved: int = 1) -> IdleLanes:
        return IdleLanes(
            most=most, slots=slots, live_reserved_slots=reserved, leased=lambda: self.leased, others_wait=lambda: self.others_wait
        )


def test_an_idle_lane_holds_no_slot() -> None:
    process = Process(leased=3)
    idle = process.idle_lanes()
    assert idle.free_slots == 1
    assert idle.admit(Lane())
    assert (idle.free_slots, len(idle)) == (2, 1)


def test_no_more_than_so_many_and_none_while_others_wait() -> None:
    process = Process(leased=3)
    idle = process.idle_lanes(most=1)
    assert idle.admit(Lane())
    assert not idle.admit(Lane())
    process.others_wait = True
    assert not process.idle_lanes().admit(Lane())


def test_to_run_again_it_takes_a_slot_and_never_one_kept_for_live_work() -> None:
    process = Process(leased=3)
    idle, first, second = process.idle_lanes(), Lane(), Lane()
    assert idle.admit(first)
    assert idle.admit(second)
    assert idle.run_again(first)
    process.leased = 4  # three of them busy: one slot is left, for live work
    assert not idle.run_again(second)
    assert second.told == ["end"], "leased again it gets that one, if it has live work"


def test_with_no_slot_left_it_waits_for_one() -> None:
    process = Process(leased=3)
    idle, lane = process.idle_lanes(), Lane()
    assert idle.admit(lane)
    process.leased = 5
    assert not idle.run_again(lane)
    assert len(idle) == 1
    assert lane.told == []
    process.leased = 3
    idle.slot_freed()
    assert lane.told == ["look up"]
    assert idle.run_again(lane)


def test_what_is_being_leased_is_not_taken_meanwhile() -> None:
    process = Process(leased=1)
    idle, lane = process.idle_lanes(), Lane()
    assert idle.admit(lane)
    with idle.asking_for(4):
        assert not idle.run_again(lane)
        assert lane.told == []
    assert lane.told == ["look up"]
    assert idle.run_again(lane)


def test_those_without_a_slot_have_it_in_order() -> None:
    process = Process(leased=7)
    idle, lanes = process.idle_lanes(), [Lane(), Lane(), Lane()]
    for lane in lanes:
        assert idle.admit(lane)
    assert not any(idle.run_again(lane) for lane in lanes)
    idle.leave(lanes[0])
    idle.slot_freed()
    assert [lane.told for lane in lanes] == [[], ["look up"], []]


def test_where_others_wait_for_a_slot_it_stands_in_line_with_them() -> None:
    process = Process(leased=6)
    idle, wanting, at_rest = process.idle_lanes(), Lane(), Lane()
    assert idle.admit(wanting)
    assert idle.admit(at_rest)
    assert not idle.run_again(wanting)
    process.others_wait = True
    idle.stand_in_line()
    assert (wanting.told, at_rest.told) == (["end"], [])
    assert not idle.run_again(at_rest)
    assert at_rest.told == ["end"]
