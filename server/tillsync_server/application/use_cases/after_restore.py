"""Compares a restored database with the shops, account by account, before the service starts (docs/operating/database.md#after-a-restore).

It takes over the answers of orders and the links that the database lacks, and queues everything else to be read again. It never decides
what the shop does not say: it reports it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from tillsync_server.application.concurrency.task_scope import task_group
from tillsync_server.domain.account import Account
from tillsync_server.domain.errors import CredentialsRefused, NotFound, UpstreamError
from tillsync_server.domain.ids import AccountId, OrderId, WooCustomerId
from tillsync_server.domain.restored import ShopState, site_settings_texts
from tillsync_server.domain.tokens import Token
from tillsync_server.ports.accounts import AccountStore, TokenStore
from tillsync_server.ports.restores import LinksTaken, OrdersTaken, Queued, RestoreStore, ShopHistories, ShopHistory

CLOCK_MARGIN = timedelta(minutes=10)
"""The shop compares times by its own clock, which may differ by 5 minutes from the service's. Older rows do no harm."""
_ACCOUNTS_AT_ONCE = 8
_PAGE = 1000


class Asked(Enum):
    """Whether the shop of an account was asked."""

    YES = "asked"
    NO_BRIDGE = "no bridge"
    BEFORE = "asked before"
    FAILED = "NOT ASKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    account_id: AccountId
    asked: Asked
    reason: str = ""
    """Why the shop was not asked, and what to do."""
    orders: OrdersTaken = field(default_factory=OrdersTaken)
    links: LinksTaken = field(default_factory=LinksTaken)
    queued: Queued = field(default_factory=lambda: Queued(customers=0, types=0))
    has_unknown_token: bool = False
    """The shop's token was made after the backup."""
    other_settings: tuple[str, ...] = ()
    """Settings that the shop saw last with another value."""
    tokens: tuple[Token, ...] = ()
    """Valid tokens of the account that are not the shop's."""


class AfterRestore:
    def __init__(self, store: RestoreStore, accounts: AccountStore, tokens: TokenStore, shops: ShopHistories) -> None:
        self._store = store
        self._accounts = accounts
        self._tokens = tokens
        self._shops = shops

    async def run(
        self, since: datetime, *, only: Collection[AccountId] = (), dry_run: bool, progress: Callable[[str], None] = lambda _line: None
    ) -> list[AccountReport]:
        """Runs for the accounts ``only``, or for all that are not completed yet. ``since``: time of the backup. Returns one report for each
        account, by account id. An account whose shop cannot be asked is queued to be read again, but not completed."""
        pending = await self._store.pending()
        if not dry_run and (pending is not None or not only):
            # Single accounts may be repeated later, beside a running service. Then nothing is pending, and nothing keeps it from starting.
            await self._store.begin(since)
        done = await self._store.done_accounts()
        places = asyncio.Semaphore(_ACCOUNTS_AT_ONCE)
        reports: list[AccountReport] = []

        async def run_one(account: Account) -> None:
            async with places:
                if account.account_id in done and account.account_id not in only:
                    report = AccountReport(account_id=account.account_id, asked=Asked.BEFORE)
                else:
                    report = await self._run_account(account, since, dry_run=dry_run)
            reports.append(report)
            progress(f"{account.account_id}: {report.asked.value}")

        async with task_group() as group:
            async for account in self._each_account(only):
                group.create_task(run_one(account))
        return sorted(reports, key=lambda report: report.account_id)

    async def revoke(self, token_id: str) -> None:
        """Revokes a token of any account. It may be repeated. Raises NotFound."""
        if token_id in await self._token_ids(None):
            await self._tokens.revoke(None, token_id)
            return
        async for account in self._each_account(()):
            if token_id in await self._token_ids(account.account_id):
                await self._tokens.revoke(account.account_id, token_id)
                return
        raise NotFound(f"no token has the id {token_id}", reason="TOKEN_NOT_FOUND")

    async def is_complete(self) -> bool:
        """Whether every account is completed."""
        done = await self._store.done_accounts()
        return all([account.account_id in done async for account in self._each_account(())])

    async def tokens_without_account(self) -> tuple[Token, ...]:
        """Returns the valid tokens that belong to no shop."""
        return await self._valid_tokens(None)

    async def _each_account(self, only: Collection[AccountId]) -> AsyncIterator[Account]:
        if only:
            for account_id in sorted(set(only)):
                yield await self._accounts.get(account_id)
            return
        after: AccountId | None = None
        while page := await self._accounts.list_accounts(after=after, limit=_PAGE):
            for account in page:
                yield account
            after = page[-1].account_id

    async def _run_account(self, account: Account, since: datetime, *, dry_run: bool) -> AccountReport:
        account_id = account.account_id
        report = AccountReport(account_id=account_id, asked=Asked.NO_BRIDGE, tokens=await self._valid_tokens(account_id))
        state = None
        if account.shop.has_bridge:
            try:
                history = self._shops.history(account)
                state = await history.state()
                report = await self._take_over(history, account, replace(report, asked=Asked.YES), since, dry_run=dry_run)
                report = await self._compare(state, account, report)
            except UpstreamError as error:
                report = replace(report, asked=Asked.FAILED, reason=_reason(error))
        try:
            queued = await self._store.queue_all(account_id, () if state is None else state.type_ids, dry_run=dry_run)
            report = replace(report, queued=queued)
        except UpstreamError as error:  # the database cannot store an id that the shop named
            report = replace(report, asked=Asked.FAILED, reason=_reason(error))
        if not dry_run and report.asked is not Asked.FAILED:
            await self._store.complete(account_id)
        return report

    async def _take_over(
        self, history: ShopHistory, account: Account, report: AccountReport, since: datetime, *, dry_run: bool
    ) -> AccountReport:
        """Takes over links before orders, so that an order which is sent again finds its link."""
        asked_since, links, orders = since - CLOCK_MARGIN, LinksTaken(), OrdersTaken()
        woo_after: WooCustomerId | None = None
        while True:
            shown = await history.links_since(asked_since, after=woo_after)
            links += await self._store.take_links(account.account_id, shown.links, since=since, dry_run=dry_run)
            woo_after = shown.next_after
            if woo_after is None:
                break
        order_after: OrderId | None = None
        while True:
            page = await history.orders_since(asked_since, after=order_after)
            orders += await self._store.take_orders(account.account_id, page.orders, dry_run=dry_run)
            order_after = page.next_after
            if order_after is None:
                return replace(report, links=links, orders=orders)

    async def _compare(self, state: ShopState, account: Account, report: AccountReport) -> AccountReport:
        own = await self._tokens.by_hash(state.token_hash)
        ours = site_settings_texts(account)
        others = tuple(
            f"{name}: {ours[name]} in the database, {shown} in the shop"
            for name, shown in state.settings.items()
            if ours.get(name, shown) != shown
        )
        return replace(
            report,
            has_unknown_token=own is None or own.revoke_time is not None or own.account_id != account.account_id,
            other_settings=others,
            tokens=tuple(token for token in report.tokens if own is None or token.token_id != own.token_id),
        )

    async def _token_ids(self, account_id: AccountId | None) -> set[str]:
        return {token.token_id for token in await self._all_tokens(account_id)}

    async def _valid_tokens(self, account_id: AccountId | None) -> tuple[Token, ...]:
        return tuple(token for token in await self._all_tokens(account_id) if token.revoke_time is None)

    async def _all_tokens(self, account_id: AccountId | None) -> list[Token]:
        found: list[Token] = []
        after = ""
        while page := await self._tokens.list_tokens(account_id, after=after, limit=_PAGE):
            found += page
            after = page[-1].token_id
        return found


def _reason(error: UpstreamError) -> str:
    if isinstance(error, CredentialsRefused):
        return f"{error.text}. If the shop was connected after the backup, connect it again with a new connect string"
    return error.text
