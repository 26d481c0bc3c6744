"""A new link brings the points. Changes of links and settings requeue the entries that depend on them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from support.postgres import Cluster
from support.race_environment import RaceEnvironment, SandboxAccount, an_order, race_environment, shop_state
from tillsync.v1 import account_pb2, order_pb2, vocabulary_pb2
from tillsync_client import AlreadyExistsError, FailedPreconditionError

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROCESSED, SKIPPED, HELD = vocabulary_pb2.ENTRY_STATE_PROCESSED, vocabulary_pb2.ENTRY_STATE_SKIPPED, vocabulary_pb2.ENTRY_STATE_HELD
NOT_LINKED = "Customer is not linked"
NOT_MATCHED = "Customer Id Not Matched with EPOSNOW"
DUPLICATE = "We could not auto-link the customer as there is more than one customer in EposNow with the same email address."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(cluster: Cluster) -> AsyncIterator[RaceEnvironment]:
    async with race_environment(cluster) as made:
        yield made


def points(made: SandboxAccount) -> dict[int, str]:
    return {user: values.points for user, values in shop_state(made.shop)["values"].items()}


async def add_people(made: SandboxAccount, count: int, *, linked: bool = True, first: int = 1) -> None:
    """Adds till customers 501, 502, … whose points are their number, and shop customers 21, 22, …"""
    for number in range(first, first + count):
        made.till.add_customer(500 + number, email=f"{number}@example.test", forename=f"Person {number}", points=number)
        made.shop.add_customer(20 + number, email=f"{number}@example.test")
        if linked:
            await made.link(500 + number, 20 + number)
    await made.quiet()


async def comment_of(made: SandboxAccount, order_id: int) -> str:
    return (await made.match_of(order_id)).comment


async def test_link_by_hand_brings_the_points_and_names_its_entry(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        await add_people(made, 1, linked=False)
        await made.hint(501)
        await made.quiet()
        skipped = await made.newest("epos_customer_id", 501)
        assert (skipped.state, skipped.comment) == (SKIPPED, NOT_LINKED)
        linked = await environment.running.client.links.create_link(made.account, 501, 21)
        await made.shop.wait_for(lambda: points(made) == {21: "1"})
        await made.quiet()
        entry = await environment.running.client.queue.get_entry(made.account, linked.refresh_entry_id)
        assert (entry.state, entry.comment, entry.woo_customer_id) == (PROCESSED, "Successfully Updated", 21)


async def test_automatic_link_brings_the_points(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        await add_people(made, 1, linked=False)
        await made.order(an_order(woo=21, email="1@example.test"))
        await made.shop.wait_for(lambda: points(made) == {21: "1"})
        await made.quiet()
        match = await made.match_of(1042)
        assert (match.comment, match.epos_customer_id) == ("Matched by email", 501)
        assert "linked to shop customer 21" in match.notes


async def test_created_customer_is_linked_and_synced(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        await add_people(made, 1, linked=False)
        made.shop.add_customer(30, email="new@example.test")
        await made.order(an_order(woo=30, email="new@example.test"))
        await made.quiet()
        [created] = made.till.customers_by_email("new@example.test")
        assert await comment_of(made, 1042) == "Customer created"
        assert await made.links() == {(created, 30, True)}
        assert points(made) == {30: "0"}


async def test_unlinking_removes_the_values_and_marks_the_shop_customer(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        await add_people(made, 2)
        assert points(made) == {21: "1", 22: "2"}
        removed = await environment.running.client.links.delete_link(made.account, epos_customer_id=501)
        await made.shop.wait_for(lambda: points(made) == {22: "2"})
        await made.quiet()
        entry = await environment.running.client.queue.get_entry(made.account, removed.removal_entry_id)
        assert (entry.state, list(entry.notes)) == (PROCESSED, ["values removed from the shop"])
        await made.order(an_order(woo=21, email="1@example.test"))
        await made.quiet()
        held = await made.match_of(1042)
        assert (held.state, held.comment) == (HELD, NOT_MATCHED)
        assert held.notes[0].startswith("unlinked by hand")
        assert [each.epos_customer_id for each in held.candidates] == [501]
        await made.link(501, 21)  # The link clears the mark, requeues the order and brings the points back.
        await made.quiet()
        assert await comment_of(made, 1042) == "Matched to the linked customer"
        assert points(made) == {21: "1", 22: "2"}


async def test_values_of_a_link_removed_while_sync_is_off_go_when_it_is_switched_on(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        await add_people(made, 2)
        await made.update(customer_sync_enabled=False)
        await made.unlink(501)
        await made.quiet()
        assert points(made) == {21: "1", 22: "2"}, "nothing is written while sync is off"
        await made.update(customer_sync_enabled=True)
        await made.quiet()
        assert points(made) == {22: "2"}


async def test_switching_sync_on_queues_and_counts_every_linked_customer_and_stored_type(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        await add_people(made, 12)
        made.till.add_type(4001, name="Gold")
        made.till.add_type(4002, name="Silver")
        for type_id in (4001, 4002):
            await made.hint_type(type_id)
        await made.quiet()
        await made.update(customer_sync_enabled=False)
        requests_before = made.shop.log.total, made.till.log.total
        for number in range(1, 13):
            made.till.change_customer(500 + number, points=1000 + number)
        made.till.change_type(4001, name="Gold plus")
        made.till.delete_type(4002)
        await made.hint(501)
        await made.hint_type(4001)
        await made.quiet()
        for subject, subject_id in (("epos_customer_id", 501), ("epos_customer_type_id", 4001)):
            entry = await made.newest(subject, subject_id)
            assert (entry.state, entry.comment) == (SKIPPED, "Customer sync is not enabled")
        assert (made.shop.log.total, made.till.log.total) == requests_before, "no request is sent while sync is off"
        account = account_pb2.Account(customer_sync_enabled=True)
        on = await environment.running.client.accounts.update_account(made.account, account, ["customer_sync_enabled"])
        assert (on.effect.queued_customer_count, on.effect.queued_customer_type_count) == (12, 2)
        await made.quiet()
        assert points(made) == {20 + number: str(1000 + number) for number in range(1, 13)}
        assert shop_state(made.shop)["types"] == {4001: ("Gold plus", "0")}


async def test_names_are_written_when_they_are_switched_on(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        await add_people(made, 3)
        assert shop_state(made.shop)["names"] == {21: ("", ""), 22: ("", ""), 23: ("", "")}
        await made.update(sync_names=True)
        await made.quiet()
        assert shop_state(made.shop)["names"] == {20 + number: (f"Person {number}", "Byron") for number in (1, 2, 3)}


async def test_another_shop_gets_every_value_and_type(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        await add_people(made, 5)
        for number in range(1, 6):
            made.other_shop.add_customer(20 + number)
        made.till.add_type(4001, name="Gold")
        await made.hint_type(4001)
        await made.quiet()
        shop = account_pb2.ShopSettings(base_url=made.other_shop.origin, bridge_secret=made.other_shop.switches.bridge_secret)
        await made.update("shop.base_url", "shop.bridge_secret", shop=shop)
        await made.quiet()
        assert shop_state(made.other_shop)["values"] == shop_state(made.shop)["values"]
        assert shop_state(made.other_shop)["types"] == {4001: ("Gold", "0")}


async def test_held_orders_are_requeued_in_order_of_arrival_when_a_person_links(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(501, email="alan@example.test")
        made.till.add_customer(502, email="alan@example.test")
        made.shop.add_customer(21, email="alan@example.test")
        for order_id in (3, 1, 2):
            await made.order(an_order(order_id, woo=21, email="alan@example.test"))
            await made.quiet()
        assert {order: await comment_of(made, order) for order in (1, 2, 3)} == dict.fromkeys((1, 2, 3), DUPLICATE)
        linked = await environment.running.client.links.create_link(made.account, 502, 21)
        assert linked.released_order_count == 3
        await made.quiet()
        finished = [entry async for entry in made.entries() if entry.queue == vocabulary_pb2.QUEUE_ORDERS]
        assert {(entry.comment, entry.epos_customer_id) for entry in finished} == {("Matched to the linked customer", 502)}
        begun = sorted((entry.attempts[-1].start_time.ToNanoseconds(), entry.order_id) for entry in finished)
        assert [order_id for _, order_id in begun] == [3, 1, 2]


async def test_resolving_an_order_with_a_link_requeues_the_other_held_orders(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(501, email="alan@example.test")
        made.till.add_customer(502, email="alan@example.test", points=9)
        made.shop.add_customer(21, email="alan@example.test")
        for order_id in (1, 2):
            await made.order(an_order(order_id, woo=21, email="alan@example.test"))
        await made.quiet()
        resolved = await environment.running.client.links.resolve_order(
            made.account, (await made.match_of(1)).entry_id, 502, create_link=True
        )
        assert (resolved.link.woo_customer_id, resolved.released_order_count) == (21, 1)
        await made.quiet()
        assert [(await made.match_of(order)).epos_customer_id for order in (1, 2)] == [502, 502]
        assert points(made) == {21: "9"}


async def test_resolving_a_guests_order_decides_every_held_order_of_that_email(environment: RaceEnvironment) -> None:
    async with environment.new_account(guest_policy=account_pb2.GUEST_POLICY_MATCH_OR_CREATE) as made:
        made.till.add_customer(501, email="alan@example.test")
        made.till.add_customer(502, email="alan@example.test")
        for order_id, email in ((1, "alan@example.test"), (2, "ALAN@example.test"), (3, "")):
            await made.order(an_order(order_id, email=email))
        await made.quiet()
        client = environment.running.client.links
        entry_id = (await made.match_of(1)).entry_id
        with pytest.raises(FailedPreconditionError):
            await client.resolve_order(made.account, entry_id, 502, create_link=True)
        assert (await client.resolve_order(made.account, entry_id, 502)).released_order_count == 1
        await made.quiet()
        assert [(await made.match_of(order)).epos_customer_id for order in (1, 2, 3)] == [502, 502, 0]
        assert await made.links() == set(), "a guest is not linked"


@pytest.mark.parametrize(
    ("before", "order", "change", "paths", "comment"),
    [
        pytest.param(
            {},
            an_order(email="guest@example.test"),
            {"default_epos_customer_id": 599},
            ["default_epos_customer_id"],
            "Matched to the default customer",
            id="a default customer is set",
        ),
        pytest.param(
            {"auto_link": False},
            an_order(woo=21, email="1@example.test"),
            {"auto_link": True},
            ["auto_link"],
            "Matched by email",
            id="automatic linking is switched on",
        ),
        pytest.param(
            {},
            an_order(woo=21, email="", billing="1@example.test"),
            {"match_email": account_pb2.MATCH_EMAIL_BILLING},
            ["match_email"],
            "Matched by email",
            id="the billing email counts",
        ),
        pytest.param(
            {"guest_policy": account_pb2.GUEST_POLICY_MATCH_OR_CREATE},
            an_order(email=""),
            {"guest_policy": account_pb2.GUEST_POLICY_DEFAULT_CUSTOMER, "default_epos_customer_id": 599},
            ["guest_policy", "default_epos_customer_id"],
            "Matched to the default customer",
            id="guests go to the default customer",
        ),
    ],
)
async def test_held_orders_are_requeued_when_the_setting_that_held_them_changes(
    environment: RaceEnvironment,
    before: dict[str, Any],
    order: order_pb2.Order,
    change: dict[str, Any],
    paths: list[str],
    comment: str,
) -> None:
    async with environment.new_account(**before) as made:
        await add_people(made, 1, linked=False)
        made.till.add_customer(599, email="")
        await made.order(order)
        await made.quiet()
        held = await made.match_of(1042)
        assert (held.state, held.comment) == (HELD, NOT_MATCHED)
        changed = await environment.running.client.accounts.update_account(made.account, account_pb2.Account(**change), paths)
        assert changed.effect.requeued_entry_count == 1
        await made.quiet()
        assert await comment_of(made, 1042) == comment


async def test_default_customer_and_linked_customers_cannot_be_linked(environment: RaceEnvironment) -> None:
    async with environment.new_account(default_epos_customer_id=599) as made:
        await add_people(made, 2)
        made.till.add_customer(599, email="")
        for epos, woo, error in ((599, 29, FailedPreconditionError), (501, 22, AlreadyExistsError), (501, 29, AlreadyExistsError)):
            with pytest.raises(error):
                await made.link(epos, woo)
        await made.link(501, 21)  # the same link again is accepted
        with pytest.raises(FailedPreconditionError):
            await made.update(default_epos_customer_id=501)
        await made.quiet()
        assert await made.links() == {(501, 21, True), (502, 22, True)}
        assert points(made) == {21: "1", 22: "2"}


async def test_broken_link_is_replaced_by_the_next_order_and_by_hand(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        await add_people(made, 2)
        made.till.delete_customer(501)
        await made.hint(501)
        await made.quiet()
        gone = await made.newest("epos_customer_id", 501)
        assert (gone.comment, gone.notes[0]) == ("Customer Endpoint Point call api failed", "deleted in Epos Now")
        assert (501, 21, False) in await made.links()
        made.till.add_customer(511, email="1@example.test", points=11)
        await made.order(an_order(woo=21, email="1@example.test"))
        await made.quiet()
        assert await made.links() == {(511, 21, True), (502, 22, True)}
        assert points(made) == {21: "11", 22: "2"}
        made.shop.delete_customer(22)
        made.till.change_customer(502, points=3)
        await made.hint(502)
        await made.quiet()
        assert (502, 22, False) in await made.links()
        made.shop.add_customer(32, email="again@example.test")
        await made.link(502, 32)
        await made.quiet()
        assert points(made)[32] == "3"
