"""``TaskScope``: no task outlives its owner, and a group raises the first error itself."""

from __future__ import annotations

import asyncio

import pytest
from support.virtual_time import on_virtual_time
from tillsync_server.application.concurrency.task_scope import TaskScope, task_group


async def _slow_to_end(ended: list[str]) -> None:
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(1)
        ended.append("task")


@on_virtual_time
async def test_close_returns_when_every_task_has_ended() -> None:
    scope, ended = TaskScope(), list[str]()
    for _ in range(3):
        scope.start(_slow_to_end(ended))
    await asyncio.sleep(0)
    await scope.close()
    assert ended == ["task"] * 3
    assert asyncio.all_tasks() == {asyncio.current_task()}


@on_virtual_time
async def test_a_cancelled_close_still_waits_for_the_tasks() -> None:
    scope, ended = TaskScope(), list[str]()
    scope.start(_slow_to_end(ended))
    await asyncio.sleep(0)
    closing = asyncio.create_task(scope.close())
    await asyncio.sleep(0.5)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert ended == ["task"]


@on_virtual_time
async def test_no_task_starts_after_close() -> None:
    scope, ended = TaskScope(), list[str]()
    await scope.close()
    with pytest.raises(RuntimeError):
        scope.start(_slow_to_end(ended))
    assert scope.is_closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


@on_virtual_time
async def test_group_ends_the_other_tasks_and_raises_the_first_error() -> None:
    ended = list[str]()

    async def fault() -> None:
        raise ValueError("the fault")

    async def both() -> None:
        async with task_group() as group:
            group.create_task(_slow_to_end(ended))
            await asyncio.sleep(0)
            group.create_task(fault())

    with pytest.raises(ValueError, match="the fault"):
        await both()
    assert ended == ["task"]
