"""Notifications between processes. The sending process gets its own at once, in order, each once."""

from __future__ import annotations

from typing import Protocol

import pytest
from fakes.wakeups import FakeWakeUps
from support.engine import EngineWorld
from tillsync_server.domain.ids import AccountId, new_entry_id
from tillsync_server.ports.wakeups import Notifier, WakeUps


class NotifierAndWakeUps(Notifier, WakeUps, Protocol): ...


class WakeUpsContract:
    async def test_process_gets_its_own_notifications_at_once(self, wakeups: NotifierAndWakeUps) -> None:
        received: list[object] = []
        entry_id = new_entry_id()
        wakeups.on_lanes_ready(lambda: received.append("lanes"))
        wakeups.on_live_work(received.append)
        wakeups.on_entry_finished(received.append)
        wakeups.on_order_events(lambda: received.append("events"))
        wakeups.on_sales_waiting(lambda: received.append("sales"))
        wakeups.on_requeue_waiting(lambda: received.append("requeue"))
        wakeups.on_tokens_changed(lambda: received.append("tokens"))
        wakeups.on_accounts_changed(lambda: received.append("accounts"))
        wakeups.live_work(AccountId("shop-a"))
        wakeups.entry_finished(entry_id)
        wakeups.lanes_ready()
        wakeups.order_events()
        wakeups.sales_waiting()
        wakeups.requeue_waiting()
        wakeups.tokens_changed()
        wakeups.accounts_changed()
        assert received == ["shop-a", entry_id, "lanes", "events", "sales", "requeue", "tokens", "accounts"]

    async def test_every_listener_gets_a_notification(self, wakeups: NotifierAndWakeUps) -> None:
        received: list[str] = []
        wakeups.on_tokens_changed(lambda: received.append("one"))
        wakeups.on_tokens_changed(lambda: received.append("two"))
        wakeups.tokens_changed()
        assert received == ["one", "two"]

    async def test_notification_without_listeners_is_dropped(self, wakeups: NotifierAndWakeUps) -> None:
        received: list[str] = []
        wakeups.lanes_ready()
        wakeups.on_lanes_ready(lambda: received.append("lanes"))
        assert received == []


class TestFakeWakeUps(WakeUpsContract):
    @pytest.fixture
    def wakeups(self) -> NotifierAndWakeUps:
        return FakeWakeUps()


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresNotifications(WakeUpsContract):
    @pytest.fixture
    def wakeups(self, world: EngineWorld) -> NotifierAndWakeUps:
        return world.notifications
