"""Tests through the public API: a reused customer number is not the former person, and orders run again when their facts change."""

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


def order_of_user(made: SandboxAccount, order_id: int, user_id: int, email: str) -> order_pb2.Order:
    """An order as the plugin sends it, with the time at which the user registered."""
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


async def test_reused_shop_number_shows_no_points_of_its_former_person(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(501, email=ADA, points=120)
        made.shop.add_customer(12, email=ADA)
        assert (await answered(made, order_of_user(made, 1, 12, ADA))).epos_customer_id == 501
        assert points(made) == {12: "120"}
        # A restored backup brings the number back with its values, for another person.
        values = made.shop.store.bridge_rows[12]
        made.shop.store.delete_user(12)
        made.shop.store.bridge_rows[12] = values
        made.shop.add_customer(12, email=EVE, registered="2026-02-01T08:00:00")
        match = await answered(made, order_of_user(made, 2, 12, EVE))
        assert (match.state, match.epos_customer_id) == (HELD, 0)
        assert match.notes[0].startswith("shop customer 12 is another person than the one who was linked to customer 501")
        assert (points(made), await made.links()) == ({}, {(501, 12, False)})
        assert [each.email_address for each in made.till.store] == [ADA], "no customer was created"
        made.till.add_customer(502, email=EVE, points=7)
        await made.order(order_of_user(made, 2, 12, EVE), rerun=True)
        await made.quiet()
        assert (points(made), await made.links()) == ({12: "7"}, {(502, 12, True)})


async def test_write_for_a_reused_shop_number_writes_nothing_and_breaks_the_link(environment: RaceEnvironment) -> None:
    """The new person has not ordered yet."""
    async with environment.new_account() as made:
        made.till.add_customer(501, email=ADA, points=120)
        made.shop.add_customer(12, email=ADA)
        await answered(made, order_of_user(made, 1, 12, ADA))
        made.shop.store.delete_user(12)
        made.shop.add_customer(12, email=EVE, registered="2026-02-01T08:00:00")
        made.till.change_customer(501, points=130)
        await made.hint(501)
        await made.quiet()
        assert (points(made), await made.links()) == ({}, {(501, 12, False)})


async def test_write_by_consumer_keys_for_a_reused_number_removes_the_former_points(environment: RaceEnvironment) -> None:
    keys: Any = {"consumer_key": "ck_sandbox", "consumer_secret": "cs_sandbox"}
    async with environment.new_account() as made:
        await made.update("shop.bridge_secret", "shop.consumer_key", "shop.consumer_secret", shop=keys)
        made.till.add_customer(501, email=ADA, points=120)
        made.shop.add_customer(12, email=ADA)
        await answered(made, order_of_user(made, 1, 12, ADA))
        assert made.shop.metas(12)["tillsync_points_balance"] == "120"
        made.shop.store.delete_user(12)
        made.shop.add_customer(12, email=EVE, registered="2026-02-01T08:00:00")
        made.till.change_customer(501, points=130)
        await made.hint(501)
        await made.quiet()
        assert "tillsync_points_balance" not in made.shop.metas(12)
        assert await made.links() == {(501, 12, False)}


async def test_many_orders_of_a_deleted_shopper_cost_one_search(environment: RaceEnvironment) -> None:
    """One search serves all orders, and each order runs once."""
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


async def test_pending_order_shows_no_outcome_of_a_dropped_run(environment: RaceEnvironment) -> None:
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

        async def is_run_dropped() -> bool:
            row = await made.connection.fetchrow(entry, made.account)
            return row is not None and row["attempts"] == 1

        await until(is_run_dropped)
        row = await made.connection.fetchrow(entry, made.account)
        assert row is not None
        assert (row["state"], row["outcome"], row["comment"], row["notes"]) == (PENDING, None, "", "")
        match = await made.match_of(1)
        assert (match.state, match.comment, match.epos_customer_id) == (PENDING, "", 0)
        next_claim.release()
        await made.quiet()
        assert ((await made.match_of(1)).comment, (await made.match_of(1)).epos_customer_id) == (LINKED, 501)


async def test_order_is_matched_after_its_duplicates_are_removed_at_the_till(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(501, email=ADA, points=120)
        made.till.add_customer(502, email=ADA)
        made.till.add_customer(503, email=ADA)
        made.shop.add_customer(12, email=ADA)
        held = await answered(made, order_of_user(made, 1, 12, ADA))
        assert (held.state, held.comment) == (HELD, DUPLICATE)
        made.till.delete_customer(503)
        await made.hint(503)
        await made.quiet()
        assert (await made.match_of(1)).state == HELD, "the till still has two candidates"
        made.till.change_customer(502, email="twin-of-ada@example.test")
        await made.hint(502)
        await made.quiet()
        match = await made.match_of(1)
        assert (match.state, match.epos_customer_id, points(made)) == (PROCESSED, 501, {12: "120"})


async def test_candidate_with_new_points_requeues_no_order(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(501, email=ADA)
        made.till.add_customer(502, email=ADA)
        made.shop.add_customer(12, email=ADA)
        await answered(made, order_of_user(made, 1, 12, ADA))
        before = (await made.newest("order_id", 1)).attempt_count
        made.till.change_customer(502, points=5)
        await made.hint(502)
        await made.quiet()
        assert (await made.newest("order_id", 1)).attempt_count == before


async def test_reported_deletion_of_a_user_frees_the_till_customer_for_the_new_user(environment: RaceEnvironment) -> None:
    async with environment.new_account(shop={"bridge_secret": "c2FuZGJveC1zYW5kYm94LXNhbmRib3gtc2FuZGJveC0"}) as made:
        made.shop.switches.bridge_api = 1  # the service cannot ask an older bridge about its users
        made.till.add_customer(501, email=ADA, points=120)
        made.shop.add_customer(40, email="old@example.test")
        made.shop.add_customer(12, email=ADA)
        await made.link(501, 40)
        await made.quiet()
        held = await answered(made, order_of_user(made, 1, 12, ADA))
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


async def test_till_customer_deleted_without_a_webhook_is_found_and_its_orders_get_a_note(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(501, email=ADA)
        made.shop.add_customer(12, email=ADA)
        first = await answered(made, order_of_user(made, 1, 12, ADA))
        assert first.epos_customer_id == 501
        made.till.delete_customer(501)
        await made.connection.execute(
            "UPDATE link SET create_time = create_time - interval '2 days', as_of = as_of - interval '2 days' WHERE account_id = $1",
            made.account,
        )
        await made.order(order_of_user(made, 2, 12, ADA))

        async def have_notes() -> bool:
            matches = [await made.match_of(order_id) for order_id in (1, 2)]
            return all("customer 501 was deleted in Epos Now after this order was answered" in "".join(each.notes) for each in matches)

        def is_event_acknowledged() -> bool:
            # the event of the first answer has sequence 1; the sender gathers events before it sends them
            return any(
                (event.subject, event.type) == ("order:1", "order.finished") and event.sequence > 1 for event in made.shop.store.events
            )

        await until(have_notes)
        assert await made.links() == {(501, 12, False)}
        await until(is_event_acknowledged)


async def test_orders_answered_by_a_link_get_one_note_when_it_is_removed(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(501, email=ADA)
        made.shop.add_customer(12, email=ADA)
        made.shop.add_customer(40, email=EVE)
        await answered(made, order_of_user(made, 1, 12, ADA))
        await made.unlink(501)
        await made.quiet()
        match = await made.match_of(1)
        note = "the link to customer 501 was taken off after this order was answered: match the order again if it is not theirs"
        assert (match.state, match.epos_customer_id, match.notes[-1]) == (PROCESSED, 501, note)
        await made.link(501, 40)
        await made.unlink(501)
        await made.quiet()
        assert list((await made.match_of(1)).notes).count(note) == 1, "the note appears once"
