"""Sales, order events and requeued work are announced after the commit that leaves them, and cost an idle process one statement a look."""

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
"""A floor that no test reaches."""
ACCOUNT = Account(
    account_id=SHOP,
    till_id=TILL,
    epos=EposSettings(api_key="key", api_secret="secret"),
    shop=ShopSettings(base_url="https://shop.example.test", bridge_secret="x" * 43),
)


class Heard:
    """Announcements that a process hears. Those of order events are counted whatever announces them."""

    def __init__(self, world: EngineWorld) -> None:
        self.words: list[str] = []
        self.changed = asyncio.Event()
        world.notifications.on_order_events(lambda: self._hear("events"))
        world.notifications.on_entry_finished(lambda _entry_id: self._hear("events"))
        world.notifications.on_sales_waiting(lambda: self._hear("sales"))
        world.notifications.on_requeue_waiting(lambda: self._hear("requeue"))

    def _hear(self, word: str) -> None:
        self.words.append(word)
        self.changed.set()

    def take(self) -> set[str]:
        words, self.words = set(self.words), []
        return words

    async def until(self, word: str) -> None:
        async with hang_limit(f"the wait for {word}", lambda: f"heard: {self.words}"):
            while word not in self.words:
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Shop:
    """One account with a bridge."""

    world: EngineWorld
    accounts: PostgresAccounts
    links: PostgresLinkWriter
    heard: Heard = field(init=False)

    def __post_init__(self) -> None:
        self.heard = Heard(self.world)

    async def set(self, **changes: object) -> None:
        await self.accounts.update(SHOP, lambda account: replace(account, **changes))  # type: ignore[arg-type]


@pytest.fixture
async def shop(world: EngineWorld) -> Shop:
    accounts = PostgresAccounts(world.database, SecretBox(["a test key of at least thirty-two characters"]), world.notifications)
    await accounts.create(ACCOUNT)
    await within(world.notifications.listening.wait())
    return Shop(world, accounts, PostgresLinkWriter(world.database, world.notifications))


async def test_another_process_hears_of_sales_events_and_requeued_work(shop: Shop) -> None:
    async with engine_world(shop.world.database.dsn) as other:
        await within(other.notifications.listening.wait())
        theirs = Heard(other)
        await PostgresSales(shop.world.database, shop.world.notifications).add(TILL, SHOP, [7])
        await theirs.until("sales")
        await held_orders(shop.world, [facts_of(1)])
        await shop.set(default_epos_customer_id=epos(90001))
        await theirs.until("requeue")
        theirs.take()
        assert await PostgresRequeue(shop.world.database, shop.world.notifications).run() == 0.0
        await theirs.until("events")


async def test_sales_that_are_refused_are_not_announced(shop: Shop) -> None:
    sales = PostgresSales(shop.world.database, shop.world.notifications)
    with pytest.raises(ResourceExhausted):
        await sales.add(TILL, SHOP, range(1, MAX_WAITING_SALES + 2))
    assert shop.heard.take() == set()


async def test_a_change_of_settings_announces_what_it_leaves_and_nothing_else(shop: Shop) -> None:
    await shop.set(sync_names=not ACCOUNT.sync_names)
    assert shop.heard.take() == set(), "nothing is linked"
    await held_orders(shop.world, [facts_of(1)])
    shop.heard.take()
    await shop.set(default_epos_customer_id=epos(90001))
    assert shop.heard.take() == {"requeue"}
    await shop.set(shop=replace(ACCOUNT.shop, bridge_secret="y" * 43))
    assert "events" in shop.heard.take(), "the way to the shop has changed: its events are tried again at once"


async def test_a_shop_that_works_again_is_sent_what_its_bridge_refused(shop: Shop) -> None:
    [lane] = await shop.world.fetch("SELECT config_version FROM lane WHERE account_id = $1", SHOP)
    await shop.accounts.resume_side(SHOP, Side.SHOP, config_version=lane["config_version"])
    assert shop.heard.take() == {"events"}


async def test_facts_that_open_a_held_order_again_announce_its_event(shop: Shop) -> None:
    await held_orders(shop.world, [facts_of(1)])
    shop.heard.take()
    await put_order(shop.world, facts_of(1, email="another@example.test"))
    [event] = await shop.world.fetch("SELECT type FROM order_event")
    assert (event["type"], shop.heard.take()) == (3, {"events"})


async def test_a_new_order_announces_no_event(shop: Shop) -> None:
    await put_order(shop.world, facts_of(1))
    assert shop.heard.take() == set()


async def test_a_retry_and_a_dismissal_announce_events(shop: Shop) -> None:
    first, second = await held_orders(shop.world, [facts_of(1), facts_of(2)])
    shop.heard.take()
    actions = PostgresQueueActions(shop.world.database, shop.world.notifications)
    await actions.requeue(SHOP, [first])
    assert shop.heard.take() == {"events"}
    await actions.dismiss(SHOP, [second], "by hand")
    assert shop.heard.take() == {"events"}


async def test_a_link_by_hand_announces_the_events_of_the_orders_that_it_releases(shop: Shop) -> None:
    await shop.links.create(SHOP, epos(1), woo(11))
    assert shop.heard.take() == set()
    await held_orders(shop.world, [facts_of(1, woo_customer_id=12, account_email="ada@example.test")])
    shop.heard.take()
    await shop.links.create(SHOP, epos(2), woo(12))
    assert shop.heard.take() == {"events"}


async def test_unlinking_announces_the_notes_on_answered_orders(shop: Shop) -> None:
    await shop.links.create(SHOP, epos(2), woo(12))
    await put_order(shop.world, facts_of(1, woo_customer_id=12))
    await complete_all(
        shop.world, replace(Verdict.finished(Outcome.MATCHED_EMAIL, "linked"), epos_customer_id=epos(2), woo_customer_id=woo(12))
    )
    shop.heard.take()
    await shop.links.delete(SHOP, woo_customer_id=woo(12))
    assert shop.heard.take() == {"events"}


async def test_more_held_orders_than_one_transaction_may_release_announce_the_requeue(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tillsync_server.adapters.postgres.links.held_orders.MAX_REQUEUED", 1)
    await held_orders(shop.world, [facts_of(number, woo_customer_id=12, account_email="ada@example.test") for number in (1, 2)])
    shop.heard.take()
    await shop.links.create(SHOP, epos(2), woo(12))
    assert shop.heard.take() == {"events", "requeue"}


async def test_what_waits_behind_a_locked_lane_is_tried_again_within_a_second(shop: Shop) -> None:
    await held_orders(shop.world, [facts_of(1)])
    await shop.set(default_epos_customer_id=epos(90001))
    work = PostgresRequeue(shop.world.database, shop.world.notifications)
    async with shop.world.database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM lane WHERE account_id = $1 FOR UPDATE", SHOP)
        assert await work.run() == 1.0
    assert await work.run() == 0.0
    assert await work.run() is None


# the work itself, whose floor is never reached


@dataclass
class Working:
    """Requeue, sales and events of one process, which sees the other's changes by NOTIFY alone."""

    till: FakeTill
    receiver: FakeEventReceiver
    sender: EventSender


@asynccontextmanager
async def working(world: EngineWorld, floor: float = NEVER) -> AsyncIterator[Working]:
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
    for each in (sales, requeue, sender):
        each.start()
    try:
        yield Working(till, receiver, sender)
    finally:
        for each in (sales, requeue, sender):
            await each.stop()


async def leave_work(shop: Shop) -> None:
    """A sale, and a held order that a default customer lets run again, which closes its decision."""
    await held_orders(shop.world, [facts_of(1)])
    await PostgresSales(shop.world.database, shop.world.notifications).add(TILL, SHOP, [7])
    await shop.set(default_epos_customer_id=epos(90001))


async def until_done(shop: Shop, process: Working) -> None:
    async def is_done() -> bool:
        left = await shop.world.fetch("SELECT 1 FROM till_sale UNION ALL SELECT 1 FROM requeue")
        untold = await shop.world.fetch("SELECT 1 FROM order_event WHERE sequence > delivered")
        return not left and not untold and process.receiver.sends > 0

    await until(is_done, lambda: (process.till.calls, process.receiver.sends))


async def test_a_process_works_off_what_another_leaves_long_before_its_floor(shop: Shop) -> None:
    async with engine_world(shop.world.database.dsn) as other:
        await within(other.notifications.listening.wait())
        async with working(other) as process:
            await leave_work(shop)
            await until_done(shop, process)
    [event] = await shop.world.fetch("SELECT type, sequence FROM order_event")
    assert (event["type"], event["sequence"]) == (3, 2)
    assert [row["subject_id"] for row in await shop.world.fetch("SELECT subject_id FROM entry WHERE kind = 1")] == [501]


async def test_a_lost_notification_costs_no_more_than_the_floor(shop: Shop) -> None:
    async with engine_world(shop.world.database.dsn) as other:
        await other.notifications.stop()  # deaf
        async with working(other, floor=0.05) as process:
            await leave_work(shop)
            await until_done(shop, process)


async def test_an_idle_look_is_one_statement_without_a_transaction(shop: Shop) -> None:
    async with counted(shop.world.database.dsn) as (database, statements):
        world = replace(shop.world, database=database)
        store = PostgresSales(database, world.notifications)
        reading = SaleReading(store, FakeAccounts(), FakeTillGateway(FakeTill()), None)  # type: ignore[arg-type]
        assert await reading.run() is None
        assert await PostgresRequeue(database, world.notifications).run() is None
        assert await PostgresEvents(database).seconds_until_due() is None
        assert len(statements) == 3, statements


@asynccontextmanager
async def counted(dsn: str) -> AsyncIterator[tuple[Database, list[str]]]:
    """A pool whose statements are listed."""
    statements: list[str] = []

    class Counted(Database):
        async def _prepare(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
            await super()._prepare(connection)
            connection.add_query_logger(lambda statement: statements.append(statement.query))

    database = Counted(dsn)
    await database.open()
    try:
        yield database, statements
    finally:
        await database.close()
