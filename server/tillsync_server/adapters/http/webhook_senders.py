"""Who may send webhooks to an address, by Basic credentials.

An account's address is opened by the account's credentials, the till's address by those of any account that has the till now.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aiohttp import web

from tillsync_server.adapters.http.webhook_answers import WebhookReason, unauthorised
from tillsync_server.adapters.http.webhook_credentials import basic_pair, opens
from tillsync_server.application.use_cases.account_fields import is_slug
from tillsync_server.application.use_cases.till_hints import Sender
from tillsync_server.domain.account import Account, EposSettings
from tillsync_server.domain.errors import NotFound
from tillsync_server.domain.ids import AccountId, TillId


class AccountLookup(Protocol):
    """Two methods of ``ports.accounts.AccountStore``."""

    async def get(self, account_id: AccountId) -> Account: ...

    async def accounts_of_till(self, till_id: TillId) -> Sequence[Account]: ...


class WebhookSenders:
    def __init__(self, accounts: AccountLookup) -> None:
        self._accounts = accounts

    async def sender(self, request: web.Request) -> Sender:
        """Raises Answered 401. The same steps for an unknown address, for accounts without webhook credentials, and for a wrong pair."""
        address = request.match_info
        is_addressed = "account_id" in address
        accounts = await (self._of_account(address["account_id"]) if is_addressed else self._of_till(address["till_id"]))
        given = basic_pair(request.headers.get("Authorization", ""))
        found: Account | None = None
        for account in accounts:
            is_open = opens(given, account.epos)
            found = account if is_open and found is None else found
        if found is not None:
            return Sender(account_id=found.account_id, till_id=found.till_id, is_addressed=is_addressed)
        if not accounts:
            opens(given, EposSettings())
            raise unauthorised(WebhookReason.UNKNOWN_ADDRESS)
        if not any(account.epos.webhook_key and account.epos.webhook_secret for account in accounts):
            raise unauthorised(WebhookReason.NOT_SET_UP)
        raise unauthorised(WebhookReason.NO_CREDENTIALS if given is None else WebhookReason.WRONG_CREDENTIALS)

    async def _of_account(self, name: str) -> Sequence[Account]:
        try:
            return [await self._accounts.get(AccountId(name))] if is_slug(name) else []
        except NotFound:
            return []

    async def _of_till(self, name: str) -> Sequence[Account]:
        return await self._accounts.accounts_of_till(TillId(name)) if is_slug(name) else []
