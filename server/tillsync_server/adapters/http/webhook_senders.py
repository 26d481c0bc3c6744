"""Authenticates the senders of webhooks by Basic credentials.

An account's address accepts the account's credentials. The till's address accepts those of any account that has the till now.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from tillsync_server.adapters.http.webhook_answers import WebhookReason, unauthorised
from tillsync_server.adapters.http.webhook_credentials import basic_pair, opens
from tillsync_server.adapters.http.webhook_openers import Address, Opener, WebhookOpeners
from tillsync_server.application.use_cases.account_fields import is_slug
from tillsync_server.application.use_cases.till_hints import Sender
from tillsync_server.domain.account import EposSettings


def address_of(request: web.Request) -> Address | None:
    """Returns the address of the request, or None for a name that no account and no till can have."""
    given = request.match_info
    is_account = "account_id" in given
    name = given["account_id"] if is_account else given["till_id"]
    return Address(is_account, name) if is_slug(name) else None


class WebhookSenders:
    def __init__(self, openers: WebhookOpeners) -> None:
        self._openers = openers

    async def sender(self, address: Address | None, request: web.Request) -> Sender:
        """Returns the sender. Raises WebhookAnswer 401. The steps are the same for an unknown address, for accounts without webhook
        credentials and for a wrong pair, so that the time tells nothing."""
        openers: Sequence[Opener] = () if address is None else await self._openers.of(address)
        given = basic_pair(request.headers.get("Authorization", ""))
        found: Opener | None = None
        for opener in openers:
            is_open = opens(given, opener.epos)
            found = opener if is_open and found is None else found
        if found is not None and address is not None:
            return Sender(account_id=found.account_id, till_id=found.till_id, is_addressed=address.is_account)
        if not openers:
            opens(given, EposSettings())
            raise unauthorised(WebhookReason.UNKNOWN_ADDRESS)
        if not any(opener.epos.webhook_key and opener.epos.webhook_secret for opener in openers):
            raise unauthorised(WebhookReason.NOT_SET_UP)
        raise unauthorised(WebhookReason.NO_CREDENTIALS if given is None else WebhookReason.WRONG_CREDENTIALS)
