"""Links created and deleted by a person, and a person's decision for an order."""

from __future__ import annotations

import pytest
import pytest_asyncio
from contracts.link_bench import FAILED, OTHER, LinkBench, held, link_of, pairs
from contracts.links_in_memory import InMemory
from contracts.links_on_postgres import on_postgres
from fakes.queues import SHOP
from support.engine import EngineWorld
from support.links import epos, pending_removals, woo
from tillsync_server.domain.enums import EntryState
from tillsync_server.domain.errors import AlreadyExists, FailedPrecondition, NotFound
from tillsync_server.domain.ids import AccountId, new_entry_id
from tillsync_server.domain.link import LinkOrigin

UNKNOWN = AccountId("nobody")


class LinkWriterContract:
    # create

    async def test_create_queues_the_customer_and_raises_the_configuration(self, bench: LinkBench) -> None:
        before = await bench.config_version()
        made = await bench.writer.create(SHOP, epos(90001), woo(12))
        assert (made.link.epos_customer_id, made.link.woo_customer_id, made.link.origin) == (90001, 12, LinkOrigin.BY_HAND)
        assert made.requeued_order_entries == 0
        refresh = await bench.refresh(90001)
        assert refresh is not None
        assert (refresh.entry_id, refresh.is_pending) == (made.refresh_entry_id, True)
        assert await bench.config_version() == before + 1
        assert await bench.reader.by_woo(SHOP, woo(12)) == made.link

    async def test_create_is_idempotent(self, bench: LinkBench) -> None:
        first = await bench.writer.create(SHOP, epos(90001), woo(12))
        version = await bench.config_version()
        second = await bench.writer.create(SHOP, epos(90001), woo(12))
        assert (second.link, second.refresh_entry_id) == (first.link, first.refresh_entry_id)
        assert await bench.config_version() == version, "nothing changed that anybody decides on"

    async def test_create_error_names_the_linked_customer_and_its_partner(self, bench: LinkBench) -> None:
        await bench.writer.create(SHOP, epos(90001), woo(12))
        version = await bench.config_version()
        with pytest.raises(AlreadyExists, match="till customer 90001 is linked to shop customer 12") as of_till:
            await bench.writer.create(SHOP, epos(90001), woo(13))
        assert (of_till.value.reason, of_till.value.metadata["woo_customer_id"]) == ("EPOS_CUSTOMER_LINKED", "12")
        with pytest.raises(AlreadyExists, match="shop customer 12 is linked to till customer 90001") as of_shop:
            await bench.writer.create(SHOP, epos(90002), woo(12))
        assert (of_shop.value.reason, of_shop.value.metadata["epos_customer_id"]) == ("WOO_CUSTOMER_LINKED", "90001")
        assert await bench.config_version() == version
        assert await bench.refresh(90002) is None

    async def test_create_replaces_an_unusable_link(self, bench: LinkBench) -> None:
        await bench.writer.create(SHOP, epos(90001), woo(12))
        await bench.break_link(90001)
        again = await bench.writer.create(SHOP, epos(90001), woo(12))
        assert again.link.is_usable
        assert again.link.content_hash is None
        await bench.break_link(90001)
        await bench.writer.create(SHOP, epos(90001), woo(13))  # the former shop customer exists and still has the values
        assert await pending_removals(bench.reader, 90001) == {90001: (12,)}
        assert await bench.reader.by_woo(SHOP, woo(12)) is None

    async def test_default_customer_cannot_be_linked_by_hand(self, bench: LinkBench) -> None:
        await bench.set_default_customer(90001)
        [order] = await held(bench, 7)
        for attempt in (
            bench.writer.create(SHOP, epos(90001), woo(12)),
            bench.writer.resolve_order(SHOP, order, epos(90001), create_link=True),
        ):
            with pytest.raises(FailedPrecondition) as refused:
                await attempt
            assert refused.value.reason == "DEFAULT_CUSTOMER"
        assert await pairs(bench) == set()
        assert await bench.states([order]) == [EntryState.HELD]

    async def test_create_requeues_held_orders_of_the_shop_customer(self, bench: LinkBench) -> None:
        orders = await held(bench, 9, 4, 6)
        [other] = await held(bench, 20, woo=13)
        made = await bench.writer.create(SHOP, epos(90001), woo(12))
        assert made.requeued_order_entries == 3
        assert await bench.states([*orders, other]) == [EntryState.PENDING] * 3 + [EntryState.HELD]

    async def test_pending_order_gets_a_new_revision_when_a_link_is_created(self, bench: LinkBench) -> None:
        order = await bench.order(7)
        before = await bench.revision(order)
        await bench.writer.create(SHOP, epos(90001), woo(12))
        assert await bench.revision(order) == before + 1

    # delete

    @pytest.mark.parametrize("by", ["epos", "woo", "both"])
    async def test_delete_leaves_a_mark_and_queues_the_removal(self, bench: LinkBench, by: str) -> None:
        made = await bench.writer.create(SHOP, epos(90001), woo(12))
        before = await bench.config_version()
        gone = await bench.writer.delete(
            SHOP, epos_customer_id=None if by == "woo" else epos(90001), woo_customer_id=None if by == "epos" else woo(12)
        )
        assert gone.link == made.link
        assert await bench.reader.by_woo(SHOP, woo(12)) is None
        assert await bench.reader.is_marked_do_not_auto_link(SHOP, woo(12))
        assert await pending_removals(bench.reader, 90001) == {90001: (12,)}
        refresh = await bench.refresh(90001)
        assert refresh is not None
        assert (refresh.entry_id, refresh.is_pending) == (gone.removal_entry_id, True)
        assert await bench.config_version() == before + 1

    async def test_second_delete_raises_not_found(self, bench: LinkBench) -> None:
        writer = bench.writer
        await writer.create(SHOP, epos(90001), woo(12))
        await writer.create(SHOP, epos(90002), woo(13))
        for missing in (
            writer.delete(SHOP, epos_customer_id=epos(5)),
            writer.delete(SHOP, woo_customer_id=woo(5)),
            writer.delete(SHOP, epos_customer_id=epos(90001), woo_customer_id=woo(13)),
            writer.delete(SHOP),
            writer.delete(OTHER, woo_customer_id=woo(12)),
        ):
            with pytest.raises(NotFound) as refused:
                await missing
            assert refused.value.reason == "LINK_NOT_FOUND"
        await writer.delete(SHOP, woo_customer_id=woo(12))
        with pytest.raises(NotFound):
            await writer.delete(SHOP, woo_customer_id=woo(12))

    async def test_create_after_delete_clears_the_mark_and_the_removal(self, bench: LinkBench) -> None:
        await bench.writer.create(SHOP, epos(90001), woo(12))
        await bench.writer.delete(SHOP, woo_customer_id=woo(12))
        await bench.writer.create(SHOP, epos(90002), woo(12))
        assert not await bench.reader.is_marked_do_not_auto_link(SHOP, woo(12))
        assert await pending_removals(bench.reader, 90001, 90002) == {}

    # resolve

    async def test_decision_without_a_link_applies_to_its_order_only(self, bench: LinkBench) -> None:
        one, other = await held(bench, 7, 8)
        resolved = await bench.writer.resolve_order(SHOP, one, epos(90001), create_link=False)
        assert (resolved.entry_id, resolved.link, resolved.requeued_order_entries) == (one, None, 0)
        assert await bench.states([one, other]) == [EntryState.PENDING, EntryState.HELD]
        assert (await bench.chosen(one), await bench.chosen(other)) == (90001, None)
        assert await pairs(bench) == set()

    async def test_decision_for_a_guest_applies_to_held_orders_of_the_email(self, bench: LinkBench) -> None:
        orders = [
            *await held(bench, 7, woo=None),
            *await held(bench, 3, woo=None, email="Ada@Example.test "),
            *await held(bench, 5, woo=None),
        ]
        others = [*await held(bench, 30), *await held(bench, 31, woo=None, email="bea@example.test")]
        resolved = await bench.writer.resolve_order(SHOP, orders[1], epos(90001), create_link=False)
        assert (resolved.entry_id, resolved.requeued_order_entries) == (orders[1], 2)
        assert await bench.states([*orders, *others]) == [EntryState.PENDING] * 3 + [EntryState.HELD] * 2
        assert {await bench.chosen(each) for each in orders} == {90001}

    async def test_decision_with_a_link_creates_the_link(self, bench: LinkBench) -> None:
        await bench.mark(12)
        one, other, third = await held(bench, 7, 8, 9)
        before = await bench.config_version()
        resolved = await bench.writer.resolve_order(SHOP, other, epos(90001), create_link=True)
        assert resolved.link == await link_of(bench, 90001)
        assert (resolved.link.epos_customer_id, resolved.link.woo_customer_id) == (90001, 12)
        assert (resolved.entry_id, resolved.requeued_order_entries) == (other, 2)
        assert not await bench.reader.is_marked_do_not_auto_link(SHOP, woo(12))
        assert await bench.config_version() == before + 1
        assert await bench.states([one, other, third]) == [EntryState.PENDING] * 3
        assert await bench.refresh(90001) is not None

    async def test_decision_with_a_taken_link_changes_nothing(self, bench: LinkBench) -> None:
        await bench.writer.create(SHOP, epos(90001), woo(13))
        [one] = await held(bench, 7)
        with pytest.raises(AlreadyExists):
            await bench.writer.resolve_order(SHOP, one, epos(90001), create_link=True)
        assert await bench.states([one]) == [EntryState.HELD]

    async def test_decision_for_a_failed_order_makes_a_successor(self, bench: LinkBench) -> None:
        failed = await bench.ended(7, FAILED)
        resolved = await bench.writer.resolve_order(SHOP, failed, epos(90001), create_link=False)
        assert resolved.entry_id != failed
        assert await bench.retried_from(resolved.entry_id) == failed
        assert (await bench.states([resolved.entry_id]), await bench.chosen(resolved.entry_id)) == ([EntryState.PENDING], 90001)
        with pytest.raises(FailedPrecondition) as refused:
            await bench.writer.resolve_order(SHOP, failed, epos(90002), create_link=False)
        assert refused.value.reason == "ORDER_NOT_HELD"

    # the same decision again

    async def test_repeated_decision_returns_the_first_result_and_changes_nothing(self, bench: LinkBench) -> None:
        [one] = await held(bench, 7)
        failed = await bench.ended(8, FAILED)
        for entry_id in (one, failed):
            assert await bench.writer.resolved_before(SHOP, entry_id, epos(90001), create_link=False) is None
            first = await bench.writer.resolve_order(SHOP, entry_id, epos(90001), create_link=False)
            revision = await bench.revision(first.entry_id)
            for _ in range(2):
                assert await bench.writer.resolve_order(SHOP, entry_id, epos(90001), create_link=False) == first
            assert await bench.writer.resolved_before(SHOP, entry_id, epos(90001), create_link=False) == first
            assert await bench.revision(first.entry_id) == revision
            for other, create_link in ((90002, False), (90001, True)):
                assert await bench.writer.resolved_before(SHOP, entry_id, epos(other), create_link=create_link) is None
                with pytest.raises(FailedPrecondition) as refused:
                    await bench.writer.resolve_order(SHOP, entry_id, epos(other), create_link=create_link)
                assert refused.value.reason == "ORDER_NOT_HELD"
        assert await pairs(bench) == set()

    async def test_repeated_decision_with_a_link_returns_the_link(self, bench: LinkBench) -> None:
        [one, other] = await held(bench, 7, 8)
        first = await bench.writer.resolve_order(SHOP, one, epos(90001), create_link=True)
        version = await bench.config_version()
        again = await bench.writer.resolve_order(SHOP, one, epos(90001), create_link=True)
        assert (first.requeued_order_entries, again.requeued_order_entries) == (1, 0)
        assert (again.entry_id, again.link) == (first.entry_id, first.link)
        assert await bench.config_version() == version
        await bench.writer.delete(SHOP, woo_customer_id=woo(12))
        with pytest.raises(FailedPrecondition):  # deleted meanwhile, the link is not made again by a repeated call
            await bench.writer.resolve_order(SHOP, one, epos(90001), create_link=True)
        assert await pairs(bench) == set()
        assert await bench.states([other]) == [EntryState.PENDING]

    async def test_decision_for_a_failed_order_can_create_a_link(self, bench: LinkBench) -> None:
        failed = await bench.ended(7, FAILED)
        [waiting] = await held(bench, 8)
        resolved = await bench.writer.resolve_order(SHOP, failed, epos(90001), create_link=True)
        assert resolved.requeued_order_entries == 1
        assert await bench.states([resolved.entry_id, waiting]) == [EntryState.PENDING] * 2

    async def test_undecidable_entries_are_refused(self, bench: LinkBench) -> None:
        customer = await bench.hint(90001)
        [guest] = await held(bench, 7, woo=None)
        pending = await bench.order(8)
        for entry_id, create_link, reason in (
            (customer, False, "NOT_AN_ORDER"),
            (guest, True, "GUEST_CANNOT_BE_LINKED"),
            (pending, False, "ORDER_NOT_HELD"),
        ):
            with pytest.raises(FailedPrecondition) as refused:
                await bench.writer.resolve_order(SHOP, entry_id, epos(90001), create_link=create_link)
            assert refused.value.reason == reason
        with pytest.raises(NotFound) as missing:
            await bench.writer.resolve_order(SHOP, new_entry_id(), epos(90001), create_link=False)
        assert missing.value.reason == "ENTRY_NOT_FOUND"
        assert await bench.states([guest]) == [EntryState.HELD]

    # all methods

    async def test_unknown_account_raises_not_found(self, bench: LinkBench) -> None:
        for attempt in (
            bench.writer.create(UNKNOWN, epos(1), woo(1)),
            bench.writer.delete(UNKNOWN, woo_customer_id=woo(1)),
            bench.writer.resolve_order(UNKNOWN, new_entry_id(), epos(1), create_link=False),
        ):
            with pytest.raises(NotFound) as refused:
                await attempt
            assert refused.value.reason == "ACCOUNT_NOT_FOUND"


class TestFakeLinksByHand(LinkWriterContract):
    @pytest.fixture
    def bench(self) -> LinkBench:
        return InMemory()


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresLinkWriter(LinkWriterContract):
    @pytest_asyncio.fixture
    async def bench(self, world: EngineWorld) -> LinkBench:
        return await on_postgres(world)
