"""Notifications of sales, order events and requeued work follow the commit. A poll of an idle process costs one statement."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import asyncpg
import pytest
from fakes.accounts import FakeAccounts
from fakes.events import FakeEventReceiver
from fakes.queues import FakeQueues
from fakes.subject_accounts import FakeSubjectAccounts
from fakes.till import FakeTill, FakeTillGateway
from support.engine import EngineWorld, engine_world
from support.links import complete_all, epos, facts_of, held_orders, put_order, woo
from support.waiting import hang_limit, until, within
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox
from tillsync_server.adapters.postgres.events.event_outbox import PostgresEvents
from tillsync_server.adapters.postgres.links.link_writer import PostgresLinkWriter
from tillsync_server.adapters.postgres.queues.queue_actions import PostgresQueueActions
from tillsync_server.adapters.postgres.queues.requeue import PostgresRequeue
from tillsync_server.adapters.postgres.tills.sales import PostgresSales
from tillsync_server.application.concurrency.recurring import Recurring
from tillsync_server.application.engine.enqueuer import Enqueuer
from tillsync_server.application.events.sender import EventSender, EventSettings
from tillsync_server.application.use_cases.admission import Admission
from tillsync_server.application.use_cases.sale_reading import SaleReading
from tillsync_server.application.use_cases.till_hints import TillHints
from tillsync_server.domain.account import Account, EposSettings, ShopSettings
from tillsync_server.domain.enums import Outcome, Side
from tillsync_server.domain.errors import ResourceExhausted
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.sales import MAX_WAITING_SALES

pytestmark = pytest.mark.integration
SHOP, TILL = AccountId("shop-a"), TillId("shop-a")
NEVER = 3600.0
"""A polling floor that no test reaches."""
ACCOUNT = Account(
    account_id=SHOP,
    till_id=TILL,
    epos=EposSettings(api_key="key", api_secret="secret"),
    shop=ShopSettings(base_url="https://shop.example.test", bridge_secret="x" * 43),
)


class ReceivedNotifications:
    """Records the notifications that a process receives. A finished entry also counts as a notification of order events."""

    def __init__(self, world: EngineWorld) -> None:
        self.signals: list[str] = []
        self.changed = asyncio.Event()
        world.notifications.on_order_events(lambda: self._record("events"))
        world.notifications.on_entry_finished(lambda _entry_id: self._record("events"))
        world.notifications.on_sales_waiting(lambda: self._record("sales"))
        world.notifications.on_requeue_waiting(lambda: self._record("requeue"))

    def _record(self, signal: str) -> None:
        self.signals.append(signal)
        self.changed.set()

    def take(self) -> set[str]:
        signals, self.signals = set(self.signals), []
        return signals

    async def until(self, signal: str) -> None:
        async with hang_limit(f"the wait for {signal}", lambda: f"received: {self.signals}"):
            while signal not in self.signals:
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Shop:
    """One account with a bridge."""

    world: EngineWorld
    accounts: PostgresAccounts
    links: PostgresLinkWriter
    received: ReceivedNotifications = field(init=False)

    def __post_init__(self) -> None:
        self.received = ReceivedNotifications(self.world)

    async def set(self, **changes: object) -> None:
        await self.accounts.update(SHOP, lambda account: replace(account, **changes))  # type: ignore[arg-type]


@pytest.fixture
async def shop(world: EngineWorld) -> Shop:
    accounts = PostgresAccounts(world.database, SecretBox(["a test key of at least thirty-two characters"]), world.notifications)
    await accounts.create(ACCOUNT)
    await within(world.notifications.listening.wait())
    return Shop(world, accounts, PostgresLinkWriter(world.database, world.notifications))


async def test_another_process_is_notified_of_sales_events_and_requeued_work(shop: Shop) -> None:
    async with engine_world(shop.world.database.dsn) as other:
        await within(other.notifications.listening.wait())
        other_received = ReceivedNotifications(other)
        await PostgresSales(shop.world.database, shop.world.notifications).add(TILL, SHOP, [7])
        await other_received.until("sales")
        await held_orders(shop.world, [facts_of(1)])
        await shop.set(default_epos_customer_id=epos(90001))
        await other_received.until("requeue")
        other_received.take()
        assert await PostgresRequeue(shop.world.database, shop.world.notifications).run() == 0.0
        await other_received.until("events")


async def test_refused_sales_send_no_notification(shop: Shop) -> None:
    sales = PostgresSales(shop.world.database, shop.world.notifications)
    with pytest.raises(ResourceExhausted):
        await sales.add(TILL, SHOP, range(1, MAX_WAITING_SALES + 2))
    assert shop.received.take() == set()


async def test_change_of_settings_notifies_only_of_the_work_that_it_causes(shop: Shop) -> None:
    await shop.set(sync_names=not ACCOUNT.sync_names)
    assert shop.received.take() == set(), "without links the change causes no work"
    await held_orders(shop.world, [facts_of(1)])
    shop.received.take()
    await shop.set(default_epos_customer_id=epos(90001))
    assert shop.received.take() == {"requeue"}
    await shop.set(shop=replace(ACCOUNT.shop, bridge_secret="y" * 43))
    assert "events" in shop.received.take(), "the new address or secret makes unsent events due at once"


async def test_resumed_shop_notifies_of_its_unsent_events(shop: Shop) -> None:
    [lane] = await shop.world.fetch("SELECT config_version FROM lane WHERE account_id = $1", SHOP)
    await shop.accounts.resume_side(SHOP, Side.SHOP, config_version=lane["config_version"])
    assert shop.received.take() == {"events"}


async def test_changed_facts_of_a_held_order_notify_of_its_event(shop: Shop) -> None:
    await held_orders(shop.world, [facts_of(1)])
    shop.received.take()
    await put_order(shop.world, facts_of(1, email="another@example.test"))
    [event] = await shop.world.fetch("SELECT type FROM order_event")
    assert (event["type"], shop.received.take()) == (3, {"events"})


async def test_new_order_sends_no_notification_of_events(shop: Shop) -> None:
    await put_order(shop.world, facts_of(1))
    assert shop.received.take() == set()


async def test_requeue_and_dismissal_notify_of_events(shop: Shop) -> None:
    first, second = await held_orders(shop.world, [facts_of(1), facts_of(2)])
    shop.received.take()
    actions = PostgresQueueActions(shop.world.database, shop.world.notifications)
    await actions.requeue(SHOP, [first])
    assert shop.received.take() == {"events"}
    await actions.dismiss(SHOP, [second], "by hand")
    assert shop.received.take() == {"events"}


async def test_link_by_hand_notifies_of_events_of_requeued_orders(shop: Shop) -> None:
    await shop.links.create(SHOP, epos(1), woo(11))
    assert shop.received.take() == set()
    await held_orders(shop.world, [facts_of(1, woo_customer_id=12, account_email="ada@example.test")])
    shop.received.take()
    await shop.links.create(SHOP, epos(2), woo(12))
    assert shop.received.take() == {"events"}


async def test_unlinking_notifies_of_the_notes_of_answered_orders(shop: Shop) -> None:
    await shop.links.create(SHOP, epos(2), woo(12))
    await put_order(shop.world, facts_of(1, woo_customer_id=12))
    await complete_all(
        shop.world, replace(Verdict.finished(Outcome.MATCHED_EMAIL, "linked"), epos_customer_id=epos(2), woo_customer_id=woo(12))
    )
    shop.received.take()
    await shop.links.delete(SHOP, woo_customer_id=woo(12))
    assert shop.received.take() == {"events"}


async def test_held_orders_above_the_limit_of_a_transaction_notify_of_a_requeue(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tillsync_server.adapters.postgres.links.held_orders.MAX_REQUEUED", 1)
    await held_orders(shop.world, [facts_of(number, woo_customer_id=12, account_email="ada@example.test") for number in (1, 2)])
    shop.received.take()
    await shop.links.create(SHOP, epos(2), woo(12))
    assert shop.received.take() == {"events", "requeue"}


async def test_requeue_of_a_locked_lane_is_due_again_after_one_second(shop: Shop) -> None:
    await held_orders(shop.world, [facts_of(1)])
    await shop.set(default_epos_customer_id=epos(90001))
    requeue = PostgresRequeue(shop.world.database, shop.world.notifications)
    async with shop.world.database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM lane WHERE account_id = $1 FOR UPDATE", SHOP)
        assert await requeue.run() == 1.0
    assert await requeue.run() == 0.0
    assert await requeue.run() is None


# the tasks that do the work, with a polling floor that is never reached


@dataclass
class WorkProcess:
    """Requeue, sales and events of one process. Only NOTIFY tells the process of changes by another."""

    till: FakeTill
    receiver: FakeEventReceiver
    sender: EventSender


@asynccontextmanager
async def run_tasks(world: EngineWorld, floor: float = NEVER) -> AsyncIterator[WorkProcess]:
    accounts, till, receiver = FakeAccounts(), FakeTill(), FakeEventReceiver()
    accounts.add(ACCOUNT)
    till.buyers[7] = EposCustomerId(501)
    store = PostgresSales(world.database, world.notifications)
    hints = TillHints(FakeSubjectAccounts(accounts, linked={(SHOP, 501)}), store, Enqueuer(world.hints), Admission(FakeQueues()))
    reading = SaleReading(store, accounts, FakeTillGateway(till), hints)
    sender = EventSender(
        PostgresEvents(world.database), accounts, receiver, world.notifications, EventSettings(poll_seconds=floor, gather_seconds=0.01)
    )
    sales = Recurring("sales", reading.run, seconds=floor, database_gone=())
    requeue = Recurring("requeue", PostgresRequeue(world.database, world.notifications).run, seconds=floor, database_gone=())
    world.notifications.on_sales_waiting(sales.wake)
    world.notifications.on_requeue_waiting(requeue.wake)
    for task in (sales, requeue, sender):
        task.start()
    try:
        yield WorkProcess(till, receiver, sender)
    finally:
        for task in (sales, requeue, sender):
            await task.stop()


async def create_work(shop: Shop) -> None:
    """Adds a sale, and a held order that the new default customer requeues."""
    await held_orders(shop.world, [facts_of(1)])
    await PostgresSales(shop.world.database, shop.world.notifications).add(TILL, SHOP, [7])
    await shop.set(default_epos_customer_id=epos(90001))


async def until_done(shop: Shop, process: WorkProcess) -> None:
    async def is_done() -> bool:
        rows = await shop.world.fetch("SELECT 1 FROM till_sale UNION ALL SELECT 1 FROM requeue")
        unsent = await shop.world.fetch("SELECT 1 FROM order_event WHERE sequence > delivered")
        return not rows and not unsent and process.receiver.sends > 0

    await until(is_done, lambda: (process.till.calls, process.receiver.sends))


async def test_process_does_the_work_of_another_before_its_polling_floor(shop: Shop) -> None:
    async with engine_world(shop.world.database.dsn) as other:
        await within(other.notifications.listening.wait())
        async with run_tasks(other) as process:
            await create_work(shop)
            await until_done(shop, process)
    [event] = await shop.world.fetch("SELECT type, sequence FROM order_event")
    assert (event["type"], event["sequence"]) == (3, 2)
    assert [row["subject_id"] for row in await shop.world.fetch("SELECT subject_id FROM entry WHERE kind = 1")] == [501]


async def test_lost_notification_delays_work_by_the_polling_floor_at_most(shop: Shop) -> None:
    async with engine_world(shop.world.database.dsn) as other:
        await other.notifications.stop()  # This process receives no notification.
        async with run_tasks(other, floor=0.05) as process:
            await create_work(shop)
            await until_done(shop, process)


async def test_idle_poll_is_one_statement_without_a_transaction(shop: Shop) -> None:
    async with recording_database(shop.world.database.dsn) as (database, statements):
        world = replace(shop.world, database=database)
        store = PostgresSales(database, world.notifications)
        reading = SaleReading(store, FakeAccounts(), FakeTillGateway(FakeTill()), None)  # type: ignore[arg-type]
        assert await reading.run() is None
        assert await PostgresRequeue(database, world.notifications).run() is None
        assert await PostgresEvents(database).seconds_until_due() is None
        assert len(statements) == 3, statements


@asynccontextmanager
async def recording_database(dsn: str) -> AsyncIterator[tuple[Database, list[str]]]:
    """A pool, and the list of its executed statements."""
    statements: list[str] = []

    class RecordingDatabase(Database):
        async def _prepare(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
            await super()._prepare(connection)
            connection.add_query_logger(lambda statement: statements.append(statement.query))

    database = RecordingDatabase(dsn)
    await database.open()
    try:
        yield database, statements
    finally:
        await database.close()
