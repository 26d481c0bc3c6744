"""Known state of the shop: versions, hashes and removals, all fenced by the lane's lease."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from contracts.link_bench import LinkBench, link_of
from contracts.links_in_memory import InMemory
from contracts.links_on_postgres import on_postgres
from fakes.queues import SHOP
from support.engine import EngineWorld
from support.links import epos, pending_removals, woo
from tillsync_server.domain.ids import EposCustomerTypeId
from tillsync_server.ports.links import ConfirmedWrite, WriteBasis

AS_OF = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GOLD = EposCustomerTypeId(4001)


def microseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


class ShopStateStoreContract:
    async def test_versions_are_the_database_time_and_always_rise(self, bench: LinkBench) -> None:
        lease = await bench.lease()
        before = await bench.database_now()
        first = await bench.shop.next_versions(lease, [woo(12), woo(13), woo(12)], at_least={})
        after = await bench.database_now()
        assert set(first) == {12, 13}
        assert all(microseconds(before) <= version <= microseconds(after) for version in first.values())
        second = await bench.shop.next_versions(lease, [woo(12)], at_least={})
        assert second[woo(12)] > first[woo(12)]

    async def test_version_exceeds_the_answered_one_and_the_last_one(self, bench: LinkBench) -> None:
        lease, far = await bench.lease(), microseconds(datetime.now(UTC)) + 10**12
        draw = bench.shop.next_versions
        assert await draw(lease, [woo(12)], at_least={woo(12): far}) == {12: far + 1}
        assert await draw(lease, [woo(12)], at_least={}) == {12: far + 2}, "a clock that was turned back changes nothing"
        assert await draw(lease, [woo(12)], at_least={woo(12): 5, woo(13): far}) == {12: far + 3}

    async def test_type_versions_are_independent(self, bench: LinkBench) -> None:
        lease, far = await bench.lease(), microseconds(datetime.now(UTC)) + 10**12
        assert await bench.shop.next_type_version(lease, GOLD, at_least=far) == far + 1
        assert await bench.shop.next_type_version(lease, GOLD) == far + 2
        versions = await bench.shop.next_versions(lease, [woo(4001)], at_least={})
        assert versions[woo(4001)] < far

    async def test_stale_lease_changes_no_shop_state(self, bench: LinkBench) -> None:
        stale, shop = await bench.lease(), bench.shop
        await bench.put_link(90001, 12)
        await bench.want_removal(90002, 13)
        lease = await bench.take_over()
        await shop.confirm(lease, [ConfirmedWrite(epos(90001), woo(12), b"hash", AS_OF)])
        await shop.confirm_type(lease, GOLD, b"type", gone=False)
        before = await link_of(bench, 90001)

        assert await shop.next_versions(stale, [woo(12)], at_least={}) == {}
        assert await shop.next_type_version(stale, GOLD) is None
        await shop.confirm(stale, [ConfirmedWrite(epos(90001), woo(12), b"other", AS_OF), ConfirmedWrite(epos(9), woo(12), b"x", None)])
        await shop.confirm_type(stale, GOLD, None, gone=True)
        await shop.removal_done(stale, [woo(13), woo(12)])
        await shop.mark_gone(stale, epos=[epos(90001)], woo=[woo(12)])

        assert await link_of(bench, 90001) == before
        assert await shop.known_type_hash(lease, GOLD) == b"type"
        assert await pending_removals(bench.reader, 90002) == {90002: (13,)}
        assert await bench.refresh(90001) is None

    async def test_hash_is_of_the_last_confirmed_write_only(self, bench: LinkBench) -> None:
        lease, shop = await bench.lease(), bench.shop
        await bench.put_link(90001, 12)
        await shop.next_versions(lease, [woo(12)], at_least={})
        await shop.confirm(lease, [ConfirmedWrite(epos(90001), woo(12), b"hash", AS_OF)])
        link = await link_of(bench, 90001)
        assert (link.content_hash, link.as_of, link.hash_lapses) == (b"hash", AS_OF, 0)
        await shop.next_versions(lease, [woo(12)], at_least={})  # the old hash is no proof any more, whatever the result of this write
        assert (await link_of(bench, 90001)).content_hash is None
        await shop.confirm(lease, [ConfirmedWrite(epos(90001), woo(12), b"new", None)])
        link = await link_of(bench, 90001)
        assert (link.content_hash, link.as_of) == (b"new", AS_OF)
        await shop.confirm(lease, [ConfirmedWrite(epos(90001), woo(12), None, None)])
        assert (await link_of(bench, 90001)).content_hash is None

    async def test_hash_stores_the_lapses_of_its_lease(self, bench: LinkBench) -> None:
        await bench.put_link(90001, 12)
        lease = await bench.take_over()
        assert lease.lapses == 1
        await bench.shop.confirm(lease, [ConfirmedWrite(epos(90001), woo(12), b"hash", AS_OF)])
        assert (await link_of(bench, 90001)).hash_lapses == 1

    async def test_confirmation_of_a_deleted_link_is_not_stored(self, bench: LinkBench) -> None:
        await bench.shop.confirm(await bench.lease(), [ConfirmedWrite(epos(90001), woo(12), b"hash", AS_OF)])
        assert await bench.reader.by_epos(SHOP, [epos(90001)]) == {}

    async def test_late_write_of_a_former_till_customer_queues_the_present_one(self, bench: LinkBench) -> None:
        """The shop customer was linked to another till customer during a write, so the shop may hold the former one's values."""
        lease, shop = await bench.lease(), bench.shop
        await bench.put_link(90002, 12)
        await shop.confirm(lease, [ConfirmedWrite(epos(90002), woo(12), b"present", None)])
        await shop.confirm(lease, [ConfirmedWrite(epos(90001), woo(12), b"former", AS_OF)])
        link = await link_of(bench, 90002)
        assert (link.content_hash, link.as_of) == (None, None)
        refresh = await bench.refresh(90002)
        assert refresh is not None
        assert refresh.is_pending

    async def test_late_removal_queues_the_present_link(self, bench: LinkBench) -> None:
        lease, shop = await bench.lease(), bench.shop
        await bench.want_removal(90001, 12)
        await bench.writer.create(SHOP, epos(90002), woo(12))
        await shop.confirm(lease, [ConfirmedWrite(epos(90002), woo(12), b"present", AS_OF)])
        before = await bench.refresh(90002)
        await shop.removal_done(lease, [woo(12)])
        assert (await link_of(bench, 90002)).content_hash is None
        after = await bench.refresh(90002)
        assert before is not None
        assert after is not None
        assert after.revision == before.revision + 1

    async def test_removals_are_listed_by_till_customer_and_completed_once(self, bench: LinkBench) -> None:
        for till_customer, shop_customer in ((90001, 12), (90001, 11), (90002, 13)):
            await bench.want_removal(till_customer, shop_customer)
        assert await pending_removals(bench.reader, 90001, 90003) == {90001: (11, 12)}
        await bench.shop.removal_done(await bench.lease(), [woo(12), woo(99)])
        assert await pending_removals(bench.reader, 90001, 90002) == {90001: (11,), 90002: (13,)}

    async def test_links_of_deleted_customers_are_unusable_and_keep_the_first_deletion_time(self, bench: LinkBench) -> None:
        lease = await bench.lease()
        for number in (1, 2, 3):
            await bench.put_link(90000 + number, 10 + number)
        await bench.shop.mark_gone(lease, epos=[epos(90001)], woo=[woo(12)])
        one, two, three = [await link_of(bench, 90000 + number) for number in (1, 2, 3)]
        assert (one.is_usable, two.is_usable, three.is_usable) == (False, False, True)
        assert (one.woo_gone_at, two.epos_gone_at) == (None, None)
        await bench.shop.mark_gone(lease, epos=[epos(90001)])
        assert (await link_of(bench, 90001)).epos_gone_at == one.epos_gone_at

    async def test_type_hash_is_unknown_during_a_write_and_after_a_lapse(self, bench: LinkBench) -> None:
        lease, shop = await bench.lease(), bench.shop
        assert await shop.known_type_hash(lease, GOLD) is None
        await shop.confirm_type(lease, GOLD, b"type", gone=False)
        assert await shop.known_type_hash(lease, GOLD) == b"type"
        assert await shop.known_type_hash(replace(lease, lapses=1), GOLD) is None
        await shop.next_type_version(lease, GOLD)
        assert await shop.known_type_hash(lease, GOLD) is None
        await shop.confirm_type(lease, GOLD, b"back", gone=False)
        assert await shop.known_type_hash(lease, GOLD) == b"back"

    async def test_write_with_a_changed_basis_gets_no_version(self, bench: LinkBench) -> None:
        """Invariant 6: the link is another one, the removal is not pending any more, or the settings have changed."""
        lease, shop = await bench.lease(), bench.shop
        await bench.put_link(1, 21)
        await bench.put_link(2, 22)
        await bench.want_removal(3, 23)
        present = await bench.settings_time()
        everybody = [woo(number) for number in (21, 22, 23, 24)]
        linked = {woo(21): epos(1), woo(22): epos(9)}

        async def drawn(settings_of: datetime | None) -> set[int]:
            basis = WriteBasis(settings_of, linked, [woo(23), woo(24)])
            return set(await shop.next_versions(lease, everybody, at_least={}, basis=basis))

        assert await drawn(None) == await drawn(present) == {21, 23}
        other = present - timedelta(microseconds=1)
        assert await drawn(other) == set()
        assert await shop.next_type_version(lease, GOLD, settings_of=present) is not None
        assert await shop.next_type_version(lease, GOLD, settings_of=other) is None
        await bench.change_settings()
        assert await drawn(present) == set()


class TestFakeShopState(ShopStateStoreContract):
    @pytest.fixture
    def bench(self) -> LinkBench:
        return InMemory()


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresShopState(ShopStateStoreContract):
    @pytest_asyncio.fixture
    async def bench(self, world: EngineWorld) -> LinkBench:
        return await on_postgres(world)
