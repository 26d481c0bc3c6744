"""CheckAccount: tests both sides step by step with the present settings, and names each problem with its remedy.

It writes to neither side. If a side passes every step, the account's problem of that side is closed, even while no entry is due that would
close it. The check stores the price decimals that the shop's bridge reports.

A failed step is part of the answer. A side's steps end with its first failed one, because later steps would only repeat its cause.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from tillsync_server.application.use_cases.check_steps import CheckStep, CheckWarning, SideRun
from tillsync_server.application.use_cases.shop_check import check_shop
from tillsync_server.application.use_cases.till_check import check_till
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import GuestPolicy, Side
from tillsync_server.domain.errors import Unavailable
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId
from tillsync_server.ports.accounts import AccountStore, AccountWarnings, TillCustomersSeen
from tillsync_server.ports.shop import ShopGateway, ShopStatus
from tillsync_server.ports.till import TillGateway
from tillsync_server.ports.tills import TillKnowledgeStore

SIDE_SECONDS = 28.0
"""Time limit of all steps of one side. Both sides are checked at the same time."""


@dataclass(frozen=True, slots=True)
class AccountCheckResult:
    steps: tuple[CheckStep, ...]
    warnings: tuple[CheckWarning, ...] = field(default=())

    @property
    def ok(self) -> bool:
        return all(step.ok for step in self.steps)


class AccountCheck:
    def __init__(
        self,
        accounts: AccountStore,
        tills: TillGateway,
        shops: ShopGateway,
        knowledge: TillKnowledgeStore,
        seen: TillCustomersSeen,
        warnings: AccountWarnings,
        *,
        side_seconds: float = SIDE_SECONDS,
    ) -> None:
        self._accounts = accounts
        self._tills = tills
        self._shops = shops
        self._knowledge = knowledge
        self._seen = seen
        self._warnings = warnings
        self._side_seconds = side_seconds

    async def run(self, account_id: AccountId, *, may_name_other_tills: bool = False) -> AccountCheckResult:
        """Checks an account. ``may_name_other_tills``: the caller may read all accounts, so a warning may name another till_id. Raises
        NotFound."""
        account = await self._accounts.get(account_id)
        own = SideRun(None)
        missing_of_till, missing_of_shop = _missing_of_till(account), _missing_of_shop(account)
        _check_settings(own, missing_of_till + missing_of_shop)
        _warn_of_settings(own, account)
        await self._warn_of_webhooks(own, account)
        till, shop = SideRun(Side.TILL), SideRun(Side.SHOP)
        customer_ids: list[EposCustomerId] = []
        statuses: list[ShopStatus] = []

        async def check_till_side() -> None:
            if not missing_of_till:
                async with till.limited_to(self._side_seconds):
                    await check_till(till, account, self._tills, self._knowledge, customer_ids)

        async def check_shop_side() -> None:
            if not missing_of_shop:
                async with shop.limited_to(self._side_seconds):
                    status = await check_shop(shop, account, self._shops)
                    statuses.extend([status] if status is not None else [])

        async with asyncio.TaskGroup() as sides:
            sides.create_task(check_till_side())
            sides.create_task(check_shop_side())
        if customer_ids:
            await self._compare_tills(till, account.till_id, customer_ids, may_name_other_tills=may_name_other_tills)
        for side, run in ((Side.TILL, till), (Side.SHOP, shop)):
            if run.steps and all(step.ok for step in run.steps):
                await self._accounts.resume_side(account_id, side, config_version=account.config_version)
        for status in statuses:
            await self._store_price_decimals(account, status)
        for warning in (await self._warnings.of([account_id])).get(account_id, ()):
            (till if warning.side is Side.TILL else shop).warn(warning.reason.name.lower(), warning.text, warning.remedy)
        return AccountCheckResult((*own.steps, *till.steps, *shop.steps), (*own.warnings, *till.warnings, *shop.warnings))

    async def _store_price_decimals(self, account: Account, status: ShopStatus) -> None:
        """Stores the bridge's price decimals, which may have changed since it connected."""
        if status.price_decimals == account.shop.price_decimals:
            return

        def change(present: Account) -> Account:
            return replace(present, shop=replace(present.shop, price_decimals=status.price_decimals))

        with suppress(Unavailable):  # the account is busy, and the next check stores them
            await self._accounts.update(account.account_id, change)

    async def _warn_of_webhooks(self, run: SideRun, account: Account) -> None:
        """Warns if no account of the till has webhook credentials. One set is enough, because each webhook hints all accounts of the
        till."""
        of_till = await self._accounts.accounts_of_till(account.till_id)
        if any(each.epos.webhook_key and each.epos.webhook_secret for each in (account, *of_till)):
            return
        run.warn(
            "webhooks_refused",
            "No webhook credentials are set: Epos Now's webhooks are refused, so changes at the till are not noticed.",
            "Set epos.webhook_key and epos.webhook_secret to what the webhooks of the Epos Now API device send. Their address at this "
            f"service is /webhooks/eposnow/till/{account.till_id}, which serves every account of the till.",
        )

    async def _compare_tills(
        self, run: SideRun, till_id: TillId, customer_ids: Sequence[EposCustomerId], *, may_name_other_tills: bool
    ) -> None:
        await self._seen.note_customer_ids(till_id, customer_ids)
        others = await self._seen.tills_with_same_customers(till_id, customer_ids)
        if not others:
            return
        named = f" ({', '.join(others[:5])})" if may_name_other_tills else ""
        run.warn(
            "tills_look_alike",
            f"another till_id{named} serves the same customer ids: both seem to be one Epos Now company.",
            "If they are, give their accounts one till_id with shared_till, so that they share the request budget and never make a twin.",
        )


def _missing_of_till(account: Account) -> list[str]:
    epos = account.epos
    required = (("epos.base_url", epos.base_url), ("epos.api_key", epos.api_key), ("epos.api_secret", epos.api_secret))
    return [name for name, value in required if not value]


def _missing_of_shop(account: Account) -> list[str]:
    shop = account.shop
    missing = [] if shop.base_url else ["shop.base_url"]
    if not shop.has_bridge:
        required = (("shop.consumer_key", shop.consumer_key), ("shop.consumer_secret", shop.consumer_secret))
        missing += [name for name, value in required if not value]
    return missing


def _check_settings(run: SideRun, missing: Sequence[str]) -> None:
    if missing:
        remedy = "Set them with UpdateAccount; for the shop, connecting the tillsync bridge plugin does it as well."
        run.failed("settings", f"Not set: {', '.join(missing)}.", remedy, reason="SETTINGS_MISSING")
    else:
        run.passed("settings", "Addresses and credentials of both sides are set.")


def _warn_of_settings(run: SideRun, account: Account) -> None:
    if not account.customer_sync_enabled:
        run.warn(
            "sync_disabled",
            "Customer sync is not enabled: updates are skipped and orders go to the default customer.",
            "Set customer_sync_enabled when both sides are ready.",
        )
    needs_default = not account.customer_sync_enabled or account.guest_policy is not GuestPolicy.MATCH_OR_CREATE
    if needs_default and account.default_epos_customer_id is None:
        run.warn(
            "no_default_customer",
            "There is no default customer: orders of guests are held.",
            "Set default_epos_customer_id to the till customer that such orders go to.",
        )
