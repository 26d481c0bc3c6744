"""``ClassQueues`` serves the first class first, gives every tenth turn to a lower class, and starves no class."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tillsync_server.application.concurrency.class_queues import EVERY, ClassQueues
from tillsync_server.domain.request_class import RequestClass

ORDER, LIVE, BULK = RequestClass.ORDER, RequestClass.LIVE, RequestClass.BULK
Item = tuple[RequestClass, int]


def filled(counts: dict[RequestClass, int]) -> ClassQueues[Item]:
    queues = ClassQueues[Item]()
    for request_class, count in counts.items():
        for number in range(count):
            queues.add(request_class, (request_class, number))
    return queues


def classes_of(queues: ClassQueues[Item], turns: int) -> list[RequestClass]:
    return [queues.pop()[0] for _ in range(turns)]


@pytest.mark.catches("no-class-starves")
def test_live_items_go_first_and_every_tenth_turn_is_bulk() -> None:
    assert classes_of(filled({LIVE: 30, BULK: 30}), 20) == [*[LIVE] * 9, BULK, *[LIVE] * 9, BULK]


def test_every_tenth_turn_rotates_among_the_lower_classes() -> None:
    turns = classes_of(filled({ORDER: 60, LIVE: 60, BULK: 60}), 40)
    assert [turns[number] for number in (9, 19, 29, 39)] == [BULK, LIVE, BULK, LIVE]
    assert turns.count(ORDER) == 36


def test_pop_lowest_rotates_among_the_lower_classes() -> None:
    queues = filled({LIVE: 3, BULK: 3})
    assert [queues.pop_lowest()[0] for _ in range(4)] == [BULK, LIVE, BULK, LIVE]


def test_pop_of_empty_queues_raises_index_error() -> None:
    with pytest.raises(IndexError):
        ClassQueues[Item]().pop()


@given(st.lists(st.one_of(st.sampled_from(RequestClass), st.just("pop"), st.just("leave")), max_size=200))
def test_any_sequence_keeps_order_within_classes_and_starves_none(steps: list[RequestClass | str]) -> None:
    """First in, first out within a class; the first class goes first, but never ten times in a row while others wait."""
    queues, waiting, first_in_a_row = ClassQueues[Item](), list[Item](), 0
    for number, step in enumerate(steps):
        if isinstance(step, RequestClass):
            queues.add(step, (step, number))
            waiting.append((step, number))
        elif step == "leave" and waiting:
            queues.discard(waiting.pop(0))
        elif step == "pop" and waiting:
            several = len({each[0] for each in waiting}) > 1
            item = queues.pop()
            assert item == min(each for each in waiting if each[0] is item[0])
            is_first = item[0] is min(each[0] for each in waiting)
            assert is_first or first_in_a_row >= EVERY - 1
            first_in_a_row = first_in_a_row + 1 if is_first and several else 0
            assert first_in_a_row < EVERY
            waiting.remove(item)
        assert sorted(queues) == sorted(waiting)
        assert len(queues) == len(waiting)
