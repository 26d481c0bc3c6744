"""Creates shop clients. All clients of a process share one HTTP client and the :class:`SiteKnowledge` of each account."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tillsync_server.adapters.http_client import HttpClient
from tillsync_server.adapters.woo.bridge_client import BridgeClient
from tillsync_server.adapters.woo.bridge_events import BridgeEvents
from tillsync_server.adapters.woo.bridge_history import BridgeHistory
from tillsync_server.adapters.woo.bridge_outbox import BridgeOutbox
from tillsync_server.adapters.woo.customer_directory import customers_with_email
from tillsync_server.adapters.woo.keys_client import KeysClient
from tillsync_server.adapters.woo.requests import ShopRequests, Sleep
from tillsync_server.adapters.woo.settings import WooAdapterSettings
from tillsync_server.adapters.woo.signing import BridgeSigner, RequestSigner, Surface, signer_for
from tillsync_server.adapters.woo.site_knowledge import SiteKnowledge, SiteKnowledgeCache
from tillsync_server.domain.account import Account
from tillsync_server.domain.ids import WooCustomerId
from tillsync_server.ports.accounts import AccountWarnings
from tillsync_server.ports.events import EventReceiver
from tillsync_server.ports.request_gate import RequestGate
from tillsync_server.ports.restores import ShopHistory
from tillsync_server.ports.shop import ShopClient
from tillsync_server.ports.shop_outbox import ShopOutbox


class WooGateway:
    """Implements ``ports.shop.ShopGateway``, ``ports.shop.ShopDirectory``, ``ports.events.EventReceivers``,
    ``ports.restores.ShopHistories`` and ``ports.shop_outbox.ShopOutboxes``.

    ``warnings`` gets the stray output of answers. ``sleep`` waits between retries of a read. ``clock`` returns monotonic seconds.
    """

    def __init__(
        self,
        http: HttpClient,
        settings: WooAdapterSettings | None = None,
        *,
        warnings: AccountWarnings | None = None,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._settings = settings or WooAdapterSettings()
        self._warnings = warnings
        self._sleep = sleep
        self._clock = clock
        self._site_knowledge = SiteKnowledgeCache()

    def client(self, account: Account, gate: RequestGate | None = None) -> ShopClient:
        signer, knowledge = signer_for(account.shop), self._site_knowledge.of(account)
        requests = self._requests(account, signer, knowledge, gate)
        match signer.surface:
            case Surface.BRIDGE:
                return BridgeClient(requests, knowledge)
            case Surface.KEYS:
                return KeysClient(requests, knowledge, self._settings, signer.secrets, self._clock)

    def event_receiver(self, account: Account) -> EventReceiver:
        knowledge = self._site_knowledge.of(account)
        requests = self._requests(account, BridgeSigner(account.shop.bridge_secret), knowledge)
        return BridgeEvents(requests, BridgeClient(requests, knowledge))

    def history(self, account: Account) -> ShopHistory:
        knowledge = self._site_knowledge.of(account)
        requests = self._requests(account, BridgeSigner(account.shop.bridge_secret), knowledge)
        return BridgeHistory(requests, BridgeClient(requests, knowledge))

    def outbox(self, account: Account) -> ShopOutbox:
        return BridgeOutbox(self._requests(account, BridgeSigner(account.shop.bridge_secret), self._site_knowledge.of(account)))

    async def customers_with_email(self, account: Account, email: str) -> list[WooCustomerId]:
        by_keys = signer_for(replace(account.shop, bridge_secret=""))
        return await customers_with_email(self._requests(account, by_keys, self._site_knowledge.of(account)), email)

    def _requests(self, account: Account, signer: RequestSigner, knowledge: SiteKnowledge, gate: RequestGate | None = None) -> ShopRequests:
        on_answer = None if self._warnings is None else partial(self._warnings.note_answer, account.account_id)
        return ShopRequests(self._http, self._settings, account.shop.base_url, signer, knowledge, self._sleep, on_answer, gate)
