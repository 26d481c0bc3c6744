"""Caches accounts by the version of their settings. Every run needs its account, and the database is read once for each change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from tillsync_server.application.concurrency.single_flight import SingleFlight
from tillsync_server.domain.account import Account
from tillsync_server.domain.errors import RunInterrupted
from tillsync_server.domain.ids import AccountId

_MAX_ACCOUNTS = 4096


class AccountCache:
    """Cache of 4,096 accounts; the least recently used one is dropped. ``read`` returns the account as it is stored now."""

    def __init__(self, read: Callable[[AccountId], Awaitable[Account]]) -> None:
        self._read = read
        self._known: OrderedDict[AccountId, Account] = OrderedDict()
        self._reads: SingleFlight[AccountId, Account] = SingleFlight("account")

    async def at_version(self, account_id: AccountId, config_version: int) -> Account:
        """Raises the errors of ``read``, and RunInterrupted if a fresh read is older too (the database was restored to an earlier time)."""
        known = self._known.get(account_id)
        if known is not None and known.config_version >= config_version:
            self._known.move_to_end(account_id)
            return known
        is_shared = account_id in self._reads
        account = await self._reads.run(account_id, lambda: self._read_and_keep(account_id))
        if account.config_version < config_version and is_shared:  # the shared read may have begun before the version was committed
            account = await self._reads.run(account_id, lambda: self._read_and_keep(account_id))
        if account.config_version < config_version:
            raise RunInterrupted(f"settings of account {account_id} are at version {account.config_version}, asked for {config_version}")
        return account

    async def _read_and_keep(self, account_id: AccountId) -> Account:
        account = await self._read(account_id)
        known = self._known.get(account_id)
        if known is None or known.config_version <= account.config_version:
            self._known[account_id] = account
            self._known.move_to_end(account_id)
            while len(self._known) > _MAX_ACCOUNTS:
                self._known.popitem(last=False)
        return account
