"""The till's request allowance: a token bucket in table ``till``, shared by all processes. One statement serves several callers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Connection, Database
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.application.concurrency.micro_batcher import MicroBatcher
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import AllowanceSpent, Throttled
from tillsync_server.domain.ids import TillId
from tillsync_server.ports.tills import TakenRequests

LONGEST_WAIT_SECONDS = 10.0
DEFAULT_SHARE = 0.5
"""Part of the till's limit that we take. The limit is one number for all apps of the company."""
BUSY_SECONDS = 3600.0
"""How long half of our part is taken after the till refused a request although our part was not used up."""

_TAKE = load("tills/take")
_LOCK_TILL = load("tills/lock_till")
_ENSURE_TILL = load("tills/ensure_till")
_PAUSE = load("tills/pause")
_NOTE_BUSY = load("tills/note_busy")
_TILLS_AT_ONCE = 100
_LINGER_SECONDS = 0.001


def burst(per_minute: int) -> int:
    """Returns how many requests may be sent at once after a pause: the requests of one second, at least one."""
    return max(1, per_minute // 60)


def tokens_per_second(per_minute: int) -> float:
    """Returns the refill rate at which a burst and a minute's refill never exceed ``per_minute`` in any sixty seconds."""
    return (per_minute - burst(per_minute) + 1) / 60


@dataclass(frozen=True, slots=True)
class _BudgetCall:
    till_id: TillId
    per_minute: int
    longest_wait: float
    """Seconds. 0: only requests that are available now."""
    request_counts: tuple[int, ...]
    """Numbers of requests, granted one by one and in order."""

    @property
    def terms(self) -> tuple[TillId, int, float]:
        """For one till, only callers with equal terms share a statement."""
        return self.till_id, self.per_minute, self.longest_wait


@dataclass(slots=True)
class _WaitingCallers:
    """Callers that wait for one till's row, which another session has locked or which does not exist yet."""

    batcher: MicroBatcher[_BudgetCall, list[asyncpg.Record]]
    callers: int = field(default=0)


class PostgresTillBudget:
    """Implements :class:`tillsync_server.ports.tills.TillBudget`. ``share`` is the part of the till's limit that we take."""

    def __init__(self, database: Database, *, share: float = DEFAULT_SHARE) -> None:
        self._database = database
        self._share = share
        self._batcher: MicroBatcher[_BudgetCall, list[asyncpg.Record] | None] = MicroBatcher(
            self._run_unlocked, name="budget", max_items=_TILLS_AT_ONCE, linger_seconds=_LINGER_SECONDS
        )
        self._waiting_callers: dict[tuple[TillId, int, float], _WaitingCallers] = {}

    def allowance(self, per_minute: int) -> int:
        """Returns our part of the till's limit, in requests a minute."""
        return max(1, int(per_minute * self._share))

    async def reserve(self, till_id: TillId, requests: int, *, per_minute: int) -> float:
        """Serves callers in order: a later smaller take never passes a larger one. AllowanceSpent and Throttled carry the seconds until the
        allowance has room or the pause ends."""
        [row] = await self._run(_BudgetCall(till_id, per_minute, LONGEST_WAIT_SECONDS, (requests,)))
        if row["paused_seconds"] > 0:
            raise _paused(row["paused_seconds"])
        wait: float = row["wait_seconds"]
        if wait > LONGEST_WAIT_SECONDS:
            raise AllowanceSpent(Side.TILL, "the till's allowance of requests is used up for now", retry_after_seconds=wait)
        return wait

    async def take_available(self, till_id: TillId, most: int, *, per_minute: int) -> TakenRequests:
        rows = await self._run(_BudgetCall(till_id, per_minute, 0.0, (1,) * most))
        if rows[0]["paused_seconds"] > 0:
            raise _paused(rows[0]["paused_seconds"])
        waits = [row["wait_seconds"] for row in rows if row["is_granted"]]
        return TakenRequests(requests=len(waits), wait_seconds=max(waits, default=0.0), next_seconds=rows[0]["next_seconds"])

    async def _run(self, call: _BudgetCall) -> list[asyncpg.Record]:
        """Returns a row for each of ``request_counts``, at least one. Callers of several tills share a statement.

        If callers already wait for this till's row, the new caller waits behind them.
        """
        waiting = self._waiting_callers.get(call.terms)
        if waiting is None:
            rows = await self._batcher.submit(call)
            if rows is not None:
                return rows
            waiting = self._waiting_callers.setdefault(
                call.terms, _WaitingCallers(MicroBatcher(self._run_locked, name=f"budget:{call.till_id}"))
            )
        waiting.callers += 1
        try:
            return await waiting.batcher.submit(call)
        finally:
            waiting.callers -= 1
            if waiting.callers == 0:
                self._waiting_callers.pop(call.terms, None)

    async def _run_unlocked(self, calls: Sequence[_BudgetCall]) -> list[list[asyncpg.Record] | None]:
        """Returns None for a till whose row is locked or missing, or that the statement serves on other terms."""
        async with self._database.acquire() as connection:
            return await self._run_statement(connection, calls)

    async def _run_locked(self, calls: Sequence[_BudgetCall]) -> list[list[asyncpg.Record]]:
        """Serves callers of one till. It waits for the till's row, and inserts the row if it does not exist."""
        till_id = calls[0].till_id
        async with self._database.acquire() as connection, connection.transaction():
            if not await connection.fetchval(_LOCK_TILL, till_id):
                await connection.execute(_ENSURE_TILL, till_id)
            return [rows for rows in await self._run_statement(connection, calls) if rows is not None]

    async def _run_statement(self, connection: Connection, calls: Sequence[_BudgetCall]) -> list[list[asyncpg.Record] | None]:
        terms: dict[TillId, _BudgetCall] = {}
        for call in calls:
            terms.setdefault(call.till_id, call)
        numbers = {call.terms: number for number, call in enumerate(terms.values(), 1)}
        included = [call for call in calls if call.terms in numbers]
        paces = [
            (*_pace(allowance), *_pace(_half(allowance))) for allowance in (self.allowance(call.per_minute) for call in terms.values())
        ]
        rows = await connection.fetch(
            _TAKE,
            list(terms),
            *map(list, zip(*paces, strict=True)),
            [call.longest_wait for call in terms.values()],
            [numbers[call.terms] for call in included for _ in call.request_counts],
            [requests for call in included for requests in call.request_counts],
        )
        return _rows_by_call(calls, numbers, rows)

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
    """Returns tokens a second and the burst."""
    return tokens_per_second(allowance), float(burst(allowance))


def _paused(seconds: float) -> Throttled:
    return Throttled(Side.TILL, "Epos Now said its request limit is reached", retry_after_seconds=seconds)


def _rows_by_call(
    calls: Sequence[_BudgetCall], numbers: Mapping[tuple[TillId, int, float], int], rows: Sequence[asyncpg.Record]
) -> list[list[asyncpg.Record] | None]:
    """Returns each caller's rows, or those of its till if it wants no request. None: the till has no rows, or was served on other terms."""
    of_till: dict[int, list[asyncpg.Record]] = {}
    for row in rows:  # in order of the callers
        of_till.setdefault(row["till_number"], []).append(row)
    used: Counter[int] = Counter()
    answers: list[list[asyncpg.Record] | None] = []
    for call in calls:
        number = numbers.get(call.terms, 0)
        found, begin = of_till.get(number), used[number]
        used[number] += len(call.request_counts)
        answers.append(None if found is None else found[begin : used[number]] or found)
    return answers
