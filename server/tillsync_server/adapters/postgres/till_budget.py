"""The till's request allowance: a token bucket in table ``till``, shared by all processes; takes of one process share a statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tillsync_server.adapters.postgres.pool import Database
from tillsync_server.adapters.postgres.sql_files import load
from tillsync_server.application.concurrency.micro_batcher import MicroBatcher
from tillsync_server.domain.errors import Throttled
from tillsync_server.domain.ids import TillId
from tillsync_server.domain.vocabulary import Side

LONGEST_WAIT_SECONDS = 10.0

_TAKE = load("tills/take")
_ENSURE_TILL = load("tills/ensure_till")
_PAUSE = load("tills/pause")


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
    """Implements :class:`tillsync_server.ports.tills.TillBudget`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lines: dict[tuple[TillId, int], _Line] = {}

    async def take(self, till_id: TillId, requests: int, *, per_minute: int) -> float:
        """In order of the calls; a larger take never lets a later smaller one pass. Throttled carries the seconds after which the
        allowance, or the pause, has room again."""
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
        parameters = (till_id, list(wanted), tokens_per_second(per_minute), float(burst(per_minute)), LONGEST_WAIT_SECONDS)
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_TAKE, *parameters)
            if not rows:
                await connection.execute(_ENSURE_TILL, till_id)
                rows = await connection.fetch(_TAKE, *parameters)
        return [_granted(row["wait_seconds"], row["paused_seconds"]) for row in rows]

    async def pause(self, till_id: TillId, seconds: float) -> None:
        async with self._database.acquire() as connection:
            await connection.execute(_PAUSE, till_id, seconds)


def _granted(wait_seconds: float, paused_seconds: float) -> float | Exception:
    if paused_seconds > 0:
        return Throttled(Side.TILL, "Epos Now said its request limit is reached", retry_after_seconds=paused_seconds)
    if wait_seconds > LONGEST_WAIT_SECONDS:
        return Throttled(Side.TILL, "the till's allowance of requests is used up for now", retry_after_seconds=wait_seconds)
    return wait_seconds
