"""Order events are recorded in the transaction of their change, and sent once each in order of sequence. Sending delays no lane."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from support.engine import EngineWorld
from support.grpc_server import an_order
from support.links import HELD_DUPLICATE, claim, complete_all, completion, epos, facts_of, held_orders, lease_of, match_of, put_order, woo
from support.postgres import TestDatabase
from support.service import running_service
from support.waiting import until
from tillsync.v1 import account_pb2, vocabulary_pb2
from tillsync_sandbox import SandboxShop, SandboxTill
from tillsync_sandbox.shop.stored import ShopEvent
from tillsync_sandbox.shop.switches import FailureMode
from tillsync_server.adapters.http_client import AllowedHosts, HttpClient, HttpClientSettings
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox
from tillsync_server.adapters.postgres.events.event_outbox import PostgresEvents
from tillsync_server.adapters.postgres.links.link_writer import PostgresLinkWriter
from tillsync_server.adapters.postgres.queues.queue_actions import PostgresQueueActions
from tillsync_server.adapters.postgres.queues.requeue import PostgresRequeue
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.adapters.woo import WooAdapterSettings, WooGateway
from tillsync_server.application.events.sender import EventSender, EventSettings
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.enums import Outcome
from tillsync_server.domain.ids import AccountId, EntryId, OrderId, TillId
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.events import AcknowledgedEvent, EventType
from tillsync_server.ports.lanes import CompletionResult

pytestmark = pytest.mark.integration

SHOP, OTHER, KEYS = AccountId("shop-a"), AccountId("shop-b"), AccountId("shop-keys")
MATCHED = replace(Verdict.finished(Outcome.MATCHED_EMAIL, "linked"), epos_customer_id=epos(90001))
FAILED = Verdict.failed(Outcome.CUSTOMER_NOT_MATCHED, "refused field: email")
FINISHED, NEEDED, CLOSED = 1, 2, 3
QUICK = EventSettings(poll_seconds=0.05, gather_seconds=0.01, first_delay_seconds=0.05, max_delay_seconds=0.2)


@dataclass
class EventWorld:
    engine: EngineWorld
    shop: SandboxShop
    accounts: PostgresAccounts
    outbox: PostgresEvents
    http: HttpClient

    def sender(self, settings: EventSettings = QUICK, *, timeout_seconds: float = 20.0) -> EventSender:
        gateway = WooGateway(self.http, WooAdapterSettings(timeout_seconds=timeout_seconds))
        return EventSender(self.outbox, self.accounts, gateway, self.engine.notifications, settings)

    @asynccontextmanager
    async def sending(self, settings: EventSettings = QUICK, *, timeout_seconds: float = 20.0) -> AsyncIterator[EventSender]:
        sender = self.sender(settings, timeout_seconds=timeout_seconds)
        sender.start()
        try:
            yield sender
        finally:
            await sender.stop()

    async def add(self, account_id: AccountId, base_url: str, secret: str) -> None:
        shop = ShopSettings(base_url=base_url, bridge_secret=secret)
        await self.accounts.create(Account(account_id=account_id, till_id=TillId(account_id), shop=shop))

    async def rows(self) -> list[asyncpg.Record]:
        return await self.engine.fetch("SELECT * FROM order_event ORDER BY account_id, order_id")

    async def kinds(self) -> list[tuple[int, int, int]]:
        """The id, sequence and event type of each order."""
        return [(row["order_id"], row["sequence"], row["type"]) for row in await self.rows()]

    async def until(self, condition: Callable[[], Any]) -> None:
        await self.shop.wait_for(condition)

    async def until_delivered(self) -> None:
        async def is_delivered() -> bool:
            return not await self.engine.fetch("SELECT 1 FROM order_event WHERE sequence > delivered")

        await until(is_delivered, self.rows)

    def received(self, order_id: int) -> list[ShopEvent]:
        return [event for event in self.shop.store.events if event.subject == f"order:{order_id}"]


@pytest_asyncio.fixture
async def events(world: EngineWorld) -> AsyncIterator[EventWorld]:
    accounts = PostgresAccounts(world.database, SecretBox(["a test key of at least thirty-two characters"]), world.notifications)
    http = HttpClient(HttpClientSettings(allowed_hosts=AllowedHosts(allow_loopback=True)))
    async with SandboxShop() as shop:
        event_world = EventWorld(world, shop, accounts, PostgresEvents(world.database), http)
        await event_world.add(SHOP, shop.origin, shop.switches.bridge_secret)
        try:
            yield event_world
        finally:
            await http.close()


# recorded with the change


async def test_finished_order_is_sent_once_with_its_outcome(events: EventWorld) -> None:
    entry_id = await put_order(events.engine, facts_of(1042))
    assert await events.rows() == []  # a pending order has no event
    await complete_all(events.engine, MATCHED)
    async with events.sending():
        await events.until(lambda: events.received(1042))
        await events.until_delivered()
    [event] = events.received(1042)
    assert event == ShopEvent(
        event_id="order:1042:1",
        subject="order:1042",
        sequence=1,
        type="order.finished",
        entry_id=str(entry_id),
        state="PROCESSED",
        outcome="MATCHED_EMAIL",
        held_count=0,
    )
    assert events.shop.log.count(method="POST", path="*/wc-tillsync/v1/events") == 1


async def test_held_order_records_a_decision_needed_and_its_requeue_closes_it(events: EventWorld) -> None:
    [entry_id] = await held_orders(events.engine, [facts_of(1042, woo_customer_id=12, account_email="ada@example.test")])
    assert await events.kinds() == [(1042, 1, NEEDED)]
    await PostgresLinkWriter(events.engine.database, events.engine.notifications).create(SHOP, epos(90001), woo(12))
    assert await events.kinds() == [(1042, 2, CLOSED)]
    await complete_all(events.engine, MATCHED)
    [row] = await events.rows()
    assert (row["sequence"], row["type"], row["entry_id"]) == (3, FINISHED, entry_id)


@pytest.mark.parametrize("exit_by", ["requeued", "new facts", "resolved", "settings", "dismissed"])
async def test_each_end_of_a_hold_records_an_event(events: EventWorld, exit_by: str) -> None:
    engine = events.engine
    [entry_id] = await held_orders(engine, [facts_of(1042)])
    actions = PostgresQueueActions(engine.database, engine.notifications)
    expected = CLOSED
    match exit_by:
        case "requeued":
            await actions.requeue(SHOP, [entry_id])
        case "new facts":
            await put_order(engine, facts_of(1042, email="grace@example.test"))
        case "resolved":
            writer = PostgresLinkWriter(engine.database, engine.notifications)
            await writer.resolve_order(SHOP, entry_id, epos(90001), create_link=False)
        case "settings":
            await events.accounts.update(SHOP, lambda account: replace(account, default_epos_customer_id=epos(7)))
            assert await PostgresRequeue(engine.database, engine.notifications).run_chunk()
        case "dismissed":
            await actions.dismiss(SHOP, [entry_id], "asked twice")
            expected = FINISHED
    assert await events.kinds() == [(1042, 2, expected)]


async def test_retry_and_requeue_of_a_pending_entry_record_no_event(events: EventWorld) -> None:
    engine = events.engine
    await put_order(engine, facts_of(1042))
    await complete_all(engine, Verdict.retry(Outcome.CUSTOMER_NOT_MATCHED, "not reached"))
    await engine.hint(SHOP, 9001)
    await complete_all(engine, Verdict.finished(Outcome.UPDATED))  # a customer has no events
    [entry_id] = [EntryId(row["entry_id"]) for row in await engine.fetch("SELECT entry_id FROM entry WHERE kind = 3")]
    await PostgresQueueActions(engine.database, engine.notifications).requeue(SHOP, [entry_id])
    assert await events.rows() == []


async def test_dropped_completion_records_no_event(events: EventWorld) -> None:
    engine = events.engine
    await put_order(engine, facts_of(1042))
    lease = await lease_of(engine)
    [entry] = await claim(engine, lease)
    stale = completion(replace(lease, token=lease.token - 1), entry, MATCHED)
    assert await engine.lanes.complete([stale]) == [CompletionResult.DROPPED]
    await put_order(engine, facts_of(1042, email="grace@example.test"))  # new facts raise the revision, so the entry stays PENDING
    assert await engine.lanes.complete([completion(lease, entry, MATCHED)]) == [CompletionResult.MOVED_ON]
    assert await events.rows() == []


async def test_failure_and_dismissal_of_an_order_record_events(events: EventWorld) -> None:
    engine = events.engine
    entry_id = await put_order(engine, facts_of(1042))
    await complete_all(engine, FAILED)
    assert await events.kinds() == [(1042, 1, FINISHED)]
    await PostgresQueueActions(engine.database, engine.notifications).dismiss(SHOP, [entry_id], "known")
    assert [(row["sequence"], row["state"]) for row in await events.rows()] == [(2, 6)]


async def test_account_without_a_bridge_records_no_events(events: EventWorld) -> None:
    engine = events.engine
    await engine.add_accounts(KEYS)
    await put_order(engine, facts_of(1), KEYS)
    await complete_all(engine, HELD_DUPLICATE, KEYS)
    assert await events.rows() == []


async def test_accounts_of_one_batch_have_their_own_sequences(events: EventWorld) -> None:
    engine = events.engine
    await events.add(OTHER, events.shop.origin, events.shop.switches.bridge_secret)
    for account in (SHOP, OTHER):
        for order in (2, 1):
            await put_order(engine, facts_of(order), account)
    leases = {
        lease.account_id: lease
        for lease in (await engine.lanes.lease("one", limit=10, bulk_limit=10, probe_limit=10, lease_seconds=600)).leases
    }
    claimed = [entry for lease in leases.values() for entry in await claim(engine, lease)]
    assert all(await engine.lanes.complete([completion(leases[entry.account_id], entry, MATCHED) for entry in claimed]))
    rows = [(row["account_id"], row["order_id"], row["sequence"]) for row in await events.rows()]
    assert rows == [(SHOP, 1, 1), (SHOP, 2, 1), (OTHER, 1, 1), (OTHER, 2, 1)]


# sending


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


async def test_only_one_sender_leases_an_account(events: EventWorld) -> None:
    await put_order(events.engine, facts_of(1042))
    await complete_all(events.engine, MATCHED)
    claims = await asyncio.gather(*(events.outbox.claim(limit=10, lease_seconds=60) for _ in range(8)))
    [lease] = [lease for claimed in claims for lease in claimed]
    await events.outbox.release(replace(lease, token=lease.token + 1), failures=0, delay_seconds=0)  # another token releases nothing
    assert await events.outbox.claim(limit=10, lease_seconds=60) == []
    await events.outbox.release(lease, failures=0, delay_seconds=0)
    assert len(await events.outbox.claim(limit=10, lease_seconds=0)) == 1
    assert len(await events.outbox.claim(limit=10, lease_seconds=60)) == 1  # the lease of 0 s has expired


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


async def test_event_recorded_while_an_older_one_is_sent_still_waits(events: EventWorld) -> None:
    await held_orders(events.engine, [facts_of(1042)])
    waiting = await events.outbox.waiting(SHOP, 500)
    await put_order(events.engine, facts_of(1042, email="grace@example.test"))
    await events.outbox.acknowledge(SHOP, [AcknowledgedEvent(event.order_id, event.sequence) for event in waiting.events])
    [event] = (await events.outbox.waiting(SHOP, 500)).events
    assert (event.sequence, event.type) == (2, EventType.DECISION_CLOSED)


async def test_shop_ahead_of_a_restored_database_gets_a_higher_sequence(events: EventWorld) -> None:
    events.shop.store.event_sequences["order:1042"] = 40
    await put_order(events.engine, facts_of(1042))
    await complete_all(events.engine, MATCHED)
    async with events.sending():
        await events.until(lambda: events.received(1042))
        await events.until_delivered()
    assert [event.sequence for event in events.received(1042)] == [41]


async def test_stale_answer_to_an_older_event_raises_no_sequence(events: EventWorld) -> None:
    await held_orders(events.engine, [facts_of(1042)])
    await put_order(events.engine, facts_of(1042, email="grace@example.test"))
    await events.outbox.acknowledge(SHOP, [AcknowledgedEvent(OrderId(1042), 2)])
    await events.outbox.acknowledge(SHOP, [AcknowledgedEvent(OrderId(1042), 1, held_sequence=2)])
    assert (await events.outbox.waiting(SHOP, 500)).events == ()


async def test_events_of_a_disconnected_shop_are_not_sent_to_the_next_shop(events: EventWorld) -> None:
    await put_order(events.engine, facts_of(1042))
    await complete_all(events.engine, MATCHED)
    await events.accounts.update(SHOP, lambda account: replace(account, shop=replace(account.shop, bridge_secret="")))
    assert await events.outbox.claim(limit=10, lease_seconds=60) == []
    secret = events.shop.switches.bridge_secret
    await events.accounts.update(SHOP, lambda account: replace(account, shop=replace(account.shop, bridge_secret=secret)))
    assert await events.outbox.claim(limit=10, lease_seconds=60) == []
    assert await events.kinds() == [(1042, 1, FINISHED)]  # the next event continues this sequence


async def test_new_secret_makes_events_due_at_once(events: EventWorld) -> None:
    await put_order(events.engine, facts_of(1042))
    await complete_all(events.engine, MATCHED)
    old_secret, events.shop.switches.bridge_secret = events.shop.switches.bridge_secret, "x" * 43
    async with events.sending(replace(QUICK, first_delay_seconds=3600, max_delay_seconds=3600)):
        # the new secret must follow the release of the failed send, because that release postpones the next try
        postponed = "SELECT 1 FROM event_delivery WHERE next_try_at > now() + interval '30 minutes'"
        await until(lambda: events.engine.fetch(postponed), events.rows)
        await events.accounts.update(SHOP, lambda account: replace(account, shop=replace(account.shop, bridge_secret="x" * 43)))
        await events.until(lambda: events.received(1042))
    assert old_secret != events.shop.switches.bridge_secret


async def test_new_secret_takes_the_lease_of_a_sender_with_the_old_one(events: EventWorld) -> None:
    """The release of the failed request would postpone the next try."""
    await put_order(events.engine, facts_of(1042))
    await complete_all(events.engine, MATCHED)
    [lease] = await events.outbox.claim(limit=10, lease_seconds=60)
    await events.accounts.update(SHOP, lambda account: replace(account, shop=replace(account.shop, bridge_secret="x" * 43)))
    await events.outbox.release(lease, failures=9, delay_seconds=900)
    [again] = await events.outbox.claim(limit=10, lease_seconds=60)
    assert (again.account_id, again.failures) == (SHOP, 0)


async def test_stop_releases_the_lease(events: EventWorld) -> None:
    events.shop.switches.latency_seconds = 30
    await put_order(events.engine, facts_of(1042))
    await complete_all(events.engine, MATCHED)
    async with events.sending():
        await events.shop.log.wait_for(method="POST", path="*/events")
    assert len(await events.outbox.claim(limit=10, lease_seconds=60)) == 1


# cost


async def test_statements_use_their_indexes_at_fifty_thousand_events(events: EventWorld) -> None:
    engine = events.engine
    await engine.fill(
        "INSERT INTO account (account_id, till_id, epos_base_url, shop_bridge_secret) "
        "SELECT 'shop-' || n, 't', 'https://till.example.test', '\\x01' FROM generate_series(1, 500) AS n",
        "INSERT INTO order_event (account_id, order_id, sequence, delivered, type, entry_id, state, outcome, event_time) "
        "SELECT 'shop-' || (n % 500 + 1), n, 5, CASE WHEN n % 500 < 20 THEN 4 ELSE 5 END, 1, gen_random_uuid(), 2, 12, now() "
        "FROM generate_series(1, 50000) AS n",
    )
    for statement, parameters, most in (
        ("events/seconds_until_due", (), 200),
        ("events/claim", (16, 60.0), 200),
        ("events/waiting", ("shop-3", 500, 10_000), 500),
        ("events/acknowledge", ("shop-3", [502, 1002], [5, 5], [None, None]), 20),
        ("events/discard", ("shop-3",), 500),
    ):
        assert await rows_read(engine, statement, parameters) <= most, statement


async def rows_read(engine: EngineWorld, statement: str, parameters: Sequence[Any]) -> int:
    """The rows of ``order_event`` that all scans of the statement read, including the rows they filter out."""
    async with engine.database.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        raw = await connection.fetchval("EXPLAIN (ANALYZE, FORMAT JSON) " + load(statement), *parameters)
        await transaction.rollback()

    def total(plan: dict[str, Any]) -> int:
        own = 0
        if plan.get("Relation Name") == "order_event" and "Scan" in plan["Node Type"]:
            assert plan["Node Type"] != "Seq Scan", statement
            own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
        return int(own) + sum(total(child) for child in plan.get("Plans", ()))

    return total(json.loads(raw)[0]["Plan"])


# the whole service


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
