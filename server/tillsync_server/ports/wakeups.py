"""Hints between processes (NOTIFY): may be lost, doubled or late; polling is the floor under each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tillsync_server.domain.ids import AccountId, EntryId


class Notifier(Protocol):
    """Told after a commit; coalesces and sends. Never blocks, never fails the caller."""

    def lanes_ready(self) -> None: ...

    def live_work(self, account_id: AccountId) -> None:
        """A lane that is leased just now got work: its owner looks, be the lane idle, or busy with bulk entries."""
        ...

    def entry_finished(self, entry_id: EntryId) -> None: ...

    def tokens_changed(self) -> None: ...


class WakeUps(Protocol):
    """Heard from every process; what this one tells at once, without a way round."""

    def on_lanes_ready(self, listener: Callable[[], None]) -> None: ...

    def on_live_work(self, listener: Callable[[AccountId], None]) -> None: ...

    def on_entry_finished(self, listener: Callable[[EntryId], None]) -> None: ...

    def on_tokens_changed(self, listener: Callable[[], None]) -> None: ...
