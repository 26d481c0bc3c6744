"""Held orders are requeued when a customer of their decision is deleted, unlinked, has another email or belongs to another person."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from contracts.link_bench import LinkBench, held, link_of, pairs
from contracts.links_in_memory import InMemory
from contracts.links_on_postgres import on_postgres
from fakes.queues import SHOP
from support.engine import EngineWorld
from support.links import HELD_DUPLICATE, epos, pending_removals, woo
from tillsync_server.domain.enums import EntryState, Outcome
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.links import ConfirmedWrite, ShopUserChange

PENDING, HELD = EntryState.PENDING, EntryState.HELD
BEFORE = datetime(2024, 5, 1, 9, 30, tzinfo=UTC)


def deleted(woo_id: int, registered_at: datetime | None = None, changed_at: datetime | None = None) -> ShopUserChange:
    return ShopUserChange(woo_customer_id=woo(woo_id), is_deleted=True, registered_at=registered_at, changed_at=changed_at)


class ChangedBasisContract:
    """Every held order here has the till customers 1 and 2 as candidates."""

    async def test_candidates_of_held_orders_are_known(self, bench: LinkBench) -> None:
        await held(bench, 1, 2, woo=30)
        for requested, candidates in (([epos(1), epos(3)], {1}), ([epos(3)], set())):
            stored = await bench.reader.stored_customers(SHOP, requested)
            assert {each for each, found in stored.items() if found.is_candidate} == candidates

    async def test_held_orders_are_requeued_when_a_candidate_is_deleted(self, bench: LinkBench) -> None:
        waiting = await held(bench, 5, 3, woo=30)
        lease = await bench.lease()
        await bench.shop.mark_gone(lease, epos=[epos(3)])
        assert await bench.states(waiting) == [HELD, HELD]
        await bench.shop.mark_gone(lease, epos=[epos(2)])
        assert await bench.states(waiting) == [PENDING, PENDING]

    async def test_held_orders_are_requeued_when_the_shop_customer_of_their_candidate_is_deleted(self, bench: LinkBench) -> None:
        await bench.put_link(1, 40)
        waiting = await held(bench, 5, woo=30)
        await bench.shop.mark_gone(await bench.lease(), woo=[woo(40)])
        assert await bench.states(waiting) == [PENDING]

    async def test_held_orders_are_requeued_when_a_candidate_has_another_email(self, bench: LinkBench) -> None:
        waiting = await held(bench, 5, woo=30)
        lease = await bench.lease()
        assert await bench.linker.requeue_held_with_candidate(lease, epos(1), email="Ada@example.test", waits_anyway=False) == 0
        assert await bench.states(waiting) == [HELD]
        assert await bench.linker.requeue_held_with_candidate(lease, epos(1), email="other@example.test", waits_anyway=False) == 1
        assert await bench.states(waiting) == [PENDING]

    @pytest.mark.parametrize(
        ("email", "waits_anyway", "released"),
        [
            ("mailto:ada@example.test", False, 0),
            ("ada@example.test", False, 1),
            ("ada@example.test", True, 0),
            ("bea@example.test", True, 1),
            ("", False, 1),
        ],
        ids=["still resembles it", "corrected", "of a link", "other email", "none"],
    )
    async def test_order_held_for_a_spelling_is_requeued_when_it_is_corrected(
        self, bench: LinkBench, email: str, waits_anyway: bool, released: int
    ) -> None:
        spelling = Verdict.held(Outcome.CUSTOMER_NOT_MATCHED, "another spelling", candidate_ids=(epos(1),))
        waiting = [await bench.ended(5, spelling, woo=30)]
        lease = await bench.lease()
        assert await bench.linker.requeue_held_with_candidate(lease, epos(1), email=email, waits_anyway=waits_anyway) == released
        assert await bench.states(waiting) == [PENDING if released else HELD]

    async def test_candidate_without_an_email_counts_as_changed(self, bench: LinkBench) -> None:
        waiting = await held(bench, 5, woo=30)
        assert await bench.linker.requeue_held_with_candidate(await bench.lease(), epos(1), email="", waits_anyway=False) == 1
        assert await bench.states(waiting) == [PENDING]

    async def test_held_orders_are_requeued_when_their_candidate_is_unlinked(self, bench: LinkBench) -> None:
        await bench.put_link(1, 40)
        waiting = await held(bench, 5, woo=30)
        await bench.writer.delete(SHOP, epos_customer_id=epos(1))
        assert await bench.states(waiting) == [PENDING]

    # reports of the shop about its users

    async def test_deleted_user_ends_the_link_and_its_mark_and_requeues_held_orders(self, bench: LinkBench) -> None:
        await bench.put_link(1, 40)
        await bench.mark(40)
        waiting = await held(bench, 5, woo=30)
        reported = await bench.writer.report_shop_users(SHOP, [deleted(40)])
        assert (reported.unlinked, reported.requeued) == (1, 1)
        assert await bench.states(waiting) == [PENDING]
        assert (await link_of(bench, 1)).woo_gone_at is not None
        assert not await bench.reader.is_marked_do_not_auto_link(SHOP, woo(40))
        again = await bench.writer.report_shop_users(SHOP, [deleted(40)])
        assert (again.unlinked, again.requeued) == (0, 0)

    async def test_deletion_of_another_user_with_the_number_keeps_the_link(self, bench: LinkBench) -> None:
        await bench.put_link(1, 40)
        lease, link = await bench.lease(), await link_of(bench, 1)
        await bench.linker.confirm_person(lease, link, BEFORE)
        other, earlier = deleted(40, BEFORE + timedelta(days=400)), deleted(40, changed_at=link.create_time - timedelta(days=1))
        reported = await bench.writer.report_shop_users(SHOP, [other, earlier])
        assert (reported.unlinked, (await link_of(bench, 1)).is_usable) == (0, True)
        reported = await bench.writer.report_shop_users(SHOP, [deleted(40, BEFORE)])
        assert (reported.unlinked, (await link_of(bench, 1)).is_usable) == (1, False)

    async def test_changed_email_of_a_user_requeues_own_orders_and_keeps_the_link(self, bench: LinkBench) -> None:
        await bench.put_link(7, 30)
        own, others = await held(bench, 5, woo=30), await held(bench, 6, woo=31)
        reported = await bench.writer.report_shop_users(SHOP, [ShopUserChange(woo_customer_id=woo(30), is_deleted=False)])
        assert (reported.unlinked, reported.requeued) == (0, 1)
        assert (await bench.states(own), await bench.states(others)) == ([PENDING], [HELD])
        assert await pairs(bench) == {(7, 30)}

    # the person of a number

    async def test_confirmed_person_makes_the_link_usable_again(self, bench: LinkBench) -> None:
        await bench.put_link(1, 40)
        lease = await bench.lease()
        await bench.shop.confirm(lease, [ConfirmedWrite(epos(1), woo(40), b"hash", BEFORE)])
        await bench.linker.confirm_person(lease, await link_of(bench, 1), BEFORE)
        assert (await link_of(bench, 1)).content_hash == b"hash"
        await bench.shop.mark_gone(lease, woo=[woo(40)])
        await bench.linker.confirm_person(lease, await link_of(bench, 1), BEFORE)
        confirmed = await link_of(bench, 1)
        assert confirmed.content_hash is None, "the shop's values of a formerly deleted user are unknown"
        assert (confirmed.woo_registered_at, confirmed.woo_gone_at, confirmed.is_usable) == (BEFORE, None, True)
        assert await bench.refresh(1) is not None, "changes made meanwhile are written"

    async def test_ended_person_breaks_the_link_and_queues_the_removal(self, bench: LinkBench) -> None:
        await bench.put_link(1, 40)
        waiting = await held(bench, 5, woo=30)
        lease, link = await bench.lease(), await link_of(bench, 1)
        await bench.linker.end_of_person(lease, link)
        assert (await link_of(bench, 1)).is_usable is False
        assert await pending_removals(bench.reader, 1) == {1: (40,)}
        assert await bench.refresh(1) is not None
        assert await bench.states(waiting) == [PENDING]

    async def test_number_relinked_meanwhile_keeps_its_new_link(self, bench: LinkBench) -> None:
        """Only the link that was read was found to be gone."""
        await bench.put_link(1, 40)
        lease, before = await bench.lease(), await link_of(bench, 1)
        await bench.put_link(1, 41)
        await bench.put_link(2, 40)
        await bench.shop.mark_gone(lease, woo=[woo(40)], of=[epos(1)])
        await bench.linker.end_of_person(lease, before)
        assert (await link_of(bench, 2)).is_usable
        assert await pending_removals(bench.reader, 1, 2) == {}
        await bench.shop.mark_gone(lease, woo=[woo(40)], of=[epos(2)])
        assert not (await link_of(bench, 2)).is_usable

    async def test_read_time_is_stored_on_the_link(self, bench: LinkBench) -> None:
        await bench.put_link(1, 40)
        before = await bench.database_now()
        await bench.shop.note_read(await bench.lease(), [epos(1), epos(2)])
        read_at = (await link_of(bench, 1)).epos_read_at
        assert read_at is not None
        assert read_at >= before

    async def test_customer_to_be_checked_soon_is_queued(self, bench: LinkBench) -> None:
        await bench.linker.check_soon(await bench.lease(), epos(77))
        assert await bench.is_queued(77)

    async def test_stale_lease_changes_no_held_order_and_no_link(self, bench: LinkBench) -> None:
        await bench.put_link(1, 40)
        waiting = await held(bench, 5, woo=30)
        stale, link = await bench.lease(), await link_of(bench, 1)
        await bench.take_over()
        await bench.shop.mark_gone(stale, epos=[epos(1)])
        await bench.shop.note_read(stale, [epos(1)])
        await bench.linker.confirm_person(stale, link, BEFORE)
        await bench.linker.end_of_person(stale, link)
        await bench.linker.check_soon(stale, epos(77))
        assert await bench.linker.requeue_held_with_candidate(stale, epos(1), email="", waits_anyway=False) == 0
        assert await bench.states(waiting) == [HELD]
        assert replace(await link_of(bench, 1), hash_lapses=link.hash_lapses) == link
        assert not await bench.is_queued(77)


class TestFakeLinksOnChangedBasis(ChangedBasisContract):
    @pytest.fixture
    def bench(self) -> LinkBench:
        return InMemory()


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresOnChangedBasis(ChangedBasisContract):
    @pytest_asyncio.fixture
    async def bench(self, world: EngineWorld) -> LinkBench:
        return await on_postgres(world)


assert HELD_DUPLICATE.candidate_ids == (epos(1), epos(2)), "the candidates that the contract speaks of"
