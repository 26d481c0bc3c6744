"""An engine on a real database with an in-process handler that records what it ran."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import asyncpg
from support.fault_verdicts import FaultVerdicts
from support.waiting import HANG_SECONDS, hang_limit, source_of, until
from tillsync_server.adapters.postgres.connections.notifications import PostgresNotifications
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database
from tillsync_server.adapters.postgres.engine.hints import PostgresHintStore
from tillsync_server.adapters.postgres.engine.lane_store import PostgresLaneStore
from tillsync_server.adapters.postgres.orders.order_intake import PostgresOrderIntake
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.worker import Worker
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import EntryKind, Outcome, Priority, ProblemReason, Side
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.verdict import Verdict
from tillsync_server.domain.work_class import WorkClass
from tillsync_server.ports.handler import EntryHandler, LaneRun, LaneWork, VerdictSink
from tillsync_server.ports.lanes import ClaimedEntry, ClaimResult, EnqueueResult, NewHint

UPDATED = Verdict.finished(Outcome.UPDATED)
Decide = Callable[[ClaimedEntry], Verdict]


def claim_limits(most: int) -> dict[WorkClass, int]:
    """A claim limit of ``most`` entries for each class."""
    return dict.fromkeys(WorkClass, most)


def entries_of(claimed: Sequence[ClaimResult]) -> list[list[ClaimedEntry]]:
    """The entries of each request."""
    return [each.entries for each in claimed]


class NoAccounts:
    """A settings reader that must not be called, because the recording handler reads no settings."""

    async def at_version(self, account_id: AccountId, config_version: int) -> Account:
        raise LookupError(account_id)


@dataclass
class RecordingHandler(FaultVerdicts):
    """Records every run. ``decide`` returns the verdict. ``gate`` holds the entries of a subject until the test sets it."""

    decide: Decide = lambda entry: UPDATED
    runs: list[ClaimedEntry] = field(default_factory=list)
    gates: dict[int, asyncio.Event] = field(default_factory=dict)
    concurrent: dict[tuple[AccountId, int], int] = field(default_factory=dict)
    overlaps: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self, lane: LaneRun, verdicts: VerdictSink) -> LaneWork:
        return _RecordingWork(self, verdicts)

    def gate(self, subject_id: int) -> asyncio.Event:
        return self.gates.setdefault(subject_id, asyncio.Event())

    def open_gates(self) -> None:
        for gate in self.gates.values():
            gate.set()

    async def wait_for(self, condition: Callable[[], bool], seconds: float = HANG_SECONDS) -> None:
        """Waits until ``condition()`` is true. It is evaluated after every start and end of a run."""
        async with hang_limit(f"the wait for {source_of(condition)}", self._state, seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def _state(self) -> str:
        ran = [(entry.account_id, entry.subject_id) for entry in self.runs]
        running = {key: number for key, number in self.concurrent.items() if number}
        closed = [subject for subject, gate in self.gates.items() if not gate.is_set()]
        return f"{len(ran)} runs, the last ones: {ran[-20:]}\nrunning now: {running}; gates that are closed: {closed}"

    def count(self, subject_id: int) -> int:
        return sum(entry.subject_id == subject_id for entry in self.runs)


class _RecordingWork:
    def __init__(self, handler: RecordingHandler, verdicts: VerdictSink) -> None:
        self._handler, self._verdicts = handler, verdicts

    async def run(self, entries: Sequence[ClaimedEntry]) -> None:
        await asyncio.gather(*(self._one(entry) for entry in entries))

    async def _one(self, entry: ClaimedEntry) -> None:
        handler, key = self._handler, (entry.account_id, entry.subject_id)
        handler.runs.append(entry)
        handler.concurrent[key] = handler.concurrent.get(key, 0) + 1
        handler.overlaps += handler.concurrent[key] > 1
        handler.changed.set()
        try:
            if entry.subject_id in handler.gates:
                await handler.gates[entry.subject_id].wait()
            self._verdicts.finish(entry, handler.decide(entry))
        finally:
            handler.concurrent[key] -= 1
            handler.changed.set()

    async def close(self) -> None:
        return None


@dataclass
class EngineWorld:
    database: Database
    notifications: PostgresNotifications
    hints: PostgresHintStore
    lanes: PostgresLaneStore
    orders: PostgresOrderIntake
    no_accounts: NoAccounts = field(default_factory=NoAccounts)

    async def add_accounts(self, *names: str) -> None:
        async with self.database.acquire() as connection:
            await connection.execute(
                "INSERT INTO account (account_id, till_id, epos_base_url) SELECT n, n, 'https://till.example.test' "
                "FROM unnest($1::text[]) AS n",
                list(names),
            )
            await connection.execute("INSERT INTO lane (account_id) SELECT unnest($1::text[])", list(names))

    async def hint(
        self, account: str, subject_id: int, *, priority: Priority = Priority.LIVE, kind: EntryKind = EntryKind.CUSTOMER
    ) -> EnqueueResult:
        [result] = await self.hints.enqueue([NewHint(AccountId(account), kind, subject_id, priority)])
        assert isinstance(result, EnqueueResult), result
        return result

    async def hint_many(self, account: str, subjects: Sequence[int], priority: Priority = Priority.BULK) -> None:
        results = await self.hints.enqueue([NewHint(AccountId(account), EntryKind.CUSTOMER, subject, priority) for subject in subjects])
        assert all(isinstance(result, EnqueueResult) for result in results)

    async def open_problem(
        self,
        account: str,
        side: Side,
        *,
        probe_in: timedelta = timedelta(hours=1),
        reason: ProblemReason = ProblemReason.UNREACHABLE,
        text: str | None = "not reached: DNS",
        entry_id: UUID | None = None,
        failures: int = 1,
    ) -> None:
        """Opens a problem on the side, and sets the lane's next probe time."""
        await self.fetch(
            "INSERT INTO account_side (account_id, side, failures, problem_reason, problem_text, problem_since, problem_entry_id) "
            "VALUES ($1, $2, $3, $4, $5, now(), $6) RETURNING 1",
            *(account, int(side), failures, int(reason), text, entry_id),
        )
        column = "till_probe_at" if side is Side.TILL else "shop_probe_at"
        await self.fetch(f"UPDATE lane SET {column} = now() + $2::interval WHERE account_id = $1 RETURNING 1", account, probe_in)
        await self.fetch(load("engine/reschedule_lane"), account)

    async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        async with self.database.acquire() as connection:
            return list(await connection.fetch(sql, *args))

    async def fill(self, *statements: str, args: Sequence[object] = ()) -> None:
        """Inserts many rows that refer only to existing rows, in one transaction, and analyses the tables. Each statement may
        take HANG_SECONDS. If the role may, the foreign keys are not checked row by row."""
        async with self.database.acquire() as connection, connection.transaction():
            with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
                async with connection.transaction():
                    await connection.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                await connection.execute(statement, *args, timeout=HANG_SECONDS)
        async with self.database.acquire() as connection:
            await connection.execute("VACUUM ANALYZE", timeout=HANG_SECONDS)

    async def live(self, account: str, subject_id: int, kind: EntryKind = EntryKind.CUSTOMER) -> asyncpg.Record | None:
        rows = await self.fetch(
            "SELECT * FROM entry WHERE account_id = $1 AND kind = $2 AND subject_id = $3", account, int(kind), subject_id
        )
        return rows[0] if rows else None

    async def finished(self, account: str, subject_id: int) -> list[asyncpg.Record]:
        return await self.fetch(
            "SELECT * FROM entry_history WHERE account_id = $1 AND subject_id = $2 ORDER BY finish_time, entry_id", account, subject_id
        )

    async def finished_entry(self, entry_id: UUID) -> asyncpg.Record:
        [row] = await self.fetch("SELECT * FROM entry_history WHERE entry_id = $1", entry_id)
        return row

    def worker(self, handler: EntryHandler, settings: EngineSettings | None = None) -> Worker:
        return Worker(self.lanes, self.notifications, handler, self.no_accounts, settings or EngineSettings(), database_gone=DATABASE_GONE)

    @asynccontextmanager
    async def running(self, handler: EntryHandler, settings: EngineSettings | None = None) -> AsyncIterator[Worker]:
        worker = self.worker(handler, settings)
        worker.start()
        try:
            yield worker
        except BaseException:
            if isinstance(handler, RecordingHandler):
                handler.open_gates()  # a failing test does not wait for the worker's grace period
            raise
        finally:
            await worker.stop()

    async def until_idle(self) -> None:
        """Waits until no PENDING entry is due and no lane is leased."""
        busy = "SELECT 1 FROM entry WHERE state = 1 AND due_at <= now() UNION ALL SELECT 1 FROM lane WHERE lease_owner IS NOT NULL LIMIT 1"

        async def is_idle() -> bool:
            return not await self.fetch(busy)

        await until(is_idle, self.work)

    async def until_finished(self, account: str, subject_id: int) -> None:
        """Waits until an entry of this subject is in the history."""
        await until(lambda: self.finished(account, subject_id), self.work)

    async def until_lock_wait(self) -> None:
        """Waits until a statement in this database waits for a lock."""
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        await until(lambda: self.fetch(waiting), self.work)

    async def work(self) -> str:
        """Lanes, live entries and sessions, for the message of a failure."""
        rows = [
            *await self.fetch(
                "SELECT account_id, lease_owner, lease_expires_at, lapses, till_probe_at, shop_probe_at, next_run_at, next_probe_at, now() "
                "FROM lane LIMIT 20"
            ),
            *await self.fetch("SELECT account_id, kind, subject_id, state, due_at, attempt_count, outcome, notes FROM entry LIMIT 20"),
            *await self.fetch(
                "SELECT state, wait_event_type, wait_event, left(query, 80) AS query FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ),
        ]
        return "\n".join(repr(row) for row in rows)


@asynccontextmanager
async def engine_world(dsn: str, *, lock_timeout_seconds: float = 1.0) -> AsyncIterator[EngineWorld]:
    """``lock_timeout_seconds`` is longer than the service's own where a statement must wait for a lock of the test."""
    database = Database(dsn, max_size=8, lock_timeout_ms=round(lock_timeout_seconds * 1000))
    await database.open()
    notifications = PostgresNotifications(database)
    notifications.start()
    await notifications.listening.wait()
    try:
        yield EngineWorld(
            database,
            notifications,
            PostgresHintStore(database, notifications),
            PostgresLaneStore(database, notifications),
            PostgresOrderIntake(database, notifications),
        )
    finally:
        await notifications.stop()
        await database.close()
