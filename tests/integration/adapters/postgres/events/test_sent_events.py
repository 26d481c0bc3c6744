"""Events are sent once each, in the order of their sequence. Sending delays no lane."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from support.events import FAILED, MATCHED, OTHER, SHOP, EventWorld
from support.grpc_server import an_order
from support.links import HELD_DUPLICATE, complete_all, facts_of, held_orders, match_of, put_order
from support.postgres import TestDatabase
from support.service import running_service
from support.waiting import until
from tillsync.v1 import account_pb2, vocabulary_pb2
from tillsync_sandbox import SandboxShop, SandboxTill
from tillsync_sandbox.shop.switches import FailureMode
from tillsync_server.adapters.postgres.queues.queue_actions import PostgresQueueActions
from tillsync_server.application.events.sender import EventSettings

pytestmark = pytest.mark.integration


async def test_newer_event_replaces_an_unsent_event(events: EventWorld) -> None:
    engine = events.engine
    await held_orders(engine, [facts_of(1042)])
    await put_order(engine, facts_of(1042, email="grace@example.test"))
    await complete_all(engine, MATCHED)
    async with events.sending():
        await events.until_delivered()
    assert [(event.sequence, event.type) for event in events.received(1042)] == [(3, "order.finished")]


async def test_each_event_has_the_held_count(events: EventWorld) -> None:
    await held_orders(events.engine, [facts_of(order) for order in (1, 2, 3)])
    async with events.sending():
        await events.until_delivered()
    assert [event.held_count for event in events.shop.store.events] == [3, 3, 3]


async def test_events_are_sent_in_batches_of_five_hundred(events: EventWorld) -> None:
    await events.engine.fetch(
        "INSERT INTO order_event (account_id, order_id, sequence, type, entry_id, state, outcome, event_time) "
        "SELECT $1, n, 5, 1, gen_random_uuid(), 2, 12, now() FROM generate_series(1, 1001) AS n RETURNING 1",
        SHOP,
    )
    async with events.sending():
        await events.until_delivered()
    assert events.shop.log.count(method="POST", path="*/events") == 3
    assert len(events.shop.store.events) == 1001


@pytest.mark.parametrize(
    "trouble", [FailureMode.MAINTENANCE, FailureMode.FIREWALL, FailureMode.REST_OFF_404, FailureMode.CACHED_HTML, FailureMode.FORBIDDEN]
)
async def test_unavailable_shop_gets_its_event_after_its_return(events: EventWorld, trouble: FailureMode) -> None:
    events.shop.switches.trouble = trouble
    events.shop.switches.retry_after_seconds = 0
    await put_order(events.engine, facts_of(1042))
    await complete_all(events.engine, MATCHED)
    async with events.sending() as sender:
        await until(lambda: sender.counters.failed_tries >= 3, events.rows)
        [row] = await events.engine.fetch("SELECT failures FROM event_delivery")
        assert row["failures"] >= 2
        events.shop.switches.trouble = None
        await events.until_delivered()
        assert len(events.received(1042)) == 1

        async def is_reset() -> bool:
            return not (await events.engine.fetch("SELECT failures FROM event_delivery"))[0]["failures"]

        await until(is_reset, lambda: events.engine.fetch("SELECT * FROM event_delivery"))


async def test_delays_grow_and_respect_retry_after(events: EventWorld) -> None:
    sender = events.sender(EventSettings(first_delay_seconds=5, max_delay_seconds=3600))
    delays = [sender._delay(failures, None) for failures in range(1, 31)]
    assert 5 <= delays[0] <= 6.25
    assert all(later >= earlier * 1.5 for earlier, later in pairwise(delays[:9]))
    assert max(delays) == 3600
    assert sender._delay(1, 600.0) == 600.0


async def test_hanging_shop_delays_neither_another_shop_nor_the_lanes(events: EventWorld) -> None:
    async with SandboxShop() as hanging_shop:
        hanging_shop.switches.latency_seconds = 30
        await events.add(OTHER, hanging_shop.origin, hanging_shop.switches.bridge_secret)
        await put_order(events.engine, facts_of(7), OTHER)
        await complete_all(events.engine, MATCHED, OTHER)
        async with events.sending(timeout_seconds=25):
            await hanging_shop.log.wait_for(method="POST", path="*/events")
            await put_order(events.engine, facts_of(1042))
            await complete_all(events.engine, MATCHED)  # the engine's statements do not wait for the sender
            await put_order(events.engine, facts_of(8), OTHER)
            await complete_all(events.engine, HELD_DUPLICATE, OTHER)
            await events.until(lambda: events.received(1042))


async def test_two_senders_send_the_events_of_each_order_in_sequence(events: EventWorld) -> None:
    engine, generator = events.engine, random.Random(7)
    actions = PostgresQueueActions(engine.database, engine.notifications)
    ids = {order: await put_order(engine, facts_of(order)) for order in range(1, 9)}
    async with events.sending(), events.sending():
        for _ in range(25):
            await complete_all(engine, generator.choice([HELD_DUPLICATE, HELD_DUPLICATE, FAILED]))
            await actions.requeue(SHOP, [ids[order] for order in generator.sample(sorted(ids), 4)])
        await complete_all(engine, MATCHED)
        await events.until_delivered()
    for order in ids:
        sequences = [event.sequence for event in events.received(order)]
        assert sequences == sorted(set(sequences))
        [row] = [row for row in await events.rows() if row["order_id"] == order]
        assert sequences[-1] == row["sequence"] == row["delivered"]
        assert events.received(order)[-1].state == (await match_of(engine, order)).state.name


async def test_shop_ahead_of_a_restored_database_gets_a_higher_sequence(events: EventWorld) -> None:
    events.shop.store.event_sequences["order:1042"] = 40
    await put_order(events.engine, facts_of(1042))
    await complete_all(events.engine, MATCHED)
    async with events.sending():
        await events.until(lambda: events.received(1042))
        await events.until_delivered()
    assert [event.sequence for event in events.received(1042)] == [41]


async def test_stop_releases_the_lease(events: EventWorld) -> None:
    events.shop.switches.latency_seconds = 30
    await put_order(events.engine, facts_of(1042))
    await complete_all(events.engine, MATCHED)
    async with events.sending():
        await events.shop.log.wait_for(method="POST", path="*/events")
    assert len(await events.outbox.claim(limit=10, lease_seconds=60)) == 1


async def test_service_sends_the_events_of_a_held_order_that_a_link_requeues(database: TestDatabase) -> None:
    """Two till customers have one email, so the order is held. A link requeues it. Each event has a higher sequence."""
    async with SandboxTill() as till, SandboxShop() as shop, running_service(database.dsn) as running:
        first = till.add_customer(email="ada@example.test")
        till.add_customer(email="ada@example.test")
        user = shop.add_customer(email="ada@example.test")
        await running.client.accounts.create_account(
            "shop-1",
            account_pb2.Account(
                epos=account_pb2.EposSettings(
                    base_url=till.origin, api_key=till.switches.api_key, api_secret=till.switches.api_secret, requests_per_minute=60_000
                ),
                shop=account_pb2.ShopSettings(base_url=shop.origin, bridge_secret=shop.switches.bridge_secret),
            ),
        )
        order = an_order(1042, woo_customer_id=user, account_email="ada@example.test", billing_email="ada@example.test")
        answer = await running.client.sync.match_order("shop-1", order)
        assert answer.entry.state == vocabulary_pb2.ENTRY_STATE_HELD
        await shop.wait_for(lambda: [event for event in shop.store.events if event.type == "decision.needed"])
        [decision_needed] = shop.store.events
        assert (decision_needed.subject, decision_needed.entry_id, decision_needed.outcome, decision_needed.held_count) == (
            "order:1042",
            answer.entry.entry_id,
            "DUPLICATE_EMAIL",
            1,
        )
        await running.client.links.create_link("shop-1", first, user)
        await shop.wait_for(lambda: shop.store.events[-1].type == "order.finished")
        finished = shop.store.events[-1]
        assert (finished.state, finished.outcome, finished.held_count) == ("PROCESSED", "MATCHED_LINK", 0)
        assert finished.sequence > decision_needed.sequence
