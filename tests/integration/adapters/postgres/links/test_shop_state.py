"""What the shop is known to hold: versions, hashes, removals; all of it fenced by the lane.

What callers rely on besides: tests/contracts/test_shop_state_contract.py.
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


async def leased(world: EngineWorld) -> tuple[PostgresShopState, LaneLease]:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    return PostgresShopState(world.database), await lease_of(world)


async def taken_over(world: EngineWorld, stale: LaneLease) -> LaneLease:
    """The lease ran out, and another process has the lane."""
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
async def test_a_version_goes_above_what_the_shop_answered_and_above_the_last(world: EngineWorld) -> None:
    shop, lease = await leased(world)
    far = microseconds(datetime.now(UTC)) + 10**12
    assert await shop.next_versions(lease, [woo(12)], at_least={woo(12): far}) == {12: far + 1}
    assert await shop.next_versions(lease, [woo(12)], at_least={}) == {12: far + 2}, "a clock that was turned back changes nothing"
    assert await shop.next_versions(lease, [woo(12)], at_least={woo(12): 5, woo(13): far}) == {12: far + 3}


async def test_versions_outlive_links_and_are_kept_by_the_thousand(world: EngineWorld) -> None:
    shop, lease = await leased(world)
    many = [woo(number) for number in range(1, 1201)]
    first = await shop.next_versions(lease, many, at_least={})
    assert set(first) == set(many)
    second = await shop.next_versions(lease, many, at_least={})
    assert all(second[each] > first[each] for each in many)
    [row] = await world.fetch("SELECT count(*) FROM shop_version WHERE subject_kind = 1")
    assert row["count"] == 1200


@pytest.mark.catches("stale-leases-change-nothing")
async def test_a_stale_lease_changes_nothing(world: EngineWorld) -> None:
    shop, stale = await leased(world)
    await put_link(world, 90001, 12)
    await world.fetch("INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id) VALUES ($1, 13, 90002) RETURNING 1", SHOP)
    lease = await taken_over(world, stale)
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
async def test_of_two_owners_that_race_only_the_leases_owner_draws_versions(world: EngineWorld) -> None:
    shop, stale = await leased(world)
    lease = await taken_over(world, stale)
    drawn = await asyncio.gather(*(shop.next_versions(each, [woo(12)], at_least={}) for each in (stale, lease) * 10))
    assert all(versions == {} for versions in drawn[0::2])
    versions = [versions[woo(12)] for versions in drawn[1::2]]
    assert len(set(versions)) == 10


async def test_a_late_write_of_the_former_till_customer_makes_the_present_one_write_again(world: EngineWorld) -> None:
    """Unlinked and linked to another while its write was on the way: the shop may hold the former one's values."""
    shop, lease = await leased(world)
    await put_link(world, 90001, 12)
    await shop.next_versions(lease, [woo(12)], at_least={})
    await world.fetch("UPDATE link SET epos_customer_id = 90002, content_hash = 'present' RETURNING 1")
    await shop.confirm(lease, [ConfirmedWrite(epos(90001), woo(12), b"former", AS_OF)])
    link = await link_of(world, 90002)
    assert (link.content_hash, link.as_of) == (None, None)
    row = await world.live("shop-a", 90002)
    assert row is not None
    assert (row["priority"], row["state"]) == (1, 1)


async def test_a_late_removal_makes_the_present_link_write_again(world: EngineWorld) -> None:
    shop, lease = await leased(world)
    await world.fetch("INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id) VALUES ($1, 12, 90001) RETURNING 1", SHOP)
    await PostgresLinkWriter(world.database, world.notifications).create(SHOP, epos(90002), woo(12))
    await shop.confirm(lease, [ConfirmedWrite(epos(90002), woo(12), b"present", AS_OF)])
    revision = await world.fetch("SELECT entry_revision FROM entry WHERE subject_id = 90002")
    await shop.removal_done(lease, [woo(12)])
    assert (await link_of(world, 90002)).content_hash is None
    again = await world.fetch("SELECT entry_revision FROM entry WHERE subject_id = 90002")
    assert again[0]["entry_revision"] == revision[0]["entry_revision"] + 1


async def test_a_types_hash_is_forgotten_while_it_is_written_and_after_a_lapse(world: EngineWorld) -> None:
    shop, lease = await leased(world)
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


# what waits for the lane's lock sees what was committed under it


@asynccontextmanager
async def changed_meanwhile(world: EngineWorld, change: str, *, waiting: int = 1) -> AsyncIterator[None]:
    """Another session holds the lane's lock, makes this change, and commits once ``waiting`` statements wait for the lock."""

    async def are_waiting() -> bool:
        blocked = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return len(await world.fetch(blocked)) == waiting

    async with world.database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM lane WHERE account_id = $1 FOR UPDATE", SHOP)
        await connection.execute(change)
        yield
        await until(are_waiting, world.work)


TAKEN_OVER = "UPDATE lane SET lease_owner = 'two', lease_token = lease_token + 1"


@pytest.mark.parametrize(
    ("change", "drawn"),
    [
        ("UPDATE link SET epos_customer_id = 90009 WHERE woo_customer_id = 12", {13, 14}),
        ("DELETE FROM link WHERE woo_customer_id = 12", {13, 14}),
        ("INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) VALUES ('shop-a', 90005, 15, 1)", {12, 13, 14, 15}),
        ("DELETE FROM shop_removal", {12, 13}),
        ("UPDATE account SET update_time = now() + interval '1 second'", set()),
        (TAKEN_OVER, set()),
        ("UPDATE link SET content_hash = 'late'", {12, 13, 14}),
    ],
)
async def test_a_draw_that_waited_for_the_lane_rests_on_what_was_changed_meanwhile(
    world: EngineWorld, patient: EngineWorld, change: str, drawn: set[int]
) -> None:
    _, lease = await leased(world)
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


async def test_a_draw_of_a_type_that_waited_rests_on_the_settings_of_now(world: EngineWorld, patient: EngineWorld) -> None:
    shop, lease = await leased(world)
    await shop.confirm_type(lease, GOLD, b"type", gone=False)
    [account] = await world.fetch("SELECT update_time FROM account")
    for change in ("UPDATE account SET update_time = now() + interval '1 second'", TAKEN_OVER):
        async with changed_meanwhile(world, change):
            drawing = asyncio.create_task(
                PostgresShopState(patient.database).next_type_version(lease, GOLD, settings_of=account["update_time"])
            )
        assert await within(drawing) is None
    [row] = await world.fetch("SELECT content_hash FROM customer_type")
    assert row["content_hash"] == b"type"
    assert await world.fetch("SELECT FROM shop_version") == []


async def test_a_confirmation_that_waited_for_the_lane_is_of_the_link_of_now(world: EngineWorld, patient: EngineWorld) -> None:
    shop, lease = await leased(world)
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


async def test_what_waited_for_a_lane_that_another_process_has_now_changes_nothing(world: EngineWorld, patient: EngineWorld) -> None:
    _, lease = await leased(world)
    await put_link(world, 90001, 12)
    before = await world.fetch("SELECT * FROM link")
    shop = PostgresShopState(patient.database)
    async with changed_meanwhile(world, TAKEN_OVER, waiting=4):
        late = [
            asyncio.create_task(each)
            for each in (
                shop.confirm(lease, [ConfirmedWrite(epos(90001), woo(12), b"hash", AS_OF)]),
                shop.confirm(lease, [ConfirmedWrite(epos(90002), woo(12), b"former", AS_OF)]),
                shop.confirm_type(lease, GOLD, b"type", gone=False),
                shop.note_read(lease, [epos(90001)]),
            )
        ]
    for each in late:
        await within(each)
    assert await world.fetch("SELECT * FROM link") == before
    assert await world.fetch("SELECT FROM customer_type") == []
    assert await world.live("shop-a", 90001) is None


async def test_a_read_is_noted_with_the_databases_time(world: EngineWorld) -> None:
    shop, lease = await leased(world)
    await put_link(world, 90001, 12)
    await put_link(world, 90002, 13)
    await shop.note_read(lease, [epos(90001)])
    noted = await world.fetch("SELECT epos_customer_id, epos_read_at <= now() AS is_past FROM link WHERE epos_read_at IS NOT NULL")
    assert [tuple(row) for row in noted] == [(90001, True)]
