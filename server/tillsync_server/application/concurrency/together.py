"""Runs several calls at once on a TaskGroup. When a function here returns or raises, none of its calls runs any more."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from tillsync_server.application.concurrency.task_scope import task_group

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")


async def both(first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B]) -> tuple[A, B]:
    """Returns both results. Raises the first error, without an exception group, and cancels the other call."""
    async with task_group() as group:
        one, other = group.create_task(first), group.create_task(second)
    return one.result(), other.result()


async def gather(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T | Exception]:
    """Returns the result or the error of each call, in the same order. All calls run to their end."""

    async def result_of(call: Coroutine[Any, Any, T]) -> T | Exception:
        try:
            return await call
        except Exception as error:  # noqa: BLE001 - returned in the place of the result
            return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(result_of(call)) for call in calls]
    return [task.result() for task in tasks]
