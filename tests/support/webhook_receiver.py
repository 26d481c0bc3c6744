"""The webhook receiver over HTTP, with in-memory accounts. It records the hints that it would queue."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import ClientResponse, ClientSession
from fakes.accounts import FakeAccounts
from tillsync_server.adapters.http.app import HttpSide
from tillsync_server.adapters.http.webhook import WebhookReceiver
from tillsync_server.application.use_cases.till_hints import Sender
from tillsync_server.domain.account import Account, EposSettings
from tillsync_server.domain.ids import AccountId, TillId

V2_CUSTOMER = {"CustomerID": 90001, "Title": 1, "Forename": "Ada", "EmailAddress": "ada@example.test", "Type": 4001}


@dataclass
class Hints:
    """Records each hint with its sender, or raises ``failure``. ``woken`` is the number of hinted accounts that it returns."""

    queued_customers: list[tuple[str, int]] = field(default_factory=list)
    queued_types: list[tuple[str, int]] = field(default_factory=list)
    queued_sales: list[tuple[str, int]] = field(default_factory=list)
    senders: list[Sender] = field(default_factory=list)
    failure: Exception | None = None
    commit: asyncio.Event | None = None
    called: asyncio.Event = field(default_factory=asyncio.Event)
    woken: int = 1

    async def _queued(self, queue: list[tuple[str, int]], sender: Sender, ids: Sequence[int]) -> int:
        self.called.set()
        if self.commit is not None:
            await self.commit.wait()
        if self.failure is not None:
            raise self.failure
        self.senders.append(sender)
        queue += [(sender.account_id, each) for each in ids]
        return self.woken

    async def customers(self, sender: Sender, customer_ids: Sequence[int]) -> int:
        return await self._queued(self.queued_customers, sender, customer_ids)

    async def customer_types(self, sender: Sender, type_ids: Sequence[int]) -> int:
        return await self._queued(self.queued_types, sender, type_ids)

    async def sales(self, sender: Sender, transaction_ids: Sequence[int]) -> None:
        await self._queued(self.queued_sales, sender, transaction_ids)


def accounts_with_hooks() -> FakeAccounts:
    accounts = FakeAccounts()
    for name, epos in (
        ("shop-1", EposSettings(webhook_key="hook", webhook_secret="pa:ss£")),
        ("no-hooks", EposSettings()),
        ("half", EposSettings(webhook_key="hook")),
        ("euro", EposSettings(webhook_key="hook", webhook_secret="5€")),
    ):
        accounts.add(Account(account_id=AccountId(name), till_id=TillId("t"), epos=epos))
    for name, till, epos in (
        ("at-other", "other", EposSettings(webhook_key="other", webhook_secret="word")),
        ("at-bare", "bare", EposSettings()),
    ):
        accounts.add(Account(account_id=AccountId(name), till_id=TillId(till), epos=epos))
    return accounts


class DatabaseAway(Exception):
    pass


@dataclass
class Receiver:
    url: str
    session: ClientSession
    accounts: FakeAccounts
    hints: Hints
    observed: list[tuple[str, int, str]]

    async def post(
        self,
        body: object = V2_CUSTOMER,
        *,
        account: str = "shop-1",
        credentials: str | bytes | None = "hook:pa:ss£",
        object_: str | None = "Customer",
        action: str | None = "Update",
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> ClientResponse:
        sent = {"Content-Type": content_type, **(headers or {})}
        if credentials is not None:
            pair = credentials if isinstance(credentials, bytes) else credentials.encode()
            sent["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        if object_ is not None:
            sent["Epos-Object"] = object_
        if action is not None:
            sent["Epos-Action"] = action
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.post(f"{self.url}/webhooks/eposnow/{account}", data=data, headers=sent) as response:
            await response.read()
            return response

    @property
    def nothing_queued(self) -> bool:
        return not self.hints.queued_customers and not self.hints.queued_types and not self.hints.queued_sales


@asynccontextmanager
async def running_receiver() -> AsyncIterator[Receiver]:
    accounts, hints = accounts_with_hooks(), Hints()
    observed: list[tuple[str, int, str]] = []
    routes = WebhookReceiver(
        accounts,
        hints,
        accounts.wakeups,
        database_gone=(DatabaseAway,),
        observe=lambda kind, status, reason: observed.append((kind, status, reason)),
    )
    side = HttpSide("127.0.0.1", 0, routes, grace_seconds=1)
    await side.start()
    async with ClientSession() as session:
        yield Receiver(f"http://127.0.0.1:{side.port}", session, accounts, hints, observed)
    await side.stop()
    await routes.close()
