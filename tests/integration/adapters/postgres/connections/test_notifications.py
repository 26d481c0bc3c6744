"""Words between processes: at once in the own one, by NOTIFY in the others, each once."""

from __future__ import annotations

import asyncio

import pytest
from support.engine import EngineWorld, engine_world
from support.waiting import hang_limit, until, within
from tillsync_server.adapters.postgres.connections.notifications import PostgresNotifications
from tillsync_server.domain.ids import AccountId, new_entry_id

pytestmark = pytest.mark.integration


class Heard:
    def __init__(self, notifications: PostgresNotifications) -> None:
        self.words: list[object] = []
        self.changed = asyncio.Event()
        notifications.on_lanes_ready(lambda: self.hear("lanes"))
        notifications.on_live_work(self.hear)
        notifications.on_entry_finished(self.hear)
        notifications.on_order_events(lambda: self.hear("events"))
        notifications.on_sales_waiting(lambda: self.hear("sales"))
        notifications.on_requeue_waiting(lambda: self.hear("requeue"))
        notifications.on_tokens_changed(lambda: self.hear("tokens"))
        notifications.on_accounts_changed(lambda: self.hear("accounts"))

    def hear(self, word: object) -> None:
        self.words.append(word)
        self.changed.set()

    async def until(self, *words: object) -> None:
        async with hang_limit(f"the wait for {words[-1]}", lambda: f"heard: {self.words}"):
            while not set(words) <= set(self.words):
                self.changed.clear()
                await self.changed.wait()


async def test_the_own_process_hears_at_once_and_once_and_the_others_hear_too(world: EngineWorld) -> None:
    own, entry_id = Heard(world.notifications), new_entry_id()
    async with engine_world(world.database.dsn) as other:
        theirs = Heard(other.notifications)
        world.notifications.live_work(AccountId("shop-a"))
        world.notifications.entry_finished(entry_id)
        world.notifications.lanes_ready()
        world.notifications.order_events()
        world.notifications.sales_waiting()
        world.notifications.requeue_waiting()
        world.notifications.tokens_changed()
        world.notifications.accounts_changed()
        everything = ["shop-a", entry_id, "lanes", "events", "sales", "requeue", "tokens", "accounts"]
        assert own.words == everything
        await theirs.until(*everything)
        other.notifications.live_work(AccountId("shop-b"))
        await own.until("shop-b")  # told after all of the above on the same channel
        assert own.words == [*everything, "shop-b"]


async def test_what_a_later_release_tells_is_passed_over(world: EngineWorld) -> None:
    """Processes of two releases share a channel while one replaces the other."""
    heard = Heard(world.notifications)
    await within(world.notifications.listening.wait())
    heard.words.clear()
    message = '{"z":1,"e":1,"s":"another process"}'
    await world.fetch("SELECT pg_notify($1, $2)", f"tillsync_{world.database.schema}", message)
    await heard.until("events")
    assert heard.words == ["events"]


async def test_a_process_that_listens_again_wakes_everything_that_may_have_been_told(world: EngineWorld) -> None:
    async with engine_world(world.database.dsn) as other:
        await within(other.notifications.listening.wait())
        heard = Heard(other.notifications)
        await world.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database() "
            "AND (query LIKE 'LISTEN%' OR query LIKE '%pg_notify%')"
        )
        await heard.until("lanes", "events", "sales", "requeue", "accounts")


async def test_a_crowd_of_words_is_told_in_few_messages_and_none_is_lost(world: EngineWorld) -> None:
    accounts = [AccountId(f"shop-{number}") for number in range(400)]
    async with engine_world(world.database.dsn) as other:
        theirs = Heard(other.notifications)
        for account in accounts:
            world.notifications.live_work(account)
        await theirs.until(*accounts)
    assert len(theirs.words) == len(accounts)


async def test_without_its_listening_connection_a_process_still_tells(world: EngineWorld) -> None:
    async with engine_world(world.database.dsn) as other:
        theirs = Heard(other.notifications)
        await world.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database() "
            "AND (query LIKE 'LISTEN%' OR query LIKE '%pg_notify%')"
        )
        await until(lambda: not world.notifications.listening.is_set())
        await within(other.notifications.listening.wait())

        def is_heard() -> bool:
            world.notifications.live_work(AccountId("shop-a"))
            return "shop-a" in theirs.words

        await until(is_heard, lambda: theirs.words)
        await within(world.notifications.listening.wait())
