"""EXPLAIN guards of ListQueue at 50,000 rows. Each documented filter uses its index, and a page reads few rows beyond its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from support.engine import EngineWorld, engine_world
from support.postgres import Cluster, TestDatabase
from support.queues import id_at
from support.waiting import HANG_SECONDS
from tillsync_server.adapters.postgres.queues.queue_reader import PostgresQueueReader, page_statements
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import EntryState, Outcome, Queue
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId, WooCustomerId
from tillsync_server.ports.queues import COUNT_CAP, QueueFilter

pytestmark = pytest.mark.integration
LIVE, FINISHED, ACCOUNTS, DAYS = 20_000, 30_000, 5, 80
PAGE = 50
ORDERS = QueueFilter(account_id=AccountId("shop-1"), queue=Queue.ORDERS)
CUSTOMERS = replace(ORDERS, queue=Queue.CUSTOMERS)
RELATIONS = ("entry", "entry_history")

SEED_COLUMNS = """
  SELECT 'shop-' || (n % $2 + 1) AS account_id, 1 + (n / $2) % 2 AS queue, 1 + 2 * ((n / $2) % 2) AS kind, n AS subject_id,
    1000 + (n / 10) % 500 AS epos_customer_id, 2000 + (n / 10) % 500 AS woo_customer_id, n::text AS order_number,
    'Ada B., order ' || n AS label, 'person' || n % 997 || '@example.test' AS account_email,
    'bill' || n % 997 || '@example.test' AS billing_email,
    ($3::text[])[n]::uuid AS entry_id, ($4::timestamptz[])[n] AS at, n
  FROM generate_series(1, $1::int) AS n
"""


async def seed(world: EngineWorld) -> None:
    """Inserts live entries of the last hours and finished entries of 80 days, evenly over both queues and all accounts."""
    await world.add_accounts(*(f"shop-{number}" for number in range(1, ACCOUNTS + 1)))
    now = datetime.now(UTC)
    live = [now - timedelta(seconds=n) for n in range(LIVE)]
    finished = [now - timedelta(seconds=LIVE) - timedelta(days=DAYS) * n / FINISHED for n in range(FINISHED)]
    await world.fetch("SELECT ensure_history_partitions($1, 13)", now - timedelta(days=DAYS + 7))
    await world.fill(
        "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, state, priority, due_at, outcome, cause, comment, "
        "epos_customer_id, woo_customer_id, order_number, subject_label, account_email, billing_email, create_time, update_time) "
        "SELECT account_id, entry_id, queue, kind, subject_id, CASE WHEN n % 7 = 0 THEN 4 ELSE 1 END, 1, at, "
        "CASE WHEN n % 7 = 0 THEN CASE WHEN n % 2 = 0 THEN 9 ELSE 7 END END, CASE WHEN n % 14 = 0 THEN 8 END, "
        "'a comment', epos_customer_id, woo_customer_id, order_number, label, account_email, billing_email, at, at "
        f"FROM ({SEED_COLUMNS}) AS s",
        args=[LIVE, ACCOUNTS, [str(id_at(at, n)) for n, at in enumerate(live)], live],
    )
    await world.fill(
        "INSERT INTO entry_history (account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count, "
        "coalesced_count, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email, "
        "billing_email, attempts, create_time, update_time, finish_time, retention) "
        "SELECT account_id, entry_id, queue, kind, subject_id, s.states[1 + n % 4], 1, false, 1, 1, 0, (ARRAY[1, 3, 9, 10])[1 + n % 4], "
        "CASE WHEN n % 4 = 2 THEN 7 END, 'Successfully Updated', '', epos_customer_id, woo_customer_id, order_number, label, "
        "account_email, billing_email, '[]', at, at, at, CASE WHEN s.states[1 + n % 4] IN (2, 3) THEN 1 ELSE 2 END "
        f"FROM (SELECT *, ARRAY[2, 3, 5, 6] AS states FROM ({SEED_COLUMNS}) AS c) AS s",
        args=[FINISHED, ACCOUNTS, [str(id_at(at, n)) for n, at in enumerate(finished)], finished],
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seeded_database(cluster: Cluster) -> AsyncIterator[TestDatabase]:
    """A seeded database. Tests that only read share it."""
    async with cluster.database() as database:
        async with engine_world(database.dsn) as world:
            await world.fetch("DROP INDEX IF EXISTS entry_due")  # the next release drops this index
            await seed(world)
        yield database


@pytest_asyncio.fixture
async def seeded(seeded_database: TestDatabase) -> AsyncIterator[EngineWorld]:
    async with engine_world(seeded_database.dsn) as world:
        yield world


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def explain(world: EngineWorld, statement: str, *args: object) -> list[dict[str, Any]]:
    async with world.database.acquire() as connection:
        raw = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *args)
    return list(nodes(json.loads(raw)[0]["Plan"]))


async def page_plan(world: EngineWorld, wanted: QueueFilter, *, before: EntryId | None = None) -> list[dict[str, Any]]:
    """The plan nodes of all statements of one page."""
    plan = []
    for statement, parameters in page_statements(wanted, before=before, rows=PAGE + 1, with_attempts=False):
        plan += await explain(world, statement, *parameters)
    return plan


def scans(plan: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [node for node in plan if node.get("Relation Name", "").startswith(RELATIONS)]


def rows_touched(plan: list[dict[str, Any]]) -> int:
    return sum((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in scans(plan))


def large_seq_scans(plan: list[dict[str, Any]]) -> list[str]:
    """Tables read without an index. A partition of few rows is left out, because PostgreSQL reads it faster without one."""
    return [
        node["Relation Name"]
        for node in scans(plan)
        if node["Node Type"] == "Seq Scan" and node["Actual Rows"] + node.get("Rows Removed by Filter", 0) > 100
    ]


async def indexes_used(world: EngineWorld, plan: list[dict[str, Any]]) -> set[str]:
    """Indexes by their names in the migrations. The index of a partition has the name of its parent index."""
    rows = await world.fetch(
        "SELECT c.relname AS part, root.relname AS whole FROM pg_class c JOIN pg_class root ON root.oid = pg_partition_root(c.oid) "
        "WHERE c.relkind = 'i' AND c.relispartition"
    )
    whole = {row["part"]: row["whole"] for row in rows}
    return {whole.get(node["Index Name"], node["Index Name"]) for node in scans(plan) if node["Actual Loops"] and "Index Name" in node}


NOW = datetime.now(UTC)
WINDOW = {"created_after": NOW - timedelta(days=40), "created_before": NOW - timedelta(days=20)}
ONE_STATE = frozenset({EntryState.FAILED})
CASES: dict[str, tuple[QueueFilter, str, str]] = {
    "no filter": (ORDERS, "entry_by_state", "entry_history_by_state"),
    "order": (replace(ORDERS, order_id=OrderId(20_005)), "entry_live", "entry_history_by_subject"),
    "till customer": (replace(ORDERS, epos_customer_id=EposCustomerId(1007)), "entry_by_epos_customer", "entry_history_by_epos_customer"),
    "shop customer": (replace(ORDERS, woo_customer_id=WooCustomerId(2007)), "entry_by_woo_customer", "entry_history_by_woo_customer"),
    "email": (replace(ORDERS, email="person7@example.test"), "entry_by_account_email", "entry_history_by_account_email"),
    "billing email": (replace(ORDERS, email="bill7@example.test"), "entry_by_billing_email", "entry_history_by_billing_email"),
    "outcome": (replace(ORDERS, outcomes=frozenset({Outcome.DUPLICATE_EMAIL})), "entry_by_outcome", "entry_history_by_outcome"),
    "cause": (replace(ORDERS, outcomes=frozenset({Outcome.CUSTOMER_NOT_MATCHED})), "entry_by_cause", "entry_history_by_cause"),
    "outcomes": (replace(ORDERS, outcomes=frozenset(Outcome)), "entry_by_outcome", "entry_history_by_outcome"),
    "held": (replace(ORDERS, states=frozenset({EntryState.HELD})), "entry_by_state", ""),
    "failed": (replace(ORDERS, states=ONE_STATE), "", "entry_history_by_state"),
    "all states": (replace(ORDERS, states=frozenset(EntryState)), "entry_by_state", "entry_history_by_state"),
    "time window": (replace(ORDERS, **WINDOW), "", "entry_history_by_state"),  # type: ignore[arg-type]
    "failed in time window": (replace(ORDERS, states=ONE_STATE, **WINDOW), "", "entry_history_by_state"),  # type: ignore[arg-type]
    "customers of one till customer": (
        replace(CUSTOMERS, epos_customer_id=EposCustomerId(10_001)),
        "entry_live",
        "entry_history_by_subject",
    ),
    "failed of a till customer": (
        replace(ORDERS, epos_customer_id=EposCustomerId(1007), states=ONE_STATE),
        "",
        "entry_history_by_epos_customer",
    ),
    "outcome with another state": (
        replace(ORDERS, states=ONE_STATE, outcomes=frozenset({Outcome.PRODUCT_AND_CUSTOMER_NOT_MATCHED})),
        "",
        "entry_history_by_outcome",
    ),
}


async def test_every_filter_uses_its_index_and_reads_few_rows(seeded: EngineWorld) -> None:
    deep = EntryId(id_at(NOW - timedelta(days=30)))
    for name, (wanted, live_index, finished_index) in CASES.items():
        for before in (None, deep):
            plan = await page_plan(seeded, wanted, before=before)
            assert not large_seq_scans(plan), (name, large_seq_scans(plan))
            used = await indexes_used(seeded, plan)
            assert ({live_index} if before is None else set()) | {finished_index} <= used | {""}, (name, used)
            probes = max(1, len(wanted.outcomes), len(wanted.states) or (6 if not wanted.outcomes else 0))
            partitions = len({node["Relation Name"] for node in scans(plan)})
            # each probe reads at most one page and the first row of each partition's index
            assert rows_touched(plan) <= 2 * probes * (PAGE + 1 + partitions) + 100, (name, before, rows_touched(plan))


RARE = (Outcome.CUSTOMER_NOT_MATCHED, Outcome.PRODUCT_NOT_MATCHED, Outcome.WOO_NOT_UPDATED)


async def test_filter_by_a_rare_outcome_or_state_reads_few_rows(world: EngineWorld) -> None:
    """The plan must depend on the outcome of the request. A generic plan expects most entries to match, because most are alike."""
    await seed(world)
    async with world.database.acquire() as connection:
        await connection.execute(
            "UPDATE entry SET account_id = 'shop-1', queue = 2, kind = 3, state = 1, outcome = 7, cause = NULL", timeout=HANG_SECONDS
        )
        await connection.execute("UPDATE entry SET state = 4 WHERE subject_id % 1250 = 15")
        await connection.execute("UPDATE entry_history SET outcome = 7, cause = NULL", timeout=HANG_SECONDS)
        await connection.execute("UPDATE entry_history SET outcome = 5 WHERE subject_id % 1250 = 5")  # both rows are of shop-1
        await connection.execute("UPDATE entry_history SET outcome = 9, cause = 8 WHERE subject_id % 1250 = 10")
        await connection.execute("VACUUM FULL entry")  # the updates made some indexes larger than others
        await connection.execute("VACUUM ANALYZE", timeout=HANG_SECONDS)
    for queue in Queue:
        wanted = replace(ORDERS, queue=queue)
        rare = replace(wanted, outcomes=frozenset(RARE))
        for request in (
            *(replace(wanted, outcomes=frozenset({one})) for one in RARE),
            rare,
            replace(wanted, states=frozenset({EntryState.HELD})),
        ):
            plan = await page_plan(world, request)
            assert not large_seq_scans(plan), (request, large_seq_scans(plan))
            probes = max(2 * len(request.outcomes), 1)
            partitions = len({node["Relation Name"] for node in scans(plan)})
            assert rows_touched(plan) <= probes * (PAGE + 1 + partitions), (request, rows_touched(plan))
        page = await PostgresQueueReader(world.database).list_entries(rare, before=None, limit=PAGE, with_attempts=False)
        found = [entry.entry_id for entry in page.entries]
        assert len(found) == len(set(found)) == 2 * FINISHED / 1250 / len(Queue)
        assert found == sorted(found, reverse=True)


async def test_partitions_without_matching_entries_are_not_read(seeded: EngineWorld) -> None:
    relations = {node["Relation Name"] for node in scans(await page_plan(seeded, replace(ORDERS, states=ONE_STATE)))}
    assert relations
    assert all(name.startswith("entry_history_long") for name in relations), relations
    week = (datetime.now(UTC) + timedelta(days=14)).strftime("_%Gw%V")
    assert not [name for name in relations if name.endswith(week)]


async def test_text_search_reads_only_the_newest_entries_of_its_account(seeded: EngineWorld) -> None:
    [(statement, parameters)] = page_statements(replace(ORDERS, text="no such text"), before=None, rows=PAGE + 1, with_attempts=False)
    assert parameters[-1] == 50_000
    plan = await explain(seeded, statement, *parameters)
    assert rows_touched(plan) <= (LIVE + FINISHED) / ACCOUNTS * 1.05 + 100
    limited = await explain(seeded, statement, *parameters[:-1], 1_000)
    assert rows_touched(limited) <= 1_000 + len(scans(limited)), rows_touched(limited)
    assert not [node for node in limited if node["Node Type"] == "Sort" and node["Actual Rows"] > PAGE + 1]
    found = await explain(seeded, statement, *[*parameters[:8], "order", *parameters[9:]])
    assert rows_touched(found) <= 4 * PAGE + len(scans(found)), "a search ends as soon as its page is full"


async def test_reads_of_entries_and_counts_touch_few_rows(seeded: EngineWorld) -> None:
    wanted = [row["entry_id"] for row in await seeded.fetch("SELECT entry_id FROM queue_entry WHERE account_id = 'shop-1' LIMIT 20")]
    now = datetime.now(UTC)
    plan = await explain(seeded, load("queues/get"), "shop-1", wanted, now - timedelta(days=100), now + timedelta(days=1), True)
    # the first and the last week of each retention have few rows of the account, and may be read whole
    assert rows_touched(plan) <= 2 * len(wanted) + 4 * 100
    assert not large_seq_scans(plan)
    counts = await PostgresQueueReader(seeded.database).state_counts(AccountId("shop-1"), Queue.ORDERS)
    assert sum(counts.values()) == (LIVE + FINISHED) / ACCOUNTS / 2
    few = await explain(seeded, load("queues/state_counts"), "shop-1", 2, 100)
    assert rows_touched(few) <= 6 * 100 + len(scans(few))
    assert COUNT_CAP == 10_000
    subject = await explain(seeded, load("queues/of_subject"), "shop-1", 3, 20_005, 20, True)
    assert rows_touched(subject) <= 60
    live = await explain(seeded, load("queues/waiting"), "shop-1", 100)
    assert rows_touched(live) <= 100
    assert "entry_due_by_queue" in {node.get("Index Name") for node in live}


async def test_search_of_a_person_by_email_uses_indexes(seeded: EngineWorld) -> None:
    for email in ("person7@example.test", "bill7@example.test", "nobody@example.test"):
        plan = await explain(seeded, load("privacy/named_with"), "shop-1", [email], 50)
        assert not large_seq_scans(plan), (email, large_seq_scans(plan))
        assert rows_touched(plan) <= 200, (email, rows_touched(plan))
        for statement in ("live_entries", "finished_entries"):
            plan = await explain(seeded, load(f"privacy/{statement}"), "shop-1", [email], [2007], [1007], 500)
            assert not large_seq_scans(plan), (statement, email, large_seq_scans(plan))
