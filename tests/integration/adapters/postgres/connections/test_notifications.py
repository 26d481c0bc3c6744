"""Notifications run the listeners of their own process at once, and those of other processes by NOTIFY. Each listener runs once."""

from __future__ import annotations

import asyncio

import pytest
from support.engine import EngineWorld, engine_world
from support.waiting import hang_limit, until, within
from tillsync_server.adapters.postgres.connections.notifications import PostgresNotifications
from tillsync_server.domain.ids import AccountId, new_entry_id

pytestmark = pytest.mark.integration


class Receiver:
    def __init__(self, notifications: PostgresNotifications) -> None:
        self.received: list[object] = []
        self.changed = asyncio.Event()
        notifications.on_lanes_ready(lambda: self.record("lanes"))
        notifications.on_live_work(self.record)
        notifications.on_entry_finished(self.record)
        notifications.on_order_events(lambda: self.record("events"))
        notifications.on_sales_waiting(lambda: self.record("sales"))
        notifications.on_requeue_waiting(lambda: self.record("requeue"))
        notifications.on_tokens_changed(lambda: self.record("tokens"))
        notifications.on_accounts_changed(lambda: self.record("accounts"))

    def record(self, notification: object) -> None:
        self.received.append(notification)
        self.changed.set()

    async def until(self, *expected: object) -> None:
        async with hang_limit(f"the wait for {expected[-1]}", lambda: f"received: {self.received}"):
            while not set(expected) <= set(self.received):
                self.changed.clear()
                await self.changed.wait()


async def test_notification_reaches_its_own_process_at_once_and_other_processes(world: EngineWorld) -> None:
    sender, entry_id = Receiver(world.notifications), new_entry_id()
    async with engine_world(world.database.dsn) as other:
        receiver = Receiver(other.notifications)
        world.notifications.live_work(AccountId("shop-a"))
        world.notifications.entry_finished(entry_id)
        world.notifications.lanes_ready()
        world.notifications.order_events()
        world.notifications.sales_waiting()
        world.notifications.requeue_waiting()
        world.notifications.tokens_changed()
        world.notifications.accounts_changed()
        expected = ["shop-a", entry_id, "lanes", "events", "sales", "requeue", "tokens", "accounts"]
        assert sender.received == expected
        await receiver.until(*expected)
        other.notifications.live_work(AccountId("shop-b"))
        await sender.until("shop-b")  # sent after all of the above on the same channel
        assert sender.received == [*expected, "shop-b"]


async def test_unknown_notification_of_a_later_release_is_ignored(world: EngineWorld) -> None:
    """During an update, processes of two releases share a channel."""
    receiver = Receiver(world.notifications)
    await within(world.notifications.listening.wait())
    receiver.received.clear()
    message = '{"z":1,"e":1,"s":"another process"}'
    await world.fetch("SELECT pg_notify($1, $2)", f"tillsync_{world.database.schema}", message)
    await receiver.until("events")
    assert receiver.received == ["events"]


async def test_process_that_listens_again_runs_the_listeners_of_missed_notifications(world: EngineWorld) -> None:
    async with engine_world(world.database.dsn) as other:
        await within(other.notifications.listening.wait())
        receiver = Receiver(other.notifications)
        await world.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database() "
            "AND (query LIKE 'LISTEN%' OR query LIKE '%pg_notify%')"
        )
        await receiver.until("lanes", "events", "sales", "requeue", "accounts")


async def test_four_hundred_notifications_arrive_once_each(world: EngineWorld) -> None:
    accounts = [AccountId(f"shop-{number}") for number in range(400)]
    async with engine_world(world.database.dsn) as other:
        receiver = Receiver(other.notifications)
        for account in accounts:
            world.notifications.live_work(account)
        await receiver.until(*accounts)
    assert len(receiver.received) == len(accounts)


async def test_process_without_its_listening_connection_still_notifies(world: EngineWorld) -> None:
    async with engine_world(world.database.dsn) as other:
        receiver = Receiver(other.notifications)
        await world.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database() "
            "AND (query LIKE 'LISTEN%' OR query LIKE '%pg_notify%')"
        )
        await until(lambda: not world.notifications.listening.is_set())
        await within(other.notifications.listening.wait())

        def has_received() -> bool:
            world.notifications.live_work(AccountId("shop-a"))
            return "shop-a" in receiver.received

        await until(has_received, lambda: receiver.received)
        await within(world.notifications.listening.wait())
