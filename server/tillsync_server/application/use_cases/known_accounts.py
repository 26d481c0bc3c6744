"""Whether an account exists, asked once: accounts are never deleted, so a yes holds for good."""

from __future__ import annotations

from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.queues import WaitingCounter

_MAX_ACCOUNTS = 100_000


class KnownAccounts:
    """One per process. Unknown accounts are asked for each time: they may be made at any moment."""

    def __init__(self, counter: WaitingCounter) -> None:
        self._counter = counter
        self._known: set[AccountId] = set()

    def __contains__(self, account_id: object) -> bool:
        return account_id in self._known

    async def require(self, account_id: AccountId) -> None:
        """NotFound."""
        if account_id in self._known:
            return
        await self._counter.waiting_entries(account_id, 1)
        if len(self._known) >= _MAX_ACCOUNTS:
            self._known.clear()
        self._known.add(account_id)
