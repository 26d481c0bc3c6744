"""The run of `tillsync after-restore` over several accounts (use_cases.after_restore)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import cast

from fakes.accounts import FakeAccounts
from fakes.tokens import FakeTokens
from support.flow_world import till_account
from tillsync_server.application.use_cases.after_restore import AfterRestore, Asked
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Refused
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.restores import Queued, Restore, RestoreStore, ShopHistories

NOW = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
REFUSED = "the database cannot store what the shop answered"


@dataclass
class Restores:
    """A restored database that cannot queue one account."""

    unstorable: AccountId
    completed: list[AccountId] = field(default_factory=list)

    async def pending(self) -> Restore | None:
        return Restore(NOW, NOW)

    async def begin(self, since: datetime) -> Restore:
        return Restore(NOW, since)

    async def done_accounts(self) -> set[AccountId]:
        return set(self.completed)

    async def queue_all(self, account_id: AccountId, _type_ids: object, *, dry_run: bool) -> Queued:
        assert not dry_run
        if account_id == self.unstorable:
            raise Refused(Side.SHOP, REFUSED)
        return Queued(customers=2, types=1)

    async def complete(self, account_id: AccountId) -> None:
        self.completed.append(account_id)


async def test_account_that_cannot_be_queued_does_not_end_the_run_of_the_others() -> None:
    accounts = FakeAccounts()
    made = [till_account(name) for name in ("shop-1", "shop-2", "shop-3")]
    names = [accounts.add(replace(each, shop=replace(each.shop, bridge_secret=""))).account_id for each in made]
    restores = Restores(unstorable=names[1])
    run = AfterRestore(cast(RestoreStore, restores), accounts, FakeTokens(), cast(ShopHistories, None))
    reports = await run.run(NOW, dry_run=False)
    assert [(report.account_id, report.asked, report.reason) for report in reports] == [
        ("shop-1", Asked.NO_BRIDGE, ""),
        ("shop-2", Asked.FAILED, REFUSED),
        ("shop-3", Asked.NO_BRIDGE, ""),
    ]
    assert restores.completed == ["shop-1", "shop-3"]
    assert not await run.is_complete()
