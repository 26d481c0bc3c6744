"""Makes shop clients over the process's one outbound connection pool, and keeps what was learnt about each shop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tillsync_server.adapters.outbound import OutboundHttp
from tillsync_server.adapters.woo.bridge_client import BridgeClient
from tillsync_server.adapters.woo.keys_client import KeysClient
from tillsync_server.adapters.woo.requests import ShopRequests, Sleep
from tillsync_server.adapters.woo.settings import WooAdapterSettings
from tillsync_server.adapters.woo.signing import Surface, signer_for
from tillsync_server.adapters.woo.site_knowledge import SiteKnowledgeBook
from tillsync_server.domain.account import Account
from tillsync_server.ports.shop import ShopClient


class WooGateway:
    """Implements ``ports.shop.ShopGateway``. ``sleep``: between tries of a read. ``clock``: monotonic seconds."""

    def __init__(
        self,
        http: OutboundHttp,
        settings: WooAdapterSettings | None = None,
        *,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._settings = settings or WooAdapterSettings()
        self._sleep = sleep
        self._clock = clock
        self._known = SiteKnowledgeBook()

    def client(self, account: Account) -> ShopClient:
        signer = signer_for(account.shop)
        known = self._known.of(account)
        requests = ShopRequests(self._http, self._settings, account.shop.base_url, signer, known, self._sleep)
        match signer.surface:
            case Surface.BRIDGE:
                return BridgeClient(requests, known)
            case Surface.KEYS:
                return KeysClient(requests, known, self._settings, signer.secrets, self._clock)

    async def close(self) -> None:
        """Closes the outbound pool, which may be shared: closing it twice is harmless."""
        await self._http.close()
