"""Row `list`: a page of ListQueue by each documented filter, on an account of 5 million entries and on one of 100,000.

The row reads through the store (`PostgresQueueReader`) without the RPC, whose fixed cost would hide a difference. Each read asks for
another customer, order, text or time. Reads of the two databases alternate.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from benchmarks.bench import Bench, our_connection
from benchmarks.fill import add_accounts
from benchmarks.report import Figure, Goal
from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.queues.queue_reader import PostgresQueueReader
from tillsync_server.domain.enums import EntryState, Outcome, Queue
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId, WooCustomerId
from tillsync_server.ports.queues import QueueFilter

_GOAL = Goal(must=1.5, aim=1.2, unit="×", lower_is_better=True)
PAGE = 50
EACH = 20
"""Number of entries of one customer, shop customer or email, in both sizes."""
_ACCOUNT = AccountId("shop-1")
_DAYS, _LONG_DAYS = 13, 80

# half of the rows are orders; 90 of 100 PROCESSED, 5 SKIPPED, 4 FAILED, 1 DISMISSED, each spread over the time it is kept
_HISTORY = """
INSERT INTO entry_history (account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count,
  coalesced_count, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email,
  billing_email, candidate_ids, facts, attempts, create_time, update_time, finish_time, retention)
SELECT 'shop-1', uuidv7(made - clock_timestamp()), queue, CASE queue WHEN 1 THEN 1 ELSE 3 END,
  CASE queue WHEN 1 THEN customer ELSE n END, state, 1, false, 1, 1, 0,
  CASE state WHEN 3 THEN 3 WHEN 5 THEN CASE queue WHEN 1 THEN 4 ELSE 9 END ELSE CASE queue WHEN 1 THEN 1 ELSE 12 END END,
  CASE WHEN state = 5 AND queue = 2 THEN 8 END, 'Successfully Updated', 'read from the till, written to the shop', customer, customer,
  CASE queue WHEN 2 THEN n::text END, 'Ada B., number ' || n,
  CASE queue WHEN 2 THEN 'c' || customer || '@example.test' END, CASE queue WHEN 2 THEN 'c' || customer || '@example.test' END, NULL,
  CASE queue WHEN 2 THEN jsonb_build_object('order_id', n, 'order_key', md5(n::text), 'order_number', '', 'create_time',
    '2026-01-02T03:04:05+00:00', 'woo_customer_id', 1, 'account_email', '', 'billing_email', '', 'first_name', 'Ada', 'last_name', 'Byron',
    'company', '', 'phone', '', 'unlinked_products', '[]'::jsonb) END,
  jsonb_build_array(jsonb_build_object('o', 1, 'g', 1, 's', made, 'f', made)), made, made + interval '1 second', made + interval '1 second',
  CASE WHEN state IN (2, 3) THEN 1 ELSE 2 END
FROM (
  SELECT n, 1 + n % 2 AS queue, 1 + (n / 2) % ($1::bigint / $2) AS customer, state,
    now() - make_interval(days => CASE WHEN state IN (2, 3) THEN $3::integer ELSE $4::integer END) * (1 - n::float8 / $1) AS made
  FROM (SELECT n, CASE WHEN (n / 2) % 100 < 90 THEN 2 WHEN (n / 2) % 100 < 95 THEN 3 WHEN (n / 2) % 100 < 99 THEN 5 ELSE 6 END AS state
        FROM generate_series(1, $1::bigint) AS n) AS numbered) AS made_up
"""
# one live order in a hundred entries, held by two candidates
_LIVE = """
INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, state, priority, due_at, attempt_count, outcome, comment, notes,
  woo_customer_id, order_number, subject_label, account_email, billing_email, candidate_ids, facts, create_time, update_time)
SELECT 'shop-1', uuidv7(), 2, 3, n, 4, 1, now(), 1, 7, 'held', 'two candidates', customer, n::text, 'Ada B., number ' || n,
  'c' || customer || '@example.test', 'c' || customer || '@example.test', ARRAY[1, 2]::bigint[],
  jsonb_build_object('order_id', n, 'order_key', md5(n::text), 'order_number', '', 'create_time',
    '2026-01-02T03:04:05+00:00', 'woo_customer_id', 1, 'account_email', '', 'billing_email', '', 'first_name', 'Ada', 'last_name', 'Byron',
    'company', '', 'phone', '', 'unlinked_products', '[]'::jsonb), now(), now()
FROM (SELECT $1::bigint + g AS n, 1 + g % ($1::bigint / $2) AS customer FROM generate_series(1, $1::bigint / 100) AS g) AS numbered
"""
_INDEXES = """
SELECT c.relname AS name, pg_get_indexdef(c.oid) AS definition FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = 'entry_history'::regclass
"""


async def fill(dsn: str, entries: int) -> None:
    """Fills the account, and makes the indexes of the history afterwards. This is quicker, and they are as they would be after months."""
    connection = await our_connection(dsn)
    await connection.execute("SET maintenance_work_mem = '512MB'")
    await add_accounts(connection, 1)
    await connection.execute("SELECT ensure_history_partitions(now() - make_interval(days => $1), 20)", _LONG_DAYS + 7)
    indexes = await connection.fetch(_INDEXES)
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    await connection.execute(_HISTORY, entries, EACH, _DAYS, _LONG_DAYS)
    for index in indexes:
        await connection.execute(index["definition"].replace(" ON ONLY ", " ON "))  # for the partitions too
    await connection.execute(_LIVE, entries, EACH)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


class _Side:
    """The account of one size, with its reader and random values for the filters."""

    def __init__(self, database: Database, entries: int, seed: int) -> None:
        self.reader = PostgresQueueReader(database)
        self._entries = entries
        self._random = random.Random(seed)

    def a_customer(self) -> int:
        return self._random.randint(1, self._entries // EACH)

    def an_order(self) -> int:
        return self._random.randint(1, self._entries)

    def a_moment(self) -> datetime:
        return datetime.now(UTC) - timedelta(days=_DAYS * self._random.random() * 0.9)

    async def page_ms(self, make: Callable[[_Side], tuple[QueueFilter, EntryId | None]]) -> float:
        wanted, before = make(self)
        began = time.perf_counter()
        await self.reader.list_entries(wanted, before=before, limit=PAGE, with_attempts=False)
        return (time.perf_counter() - began) * 1000


_ORDERS = QueueFilter(account_id=_ACCOUNT, queue=Queue.ORDERS)
_CUSTOMERS = QueueFilter(account_id=_ACCOUNT, queue=Queue.CUSTOMERS)


def _id_at(moment: datetime) -> EntryId:
    return EntryId(UUID(int=int(moment.timestamp() * 1000) << 80))


def _window(side: _Side) -> QueueFilter:
    start = side.a_moment()
    return replace(_ORDERS, created_after=start, created_before=start + timedelta(hours=1))


FILTERS: dict[str, Callable[[_Side], tuple[QueueFilter, EntryId | None]]] = {
    "none": lambda side: (_ORDERS, None),
    "none, a page deep in the past": lambda side: (_ORDERS, _id_at(side.a_moment())),
    "states": lambda side: (replace(_ORDERS, states=frozenset({EntryState.FAILED, EntryState.HELD})), None),
    "outcomes": lambda side: (replace(_CUSTOMERS, outcomes=frozenset({Outcome.EPOS_FETCH_FAILED})), None),
    "outcomes (a cause)": lambda side: (replace(_ORDERS, outcomes=frozenset({Outcome.CUSTOMER_NOT_MATCHED})), None),
    "epos_customer_id": lambda side: (replace(_CUSTOMERS, epos_customer_id=EposCustomerId(side.a_customer())), None),
    "woo_customer_id": lambda side: (replace(_ORDERS, woo_customer_id=WooCustomerId(side.a_customer())), None),
    "order_id": lambda side: (replace(_ORDERS, order_id=OrderId(side.an_order())), None),
    "email": lambda side: (replace(_ORDERS, email=f"c{side.a_customer()}@example.test"), None),
    "created_after and created_before": lambda side: (_window(side), None),
    "text": lambda side: (replace(_ORDERS, text=f"number {side.an_order()}x"), None),
}


async def listing(bench: Bench) -> list[Figure]:
    plan = bench.plan
    sizes = (plan.list_small, plan.list_large)
    sides: list[_Side] = []
    databases = []
    for size in sizes:
        began = time.perf_counter()
        dsn = await bench.make_ours(f"list_{size}")
        await fill(dsn, size)
        connection = await asyncpg.connect(dsn)
        await connection.execute("CHECKPOINT")
        await connection.close()
        bench.show_progress(f"{size:,} entries filled in {time.perf_counter() - began:.0f} s")
        database = Database(dsn, max_size=2)
        await database.open()
        databases.append(database)
        sides.append(_Side(database, size, seed=7))
    try:
        measured = {}
        for name, make in FILTERS.items():
            small, large = measured[name] = await _p99s(bench, sides, make, text=name == "text")
            bench.show_progress(f"p99 by {name}: {large:.2f} ms of {sizes[1]:,}, {small:.2f} ms of {sizes[0]:,}: {large / small:.2f}")
    finally:
        for database, size in zip(databases, sizes, strict=True):
            await database.close()
            await bench.drop_database(f"list_{size}")
    ratios = {name: large / small for name, (small, large) in measured.items()}
    worst = max(ratios, key=lambda name: ratios[name])
    detail = f"worst of {len(ratios)}: {worst}, {measured[worst][1]:.2f} ms to {measured[worst][0]:.2f} ms"
    what = f"ListQueue page p99, each documented filter, {_short(sizes[1])} / {_short(sizes[0])} rows"
    facts = {"p99_ms": {name: {"small": small, "large": large} for name, (small, large) in measured.items()}}
    return [Figure(row="list", what=what, goal=_GOAL, got=ratios[worst], runs=tuple(ratios.values()), detail=detail, facts=facts)]


async def _p99s(
    bench: Bench, sides: list[_Side], make: Callable[[_Side], tuple[QueueFilter, EntryId | None]], *, text: bool
) -> tuple[float, float]:
    """Returns the p99 in ms for small and large, as medians over the rounds. A fifth more pages warm up."""
    pages = bench.plan.list_text_pages if text else bench.plan.list_pages
    found: list[list[float]] = [[] for _ in sides]
    for _ in range(bench.plan.rounds):
        times: list[list[float]] = [[] for _ in sides]
        for number in range(-(pages // 5), pages):
            for side, own in zip(sides, times, strict=True):
                milliseconds = await side.page_ms(make)
                if number >= 0:
                    own.append(milliseconds)
        for own, p99s in zip(times, found, strict=True):
            own.sort()
            p99s.append(own[min(int(len(own) * 0.99), len(own) - 1)])
    return statistics.median(found[0]), statistics.median(found[1])


def _short(rows: int) -> str:
    return f"{rows // 1_000_000}M" if rows >= 1_000_000 else f"{rows // 1_000}k"
