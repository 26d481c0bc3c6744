"""Notifications between processes, in one process."""

from __future__ import annotations

from collections.abc import Callable

from tillsync_server.domain.ids import AccountId, EntryId


class FakeWakeUps:
    """Implements ports.wakeups.Notifier and WakeUps. Each notification calls its listeners at once."""

    def __init__(self) -> None:
        self._lanes_ready: list[Callable[[], None]] = []
        self._live_work: list[Callable[[AccountId], None]] = []
        self._entry_finished: list[Callable[[EntryId], None]] = []
        self._order_events: list[Callable[[], None]] = []
        self._sales_waiting: list[Callable[[], None]] = []
        self._requeue_waiting: list[Callable[[], None]] = []
        self._tokens_changed: list[Callable[[], None]] = []
        self._accounts_changed: list[Callable[[], None]] = []

    def lanes_ready(self) -> None:
        for listener in self._lanes_ready:
            listener()

    def live_work(self, account_id: AccountId) -> None:
        for listener in self._live_work:
            listener(account_id)

    def entry_finished(self, entry_id: EntryId) -> None:
        for listener in self._entry_finished:
            listener(entry_id)

    def order_events(self) -> None:
        for listener in self._order_events:
            listener()

    def sales_waiting(self) -> None:
        for listener in self._sales_waiting:
            listener()

    def requeue_waiting(self) -> None:
        for listener in self._requeue_waiting:
            listener()

    def tokens_changed(self) -> None:
        for listener in self._tokens_changed:
            listener()

    def accounts_changed(self) -> None:
        for listener in self._accounts_changed:
            listener()

    def on_lanes_ready(self, listener: Callable[[], None]) -> None:
        self._lanes_ready.append(listener)

    def on_live_work(self, listener: Callable[[AccountId], None]) -> None:
        self._live_work.append(listener)

    def on_entry_finished(self, listener: Callable[[EntryId], None]) -> None:
        self._entry_finished.append(listener)

    def on_order_events(self, listener: Callable[[], None]) -> None:
        self._order_events.append(listener)

    def on_sales_waiting(self, listener: Callable[[], None]) -> None:
        self._sales_waiting.append(listener)

    def on_requeue_waiting(self, listener: Callable[[], None]) -> None:
        self._requeue_waiting.append(listener)

    def on_tokens_changed(self, listener: Callable[[], None]) -> None:
        self._tokens_changed.append(listener)

    def on_accounts_changed(self, listener: Callable[[], None]) -> None:
        self._accounts_changed.append(listener)
