"""The engine's statements are planned once: a plan that was made while the tables held little must do when they are full."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from support.engine import EngineWorld
from tillsync_server.adapters.postgres import pool
from tillsync_server.adapters.postgres.pool import Connection
from tillsync_server.adapters.postgres.sql_files import load
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import ClaimRequest, LaneLease

pytestmark = pytest.mark.integration
_STATEMENTS = {
    "engine/lease": {"lane_ready", "lane_ready_live", "lane_pkey"},
    "engine/seconds_until_due": {"lane_ready"},
    "engine/claim": {"lane_pkey", "entry_due"},
    "engine/enqueue_hints": {"lane_pkey"},
    "engine/fence": {"lane_pkey"},
    "engine/release": {"lane_pkey", "entry_due"},
}
_ENDS = {
    "engine/finish_fenced": {"lane_pkey", "entry_pkey", "order_match_pkey", "account_pkey"},
    "engine/finish": {"entry_pkey"},
    "engine/reschedule": {"entry_pkey"},
}
"""What ends entries. On few rows any index is as good as another, so such a plan is thrown away soon."""


async def _prepare(connection: Connection, statement: str) -> None:
    await connection.execute(f"PREPARE {statement.replace('/', '_')} AS {load(statement)}")
    await _generic_plan(connection, statement)


async def _generic_plan(connection: Connection, statement: str) -> list[dict[str, Any]]:
    """Every node of it."""
    name = statement.replace("/", "_")
    parameters = await connection.fetchval("SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = $1", name)
    nulls = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    plan = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {name}{nulls}"))

    def walk(node: dict[str, Any]) -> list[dict[str, Any]]:
        return [node, *(each for below in node.get("Plans", ()) for each in walk(below))]

    return walk(plan[0]["Plan"])


def _node_types(nodes: list[dict[str, Any]], relation: str) -> set[str]:
    return {node["Node Type"] for node in nodes if node.get("Relation Name") == relation and "Scan" in node["Node Type"]}


async def _fill(connection: Connection, accounts: int, entries: int) -> None:
    await connection.execute(
        "INSERT INTO account (account_id, till_id, epos_base_url) SELECT 'shop-' || n, 'shop-' || n, 'https://till.example.test' "
        "FROM generate_series(1, $1::integer) AS n ON CONFLICT DO NOTHING",
        accounts,
    )
    await connection.execute("INSERT INTO lane (account_id) SELECT account_id FROM account ON CONFLICT DO NOTHING")
    await connection.execute(
        "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, create_time, update_time) "
        "SELECT 'shop-' || (n % $1::integer + 1), gen_random_uuid(), 1, 1, n, 2, now(), now(), now() "
        "FROM generate_series(1, $2::integer) AS n ON CONFLICT DO NOTHING",
        accounts,
        entries,
    )


async def test_plans_made_on_empty_tables_read_by_index_when_they_are_full(world: EngineWorld) -> None:
    async with world.database.acquire(planned_once=True) as connection, connection.transaction():
        for statement in _STATEMENTS:
            await _prepare(connection, statement)
        await _fill(connection, 2000, 20_000)
        for statement in _ENDS:
            await _prepare(connection, statement)
        for statement, indexes in (_STATEMENTS | _ENDS).items():
            nodes = await _generic_plan(connection, statement)
            for relation in ("lane", "entry"):
                assert _node_types(nodes, relation) <= {"Index Scan", "Index Only Scan"}, (statement, nodes)
            assert {node["Index Name"] for node in nodes if "Index Name" in node} == indexes, statement
            if statement == "engine/claim":
                assert not any("Sort" in node["Node Type"] for node in nodes), "its order is the index's"
                assert all("due_at" in node["Index Cond"] for node in nodes if node.get("Index Name") == "entry_due")


async def test_they_are_planned_once_and_again_after_a_while(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add_accounts("shop-a")
    lease = LaneLease(AccountId("shop-a"), "owner", 1, lapses=0, problem_side=None, pause_count=0)

    async def plans() -> tuple[int, int]:
        async with world.database.acquire(planned_once=True) as connection:
            row = await connection.fetchrow(
                "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE 'SELECT e.account_id%'"
            )
        assert row is not None
        return row["generic_plans"], row["custom_plans"]

    for _ in range(7):
        await world.lanes.claim([ClaimRequest(lease, 1, 1)])
    assert await plans() == (7, 0)
    thrown_away: list[str] = []
    execute = pool.asyncpg.Connection.execute

    async def noted(self: Any, query: str, *args: Any, **options: Any) -> str:
        if query == "DISCARD PLANS":
            thrown_away.append(query)
        return await execute(self, query, *args, **options)

    monkeypatch.setattr(pool.asyncpg.Connection, "execute", noted)
    await world.lanes.claim([ClaimRequest(lease, 1, 1)])
    assert thrown_away == []
    monkeypatch.setattr(pool, "_PLANS_LAST_SECONDS", 0.01)
    await asyncio.sleep(0.02)  # longer than plans last: time itself is what is tested
    await world.lanes.claim([ClaimRequest(lease, 1, 1)])
    assert thrown_away
