"""EXPLAIN guards at 50,000 rows. Each hot statement uses its index, and reads at most a small multiple of its batch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.ids import new_entry_id

pytestmark = pytest.mark.integration
ROWS, ACCOUNTS = 50_000, 100


async def seed(world: EngineWorld) -> None:
    await world.fill(
        "INSERT INTO account (account_id, till_id, epos_base_url) SELECT 'shop-' || n, 't', 'https://till.example.test' "
        "FROM generate_series(1, 10000) AS n",
        "INSERT INTO lane (account_id, next_run_at) SELECT account_id, "
        "CASE WHEN right(account_id, 2) = '00' THEN now() ELSE 'infinity' END FROM account",
    )
    await world.fill(
        "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, create_time, update_time) "
        "SELECT 'shop-' || (n % $2 + 1), gen_random_uuid(), 1, 1, n, 1 + n % 2, "
        "now() - interval '1 minute' + (n % 500) * interval '1 second', now(), now() FROM generate_series(1, $1::int) AS n",
        args=[ROWS, ACCOUNTS],
    )


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


class Plans:
    """Explains statements with one ``plan_cache_mode``: a custom plan for each call, or one generic plan."""

    def __init__(self, mode: str) -> None:
        self._mode = mode

    async def __call__(self, world: EngineWorld, statement: str, *args: object) -> list[dict[str, Any]]:
        async with world.database.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await connection.execute("SELECT set_config('plan_cache_mode', $1, true)", self._mode)
                await connection.execute(f"PREPARE explained AS {statement}")
                arguments = f"({', '.join(map(literal, args))})" if args else ""
                raw = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE explained{arguments}")
                await connection.execute("DEALLOCATE explained")
            finally:
                await transaction.rollback()
        return list(nodes(json.loads(raw)[0]["Plan"]))


@pytest.fixture(params=["force_custom_plan", "force_generic_plan"])
def explain(request: pytest.FixtureRequest) -> Plans:
    return Plans(request.param)


def literal(value: object) -> str:
    """The value as a literal of unknown type. PostgreSQL gives the literal the parameter's type."""
    if value is None:
        return "NULL"
    text = "{" + ",".join(map(_element, value)) + "}" if isinstance(value, list) else str(value)
    return "'" + text.replace("'", "''") + "'"


def _element(value: object) -> str:
    return "NULL" if value is None else json.dumps(str(value))


async def explain_function(world: EngineWorld, name: str, *args: object) -> list[dict[str, Any]]:
    """The plan of a function's query, with the function's settings and with numbered parameters, as the function itself plans it."""
    [row] = await world.fetch(
        "SELECT prosrc, proargnames, proargtypes::oid[]::regtype[]::text[] AS types, proconfig FROM pg_proc WHERE proname = $1", name
    )
    found = re.search(r"RETURN QUERY (.*?);", row["prosrc"], re.DOTALL)
    assert found is not None
    query: str = found[1]
    for number, (parameter, kind) in enumerate(zip(row["proargnames"], row["types"], strict=False), 1):
        query = re.sub(rf"\b{parameter}\b", f"${number}::{kind}", query)
    async with world.database.acquire() as connection, connection.transaction():
        for setting in row["proconfig"]:
            await connection.execute("SELECT set_config($1, $2, true)", *setting.split("=", 1))
        raw = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *args)
    return list(nodes(json.loads(raw)[0]["Plan"]))


def assert_plan(plan: list[dict[str, Any]], *, indexes: set[str], most_rows: int) -> None:
    used = {node["Index Name"] for node in plan if "Index Name" in node}
    assert indexes <= used, used
    scans = [node for node in plan if node["Node Type"] == "Seq Scan" and node["Relation Name"] in ("entry", "lane", "entry_history")]
    assert not scans, [node["Relation Name"] for node in scans]
    for node in plan:
        if node.get("Relation Name") in ("entry", "lane"):
            touched = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            assert touched <= most_rows, (node["Node Type"], node.get("Index Name"), touched)


async def test_hot_statements_use_their_indexes_at_fifty_thousand_rows(world: EngineWorld, explain: Plans) -> None:
    await seed(world)
    lease = await explain(world, load("engine/lease"), 32, 24, "owner", 30.0, 8, None)
    assert_plan(lease, indexes={"lane_ready"}, most_rows=200)

    accounts = [f"shop-{number}" for number in range(1, 33)]
    await world.fetch(
        "UPDATE lane SET lease_owner = 'o', lease_token = 1, lease_expires_at = now() + interval '1 hour' "
        "WHERE account_id = ANY ($1::text[]) RETURNING 1",
        accounts,
    )
    in_flight, leases = [new_entry_id() for _ in range(50)], [["o"] * 32, [1] * 32]
    claim = await explain(world, load("engine/claim"), accounts, *leases, *([20] * 32 for _ in range(4)), in_flight)
    assert_plan(claim, indexes={"lane_pkey"}, most_rows=64)
    due = await explain_function(world, "due_entries", "shop-1", 1, 1, datetime(2000, 1, 1, tzinfo=UTC), 20, in_flight)
    assert_plan(due, indexes={"entry_due_by_queue"}, most_rows=40 * 2)
    assert not any("Sort" in node["Node Type"] for node in due), "the index gives the order"
    assert all("due_at" in node["Index Cond"] for node in due if node.get("Index Name") == "entry_due_by_queue")

    rows = await world.fetch("SELECT account_id, entry_id, subject_id FROM entry ORDER BY entry_id LIMIT 200")
    names = sorted({row["account_id"] for row in rows})
    await world.fetch(
        "UPDATE lane SET lease_owner = 'o', lease_token = 1, lease_expires_at = now() + interval '1 hour' "
        "WHERE account_id = ANY ($1::text[]) RETURNING 1",
        names,
    )
    fence = await explain(world, load("engine/fence"), names, ["o"] * len(names), [1] * len(names))
    assert_plan(fence, indexes={"lane_pkey"}, most_rows=400)
    leases_of = await explain(world, load("engine/leases_of"), accounts, ["o"] * 32)
    assert_plan(leases_of, indexes={"lane_pkey"}, most_rows=32)
    claims: list[object] = [names, ["o"] * len(names), [1] * len(names), [1] * len(names)]
    per_run: list[object] = [
        [names.index(row["account_id"]) + 1 for row in rows],
        [row["entry_id"] for row in rows],
        *([1] * 200, list(range(1, 201)), [0.01] * 200),
        *([], [], [], [], [], []),
    ]
    subjects: list[object] = [[1] * 200, [row["subject_id"] for row in rows]]
    no_problems: list[object] = [[], [], [], [], [], []]
    for state in (2, 1):  # finished, postponed
        comments = [f"Customer {number} updated" for number in range(200)]  # each run has its own comment
        per_class: list[object] = [
            *([value] * 200 for value in (state, 1, None)),
            comments,
            *([value] * 200 for value in ("", 1, "{}", None)),
        ]
        complete = await explain(world, load("engine/complete"), *claims, *per_class, *per_run, *no_problems, *subjects)
        assert_plan(complete, indexes={"lane_pkey"}, most_rows=1600)
        assert sum(node.get("Rows Removed by Join Filter", 0) for node in complete) <= 1600, "the join compares few pairs of runs"
        assert {"entry_pkey", "entry_live"} & {node.get("Index Name") for node in complete}, "an index finds each entry"

    enqueue = await explain(
        world,
        load("engine/enqueue_hints"),
        *([f"shop-{n % 50 + 1}" for n in range(200)], [1] * 200, list(range(900_000, 900_200)), [2] * 200, [False] * 200),
        *([new_entry_id() for _ in range(200)], [0] * 200, [f"shop-{n}" for n in range(1, 51)], "owner", 30.0),
    )
    assert_plan(enqueue, indexes={"lane_pkey"}, most_rows=800)
    due = await explain(world, load("engine/lease"), 0, 0, "owner", 30.0, 0, None)
    assert_plan(due, indexes={"lane_ready"}, most_rows=10)


async def test_accounts_of_a_webhook_are_found_by_indexes(world: EngineWorld, explain: Plans) -> None:
    """10,000 accounts, two a till, have 50,000 links. Each webhook runs these statements."""
    await world.fill(
        "INSERT INTO account (account_id, till_id, shared_till, epos_base_url, shop_bridge_secret) "
        "SELECT 'shop-' || n, 'till-' || n / 2, true, 'https://till.example.test', '\\x01' FROM generate_series(1, 10000) AS n",
        "INSERT INTO lane (account_id) SELECT account_id FROM account",
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) SELECT 'shop-' || 1 + n % 10000, n / 10000, n, 1 "
        "FROM generate_series(20000, 69999) AS n",
        "INSERT INTO customer_type (account_id, epos_customer_type_id) SELECT account_id, 4001 FROM account",
        "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, state, priority, due_at, candidate_ids, create_time, "
        "update_time) SELECT account_id, gen_random_uuid(), 2, 3, n, 4, 1, now(), ARRAY[n, n + 1]::bigint[], now(), now() "
        "FROM generate_series(20000, 39999) AS n, (SELECT account_id FROM account LIMIT 1) AS a",
    )
    statements = {
        "accounts/of_till": [],
        "accounts/of_till_customers": [list(range(1, 51))],
        "accounts/of_till_customer_types": [list(range(4001, 4011))],
    }
    for name, subjects in statements.items():
        plan = await explain(world, load(name), "till-77", *subjects)
        assert "account_by_till" in {node.get("Index Name") for node in plan}, name
        assert not [node for node in plan if node["Node Type"] == "Seq Scan"], name
        for node in plan:
            if "Relation Name" in node:
                touched = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
                assert touched <= 100, (name, node["Node Type"], node.get("Index Name"), touched)


async def test_claim_of_sales_reads_no_other_waiting_sales(world: EngineWorld, explain: Plans) -> None:
    """5,000 tills, of which fifty have 1,000 waiting sales each."""
    await world.fill(
        "INSERT INTO account (account_id, till_id, epos_base_url) SELECT 'shop-' || n, 'till-' || n, 'https://till.example.test' "
        "FROM generate_series(1, 5000) AS n",
        "INSERT INTO till (till_id, sales_due_at) SELECT 'till-' || n, CASE WHEN n <= 50 THEN now() - n * interval '1 second' END "
        "FROM generate_series(1, 5000) AS n",
        "INSERT INTO till_sale (till_id, account_id, transaction_id, due_at, create_time) "
        "SELECT 'till-' || 1 + n % 50, 'shop-' || 1 + n % 50, 1 + n / 50, now() - interval '1 minute', now() "
        "FROM generate_series(0, 49999) AS n",
    )
    tills = [f"till-{n}" for n in range(35, 51)]
    for name, index, arguments in (
        ("tills/seconds_until_sale", "till_sales_due", ()),
        ("tills/lock_ready_for_sales", "till_sales_due", (16,)),
        ("tills/claim_sales", "till_sale_due", (tills, 60.0, 240.0, 5.0)),
        ("tills/finish_sale", "till_sale_pkey", ("till-1", 7, 1)),
        ("tills/postpone_sale", "till_sale_pkey", ("till-1", 7, 60.0)),
        ("tills/pause_sales", "till_sale_pkey", ("till-1", 7, 60.0)),
    ):
        plan = await explain(world, load(name), *arguments)
        assert index in {node.get("Index Name") for node in plan}, name
        for node in plan:
            if node.get("Relation Name") in ("till_sale", "till"):
                touched = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
                assert touched <= 200, (name, node["Node Type"], node.get("Index Name"), touched)
    assert [row["till_id"] for row in await world.fetch(load("tills/lock_ready_for_sales"), 2)] == ["till-50", "till-49"]
