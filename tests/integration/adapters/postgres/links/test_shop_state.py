"""The shop state stores versions, hashes and pending removals of the shop. The lane's fence protects each statement.

tests/contracts/test_shop_state_contract.py tests the rest of the port.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.engine import EngineWorld
from support.links import SHOP, epos, lease_of, pending_removals, woo
from support.waiting import until, within
from tillsync_server.adapters.postgres.links.link_reader import PostgresLinks
from tillsync_server.adapters.postgres.links.link_writer import PostgresLinkWriter
from tillsync_server.adapters.postgres.links.shop_state import PostgresShopState
from tillsync_server.domain.ids import EposCustomerTypeId
from tillsync_server.domain.link import Link
from tillsync_server.ports.lanes import LaneLease
from tillsync_server.ports.links import ConfirmedWrite, WriteBasis

pytestmark = pytest.mark.integration

AS_OF = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GOLD = EposCustomerTypeId(4001)


async def leased_shop(world: EngineWorld) -> tuple[PostgresShopState, LaneLease]:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    return PostgresShopState(world.database), await lease_of(world)


async def lease_to_another_owner(world: EngineWorld, stale: LaneLease) -> LaneLease:
    """The lease of another process, after ``stale`` expired."""
    await world.fetch("UPDATE lane SET lease_expires_at = now() - interval '1 second' WHERE account_id = $1 RETURNING 1", stale.account_id)
    return await lease_of(world, owner="two")


async def put_link(world: EngineWorld, epos_id: int, woo_id: int) -> None:
    await world.fetch(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) VALUES ($1, $2, $3, 1) RETURNING 1", SHOP, epos_id, woo_id
    )


async def link_of(world: EngineWorld, epos_id: int) -> Link:
    return (await PostgresLinks(world.database).by_epos(SHOP, [epos(epos_id)]))[epos(epos_id)]


def microseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.catches("versions-always-rise")
async def test_version_is_above_the_shops_and_the_last_version(world: EngineWorld) -> None:
    shop, lease = await leased_shop(world)
    future = microseconds(datetime.now(UTC)) + 10**12
    assert await shop.next_versions(lease, [woo(12)], at_least={woo(12): future}) == {12: future + 1}
    assert await shop.next_versions(lease, [woo(12)], at_least={}) == {12: future + 2}, "a clock set back lowers no version"
    assert await shop.next_versions(lease, [woo(12)], at_least={woo(12): 5, woo(13): future}) == {12: future + 3}


async def test_versions_of_many_customers_without_links_rise(world: EngineWorld) -> None:
    shop, lease = await leased_shop(world)
    many = [woo(number) for number in range(1, 1201)]
    first = await shop.next_versions(lease, many, at_least={})
    assert set(first) == set(many)
    second = await shop.next_versions(lease, many, at_least={})
    assert all(second[each] > first[each] for each in many)
    [row] = await world.fetch("SELECT count(*) FROM shop_version WHERE subject_kind = 1")
    assert row["count"] == 1200


@pytest.mark.catches("stale-leases-change-nothing")
async def test_stale_lease_changes_nothing(world: EngineWorld) -> None:
    shop, stale = await leased_shop(world)
    await put_link(world, 90001, 12)
    await world.fetch("INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id) VALUES ($1, 13, 90002) RETURNING 1", SHOP)
    lease = await lease_to_another_owner(world, stale)
    await shop.confirm(lease, [ConfirmedWrite(epos(90001), woo(12), b"hash", AS_OF)])
    await shop.confirm_type(lease, GOLD, b"type", gone=False)
    before = await world.fetch("SELECT * FROM link"), await world.fetch("SELECT * FROM customer_type")

    assert await shop.next_versions(stale, [woo(12)], at_least={}) == {}
    assert await shop.next_type_version(stale, GOLD) is None
    await shop.confirm(stale, [ConfirmedWrite(epos(90001), woo(12), b"other", AS_OF), ConfirmedWrite(epos(9), woo(12), b"x", None)])
    await shop.confirm_type(stale, GOLD, None, gone=True)
    await shop.removal_done(stale, [woo(13), woo(12)])
    await shop.mark_gone(stale, epos=[epos(90001)], woo=[woo(12)])

    assert (await world.fetch("SELECT * FROM link"), await world.fetch("SELECT * FROM customer_type")) == before
    assert await pending_removals(PostgresLinks(world.database), 90002) == {90002: (13,)}
    assert await world.fetch("SELECT * FROM shop_version") == []
    assert await world.live("shop-a", 90001) is None


@pytest.mark.catches("versions-are-drawn-by-the-owner")
async def test_only_the_owner_of_the_lease_draws_versions(world: EngineWorld) -> None:
    shop, stale = await leased_shop(world)
    lease = await lease_to_another_owner(world, stale)
    drawn = await asyncio.gather(*(shop.next_versions(each, [woo(12)], at_least={}) for each in (stale, lease) * 10))
    assert all(versions == {} for versions in drawn[0::2])
    versions = [versions[woo(12)] for versions in drawn[1::2]]
    assert len(set(versions)) == 10


async def test_late_write_of_an_unlinked_till_customer_enqueues_the_linked_one(world: EngineWorld) -> None:
    """The link changed to another till customer during the write. The shop may have the values of the first one."""
    shop, lease = await leased_shop(world)
    await put_link(world, 90001, 12)
    await shop.next_versions(lease, [woo(12)], at_least={})
    await world.fetch("UPDATE link SET epos_customer_id = 90002, content_hash = 'present' RETURNING 1")
    await shop.confirm(lease, [ConfirmedWrite(epos(90001), woo(12), b"former", AS_OF)])
    link = await link_of(world, 90002)
    assert (link.content_hash, link.as_of) == (None, None)
    row = await world.live("shop-a", 90002)
    assert row is not None
    assert (row["priority"], row["state"]) == (1, 1)


async def test_late_removal_enqueues_the_customer_of_the_new_link(world: EngineWorld) -> None:
    shop, lease = await leased_shop(world)
    await world.fetch("INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id) VALUES ($1, 12, 90001) RETURNING 1", SHOP)
    await PostgresLinkWriter(world.database, world.notifications).create(SHOP, epos(90002), woo(12))
    await shop.confirm(lease, [ConfirmedWrite(epos(90002), woo(12), b"present", AS_OF)])
    revision = await world.fetch("SELECT entry_revision FROM entry WHERE subject_id = 90002")
    await shop.removal_done(lease, [woo(12)])
    assert (await link_of(world, 90002)).content_hash is None
    raised = await world.fetch("SELECT entry_revision FROM entry WHERE subject_id = 90002")
    assert raised[0]["entry_revision"] == revision[0]["entry_revision"] + 1


async def test_hash_of_a_type_is_unknown_during_a_write_and_after_a_lapse(world: EngineWorld) -> None:
    shop, lease = await leased_shop(world)
    assert await shop.known_type_hash(lease, GOLD) is None
    await shop.confirm_type(lease, GOLD, b"type", gone=False)
    assert await shop.known_type_hash(lease, GOLD) == b"type"
    assert await shop.known_type_hash(replace(lease, lapses=1), GOLD) is None
    await shop.next_type_version(lease, GOLD)
    assert await shop.known_type_hash(lease, GOLD) is None
    await shop.confirm_type(lease, GOLD, None, gone=True)
    [row] = await world.fetch("SELECT * FROM customer_type")
    assert row["gone_at"] is not None
    await shop.confirm_type(lease, GOLD, b"back", gone=False)
    [row] = await world.fetch("SELECT * FROM customer_type")
    assert (row["gone_at"], row["content_hash"]) == (None, b"back")


# a statement that waited for the lane's lock sees the changes committed meanwhile


@asynccontextmanager
async def changed_meanwhile(world: EngineWorld, change: str, *, waiting: int = 1) -> AsyncIterator[None]:
    """Another session locks the lane and makes the change. It commits when ``waiting`` statements wait for the lock."""

    async def are_waiting() -> bool:
        blocked = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return len(await world.fetch(blocked)) == waiting

    async with world.database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM lane WHERE account_id = $1 FOR UPDATE", SHOP)
        await connection.execute(change)
        yield
        await until(are_waiting, world.work)


NEW_OWNER = "UPDATE lane SET lease_owner = 'two', lease_token = lease_token + 1"


@pytest.mark.parametrize(
    ("change", "drawn"),
    [
        ("UPDATE link SET epos_customer_id = 90009 WHERE woo_customer_id = 12", {13, 14}),
        ("DELETE FROM link WHERE woo_customer_id = 12", {13, 14}),
        ("INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) VALUES ('shop-a', 90005, 15, 1)", {12, 13, 14, 15}),
        ("DELETE FROM shop_removal", {12, 13}),
        ("UPDATE account SET update_time = now() + interval '1 second'", set()),
        (NEW_OWNER, set()),
        ("UPDATE link SET content_hash = 'late'", {12, 13, 14}),
    ],
    ids=["another link", "link deleted", "link created", "removal done", "settings changed", "lane lost", "hash stored"],
)
async def test_version_draw_after_a_lock_wait_uses_the_committed_rows(
    world: EngineWorld, patient: EngineWorld, change: str, drawn: set[int]
) -> None:
    _, lease = await leased_shop(world)
    await put_link(world, 90001, 12)
    await put_link(world, 90002, 13)
    await world.fetch("INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id) VALUES ($1, 14, 90003) RETURNING 1", SHOP)
    [account] = await world.fetch("SELECT update_time FROM account")
    linked = {woo(12): epos(90001), woo(13): epos(90002), woo(15): epos(90005)}
    basis = WriteBasis(account["update_time"], linked, [woo(14)])
    async with changed_meanwhile(world, change):
        drawing = asyncio.create_task(
            PostgresShopState(patient.database).next_versions(lease, [woo(number) for number in (12, 13, 14, 15)], at_least={}, basis=basis)
        )
    assert set(await within(drawing)) == drawn
    assert len(await world.fetch("SELECT FROM shop_version")) == len(drawn)
    assert all(row["content_hash"] is None for row in await world.fetch("SELECT * FROM link WHERE woo_customer_id = ANY ($1)", list(drawn)))


async def test_version_draw_of_a_type_after_a_lock_wait_uses_the_current_settings(world: EngineWorld, patient: EngineWorld) -> None:
    shop, lease = await leased_shop(world)
    await shop.confirm_type(lease, GOLD, b"type", gone=False)
    [account] = await world.fetch("SELECT update_time FROM account")
    for change in ("UPDATE account SET update_time = now() + interval '1 second'", NEW_OWNER):
        async with changed_meanwhile(world, change):
            drawing = asyncio.create_task(
                PostgresShopState(patient.database).next_type_version(lease, GOLD, settings_of=account["update_time"])
            )
        assert await within(drawing) is None
    [row] = await world.fetch("SELECT content_hash FROM customer_type")
    assert row["content_hash"] == b"type"
    assert await world.fetch("SELECT FROM shop_version") == []


async def test_confirmation_after_a_lock_wait_uses_the_current_links(world: EngineWorld, patient: EngineWorld) -> None:
    shop, lease = await leased_shop(world)
    await put_link(world, 90001, 12)
    await put_link(world, 90002, 13)
    await shop.next_versions(lease, [woo(12), woo(13)], at_least={})
    moved = "UPDATE link SET epos_customer_id = 90009, content_hash = 'present' WHERE woo_customer_id = 12"
    writes = [ConfirmedWrite(epos(90001), woo(12), b"former", AS_OF), ConfirmedWrite(epos(90002), woo(13), b"hash", AS_OF)]
    async with changed_meanwhile(world, moved):
        confirming = asyncio.create_task(PostgresShopState(patient.database).confirm(lease, writes))
    await within(confirming)
    assert (await link_of(world, 90009)).content_hash is None
    assert (await link_of(world, 90002)).content_hash == b"hash"
    assert await world.live("shop-a", 90009) is not None
    assert await world.live("shop-a", 90002) is None


async def test_statements_of_a_lost_lease_change_nothing_after_a_lock_wait(world: EngineWorld, patient: EngineWorld) -> None:
    _, lease = await leased_shop(world)
    await put_link(world, 90001, 12)
    before = await world.fetch("SELECT * FROM link")
    shop = PostgresShopState(patient.database)
    async with changed_meanwhile(world, NEW_OWNER, waiting=4):
        tasks = [
            asyncio.create_task(each)
            for each in (
                shop.confirm(lease, [ConfirmedWrite(epos(90001), woo(12), b"hash", AS_OF)]),
                shop.confirm(lease, [ConfirmedWrite(epos(90002), woo(12), b"former", AS_OF)]),
                shop.confirm_type(lease, GOLD, b"type", gone=False),
                shop.note_read(lease, [epos(90001)]),
            )
        ]
    for each in tasks:
        await within(each)
    assert await world.fetch("SELECT * FROM link") == before
    assert await world.fetch("SELECT FROM customer_type") == []
    assert await world.live("shop-a", 90001) is None


async def test_read_is_stored_with_the_databases_time(world: EngineWorld) -> None:
    shop, lease = await leased_shop(world)
    await put_link(world, 90001, 12)
    await put_link(world, 90002, 13)
    await shop.note_read(lease, [epos(90001)])
    stored = await world.fetch("SELECT epos_customer_id, epos_read_at <= now() AS is_past FROM link WHERE epos_read_at IS NOT NULL")
    assert [tuple(row) for row in stored] == [(90001, True)]
