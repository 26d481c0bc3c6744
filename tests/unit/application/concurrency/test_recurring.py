"""Recurring work: when it runs again, and what stops it."""

from __future__ import annotations

import asyncio

import pytest
from support.logs import captured_lines
from support.virtual_time import on_virtual_time
from support.waiting import within
from tillsync_server.application.concurrency.recurring import Recurring


class Script:
    """Answers each run with the next due time, and notes when the run was. The last answer is given again and again."""

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
async def test_it_runs_when_it_is_due_by_its_own_word_and_at_the_floor_at_the_latest() -> None:
    script = Script(0.0, 3.0, 60.0, None)
    task = Recurring("test", script.work, seconds=10, database_gone=())
    task.start()
    at_once, soon, late, unknown = await script.ran(5)
    assert (at_once, soon) == (0, 3)
    assert 9 <= late <= 11
    assert 9 <= unknown <= 11
    await task.stop()


@on_virtual_time
async def test_what_comes_together_shares_a_run() -> None:
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
async def test_a_wake_while_it_runs_is_not_lost() -> None:
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
async def test_a_database_that_is_away_is_logged_once_and_asked_again_at_the_floor() -> None:
    script = Script(OSError(), OSError(), OSError(), None)
    with captured_lines() as lines:
        task = Recurring("test", script.work, seconds=10, database_gone=(OSError,))
        task.start()
        assert all(9 <= seconds <= 11 for seconds in await script.ran(4))
        await task.stop()
    assert [(line["event"], line["during"]) for line in lines.all()] == [("database_unavailable", "test")]
