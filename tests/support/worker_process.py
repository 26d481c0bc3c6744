"""A separate worker process, run as a script with DSN and lease seconds as arguments. It records each run in the table `ran`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

import asyncpg
from tillsync_server.adapters.postgres.connections.notifications import PostgresNotifications
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database
from tillsync_server.adapters.postgres.engine.lane_store import PostgresLaneStore
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.worker import Worker
from tillsync_server.application.flows.fault_verdicts import service_fault, stopped_each_time
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import Outcome
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.handler import LaneRun, LaneWork, VerdictSink
from tillsync_server.ports.lanes import ClaimedEntry


class RanInTable:
    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self.connection = connection
        self.lock = asyncio.Lock()

    def open(self, lane: LaneRun, verdicts: VerdictSink) -> LaneWork:
        return _Work(self, lane, verdicts)

    def fault_verdict(self, entry: ClaimedEntry) -> Verdict:
        return service_fault(entry)

    def stopped_verdict(self, entry: ClaimedEntry) -> Verdict:
        return stopped_each_time(entry)


class _Work:
    def __init__(self, handler: RanInTable, lane: LaneRun, verdicts: VerdictSink) -> None:
        self._handler, self._lane, self._verdicts = handler, lane, verdicts

    async def run(self, entries: Sequence[ClaimedEntry]) -> None:
        for entry in entries:
            async with self._handler.lock:
                await self._handler.connection.execute(
                    "INSERT INTO ran (account_id, subject_id, entry_revision, token, pid) VALUES ($1, $2, $3, $4, $5)",
                    entry.account_id,
                    entry.subject_id,
                    entry.entry_revision,
                    self._lane.lease.token,
                    os.getpid(),
                )
            self._verdicts.finish(entry, Verdict.finished(Outcome.UPDATED))

    async def close(self) -> None:
        return None


class _NoAccounts:
    async def at_version(self, account_id: AccountId, config_version: int) -> Account:
        raise LookupError(account_id)


async def main(dsn: str, lease_seconds: float) -> None:
    database = Database(dsn)
    await database.open()
    notifications = PostgresNotifications(database)
    notifications.start()
    settings = EngineSettings(
        lease_seconds=lease_seconds, poll_floor_seconds=0.2, lane_slots=30, live_reserved_slots=8, claim_limit=5, in_flight_limit=105
    )
    handler = RanInTable(await database.connect())
    worker = Worker(
        PostgresLaneStore(database, notifications), notifications, handler, _NoAccounts(), settings, database_gone=DATABASE_GONE
    )
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    worker.start()
    await stopped.wait()
    await worker.stop()
    await notifications.stop()
    await handler.connection.close()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
