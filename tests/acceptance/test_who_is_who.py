"""A number is not a person, and a decision is looked at again when its ground changes: through the public API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio
from support.postgres import Cluster
from support.race_environment import RaceEnvironment, SandboxAccount, an_order, race_environment, shop_state
from support.waiting import until
from tillsync.v1 import link_service_pb2, order_pb2, vocabulary_pb2
from tillsync_client.customer_sync import timestamp

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADA, EVE = "ada@example.test", "eve@example.test"
PENDING, PROCESSED, HELD = (
    vocabulary_pb2.ENTRY_STATE_PENDING,
    vocabulary_pb2.ENTRY_STATE_PROCESSED,
    vocabulary_pb2.ENTRY_STATE_HELD,
)
LINKED = "Matched to the linked customer"
DUPLICATE = "We could not auto-link the customer as there is more than one customer in EposNow with the same email address."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(cluster: Cluster) -> AsyncIterator[RaceEnvironment]:
    async with race_environment(cluster) as made:
        yield made


def of_user(made: SandboxAccount, order_id: int, user_id: int, email: str) -> order_pb2.Order:
    """As the plugin tells it: with the time at which the user registered."""
    registered = datetime.fromisoformat(f"{made.shop.store.users[user_id].registered}+00:00")
    return an_order(order_id, woo=user_id, email=email, woo_registered_time=timestamp(registered))


async def answered(made: SandboxAccount, order: order_pb2.Order) -> order_pb2.OrderMatch:
    await made.order(order)
    await made.quiet()
    return await made.match_of(order.order_id)


def points(made: SandboxAccount) -> dict[int, str]:
    return {user: values.points for user, values in shop_state(made.shop)["values"].items()}


def till_requests(made: SandboxAccount) -> int:
    return len(made.till.log.matching())


async def test_a_number_that_went_to_somebody_else_shows_no_strangers_points(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(501, email=ADA, points=120)
        made.shop.add_customer(12, email=ADA)
        assert (await answered(made, of_user(made, 1, 12, ADA))).epos_customer_id == 501
        assert points(made) == {12: "120"}
        # the number comes back with a restored backup, its values with it, and another person
        values = made.shop.store.bridge_rows[12]
        made.shop.store.delete_user(12)
        made.shop.store.bridge_rows[12] = values
        made.shop.add_customer(12, email=EVE, registered="2026-02-01T08:00:00")
        match = await answered(made, of_user(made, 2, 12, EVE))
        assert (match.state, match.epos_customer_id) == (HELD, 0)
        assert match.notes[0].startswith("shop customer 12 is another person than the one who was linked to customer 501")
        assert (points(made), await made.links()) == ({}, {(501, 12, False)})
        assert [each.email_address for each in made.till.store] == [ADA], "nobody was created"
        made.till.add_customer(502, email=EVE, points=7)
        await made.order(of_user(made, 2, 12, EVE), rerun=True)
        await made.quiet()
        assert (points(made), await made.links()) == ({12: "7"}, {(502, 12, True)})


async def test_a_write_is_for_the_linked_person_whoever_has_the_number(environment: RaceEnvironment) -> None:
    """Before the new person has ordered anything."""
    async with environment.new_account() as made:
        made.till.add_customer(501, email=ADA, points=120)
        made.shop.add_customer(12, email=ADA)
        await answered(made, of_user(made, 1, 12, ADA))
        made.shop.store.delete_user(12)
        made.shop.add_customer(12, email=EVE, registered="2026-02-01T08:00:00")
        made.till.change_customer(501, points=130)
        await made.hint(501)
        await made.quiet()
        assert (points(made), await made.links()) == ({}, {(501, 12, False)})


async def test_without_the_bridge_a_stranger_loses_what_was_written(environment: RaceEnvironment) -> None:
    keys: Any = {"consumer_key": "ck_sandbox", "consumer_secret": "cs_sandbox"}
    async with environment.new_account() as made:
        await made.update("shop.bridge_secret", "shop.consumer_key", "shop.consumer_secret", shop=keys)
        made.till.add_customer(501, email=ADA, points=120)
        made.shop.add_customer(12, email=ADA)
        await answered(made, of_user(made, 1, 12, ADA))
        assert made.shop.metas(12)["tillsync_points_balance"] == "120"
        made.shop.store.delete_user(12)
        made.shop.add_customer(12, email=EVE, registered="2026-02-01T08:00:00")
        made.till.change_customer(501, points=130)
        await made.hint(501)
        await made.quiet()
        assert "tillsync_points_balance" not in made.shop.metas(12)
        assert await made.links() == {(501, 12, False)}


async def test_the_work_grows_with_the_orders_of_a_deleted_shopper(environment: RaceEnvironment) -> None:
    """One search for all; each order is decided once."""
    counts: dict[int, tuple[int, int]] = {}
    for count in (10, 40):
        async with environment.new_account() as made:
            made.till.add_customer(501, email=ADA, points=120)
            for number in range(count):
                await made.order(an_order(100 + number, woo=12, email=ADA))
            await made.quiet()
            matches = [await made.match_of(100 + number) for number in range(count)]
            assert {(match.state, match.epos_customer_id) for match in matches} == {(PROCESSED, 501)}
            attempts = sum([entry.attempt_count async for entry in made.entries() if entry.queue == vocabulary_pb2.QUEUE_ORDERS])
            counts[count] = (till_requests(made), attempts)
    assert counts[40][0] <= counts[10][0] + 2, counts
    assert counts[40][1] == 40


async def test_a_pending_order_shows_no_outcome_that_was_thrown_away(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(501, email=ADA)
        made.shop.add_customer(12, email=ADA)
        await made.link(501, 12)
        await made.quiet()
        gate = made.gates.hold(made.account, "by_woo", "after")
        await made.order(an_order(1, woo=12, email=ADA))
        await gate.arrived()
        await made.order(an_order(1, woo=12, email=EVE))
        next_claim = made.gates.hold(made.account, "claim", "before")
        gate.release()
        entry = (
            "SELECT state, comment, notes, outcome, jsonb_array_length(attempts) AS attempts FROM entry WHERE account_id = $1 AND kind = 3"
        )

        async def thrown_away() -> bool:
            row = await made.connection.fetchrow(entry, made.account)
            return row is not None and row["attempts"] == 1

        await until(thrown_away)
        row = await made.connection.fetchrow(entry, made.account)
        assert row is not None
        assert (row["state"], row["outcome"], row["comment"], row["notes"]) == (PENDING, None, "", "")
        match = await made.match_of(1)
        assert (match.state, match.comment, match.epos_customer_id) == (PENDING, "", 0)
        next_claim.release()
        await made.quiet()
        assert ((await made.match_of(1)).comment, (await made.match_of(1)).epos_customer_id) == (LINKED, 501)


async def test_a_merchant_who_cleans_up_duplicates_gets_the_order_matched(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(501, email=ADA, points=120)
        made.till.add_customer(502, email=ADA)
        made.till.add_customer(503, email=ADA)
        made.shop.add_customer(12, email=ADA)
        held = await answered(made, of_user(made, 1, 12, ADA))
        assert (held.state, held.comment) == (HELD, DUPLICATE)
        made.till.delete_customer(503)
        await made.hint(503)
        await made.quiet()
        assert (await made.match_of(1)).state == HELD, "there are still two"
        made.till.change_customer(502, email="twin-of-ada@example.test")
        await made.hint(502)
        await made.quiet()
        match = await made.match_of(1)
        assert (match.state, match.epos_customer_id, points(made)) == (PROCESSED, 501, {12: "120"})


async def test_a_candidate_that_only_got_points_decides_nothing_again(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(501, email=ADA)
        made.till.add_customer(502, email=ADA)
        made.shop.add_customer(12, email=ADA)
        await answered(made, of_user(made, 1, 12, ADA))
        before = (await made.newest("order_id", 1)).attempt_count
        made.till.change_customer(502, points=5)
        await made.hint(502)
        await made.quiet()
        assert (await made.newest("order_id", 1)).attempt_count == before


async def test_a_deleted_user_that_the_shop_tells_of_frees_the_till_customer_for_the_new_account(environment: RaceEnvironment) -> None:
    async with environment.new_account(shop={"bridge_secret": "c2FuZGJveC1zYW5kYm94LXNhbmRib3gtc2FuZGJveC0"}) as made:
        made.shop.switches.bridge_api = 1  # an older bridge: the shop cannot be asked who its users are
        made.till.add_customer(501, email=ADA, points=120)
        made.shop.add_customer(40, email="old@example.test")
        made.shop.add_customer(12, email=ADA)
        await made.link(501, 40)
        await made.quiet()
        held = await answered(made, of_user(made, 1, 12, ADA))
        assert (held.state, held.notes[0]) == (
            HELD,
            "the only customer with this email, 501, is linked to another shop customer, 40",
        )
        change = link_service_pb2.ShopUserChange(woo_customer_id=40, deleted=True)
        reported = await made.running.client.links.report_shop_users(made.account, [change])
        assert (reported.unlinked_count, reported.released_order_count) == (1, 1)
        await made.quiet()
        match = await made.match_of(1)
        assert (match.state, match.epos_customer_id, await made.links()) == (PROCESSED, 501, {(501, 12, True)})


async def test_a_till_customer_deleted_without_a_word_is_found_out_and_its_orders_are_told(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(501, email=ADA)
        made.shop.add_customer(12, email=ADA)
        first = await answered(made, of_user(made, 1, 12, ADA))
        assert first.epos_customer_id == 501
        made.till.delete_customer(501)
        await made.connection.execute(
            "UPDATE link SET create_time = create_time - interval '2 days', as_of = as_of - interval '2 days' WHERE account_id = $1",
            made.account,
        )
        await made.order(of_user(made, 2, 12, ADA))

        async def told() -> bool:
            matches = [await made.match_of(order_id) for order_id in (1, 2)]
            return all("customer 501 was deleted in Epos Now after this order was answered" in "".join(each.notes) for each in matches)

        await until(told)
        assert await made.links() == {(501, 12, False)}
        events = {(event.subject, event.type) for event in made.shop.store.events}
        assert ("order:1", "order.finished") in events, events


async def test_orders_that_were_answered_by_a_link_say_that_it_was_taken_off(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(501, email=ADA)
        made.shop.add_customer(12, email=ADA)
        made.shop.add_customer(40, email=EVE)
        await answered(made, of_user(made, 1, 12, ADA))
        await made.unlink(501)
        await made.quiet()
        match = await made.match_of(1)
        note = "the link to customer 501 was taken off after this order was answered: match the order again if it is not theirs"
        assert (match.state, match.epos_customer_id, match.notes[-1]) == (PROCESSED, 501, note)
        await made.link(501, 40)
        await made.unlink(501)
        await made.quiet()
        assert list((await made.match_of(1)).notes).count(note) == 1, "told once"
