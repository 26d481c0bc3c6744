from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from support.engine import EngineWorld
from support.events import SHOP, EventWorld
from tillsync_sandbox import SandboxShop
from tillsync_server.adapters.http_client import AllowedHosts, HttpClient, HttpClientSettings
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox
from tillsync_server.adapters.postgres.events.event_outbox import PostgresEvents


@pytest_asyncio.fixture
async def events(world: EngineWorld) -> AsyncIterator[EventWorld]:
    accounts = PostgresAccounts(world.database, SecretBox(["a test key of at least thirty-two characters"]), world.notifications)
    http = HttpClient(HttpClientSettings(allowed_hosts=AllowedHosts(allow_loopback=True)))
    async with SandboxShop() as shop:
        event_world = EventWorld(world, shop, accounts, PostgresEvents(world.database), http)
        await event_world.add(SHOP, shop.origin, shop.switches.bridge_secret)
        try:
            yield event_world
        finally:
            await http.close()
