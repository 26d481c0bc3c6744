"""Two worker processes share 50 accounts. One is killed or stopped, and the other takes over its lanes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import support.worker_process
from support.engine import EngineWorld
from support.service_process import suspend
from support.waiting import HANG_SECONDS, until

pytestmark = [pytest.mark.integration, pytest.mark.processes]
SCRIPT = Path(support.worker_process.__file__)
ACCOUNTS = [f"shop-{number}" for number in range(50)]
SUBJECTS = 60
LEASE_SECONDS = 1.5


@contextmanager
def worker_process(dsn: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, str(SCRIPT), dsn, str(LEASE_SECONDS)])
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        process.wait(timeout=HANG_SECONDS)


async def set_up_accounts(world: EngineWorld) -> None:
    await world.add_accounts(*ACCOUNTS)
    async with world.database.acquire() as connection:
        await connection.execute(
            "CREATE TABLE ran (n bigint GENERATED ALWAYS AS IDENTITY, account_id text, subject_id bigint, entry_revision bigint, "
            "token bigint, pid integer)"
        )


async def until_rows(world: EngineWorld, sql: str, *args: object) -> None:
    """Waits until the query returns rows."""
    await until(lambda: world.fetch(sql, *args), world.work)


async def enqueue_all(world: EngineWorld) -> None:
    for account in ACCOUNTS:
        await world.hint_many(account, range(1, SUBJECTS + 1))


async def assert_all_entries_finished(world: EngineWorld) -> None:
    [row] = await world.fetch("SELECT count(*), count(DISTINCT (account_id, subject_id)) AS subjects FROM entry_history WHERE state = 2")
    assert (row["count"], row["subjects"]) == (len(ACCOUNTS) * SUBJECTS,) * 2
    assert await world.lanes.repair_lost_wakeups() == 0


async def test_killed_worker_loses_no_entry(world: EngineWorld) -> None:
    await set_up_accounts(world)
    with worker_process(world.database.dsn) as killed, worker_process(world.database.dsn) as survivor:
        await enqueue_all(world)
        await until_rows(world, "SELECT 1 FROM ran WHERE pid = $1 HAVING count(*) > 50", killed.pid)
        await until_rows(world, "SELECT 1 FROM lane WHERE lease_owner LIKE '%:' || $1::text || ':%' LIMIT 1", str(killed.pid))
        killed.kill()
        killed.wait(timeout=HANG_SECONDS)
        killed_leases = await world.fetch(
            "SELECT account_id, lease_token FROM lane WHERE lease_owner LIKE '%:' || $1::text || ':%'", str(killed.pid)
        )
        await until_rows(world, "SELECT 1 WHERE NOT EXISTS (SELECT FROM entry)")
        last_runs = {
            row["account_id"]: row for row in await world.fetch("SELECT DISTINCT ON (account_id) * FROM ran ORDER BY account_id, n DESC")
        }
        for row in killed_leases:
            if last_runs[row["account_id"]]["token"] > row["lease_token"]:
                assert last_runs[row["account_id"]]["pid"] == survivor.pid
        await assert_all_entries_finished(world)
    repeated = await world.fetch("SELECT account_id, subject_id FROM ran GROUP BY 1, 2 HAVING count(*) > 1")
    assert len(repeated) <= 30 * 105, "only entries in flight may run twice"
    assert {row["account_id"] for row in repeated} <= {row["account_id"] for row in killed_leases}


async def test_worker_stopped_past_its_lease_changes_nothing(world: EngineWorld) -> None:
    """The worker gets SIGSTOP until its lease has expired, then SIGCONT. The fence drops its completions."""
    await set_up_accounts(world)
    with worker_process(world.database.dsn) as stopped:
        await enqueue_all(world)
        await until_rows(world, "SELECT 1 FROM ran HAVING count(*) > 50")
        connection = await world.database.connect()
        await suspend(stopped.pid, connection)
        await connection.close()
        with worker_process(world.database.dsn):
            await until_rows(world, "SELECT 1 WHERE NOT EXISTS (SELECT FROM entry)")
            before = await world.fetch("SELECT * FROM entry_history ORDER BY entry_id")
            stopped.send_signal(signal.SIGCONT)
            await world.hint("shop-0", 9999)
            await until_rows(world, "SELECT 1 FROM entry_history WHERE subject_id = 9999")
            stopped.terminate()
            stopped.wait(timeout=HANG_SECONDS)
            after = await world.fetch("SELECT * FROM entry_history WHERE subject_id <> 9999 ORDER BY entry_id")
    assert after == before
    await world.fetch("DELETE FROM entry_history WHERE subject_id = 9999 RETURNING 1")
    await assert_all_entries_finished(world)
