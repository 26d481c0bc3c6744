"""The till's request allowance: a token bucket in table ``till``, shared by all processes; takes of one process share a statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg

from tillsync_server.adapters.postgres.pool import Database
from tillsync_server.adapters.postgres.sql_files import load
from tillsync_server.application.concurrency.micro_batcher import MicroBatcher
from tillsync_server.domain.errors import AllowanceSpent, Throttled
from tillsync_server.domain.ids import TillId
from tillsync_server.domain.vocabulary import Side
from tillsync_server.ports.tills import Available

LONGEST_WAIT_SECONDS = 10.0
DEFAULT_SHARE = 0.5
"""The till's limit is one number for all apps of the company."""
BUSY_SECONDS = 3600.0
"""Half is taken for so long after the till refused a request that our part of its limit had room for."""

_TAKE = load("tills/take")
_ENSURE_TILL = load("tills/ensure_till")
_PAUSE = load("tills/pause")
_NOTE_BUSY = load("tills/note_busy")


def burst(per_minute: int) -> int:
    """Requests that may leave at once after a silence: what a second brings, at least one."""
    return max(1, per_minute // 60)


def tokens_per_second(per_minute: int) -> float:
    """So much that a burst and a minute's refill together never exceed ``per_minute`` within any sixty seconds."""
    return (per_minute - burst(per_minute) + 1) / 60


@dataclass(slots=True)
class _Line:
    """Callers of one till that wait for the next statement."""

    batcher: MicroBatcher[int, float]
    callers: int = field(default=0)


class PostgresTillBudget:
    """Implements :class:`tillsync_server.ports.tills.TillBudget`. ``share``: of the till's limit, what we take."""

    def __init__(self, database: Database, *, share: float = DEFAULT_SHARE) -> None:
        self._database = database
        self._share = share
        self._lines: dict[tuple[TillId, int], _Line] = {}

    def allowance(self, per_minute: int) -> int:
        """Requests a minute that we take of the till's limit."""
        return max(1, int(per_minute * self._share))

    async def take(self, till_id: TillId, requests: int, *, per_minute: int) -> float:
        """In order of the calls; a larger take never lets a later smaller one pass. AllowanceSpent and Throttled carry the seconds after
        which the allowance, or the pause, has room again."""
        key = (till_id, per_minute)
        line = self._lines.get(key)
        if line is None:

            async def flush(wanted: Sequence[int]) -> Sequence[float | Exception]:
                return await self._take_together(till_id, wanted, per_minute)

            line = self._lines[key] = _Line(MicroBatcher(flush, name=f"budget:{till_id}", retry_singly=False))
        line.callers += 1
        try:
            return await line.batcher.submit(requests)
        finally:
            line.callers -= 1
            if line.callers == 0:
                self._lines.pop(key, None)

    async def _take_together(self, till_id: TillId, wanted: Sequence[int], per_minute: int) -> list[float | Exception]:
        rows = await self._take(till_id, wanted, per_minute, longest_wait=LONGEST_WAIT_SECONDS)
        return [_granted(row["wait_seconds"], row["paused_seconds"]) for row in rows]

    async def take_available(self, till_id: TillId, most: int, *, per_minute: int) -> Available:
        rows = await self._take(till_id, [1] * most, per_minute, longest_wait=0.0)
        if rows[0]["paused_seconds"] > 0:
            raise _paused(rows[0]["paused_seconds"])
        waits = [row["wait_seconds"] for row in rows if row["is_granted"]]
        return Available(requests=len(waits), wait_seconds=max(waits, default=0.0), next_seconds=rows[0]["next_seconds"])

    async def _take(self, till_id: TillId, wanted: Sequence[int], per_minute: int, *, longest_wait: float) -> list[asyncpg.Record]:
        """A row for each of ``wanted``. Makes the till's row where there is none."""
        allowance = self.allowance(per_minute)
        parameters = (till_id, list(wanted), *_pace(allowance), longest_wait, *_pace(_half(allowance)))
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_TAKE, *parameters)
            if not rows:
                await connection.execute(_ENSURE_TILL, till_id)
                rows = await connection.fetch(_TAKE, *parameters)
        return list(rows)

    async def pause(self, till_id: TillId, seconds: float) -> None:
        async with self._database.acquire() as connection:
            await connection.execute(_PAUSE, till_id, seconds)

    async def note_refusal(self, till_id: TillId, *, per_minute: int) -> None:
        allowance = self.allowance(per_minute)
        async with self._database.acquire() as connection:
            await connection.execute(_NOTE_BUSY, till_id, BUSY_SECONDS, allowance, per_minute, *_pace(allowance))


def _half(allowance: int) -> int:
    return max(1, allowance // 2)


def _pace(allowance: int) -> tuple[float, float]:
    """Tokens a second, and the burst."""
    return tokens_per_second(allowance), float(burst(allowance))


def _paused(seconds: float) -> Throttled:
    return Throttled(Side.TILL, "Epos Now said its request limit is reached", retry_after_seconds=seconds)


def _granted(wait_seconds: float, paused_seconds: float) -> float | Exception:
    if paused_seconds > 0:
        return _paused(paused_seconds)
    if wait_seconds > LONGEST_WAIT_SECONDS:
        return AllowanceSpent(Side.TILL, "the till's allowance of requests is used up for now", retry_after_seconds=wait_seconds)
    return wait_seconds
