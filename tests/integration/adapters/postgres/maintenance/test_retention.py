"""Maintenance creates the history's partitions a month ahead, and drops a whole partition after its retention."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from support.engine import EngineWorld
from support.links import lease_of, woo
from support.queues import add_finished
from tillsync_server.adapters.postgres.links.shop_state import PostgresShopState
from tillsync_server.adapters.postgres.maintenance.retention import PostgresHistory
from tillsync_server.domain.enums import EntryState

pytestmark = [pytest.mark.integration, pytest.mark.every_version]


async def partitions(world: EngineWorld) -> set[str]:
    rows = await world.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'entry_history'::regclass"
    )
    return {row["relname"] for row in rows}


def week(time: datetime) -> str:
    return f"{time:_%Gw%V}"


async def test_partitions_reach_a_month_ahead_and_the_next_maintenance_creates_none(world: EngineWorld) -> None:
    for name in await partitions(world):
        await world.fetch(f"DROP TABLE {name}")
    await PostgresHistory(world.database).maintain()
    now = datetime.now(UTC)
    created = await partitions(world)
    for days in (0, 7, 14, 21, 28, 31):
        assert {f"entry_history_{kind}{week(now + timedelta(days=days))}" for kind in ("short", "long")} <= created
    await PostgresHistory(world.database).maintain()
    assert await partitions(world) == created


async def test_only_weeks_past_their_retention_are_dropped(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    now = datetime.now(UTC)
    ages = (1, 13, 22, 60, 89, 98)
    for age in ages:
        for state in (EntryState.PROCESSED, EntryState.FAILED):
            await add_finished(world, "shop-a", age, state=state, create_time=now - timedelta(days=age))
    await PostgresHistory(world.database).maintain()
    kept = {(row["state"], row["subject_id"]) for row in await world.fetch("SELECT state, subject_id FROM entry_history")}
    assert kept == {(EntryState.PROCESSED, age) for age in (1, 13)} | {(EntryState.FAILED, age) for age in (1, 13, 22, 60, 89)}
    assert f"entry_history_short{week(now - timedelta(days=22))}" not in await partitions(world)


async def test_several_processes_maintain_at_once(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    for name in await partitions(world):
        await world.fetch(f"DROP TABLE {name}")
    await add_finished(world, "shop-a", 1, create_time=datetime.now(UTC) - timedelta(days=30))
    await asyncio.gather(*(PostgresHistory(world.database).maintain() for _ in range(4)))
    await PostgresHistory(world.database).maintain()
    weeks = {f"entry_history_{kind}{week(datetime.now(UTC) + timedelta(weeks=ahead))}" for kind in ("short", "long") for ahead in range(10)}
    later = {"entry_history_short_later", "entry_history_long_later"}
    kept = {f"entry_history_long{week(datetime.now(UTC) - timedelta(days=30))}"}
    assert weeks | later | kept <= await partitions(world), "the long retention of that old week is not over"
    assert await partitions(world) - weeks - later - kept <= {
        f"entry_history_{kind}{week(datetime.now(UTC) - timedelta(weeks=ago))}" for kind in ("short", "long") for ago in range(1, 5)
    }, "other partitions are only those of the weeks since then"
    assert not await world.fetch("SELECT 1 FROM entry_history")


async def test_open_reader_postpones_the_drop_and_keeps_its_rows(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await add_finished(world, "shop-a", 1, create_time=datetime.now(UTC) - timedelta(days=30))
    async with world.database.acquire() as reader, reader.transaction():
        assert await reader.fetchval("SELECT count(*) FROM entry_history") == 1
        await PostgresHistory(world.database).maintain()
        assert await reader.fetchval("SELECT count(*) FROM entry_history") == 1
    await PostgresHistory(world.database).maintain()
    assert not await world.fetch("SELECT 1 FROM entry_history")


async def test_old_intents_and_revoked_tokens_are_deleted(world: EngineWorld) -> None:
    await world.fetch("INSERT INTO till (till_id) VALUES ('t') RETURNING 1")
    await world.fetch(
        "INSERT INTO intent (till_id, email, state, account_id, owner, epos_customer_id, settled_at, create_time) "
        "SELECT 't', e, s, 'shop-a', 'o', CASE WHEN s = 3 THEN 7 END, now() - make_interval(days => d), now() - interval '1 year' "
        "FROM (VALUES ('old@example.test', 3, 31), ('fresh@example.test', 3, 29), ('open@example.test', 1, 300), "
        "('unknown@example.test', 2, 300)) AS v(e, s, d) RETURNING 1"
    )
    await world.fetch(
        "INSERT INTO token (token_id, token_hash, role, revoke_time) SELECT n, sha256(n::bytea), 4, r "
        "FROM (VALUES ('gone', now() - interval '91 days'), ('revoked', now() - interval '89 days'), ('valid', NULL)) AS v(n, r) "
        "RETURNING 1"
    )
    await PostgresHistory(world.database).maintain()
    assert {row["email"] for row in await world.fetch("SELECT email FROM intent")} == {
        "fresh@example.test",
        "open@example.test",
        "unknown@example.test",
    }
    assert {row["token_id"] for row in await world.fetch("SELECT token_id FROM token")} == {"revoked", "valid"}


async def test_old_versions_of_shop_customers_without_work_are_deleted(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    ages = {1: 31, 2: 31, 3: 31, 4: 31, 5: 29, **dict.fromkeys(range(100, 1100), 40)}
    await world.fetch(
        "INSERT INTO shop_version (account_id, subject_kind, subject_id, last_version) "
        "SELECT 'shop-a', kind, id, (extract(epoch FROM now() - make_interval(days => days)) * 1000000)::bigint "
        "FROM unnest($1::bigint[], $2::int[]) AS t(id, days), (VALUES (1), (2)) AS k(kind) WHERE kind = 1 OR id = 1 RETURNING 1",
        list(ages),
        list(ages.values()),
    )
    linked, removed, waiting = 2, 3, 4
    await world.fetch(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) VALUES ('shop-a', 90002, $1, 1) RETURNING 1", linked
    )
    await world.fetch(
        "INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id) VALUES ('shop-a', $1, 9) RETURNING 1", removed
    )
    await world.hint("shop-a", 90004)
    await world.fetch("UPDATE entry SET woo_customer_id = $1 RETURNING 1", waiting)
    before = {row["subject_id"]: row["last_version"] for row in await world.fetch("SELECT * FROM shop_version WHERE subject_kind = 1")}
    await PostgresHistory(world.database).maintain()
    kept = {(row["subject_kind"], row["subject_id"]) for row in await world.fetch("SELECT subject_kind, subject_id FROM shop_version")}
    assert kept == {(1, linked), (1, removed), (1, waiting), (1, 5), (2, 1)}
    lease = await lease_of(world)
    drawn = await PostgresShopState(world.database).next_versions(lease, [woo(number) for number in ages], at_least={})
    assert all(drawn[woo(number)] > before[number] for number in ages)


async def test_marks_and_answers_are_kept_at_any_age(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.fetch("INSERT INTO link_mark (account_id, woo_customer_id, create_time) VALUES ('shop-a', 12, '2001-01-01') RETURNING 1")
    await world.fetch(
        "INSERT INTO order_match (account_id, order_id, order_key, facts_hash, entry_id, state, create_time, update_time) "
        "VALUES ('shop-a', 1, 'k', '', gen_random_uuid(), 2, '2001-01-01', '2001-01-01') RETURNING 1"
    )
    await PostgresHistory(world.database).maintain()
    assert len(await world.fetch("SELECT 1 FROM link_mark UNION ALL SELECT 1 FROM order_match")) == 2
