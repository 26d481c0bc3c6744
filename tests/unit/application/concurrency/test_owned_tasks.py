"""Owned tasks, concurrent calls and shared calls. No task outlives its owner, and no error is lost."""

from __future__ import annotations

import asyncio

import pytest
from support.logs import captured_lines
from support.waiting import within
from tillsync_server.application.concurrency.background import BackgroundTasks
from tillsync_server.application.concurrency.single_flight import SingleFlight
from tillsync_server.application.concurrency.together import both, gather


def running() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def forever() -> None:
    await asyncio.Event().wait()


async def failing() -> int:
    raise KeyError("first")


# background tasks


async def test_stopped_owner_leaves_no_task() -> None:
    tasks = BackgroundTasks()
    for name in ("one", "two"):
        tasks.start(forever(), name=name)
    assert (len(tasks), running()) == (2, {"one", "two"})
    await within(tasks.stop())
    assert (len(tasks), running()) == (0, set())
    await tasks.stop()


async def test_failing_task_is_logged_and_ends_no_other_task() -> None:
    tasks = BackgroundTasks()
    tasks.start(forever(), name="other")
    with captured_lines() as lines:
        failed = tasks.start(failing(), name="broken")
        await within(asyncio.wait([failed]))
        await asyncio.sleep(0)
    assert [(line["event"], line["task"]) for line in lines.all()] == [("background_task_failed", "broken")]
    assert running() == {"other"}
    await tasks.stop()


async def test_grace_period_lets_tasks_end() -> None:
    tasks, go_on = BackgroundTasks(), asyncio.Event()
    done: list[str] = []

    async def last_words() -> None:
        await go_on.wait()
        done.append("said")

    tasks.start(last_words(), name="polite")
    stopping = asyncio.create_task(tasks.stop(grace_seconds=60))
    await asyncio.sleep(0)
    go_on.set()
    await within(stopping)
    assert done == ["said"]


async def test_join_also_waits_for_tasks_started_meanwhile() -> None:
    tasks = BackgroundTasks()
    done: list[str] = []

    async def second() -> None:
        done.append("second")

    async def first() -> None:
        tasks.start(second(), name="second")

    tasks.start(first(), name="first")
    await within(tasks.join())
    assert done == ["second"]


# concurrent calls


async def test_both_calls_answer_in_their_order() -> None:
    async def value(text: str) -> str:
        return text

    assert await both(value("till"), value("shop")) == ("till", "shop")


async def test_failing_call_ends_the_other_and_its_error_is_raised() -> None:
    ended = asyncio.Event()

    async def other() -> None:
        try:
            await forever()
        finally:
            ended.set()

    with pytest.raises(KeyError, match="first"):
        await within(both(other(), failing()))
    assert ended.is_set(), "with gather it would have run on"
    assert running() == set()


async def test_cancelled_caller_cancels_both_calls() -> None:
    call = asyncio.create_task(both(forever(), forever()), name="call")
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(call)
    assert running() == set()


async def test_settled_calls_all_run_to_their_end() -> None:
    async def late() -> int:
        await asyncio.sleep(0)
        return 3

    one, two = await gather([failing(), late()])
    assert isinstance(one, KeyError)
    assert two == 3
    assert await gather([]) == []


# shared calls


async def test_callers_with_one_key_share_a_call_that_survives_one_cancelled_caller() -> None:
    flight: SingleFlight[str, int] = SingleFlight("read")
    calls, go_on = 0, asyncio.Event()

    async def call() -> int:
        nonlocal calls
        calls += 1
        await go_on.wait()
        return calls

    leaving, staying = (asyncio.create_task(flight.run("a", call)) for _ in range(2))
    await asyncio.sleep(0)
    assert "a" in flight
    assert "b" not in flight
    leaving.cancel()
    await asyncio.sleep(0)
    go_on.set()
    assert await within(staying) == 1
    await asyncio.sleep(0)
    assert "a" not in flight
    assert await flight.run("a", call) == 2


async def test_each_caller_gets_the_error_of_a_shared_call() -> None:
    flight: SingleFlight[str, int] = SingleFlight("read")
    results = await asyncio.gather(*(flight.run("a", failing) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, KeyError) for result in results)


async def test_stopping_ends_shared_calls() -> None:
    flight: SingleFlight[str, None] = SingleFlight("read")
    waiting = asyncio.create_task(flight.run("a", forever), name="caller")
    await asyncio.sleep(0)
    await within(flight.stop())
    with pytest.raises(asyncio.CancelledError):
        await within(waiting)
    assert running() == set()
