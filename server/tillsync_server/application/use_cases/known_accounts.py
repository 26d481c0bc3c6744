"""Caches which accounts exist. Accounts are never deleted, so an existing account stays known."""

from __future__ import annotations

from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.queues import WaitingCounter

_MAX_ACCOUNTS = 100_000


class KnownAccounts:
    """The cache. One per process. Unknown accounts are not cached, because they may be created at any time."""

    def __init__(self, counter: WaitingCounter) -> None:
        self._counter = counter
        self._known: set[AccountId] = set()

    def __contains__(self, account_id: object) -> bool:
        return account_id in self._known

    async def require(self, account_id: AccountId) -> None:
        """Raises NotFound for an unknown account."""
        if account_id in self._known:
            return
        await self._counter.waiting_entries(account_id, 1)
        if len(self._known) >= _MAX_ACCOUNTS:
            self._known.clear()
        self._known.add(account_id)
