"""Request deadlines use one timer for all calls, and do not confuse other cancellations with a timeout."""

from __future__ import annotations

import asyncio

import pytest
from support.waiting import HANG_SECONDS, within
from tillsync_server.adapters.grpc import request_deadlines
from tillsync_server.adapters.grpc.request_deadlines import RequestDeadlines


@pytest.fixture(autouse=True)
def _short_timer_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_deadlines, "CHECK_SECONDS", 0.01)


async def test_request_in_time_is_returned_and_leaves_no_state() -> None:
    deadlines = RequestDeadlines()
    assert await deadlines.within(30, asyncio.sleep(0.05, "request")) == "request"
    assert deadlines._ends == {}
    assert deadlines._overdue == set()


async def test_late_request_raises_timeout_and_its_task_continues() -> None:
    deadlines = RequestDeadlines()
    task = asyncio.current_task()
    assert task is not None
    with pytest.raises(TimeoutError):
        await within(deadlines.within(0.02, asyncio.Event().wait()))
    assert task.cancelling() == 0
    assert deadlines._ends == {}
    assert deadlines._overdue == set()
    await asyncio.sleep(0)


async def test_calls_before_their_deadline_keep_waiting() -> None:
    deadlines = RequestDeadlines()
    patient = asyncio.create_task(deadlines.within(60, asyncio.Event().wait()))
    hasty = asyncio.create_task(deadlines.within(0.02, asyncio.Event().wait()))
    done, _ = await asyncio.wait([patient, hasty], timeout=30, return_when=asyncio.FIRST_COMPLETED)
    assert done == {hasty}
    assert isinstance(hasty.exception(), TimeoutError)
    patient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await patient
    assert deadlines._ends == {}


async def test_cancelled_caller_is_not_a_timeout() -> None:
    now = 100.0
    deadlines = RequestDeadlines(lambda: now)
    call = asyncio.create_task(deadlines.within(30, asyncio.Event().wait()))
    await asyncio.sleep(0)
    now = 131.0
    deadlines._cancel_overdue()
    call.cancel()  # in the same turn of the event loop as the deadline
    with pytest.raises(asyncio.CancelledError):
        await call
    assert call.cancelled()


async def test_one_timer_serves_all_calls_and_none_runs_without_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_deadlines, "CHECK_SECONDS", HANG_SECONDS)  # the timer does not fire by itself
    deadlines = RequestDeadlines()
    await asyncio.gather(*(deadlines.within(30, asyncio.sleep(0)) for _ in range(10)))
    first = deadlines._timer
    assert first is not None
    await deadlines.within(30, asyncio.sleep(0))
    assert deadlines._timer is first
    first.cancel()
    deadlines._cancel_overdue()
    assert deadlines._timer is None
