"""The least SQL that makes the same rows. It is the limit that asyncpg and PostgreSQL set for the service.

``insert``: the rows of a BatchSyncCustomers call, one INSERT a call. ``drain``: one SELECT reads due rows, one statement
moves them to the history with the same columns. It has no lane, lease, fence, revision or till budget, and does not read rows in Python.
Tables, indexes and batch sizes are the service's. ``CONNECTIONS`` was the best number for the drain on two cores.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
from collections import deque
from typing import TypeAlias

import asyncpg
from benchmarks.calls_client import ACCOUNTS, BATCH, timed
from benchmarks.tally import Tally
from tillsync_server.domain.catalogue import comment_of
from tillsync_server.domain.enums import Outcome

_Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CONNECTIONS = 2
_OUTCOME = Outcome.UPDATED
_INSERT = """
INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, epos_customer_id, create_time, update_time)
SELECT $1, uuidv7(), 1, 1, n, 2, now(), n, now(), now() FROM unnest($2::bigint[]) AS n
"""
_TAKE = """
SELECT e.* FROM unnest($1::text[]) AS t(account_id) CROSS JOIN LATERAL (
  SELECT account_id, entry_id, kind, subject_id, priority, entry_revision, attempt_count, coalesced_count, force, account_email,
    billing_email, woo_customer_id, epos_customer_id, facts, chosen_epos_customer_id
  FROM entry WHERE entry.account_id = t.account_id AND state = 1 AND queue = 1 AND priority = 2 AND due_at <= now()
  ORDER BY due_at, entry_id LIMIT $2) AS e LIMIT $2
"""
_MOVE = """
WITH gone AS (
  DELETE FROM entry e USING unnest($1::text[], $2::uuid[]) AS t(account_id, entry_id)
  WHERE e.account_id = t.account_id AND e.entry_id = t.entry_id RETURNING e.*)
INSERT INTO entry_history (account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count,
  coalesced_count, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email,
  billing_email, candidate_ids, facts, attempts, retried_from, create_time, update_time, finish_time, retention)
SELECT account_id, entry_id, queue, kind, subject_id, 2, priority, force, entry_revision, attempt_count + 1, coalesced_count, $3, NULL, $4,
  '', epos_customer_id, woo_customer_id, order_number, subject_label, account_email, billing_email, NULL, facts,
  attempts || jsonb_build_array($5::jsonb || jsonb_build_object('s', now(), 'f', now())), retried_from, create_time, now(), now(), 1
FROM gone
"""


async def insert(dsn: str, warm: int, count: int, in_flight: int, first_id: int) -> dict[str, float]:
    """Measures ``count`` statements, each with the rows of one call. ``in_flight`` run at a time, each on its own connection."""
    async with _pool(dsn, in_flight) as pool:

        async def one(number: int) -> None:
            await pool.execute(_INSERT, f"shop-{number % ACCOUNTS + 1}", range(number * BATCH, (number + 1) * BATCH))

        return await timed(one, warm, count, in_flight, first_id)


async def drain(dsn: str, tally: Tally, connections: int = CONNECTIONS) -> None:
    """Drains the queue. Each connection has its own accounts, and drains them one after the other."""
    async with _pool(dsn, connections) as pool:
        accounts = [row["account_id"] for row in await pool.fetch("SELECT account_id FROM account ORDER BY account_id")]
        each = await pool.fetchval("SELECT count(*) FROM entry") / len(accounts)
        at_once = math.ceil(BATCH / each) + 1
        async with asyncio.TaskGroup() as drains:
            for number in range(connections):
                drains.create_task(_drain_accounts(pool, deque(accounts[number::connections]), at_once, tally))


async def _drain_accounts(pool: _Pool, accounts: deque[str], at_once: int, tally: Tally) -> None:
    attempt = json.dumps({"o": int(_OUTCOME), "g": 1, "c": comment_of(_OUTCOME)})
    async with pool.acquire() as connection:
        while accounts and not tally.done.is_set():
            chosen = list(itertools.islice(accounts, at_once))
            rows = await connection.fetch(_TAKE, chosen, BATCH)
            ended = len(chosen) if len(rows) < BATCH else chosen.index(rows[-1][0])
            for _ in range(ended):
                accounts.popleft()
            if rows:
                of, ids = [row[0] for row in rows], [row[1] for row in rows]
                await connection.execute(_MOVE, of, ids, int(_OUTCOME), comment_of(_OUTCOME), attempt)
                tally.committed(len(rows))


def _pool(dsn: str, connections: int) -> _Pool:
    """Opens a pool. Statements are planned as in the service."""
    settings = {"search_path": "tillsync", "plan_cache_mode": "force_custom_plan"}
    return asyncpg.create_pool(dsn, min_size=connections, max_size=connections, server_settings=settings)
