"""Order events of an account whose shop is an emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
from support.engine import EngineWorld
from support.links import epos
from support.waiting import until
from tillsync_sandbox import SandboxShop
from tillsync_sandbox.shop.stored import ShopEvent
from tillsync_server.adapters.http_client import HttpClient
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.events.event_outbox import PostgresEvents
from tillsync_server.adapters.woo import WooAdapterSettings, WooGateway
from tillsync_server.application.events.sender import EventSender, EventSettings
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.enums import Outcome
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.domain.verdict import Verdict

SHOP, OTHER, KEYS = AccountId("shop-a"), AccountId("shop-b"), AccountId("shop-keys")
MATCHED = replace(Verdict.finished(Outcome.MATCHED_EMAIL, "linked"), epos_customer_id=epos(90001))
FAILED = Verdict.failed(Outcome.CUSTOMER_NOT_MATCHED, "refused field: email")
FINISHED, NEEDED, CLOSED = 1, 2, 3
QUICK = EventSettings(poll_seconds=0.05, gather_seconds=0.01, first_delay_seconds=0.05, max_delay_seconds=0.2)


@dataclass
class EventWorld:
    engine: EngineWorld
    shop: SandboxShop
    accounts: PostgresAccounts
    outbox: PostgresEvents
    http: HttpClient

    def sender(self, settings: EventSettings = QUICK, *, timeout_seconds: float = 20.0) -> EventSender:
        gateway = WooGateway(self.http, WooAdapterSettings(timeout_seconds=timeout_seconds))
        return EventSender(self.outbox, self.accounts, gateway, self.engine.notifications, settings)

    @asynccontextmanager
    async def sending(self, settings: EventSettings = QUICK, *, timeout_seconds: float = 20.0) -> AsyncIterator[EventSender]:
        sender = self.sender(settings, timeout_seconds=timeout_seconds)
        sender.start()
        try:
            yield sender
        finally:
            await sender.stop()

    async def add(self, account_id: AccountId, base_url: str, secret: str) -> None:
        shop = ShopSettings(base_url=base_url, bridge_secret=secret)
        await self.accounts.create(Account(account_id=account_id, till_id=TillId(account_id), shop=shop))

    async def rows(self) -> list[asyncpg.Record]:
        return await self.engine.fetch("SELECT * FROM order_event ORDER BY account_id, order_id")

    async def kinds(self) -> list[tuple[int, int, int]]:
        """The id, sequence and event type of each order."""
        return [(row["order_id"], row["sequence"], row["type"]) for row in await self.rows()]

    async def until(self, condition: Callable[[], Any]) -> None:
        await self.shop.wait_for(condition)

    async def until_delivered(self) -> None:
        async def is_delivered() -> bool:
            return not await self.engine.fetch("SELECT 1 FROM order_event WHERE sequence > delivered")

        await until(is_delivered, self.rows)

    def received(self, order_id: int) -> list[ShopEvent]:
        return [event for event in self.shop.store.events if event.subject == f"order:{order_id}"]
