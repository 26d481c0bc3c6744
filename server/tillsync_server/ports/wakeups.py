"""Notifications between processes (NOTIFY). One may be lost, doubled or late, so each receiver also polls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tillsync_server.domain.ids import AccountId, EntryId


class Notifier(Protocol):
    """Coalesces and sends notifications. Callers notify after their commit. No method blocks or raises."""

    def lanes_ready(self) -> None: ...

    def live_work(self, account_id: AccountId) -> None:
        """A leased lane got work. Its owner claims again, even while entries run."""
        ...

    def entry_finished(self, entry_id: EntryId) -> None:
        """An order's entry finished or is held. Its order event, if any, is in the same commit, so the event sender wakes up too."""
        ...

    def order_events(self) -> None:
        """An order event waits that no :meth:`entry_finished` announced."""
        ...

    def sales_waiting(self) -> None:
        """A sale waits to be read."""
        ...

    def requeue_waiting(self) -> None:
        """A change of settings or links left entries to requeue."""
        ...

    def tokens_changed(self) -> None: ...

    def accounts_changed(self) -> None:
        """An account was created, or its settings changed."""
        ...


class WakeUps(Protocol):
    """Delivers the notifications of all processes. Those of this process arrive at once, without a round trip."""

    def on_lanes_ready(self, listener: Callable[[], None]) -> None: ...

    def on_live_work(self, listener: Callable[[AccountId], None]) -> None: ...

    def on_entry_finished(self, listener: Callable[[EntryId], None]) -> None: ...

    def on_order_events(self, listener: Callable[[], None]) -> None: ...

    def on_sales_waiting(self, listener: Callable[[], None]) -> None: ...

    def on_requeue_waiting(self, listener: Callable[[], None]) -> None: ...

    def on_tokens_changed(self, listener: Callable[[], None]) -> None: ...

    def on_accounts_changed(self, listener: Callable[[], None]) -> None: ...
