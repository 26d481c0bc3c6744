"""Writes customers in single requests, a few concurrently. It stops at the first failure that the other writes would meet too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tillsync_server.domain.customer import CustomerWrite
from tillsync_server.domain.errors import RunInterrupted, ServerFailure, Unanswered, Unreadable, UpstreamError
from tillsync_server.ports.shop import WriteResult, WriteStatus


async def write_one_by_one(
    put: Callable[[CustomerWrite], Awaitable[WriteResult]], writes: Sequence[CustomerWrite], *, at_once: int
) -> list[WriteResult]:
    """Returns the results in the order of ``writes``.

    A failure that stops the writes is raised when no write has a result yet. Otherwise each skipped write is NOT_DONE when the lease ended
    or the shop did not answer, and ERROR when every write would meet the same error.
    """
    results: list[WriteResult | None] = [None] * len(writes)
    waiting = iter(range(len(writes)))
    stopped: RunInterrupted | UpstreamError | None = None

    async def write_next() -> None:
        nonlocal stopped
        for position in waiting:
            if stopped is not None:
                return
            try:
                results[position] = await put(writes[position])
            except (Unanswered, ServerFailure, Unreadable) as error:
                results[position] = WriteResult(status=WriteStatus.ERROR, error=error)
                if isinstance(error, Unanswered) or error.is_of_whole_side:
                    stopped = stopped or error  # Each further write would wait as long, or meet the same error.
            except (RunInterrupted, UpstreamError) as error:
                stopped = stopped or error

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, len(writes))):
            group.create_task(write_next())
    if stopped is None:
        return [result for result in results if result is not None]
    if all(result is None for result in results):
        raise stopped
    skipped_result = _skipped_result(stopped)
    return [result or skipped_result for result in results]


def _skipped_result(stopped: RunInterrupted | UpstreamError) -> WriteResult:
    if isinstance(stopped, RunInterrupted | Unanswered):
        return WriteResult(status=WriteStatus.NOT_DONE)
    return WriteResult(status=WriteStatus.ERROR, error=stopped)
