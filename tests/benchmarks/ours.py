"""Runs our engine in a process, with the real stores, worker and notifications. Only the handler belongs to the benchmark.

The handler reserves one request of the till's budget for each entry, as a run that reads the till does, and finishes the entry as UPDATED
without an outside call. The rest is as in `tillsync worker`: leases, claims, attempts, the move to the history, the release of lanes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from benchmarks.tally import OrderCheck, Tally
from support.fault_verdicts import FaultVerdicts
from tillsync_server.adapters.postgres.connections.notifications import PostgresNotifications
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database
from tillsync_server.adapters.postgres.engine.hints import PostgresHintStore
from tillsync_server.adapters.postgres.engine.lane_store import PostgresLaneStore
from tillsync_server.adapters.postgres.tills.till_budget import PostgresTillBudget
from tillsync_server.application.engine.enqueuer import Enqueuer
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.worker import Worker
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import EntryKind, Outcome, Priority
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.handler import LaneRun, LaneWork, VerdictSink
from tillsync_server.ports.lanes import ClaimedEntry, Completion, CompletionResult, NewHint

REQUESTS_PER_MINUTE = 100_000
ACCOUNTS = 100
"""Number of accounts (N) over which a producer spreads its hints."""
_UPDATED = Verdict.finished(Outcome.UPDATED)


class CountingLaneStore(PostgresLaneStore):
    """Counts an entry when the transaction that ended it has committed."""

    tally: Tally | None = None

    async def complete(self, completions: Sequence[Completion]) -> list[CompletionResult | Exception]:
        written = await super().complete(completions)
        if self.tally is not None:
            self.tally.committed(written.count(CompletionResult.DONE))
        return written


class UpdatedHandler(FaultVerdicts):
    """Finishes each entry as UPDATED. Calls ``started`` when its run begins, and ``ended`` when it is finished."""

    def __init__(
        self,
        budget: PostgresTillBudget,
        started: Callable[[ClaimedEntry], None] | None = None,
        ended: Callable[[ClaimedEntry], None] | None = None,
    ) -> None:
        self.budget, self.started, self.ended = budget, started, ended

    def open(self, lane: LaneRun, verdicts: VerdictSink) -> LaneWork:
        return _Work(self, lane, verdicts)


class _Work:
    def __init__(self, handler: UpdatedHandler, lane: LaneRun, verdicts: VerdictSink) -> None:
        self._handler, self._lane, self._verdicts = handler, lane, verdicts

    async def run(self, entries: Sequence[ClaimedEntry]) -> None:
        handler = self._handler
        if handler.started is not None:
            for entry in entries:
                handler.started(entry)
        till = TillId(self._lane.lease.account_id)
        wait = await handler.budget.reserve(till, len(entries), per_minute=REQUESTS_PER_MINUTE)
        if wait:
            await asyncio.sleep(wait)
        for entry in entries:
            self._verdicts.finish(entry, _UPDATED)
            if handler.ended is not None:
                handler.ended(entry)

    async def close(self) -> None:
        return None


class _NoAccounts:
    async def at_version(self, account_id: AccountId, config_version: int) -> Account:
        raise LookupError(account_id)


@asynccontextmanager
async def running_worker(
    dsn: str, store: type[PostgresLaneStore], handler: Callable[[PostgresTillBudget], UpdatedHandler]
) -> AsyncIterator[Enqueuer]:
    """Runs a worker. Yields the enqueuer of its process, as in `tillsync serve`."""
    database = Database(dsn)
    await database.open()
    notifications = PostgresNotifications(database)
    notifications.start()
    await notifications.listening.wait()
    worker = Worker(
        store(database, notifications),
        notifications,
        handler(PostgresTillBudget(database, share=1)),
        _NoAccounts(),
        EngineSettings(),
        database_gone=DATABASE_GONE,
    )
    worker.start()
    try:
        yield Enqueuer(PostgresHintStore(database, notifications, worker.offer))
    finally:
        await worker.stop()
        await notifications.stop()
        await database.close()


async def drain(dsn: str, tally: Tally, check: OrderCheck | None = None, keys: int = 1) -> None:
    """Drains the queue until the tally is done. ``check`` gets orders with the number ``(part - 1) * keys + key``."""

    class Store(CountingLaneStore):
        pass

    Store.tally = tally

    def handler(budget: PostgresTillBudget) -> UpdatedHandler:
        if check is None:
            return UpdatedHandler(budget)
        return UpdatedHandler(
            budget,
            lambda entry: check.started(int(entry.woo_customer_id or 0), (entry.subject_id - 1) // keys + 1),
            lambda entry: check.ended(int(entry.woo_customer_id or 0)),
        )

    async with running_worker(dsn, Store, handler):
        await tally.done.wait()


@asynccontextmanager
async def noting_worker(dsn: str, starts: dict[int, int]) -> AsyncIterator[Producer]:
    """Runs a worker that records the start of each entry's run, in monotonic nanoseconds. Yields a producer of the same process."""

    def note(entry: ClaimedEntry) -> None:
        starts[entry.subject_id] = time.monotonic_ns()

    async with running_worker(dsn, PostgresLaneStore, lambda budget: UpdatedHandler(budget, note)) as enqueuer:
        yield Producer(enqueuer)


class Producer:
    """Enqueues as the service does (micro-batched, durable when it returns), without the RPC. The hints go to shop-1 to shop-N in turn."""

    def __init__(self, enqueuer: Enqueuer) -> None:
        self._enqueuer = enqueuer

    async def enqueue(self, number: int) -> None:
        account = AccountId(f"shop-{number % ACCOUNTS + 1}")
        await self._enqueuer.enqueue(NewHint(account, EntryKind.CUSTOMER, number, Priority.LIVE))
