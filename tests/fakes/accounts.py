"""Accounts in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from fakes.clock import FakeClock
from fakes.wakeups import FakeWakeUps
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Aborted, AlreadyExists, FailedPrecondition, NotFound, RequestError
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId
from tillsync_server.domain.settings_change import SettingsEffect
from tillsync_server.ports.accounts import AccountChange


@dataclass
class FakeAccounts:
    """Implements ports.accounts.AccountStore and TillCustomersSeen.

    ``effect``: the effect that every update reports. ``wakeups`` gets a notification of every change.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    accounts: dict[AccountId, Account] = field(default_factory=dict)
    linked: set[tuple[AccountId, EposCustomerId]] = field(default_factory=set)
    """Linked till customers. None of them can become a default customer."""
    effect: SettingsEffect = field(default_factory=SettingsEffect)
    wakeups: FakeWakeUps = field(default_factory=FakeWakeUps)
    seen: dict[TillId, frozenset[EposCustomerId]] = field(default_factory=dict)

    def add(self, account: Account) -> Account:
        self.accounts[account.account_id] = account
        self.wakeups.accounts_changed()
        return account

    def raise_config_version(self, account_id: AccountId) -> None:
        """Raises the version, as every decision that voids running work does."""
        account = self.accounts[account_id]
        self.add(replace(account, config_version=account.config_version + 1))

    # AccountStore

    async def create(self, account: Account) -> Account:
        if account.account_id in self.accounts:
            if (stored := self.accounts[account.account_id]).has_settings_of(account):
                return stored
            raise AlreadyExists(f"account {account.account_id} exists already", reason="ACCOUNT_EXISTS")
        self._refuse_foreign_till(account)
        now = self.clock.database_now()
        return self.add(replace(account, config_version=1, create_time=now, update_time=now, problems=()))

    async def get(self, account_id: AccountId) -> Account:
        assert "\0" not in account_id, "a database text cannot hold it"
        if account_id not in self.accounts:
            raise NotFound(f"account {account_id} does not exist", reason="ACCOUNT_NOT_FOUND")
        return self.accounts[account_id]

    async def list_accounts(self, *, after: AccountId | None, limit: int) -> list[Account]:
        return [self.accounts[key] for key in sorted(self.accounts) if after is None or key > after][:limit]

    async def update(
        self, account_id: AccountId, change: Callable[[Account], Account], *, etag: str = "", dry_run: bool = False
    ) -> AccountChange:
        before = await self.get(account_id)
        if etag and etag != before.etag and (dry_run or not _changes_nothing(before, change)):
            raise Aborted(f"account {account_id} has changed since you read it: read it again", metadata={"etag": before.etag})
        after = change(before)
        if after == before:
            return AccountChange(account=before, effect=SettingsEffect())
        default = after.default_epos_customer_id
        if default is not None and default != before.default_epos_customer_id and (account_id, default) in self.linked:
            raise FailedPrecondition(f"till customer {default} is linked to a shop customer", reason="DEFAULT_CUSTOMER_LINKED")
        if (after.till_id, after.shared_till) != (before.till_id, before.shared_till):
            self._refuse_foreign_till(after)
        if not dry_run:
            after = self.add(replace(after, config_version=before.config_version + 1, update_time=self.clock.database_now()))
        return AccountChange(account=after, effect=self.effect)

    def _refuse_foreign_till(self, account: Account) -> None:
        others = [each for each in self.accounts.values() if each.till_id == account.till_id and each.account_id != account.account_id]
        if others and not account.shared_till:
            raise FailedPrecondition(f"another account uses till_id {account.till_id}", reason="TILL_NOT_SHARED")

    async def resume_side(self, account_id: AccountId, side: Side, *, config_version: int) -> bool:
        account = await self.get(account_id)
        others = tuple(problem for problem in account.problems if problem.side is not side)
        if others == account.problems or account.config_version != config_version:
            return False
        self.add(replace(account, problems=others))
        return True

    async def accounts_of_till(self, till_id: TillId) -> Sequence[Account]:
        assert "\0" not in till_id, "a database text cannot hold it"
        return [account for _, account in sorted(self.accounts.items()) if account.till_id == till_id]

    # TillCustomersSeen

    async def note_customer_ids(self, till_id: TillId, customer_ids: Sequence[EposCustomerId]) -> None:
        self.seen[till_id] = frozenset(customer_ids)

    async def tills_with_same_customers(self, till_id: TillId, customer_ids: Sequence[EposCustomerId]) -> list[TillId]:
        """Treats all tills as if they had one address. Only PostgreSQL compares addresses."""
        return sorted(other for other, ids in self.seen.items() if other != till_id and ids & set(customer_ids))


def _changes_nothing(account: Account, change: Callable[[Account], Account]) -> bool:
    try:
        return change(account) == account
    except RequestError:
        return False
