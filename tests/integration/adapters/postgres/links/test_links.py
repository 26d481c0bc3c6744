"""EXPLAIN guards of the statements of links, intents and tills at 50,000 rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from support.engine import EngineWorld
from support.links import SHOP
from tillsync_server.adapters.postgres.statements import load

pytestmark = pytest.mark.integration


ROWS = 50_000
LEASE = (SHOP, "one", 1)
"""Account, owner and token of the lane's lease."""


async def seed(world: EngineWorld) -> None:
    """Inserts 50,000 links, orders, removals, types, versions and intents of a hundred accounts, of which shop-a is one."""
    names = ["shop-a", *(f"shop-{number}" for number in range(1, 100))]
    await world.add_accounts(*names)
    lease = (
        "UPDATE lane SET lease_owner = $2, lease_token = $3, lease_expires_at = now() + interval '1 hour' WHERE account_id = $1 RETURNING 1"
    )
    await world.fetch(lease, *LEASE)
    await world.fetch("INSERT INTO till (till_id) VALUES ('till-a') RETURNING 1")
    await world.fill(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin, woo_gone_at, ground) "
        "SELECT ($2::text[])[n % 100 + 1], n, n, 1, CASE WHEN n % 1000 = 0 THEN now() END, CASE WHEN n % 1000 = 500 THEN 3 ELSE 2 END "
        "FROM generate_series(1, $1::int) AS n",
        "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, state, priority, due_at, woo_customer_id, epos_customer_id, "
        "billing_email, candidate_ids, create_time, update_time) "
        "SELECT ($2::text[])[n % 100 + 1], gen_random_uuid(), 2, 3, n, CASE n % 2 WHEN 0 THEN 4 ELSE 1 END, 1, now(), "
        "CASE WHEN n % 3 > 0 THEN n / 1000 + 1 END, n / 700 + 1, n / 1000 || '@example.test', "
        "CASE n % 2 WHEN 0 THEN ARRAY[n, n + 1]::bigint[] END, now(), now() "
        "FROM generate_series(1, $1::int) AS n",
        "INSERT INTO order_match (account_id, order_id, order_key, facts_hash, entry_id, create_time, update_time) "
        "SELECT account_id, subject_id, 'k', '', entry_id, now(), now() FROM entry "
        "WHERE $1::int > 0 AND $2::text[] IS NOT NULL",
        "INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id) "
        "SELECT ($2::text[])[n % 100 + 1], n, n / 3 FROM generate_series(1, $1::int) AS n",
        "INSERT INTO shop_version (account_id, subject_kind, subject_id, last_version) "
        "SELECT ($2::text[])[n % 100 + 1], n % 2 + 1, n, n FROM generate_series(1, $1::int) AS n",
        "INSERT INTO customer_type (account_id, epos_customer_type_id) "
        "SELECT ($2::text[])[n % 100 + 1], n FROM generate_series(1, $1::int) AS n",
        "INSERT INTO link_mark (account_id, woo_customer_id) SELECT ($2::text[])[n % 100 + 1], n FROM generate_series(1, $1::int) AS n",
        "INSERT INTO intent (till_id, email, state, account_id, owner, settled_at, create_time) "
        "SELECT 'till-a', n || '@example.test', 1, ($2::text[])[1], 'o', now(), now() FROM generate_series(1, $1::int) AS n",
        "INSERT INTO till_knowledge (till_id, configuration) SELECT 'till-a', n || ($2::text[])[1] FROM generate_series(1, $1::int) AS n",
        "INSERT INTO till (till_id) SELECT n || ($2::text[])[2] FROM generate_series(1, $1::int) AS n",
        args=[ROWS, names],
    )


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def check_plan(world: EngineWorld, name: str, *args: object, indexes: set[str], most_rows: int) -> None:
    """The statement uses at least one of ``indexes``, and has no sequential scan."""
    async with world.database.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            raw = await connection.fetchval("EXPLAIN (ANALYZE, FORMAT JSON) " + load(name), *args)
        finally:
            await transaction.rollback()
    plan = list(nodes(json.loads(raw)[0]["Plan"]))
    used = {node["Index Name"] for node in plan if "Index Name" in node}
    used |= {index for node in plan for index in node.get("Conflict Arbiter Indexes", ())}
    assert indexes & used, (name, used)
    scanned = [node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan" and node["Relation Name"] != "account"]
    assert not scanned, (name, scanned)
    for node in plan:
        if "Relation Name" in node:
            touched = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            assert touched <= most_rows, (name, node["Node Type"], node.get("Index Name"), touched)


_SCANS = "SELECT relname, coalesce(seq_scan, 0) AS seq_scan, coalesce(idx_tup_fetch, 0) AS idx_tup_fetch FROM pg_stat_xact_user_tables"


async def check_rows_touched(world: EngineWorld, name: str, *args: object, rows: int, most_rows: int) -> None:
    """Checks a function by PostgreSQL's counters, because EXPLAIN hides its plans. It returns ``rows`` and scans no table."""
    async with world.database.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            before = await connection.fetch(_SCANS)
            returned = await connection.fetch(load(name), *args)
            after = await connection.fetch(_SCANS)
        finally:
            await transaction.rollback()
    assert len(returned) == rows, name
    known = {row["relname"]: row for row in before}  # the counters include earlier transactions of this connection
    scans = {row["relname"]: [row[count] - known[row["relname"]][count] for count in ("seq_scan", "idx_tup_fetch")] for row in after}
    assert [table for table, (seq_scans, _) in scans.items() if seq_scans and table not in ("account", "lane")] == [], name
    touched = {table: by_index for table, (_, by_index) in scans.items() if by_index}
    assert touched, name
    assert all(each <= most_rows for each in touched.values()), (name, touched)


async def test_statements_use_their_indexes_at_fifty_thousand_rows(world: EngineWorld) -> None:
    await world.fetch("DROP INDEX IF EXISTS entry_due")  # the next release drops this index
    await seed(world)
    at, woo_key = datetime.now(UTC), "link_account_id_woo_customer_id_key"
    ids = [100 * number for number in range(1, 201)]  # of shop-a
    held = [row["entry_id"] for row in await world.fetch("SELECT entry_id FROM entry WHERE account_id = 'shop-a' AND state = 4 LIMIT 200")]
    few = {"most_rows": 10}
    await check_plan(world, "links/by_epos", SHOP, ids, indexes={"link_pkey"}, most_rows=400)
    await check_plan(world, "links/of_either", SHOP, 100, 200, indexes={woo_key}, **few)
    await check_plan(world, "links/list", SHOP, None, None, False, 0, 50, False, indexes={"link_pkey"}, most_rows=50)
    await check_plan(world, "links/list", SHOP, None, 300, False, 0, 50, False, indexes={woo_key}, **few)
    await check_plan(world, "links/list", SHOP, None, None, True, 0, 50, False, indexes={"link_broken"}, most_rows=100)
    await check_plan(world, "links/list", SHOP, None, None, False, 0, 50, True, indexes={"link_unconfirmed"}, most_rows=100)
    await check_plan(world, "links/mark_made_by_hand", SHOP, 100, indexes={"link_pkey"}, **few)
    await check_plan(world, "links/is_marked", SHOP, 100, indexes={"link_mark_pkey"}, **few)
    held_indexes = {"entry_by_state", "entry_held_by_candidate"}
    for indexes in ({"link_pkey"}, {"shop_removal_by_epos"}, {"entry_held_by_candidate"}):
        await check_plan(world, "links/stored_customers", SHOP, ids[:2], indexes=indexes, **few)
    for indexes in ({"link_pkey", woo_key}, {"shop_removal_by_epos"}, held_indexes):
        await check_plan(world, "links/stored_customers", SHOP, ids, indexes=indexes, most_rows=1200)
    await check_plan(world, "links/drop_removals", SHOP, ids, indexes={"shop_removal_pkey"}, most_rows=400)
    [settings] = await world.fetch("UPDATE account SET update_time = now() WHERE account_id = $1 RETURNING update_time", SHOP)
    draw = (*LEASE, ids, [0] * 200, settings["update_time"], ids, ids)
    await check_rows_touched(world, "links/draw_versions", *draw[:3], 1, *draw[3:], rows=200, most_rows=1200)
    await check_rows_touched(world, "links/draw_versions", *LEASE, 2, ids, [0] * 200, None, None, None, rows=200, most_rows=1200)
    await check_plan(world, "links/order_link_basis", *LEASE, 1, held[0], 1, None, None, 500, indexes={"entry_pkey"}, **few)
    linked = (*LEASE, 1, held[0], 1, 300, 3, 500)
    await check_plan(world, "links/order_link_basis", *linked, indexes={"entry_by_woo_customer", "entry_by_state"}, most_rows=600)
    await check_plan(world, "links/clear_hashes", SHOP, ids, indexes={woo_key}, most_rows=400)
    await check_plan(world, "links/confirm", *LEASE, ids, ids, [b"h"] * 200, [at] * 200, 0, indexes={"link_pkey", woo_key}, most_rows=1200)
    await check_plan(world, "links/mark_gone", SHOP, ids[:2], ids[:2], at, [], indexes={"link_pkey", woo_key}, most_rows=20)
    await check_plan(world, "links/confirm_type", *LEASE, 100, b"h", 0, False, indexes={"customer_type_pkey"}, **few)
    await check_plan(world, "links/type_hash", SHOP, 100, 0, indexes={"customer_type_pkey"}, **few)
    entries = {"entry_by_woo_customer", "entry_by_state", "entry_by_epos_customer", "entry_by_billing_email", "entry_live"}
    await check_plan(world, "links/held_because_of", SHOP, [], [3], None, 500, indexes=entries, most_rows=600)
    await check_plan(world, "links/held_of_guest", SHOP, ["3@example.test"], None, 500, 10, indexes=entries, most_rows=600)
    await check_plan(world, "links/raise_order_revisions", SHOP, [3], [3], None, at, 7, indexes=entries, most_rows=1200)
    held_indexes |= entries
    await check_plan(world, "links/held_because_of", SHOP, [3], [3], None, 500, indexes=held_indexes, most_rows=1200)
    await check_plan(
        world,
        "links/held_with_candidate",
        SHOP,
        3,
        ["3@example.test"],
        ["3@example.test"],
        False,
        10,
        500,
        indexes=held_indexes,
        most_rows=600,
    )
    await check_plan(world, "links/confirm_person", SHOP, 100, 200, at, indexes={"link_pkey", woo_key}, **few)
    await check_plan(world, "links/note_read", *LEASE, ids[:2], indexes={"link_pkey"}, most_rows=20)
    answers = {"order_match_pkey", "order_match_by_epos_customer"}
    await check_plan(world, "links/note_answers", SHOP, [3], "gone", at, 500, None, indexes=answers, most_rows=1200)
    await check_plan(world, "links/requeue_orders", SHOP, held, at, None, indexes={"entry_pkey", "entry_by_state"}, most_rows=1200)
    await check_plan(world, "tills/get_intent", "till-a", "77@example.test", indexes={"intent_pkey"}, **few)
    await check_plan(world, "tills/mark_intent_unknown", "till-a", "77@example.test", "o", indexes={"intent_pkey"}, **few)
    await check_plan(world, "tills/complete_intent", "till-a", "77@example.test", "o", 1, indexes={"intent_pkey"}, **few)
    await check_plan(world, "tills/clear_intent", "till-a", "77@example.test", "o", indexes={"intent_pkey"}, **few)
    terms_unset = (None, None, None, None, None)
    await check_plan(world, "tills/open_intent", "till-a", "77@example.test", SHOP, "o", 90.0, *terms_unset, indexes={"intent_pkey"}, **few)
    await check_plan(world, "tills/knowledge", "till-a", "77shop-a", indexes={"till_knowledge_pkey"}, **few)
    await check_plan(world, "tills/note_read", "till-a", "77shop-a", True, False, None, indexes={"till_knowledge_pkey"}, **few)
    for longest_wait in (10.0, 0.0):
        terms: list[object] = [["till-a", "till-b"], [5.0] * 2, [5.0] * 2, [2.5] * 2, [2.0] * 2, [longest_wait] * 2]
        await check_plan(world, "tills/take", *terms, [1, 2] * 25, [1] * 50, indexes={"till_pkey"}, most_rows=20)
    await check_plan(world, "tills/note_busy", "till-a", 3600.0, 150, 300, 2.5, 2.0, indexes={"till_pkey"}, most_rows=10)
