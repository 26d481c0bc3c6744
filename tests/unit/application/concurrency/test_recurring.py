"""``Recurring`` work: the time of its next run, wake-ups, and an unavailable database."""

from __future__ import annotations

import asyncio

import pytest
from support.logs import captured_lines
from support.virtual_time import on_virtual_time
from support.waiting import within
from tillsync_server.application.concurrency.recurring import Recurring, while_more, without_due_time


class Script:
    """Answers each run with the next due time, and records the time of the run. The last answer repeats."""

    def __init__(self, *due: float | Exception | None) -> None:
        self._due = list(due)
        self.runs: list[float] = []
        self._ran = asyncio.Semaphore(0)

    async def work(self) -> float | None:
        self.runs.append(round(asyncio.get_running_loop().time(), 3))
        self._ran.release()
        due = self._due.pop(0) if len(self._due) > 1 else self._due[0]
        if isinstance(due, Exception):
            raise due
        return due

    async def ran(self, times: int) -> list[float]:
        """The seconds between the first so many runs."""
        for _ in range(times):
            await within(self._ran.acquire())
        return [after - before for before, after in zip(self.runs, self.runs[1:times], strict=False)]


@on_virtual_time
async def test_work_runs_at_its_due_time_and_at_least_once_per_floor() -> None:
    script = Script(0.0, 3.0, 60.0, None)
    task = Recurring("test", script.work, seconds=10, database_gone=())
    task.start()
    at_once, soon, late, unknown = await script.ran(5)
    assert (at_once, soon) == (0, 3)
    assert 9 <= late <= 11
    assert 9 <= unknown <= 11
    await task.stop()


@on_virtual_time
async def test_simultaneous_wake_ups_share_one_run() -> None:
    script = Script(None)
    task = Recurring("test", script.work, seconds=3600, pause_seconds=0.2, database_gone=())
    task.start()
    await script.ran(1)
    for _ in range(5):
        task.wake()
    await script.ran(1)
    assert script.runs[1] - script.runs[0] == pytest.approx(0.2)
    await asyncio.sleep(100)
    assert len(script.runs) == 2
    await task.stop()


@on_virtual_time
async def test_wake_up_during_a_run_causes_another_run() -> None:
    script = Script(None)

    async def work() -> float | None:
        if not script.runs:
            task.wake()
        return await script.work()

    task = Recurring("test", work, seconds=3600, database_gone=())
    task.start()
    await script.ran(2)
    assert script.runs[1] == script.runs[0]
    await task.stop()


@on_virtual_time
async def test_unavailable_database_is_logged_once_and_retried_at_the_floor() -> None:
    script = Script(OSError(), OSError(), OSError(), None)
    with captured_lines() as lines:
        task = Recurring("test", script.work, seconds=10, database_gone=(OSError,))
        task.start()
        assert all(9 <= seconds <= 11 for seconds in await script.ran(4))
        await task.stop()
    assert [(line["event"], line["during"]) for line in lines.all()] == [("database_unavailable", "test")]


class DatabaseAway(Exception):
    pass


async def test_work_continues_after_faults_and_repeats_at_once_while_there_is_more() -> None:
    script: list[object] = [True, True, ValueError("ours"), DatabaseAway(), True, False]
    done = asyncio.Event()

    async def work() -> bool:
        if not script:
            done.set()
            return False
        step = script.pop(0)
        if isinstance(step, Exception):
            raise step
        return bool(step)

    task = Recurring("test", while_more(work), seconds=0.01, database_gone=(DatabaseAway,))
    task.start()
    await within(done.wait())
    await task.stop()
    await task.stop()


async def test_wake_runs_the_work_at_once() -> None:
    rounds = asyncio.Semaphore(0)

    async def work() -> None:
        rounds.release()

    task = Recurring("test", without_due_time(work), seconds=3600, database_gone=())
    task.start()
    for _ in range(3):
        await within(rounds.acquire())
        task.wake()
    await task.stop()
