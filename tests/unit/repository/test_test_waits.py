"""Messages of the waits in ``support/waiting.py`` at their time limit."""

from __future__ import annotations

import asyncio

import pytest
from support.waiting import hang_limit, until, within


async def test_until_returns_the_true_answer() -> None:
    answers = iter([[], [], [7]])
    assert await until(lambda: next(answers)) == [7]

    async def condition() -> str:
        return "yes"

    assert await until(condition) == "yes"


async def test_failure_names_the_question_its_last_answer_and_the_state() -> None:
    rows: list[int] = []

    async def table() -> str:
        return "the table has no rows"

    with pytest.raises(AssertionError) as failed:
        await until(lambda: rows and rows[-1] == 7, table, seconds=0.01)
    message = str(failed.value)
    assert "`rows and rows[-1] == 7` (test_test_waits.py:" in message
    assert "within 0.01 s\nits last answer: []\nthe table has no rows" in message


async def test_hanging_question_ends_at_the_limit() -> None:
    async def hangs() -> bool:
        await asyncio.Event().wait()
        return True

    with pytest.raises(AssertionError, match=r"hangs` .* does not come true within 0.01 s\nits last answer: \(no answer yet\)"):
        await until(hangs, seconds=0.01)


async def test_errors_of_the_question_and_of_the_awaitable_are_raised() -> None:
    async def times_out() -> bool:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        await until(times_out)
    with pytest.raises(TimeoutError, match="of its own"):
        await within(times_out())


async def test_failing_report_does_not_hide_the_failure() -> None:
    def breaks() -> str:
        raise OSError("no database")

    with pytest.raises(AssertionError, match=r"does not end within 0.01 s\n\(how things stand cannot be had: OSError\('no database'\)\)"):
        await within(asyncio.Event().wait(), breaks, seconds=0.01)


async def test_block_ends_at_its_limit() -> None:
    with pytest.raises(AssertionError, match=r"the second start does not end within 0.01 s\nit said: nothing"):
        async with hang_limit("the second start", lambda: "it said: nothing", seconds=0.01):
            await asyncio.Event().wait()
    async with hang_limit("nothing"):
        pass
    assert await within(asyncio.sleep(0, "slept")) == "slept"
