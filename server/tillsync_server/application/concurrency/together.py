"""Calls side by side on a TaskGroup: when they return or raise, none of them runs any more."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from tillsync_server.application.concurrency.task_scope import task_group

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")


async def both(first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B]) -> tuple[A, B]:
    """What both return. The error of the first that fails, itself and not in a group; the other call is cancelled then."""
    async with task_group() as group:
        one, other = group.create_task(first), group.create_task(second)
    return one.result(), other.result()


async def settled(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T | Exception]:
    """What each call returns or raises, by position. All of them run to their end."""

    async def outcome(call: Coroutine[Any, Any, T]) -> T | Exception:
        try:
            return await call
        except Exception as error:  # noqa: BLE001 - the caller gets it by position
            return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(outcome(call)) for call in calls]
    return [task.result() for task in tasks]
