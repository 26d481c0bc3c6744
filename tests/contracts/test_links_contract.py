"""Reads of links, and links made by orders, as the order flow relies on them (invariants 3 and 6)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import pytest_asyncio
from contracts.link_bench import HELD_PRODUCT, OTHER, LinkBench, held, link_of, pairs
from contracts.links_in_memory import InMemory
from contracts.links_on_postgres import on_postgres
from fakes.queues import SHOP
from support.engine import EngineWorld
from support.links import epos, pending_removals, woo
from tillsync_server.domain.enums import EntryState, LinkGround
from tillsync_server.domain.link import Link, LinkOrigin
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease
from tillsync_server.ports.links import LinkFilter, OrderLinkOutcome

GUEST = "ada@example.test"


class LinkReaderContract:
    async def test_links_are_found_by_either_customer(self, bench: LinkBench) -> None:
        await bench.put_link(1001, 1)
        await bench.put_link(1010, 10, woo_gone=True)
        await bench.put_link(1020, 20, epos_gone=True)
        found = await bench.reader.by_epos(SHOP, [epos(1001), epos(1020), epos(5)])
        assert set(found) == {1001, 1020}
        assert (found[epos(1001)].woo_customer_id, found[epos(1001)].origin, found[epos(1001)].is_usable) == (1, LinkOrigin.BY_HAND, True)
        assert not found[epos(1020)].is_usable
        assert found[epos(1020)].epos_gone_at is not None
        assert await bench.reader.by_epos(SHOP, []) == {}
        link = await bench.reader.by_woo(SHOP, woo(10))
        assert link is not None
        assert (link.epos_customer_id, link.is_usable) == (1010, False)
        assert await bench.reader.by_woo(SHOP, woo(999)) is None
        assert await bench.reader.by_woo(OTHER, woo(10)) is None
        assert await bench.reader.by_epos(OTHER, [epos(1001)]) == {}

    async def test_links_are_listed_by_ascending_till_customer(self, bench: LinkBench) -> None:
        """Every tenth link is broken, on alternating sides."""
        for number in reversed(range(1, 46)):
            await bench.put_link(1000 + number, number, epos_gone=number % 20 == 0, woo_gone=number % 20 == 10)
        for number in range(1, 4):
            await bench.put_link(1000 + number, number, account_id=OTHER)
        links, seen, after = bench.reader, [], None
        while page := await links.list_links(SHOP, LinkFilter(), after=after, limit=20):
            seen += [link.epos_customer_id for link in page]
            after = page[-1].epos_customer_id
        assert seen == [1000 + number for number in range(1, 46)]
        broken = await links.list_links(SHOP, LinkFilter(broken_only=True), after=epos(1010), limit=20)
        assert [link.epos_customer_id for link in broken] == [1020, 1030, 1040]
        for wanted in (LinkFilter(epos_customer_id=epos(1007)), LinkFilter(woo_customer_id=woo(7))):
            assert [link.epos_customer_id for link in await links.list_links(SHOP, wanted, after=None, limit=20)] == [1007]
        assert await links.list_links(SHOP, LinkFilter(epos_customer_id=epos(1007), woo_customer_id=woo(8)), after=None, limit=20) == []
        assert await links.list_links(SHOP, LinkFilter(epos_customer_id=epos(1007)), after=epos(1007), limit=20) == []

    async def test_do_not_auto_link_mark_is_of_one_shop_customer(self, bench: LinkBench) -> None:
        await bench.mark(12)
        assert await bench.reader.is_marked_do_not_auto_link(SHOP, woo(12))
        assert not await bench.reader.is_marked_do_not_auto_link(SHOP, woo(13))
        assert not await bench.reader.is_marked_do_not_auto_link(OTHER, woo(12))


async def running_order(bench: LinkBench, order_id: int = 1042, *, woo_id: int | None = 12) -> tuple[LaneLease, ClaimedEntry]:
    """An order of the running flow, with a leased lane and a claimed entry."""
    await bench.order(order_id, woo=woo_id)
    return await bench.lease(), await bench.claim(order_id)


async def link(
    bench: LinkBench,
    lease: LaneLease,
    entry: ClaimedEntry,
    epos_id: int = 90001,
    woo_id: int = 12,
    replaces: Link | None = None,
    ground: LinkGround = LinkGround.CONFIRMED_EMAIL,
) -> OrderLinkOutcome:
    return await bench.linker.link(
        lease,
        entry,
        epos_customer_id=epos(epos_id),
        woo_customer_id=woo(woo_id),
        origin=LinkOrigin.MATCHED_EMAIL,
        ground=ground,
        replaces=replaces,
    )


class OrderLinkerContract:
    async def test_new_link_queues_its_customer_and_keeps_its_own_order_valid(self, bench: LinkBench) -> None:
        lease, entry = await running_order(bench)
        before = await bench.config_version()
        assert await bench.linker.is_still_valid(lease, entry)
        assert await link(bench, lease, entry) is OrderLinkOutcome.LINKED
        made = await link_of(bench, 90001)
        assert (made.woo_customer_id, made.origin, made.is_usable, made.content_hash) == (12, LinkOrigin.MATCHED_EMAIL, True, None)
        assert made.ground is LinkGround.CONFIRMED_EMAIL
        refresh = await bench.refresh(90001)
        assert refresh is not None
        assert (refresh.revision, refresh.is_pending) == (1, True)
        assert await bench.config_version() == before
        assert await bench.revision(entry.entry_id) == entry.entry_revision
        assert await bench.linker.is_still_valid(lease, entry)

    async def test_links_without_a_confirmed_email_are_listed_until_made_by_hand(self, bench: LinkBench) -> None:
        await bench.put_link(90005, 50)  # by hand
        for number, ground in ((1, LinkGround.CONFIRMED_EMAIL), (2, LinkGround.TRUSTED_ACCOUNT), (3, LinkGround.NOT_KEPT)):
            lease, entry = await running_order(bench, 1000 + number, woo_id=10 + number)
            assert await link(bench, lease, entry, 90000 + number, 10 + number, ground=ground) is OrderLinkOutcome.LINKED

        async def listed() -> list[int]:
            found = await bench.reader.list_links(SHOP, LinkFilter(unconfirmed_only=True), after=None, limit=20)
            return [each.epos_customer_id for each in found]

        assert await listed() == [90002, 90003]
        made = await bench.writer.create(SHOP, epos(90003), woo(13))
        assert (made.link.origin, made.link.ground) == (LinkOrigin.BY_HAND, LinkGround.BY_HAND)
        assert await listed() == [90002]
        again = await link_of(bench, 90003)
        assert (again.origin, again.ground) == (LinkOrigin.BY_HAND, LinkGround.BY_HAND)

    async def test_repeated_link_of_an_order_changes_nothing(self, bench: LinkBench) -> None:
        """The order's completion was lost after the commit of the link, so its entry runs again."""
        lease, entry = await running_order(bench)
        await link(bench, lease, entry)
        before = await link_of(bench, 90001), await bench.refresh(90001), await bench.revision(entry.entry_id)
        assert await link(bench, lease, entry) is OrderLinkOutcome.LINKED
        assert (await link_of(bench, 90001), await bench.refresh(90001), await bench.revision(entry.entry_id)) == before
        assert await pairs(bench) == {(90001, 12)}

    @pytest.mark.parametrize(("epos_id", "woo_id"), [(90001, 13), (90002, 12)])
    async def test_linked_customer_is_a_conflict(self, bench: LinkBench, epos_id: int, woo_id: int) -> None:
        lease, entry = await running_order(bench, woo_id=woo_id)
        await bench.put_link(90001, 12)
        assert await link(bench, lease, entry, epos_id, woo_id) is OrderLinkOutcome.CONFLICT
        assert await pairs(bench) == {(90001, 12)}
        assert await bench.refresh(epos_id) is None

    @pytest.mark.parametrize("change", ["lease", "settings", "facts", "dismissed"])
    @pytest.mark.catches("order-links-rest-on-current-settings")
    async def test_changed_order_lane_or_settings_link_and_requeue_nothing(self, bench: LinkBench, change: str) -> None:
        [waiting] = await held(bench, 7, woo=None)
        lease, entry = await running_order(bench)
        match change:
            case "lease":
                await bench.take_over()
            case "settings":
                await bench.change_settings()
            case "facts":
                await bench.new_facts(1042)
            case _:
                await bench.dismiss(entry.entry_id)
        assert not await bench.linker.is_still_valid(lease, entry)
        assert await link(bench, lease, entry) is OrderLinkOutcome.STALE
        assert await bench.linker.requeue_held_of_guest(lease, entry, email=GUEST) == 0
        assert await pairs(bench) == set()
        assert await bench.states([waiting]) == [EntryState.HELD]

    async def test_other_revision_of_the_order_requeues_nothing(self, bench: LinkBench) -> None:
        [waiting] = await held(bench, 7, woo=None)
        lease, entry = await running_order(bench, woo_id=None)
        moved = replace(entry, entry_revision=entry.entry_revision + 1)
        assert await bench.linker.requeue_held_of_guest(lease, moved, email=GUEST) == 0
        assert not await bench.linker.is_still_valid(lease, moved)
        assert await bench.states([waiting]) == [EntryState.HELD]

    async def test_link_to_the_default_customer_raises_value_error(self, bench: LinkBench) -> None:
        await bench.set_default_customer(90001)
        lease, entry = await running_order(bench)
        with pytest.raises(ValueError, match="default customer 90001"):
            await link(bench, lease, entry)
        assert await pairs(bench) == set()

    async def test_broken_link_is_replaced_without_a_removal(self, bench: LinkBench) -> None:
        lease, entry = await running_order(bench)
        await link(bench, lease, entry, 80001)
        await bench.want_removal(70001, 12)
        await bench.break_link(80001)
        assert await link(bench, lease, entry, replaces=await link_of(bench, 80001)) is OrderLinkOutcome.LINKED
        assert await pairs(bench) == {(90001, 12)}
        removals = await pending_removals(bench.reader, 70001, 80001)
        assert removals == {}, "the values are written again, so none are removed"

    async def test_broken_links_of_both_customers_are_replaced(self, bench: LinkBench) -> None:
        """The till customer exists again, and its former shop customer still has its values."""
        lease, entry = await running_order(bench)
        await link(bench, lease, entry, 80001, 12)
        await link(bench, lease, entry, 90001, 11)
        await bench.break_link(80001)
        broken = await link_of(bench, 80001)
        await bench.break_link(90001)
        assert await link(bench, lease, entry, replaces=broken) is OrderLinkOutcome.LINKED
        assert await pairs(bench) == {(90001, 12)}
        assert await pending_removals(bench.reader, 90001) == {90001: (11,)}

    async def test_link_changed_since_it_was_read_is_not_replaced(self, bench: LinkBench) -> None:
        lease, entry = await running_order(bench)
        await link(bench, lease, entry, 80001)
        await bench.break_link(80001)
        broken = await link_of(bench, 80001)
        await bench.renew_link(80001)
        assert await link(bench, lease, entry, replaces=broken) is OrderLinkOutcome.CONFLICT
        assert await pairs(bench) == {(80001, 12)}

    async def test_new_link_requeues_held_orders_of_the_customer(self, bench: LinkBench) -> None:
        waiting = await held(bench, 7, 3, 5)
        others = [*await held(bench, 20, woo=13), *await held(bench, 21, woo=None)]
        lease, entry = await running_order(bench)
        assert await link(bench, lease, entry) is OrderLinkOutcome.LINKED
        assert await bench.states(waiting) == [EntryState.PENDING] * 3
        assert await bench.states(others) == [EntryState.HELD] * 2

    @pytest.mark.catches("links-raise-only-what-they-change")
    async def test_pending_orders_affected_by_a_new_link_get_a_new_revision(self, bench: LinkBench) -> None:
        """What they decide on the links as they were is not their last word. An order of the same shop customer never runs beside the one
        that links: it ends as it should, like the orders of others."""
        of_till = await bench.order(1, woo=30, email="1@example.test", epos=90001)
        of_shop = await bench.order(2, woo=12, email="2@example.test")
        of_others = await bench.order(3, woo=32, email="3@example.test")
        lease, entry = await running_order(bench)
        before = [await bench.revision(each) for each in (of_till, of_shop, of_others)]
        assert await link(bench, lease, entry) is OrderLinkOutcome.LINKED
        after = [await bench.revision(each) for each in (of_till, of_shop, of_others)]
        assert [new - old for old, new in zip(before, after, strict=True)] == [1, 0, 0]

    async def test_pending_customer_entry_gets_a_new_revision_from_its_new_link(self, bench: LinkBench) -> None:
        """The running entry may have found no link. The link's own hint keeps it pending."""
        entry_id = await bench.hint(90001)
        lease, entry = await running_order(bench)
        assert await link(bench, lease, entry) is OrderLinkOutcome.LINKED
        refresh = await bench.refresh(90001)
        assert refresh is not None
        assert (refresh.entry_id, refresh.revision, refresh.is_pending) == (entry_id, 2, True)

    async def test_guest_orders_of_one_email_are_requeued_except_those_held_for_products(self, bench: LinkBench) -> None:
        waiting = [*await held(bench, 7, woo=None), *await held(bench, 3, woo=None, email=" ADA@example.test")]
        others = [
            *await held(bench, 30, woo=12),
            *await held(bench, 31, woo=None, email="bea@example.test"),
            await bench.ended(32, HELD_PRODUCT, woo=None),
        ]
        lease, entry = await running_order(bench, woo_id=None)
        assert await bench.linker.requeue_held_of_guest(lease, entry, email=GUEST) == 2
        assert await bench.states([*waiting, *others]) == [EntryState.PENDING] * 2 + [EntryState.HELD] * 3
        assert await bench.linker.requeue_held_of_guest(lease, entry, email=GUEST) == 0
        assert await bench.linker.requeue_held_of_guest(lease, entry, email="") == 0
        assert await bench.linker.is_still_valid(lease, entry), "its own verdict is written"


class TestFakeLinks(LinkReaderContract, OrderLinkerContract):
    @pytest.fixture
    def bench(self) -> LinkBench:
        return InMemory()


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresLinks(LinkReaderContract, OrderLinkerContract):
    @pytest_asyncio.fixture
    async def bench(self, world: EngineWorld) -> LinkBench:
        return await on_postgres(world)
