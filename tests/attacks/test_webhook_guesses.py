"""Webhooks with wrong credentials cost no queries. They neither delay the till nor lock it out."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from support.postgres import TestDatabase
from support.service import RunningService, running_service
from support.waiting import NEVER_SECONDS, until, within
from tillsync.v1 import account_pb2
from tillsync_server.adapters.http import webhook_openers
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox

pytestmark = pytest.mark.integration
DELIVERIES = 300


@dataclass
class Spent:
    queries: int = 0
    decryptions: int = 0


@pytest.fixture
def spent(monkeypatch: pytest.MonkeyPatch) -> Spent:
    """Counts the service's queries for accounts and its decryptions."""
    counted = Spent()
    get, of_till, decrypt = PostgresAccounts.get, PostgresAccounts.accounts_of_till, SecretBox.decrypt

    async def counted_get(self: PostgresAccounts, *given: object) -> object:
        counted.queries += 1
        return await get(self, *given)  # type: ignore[arg-type]

    async def counted_of_till(self: PostgresAccounts, *given: object) -> object:
        counted.queries += 1
        return await of_till(self, *given)  # type: ignore[arg-type]

    def counted_decrypt(self: SecretBox, stored: bytes) -> str:
        counted.decryptions += 1
        return decrypt(self, stored)

    monkeypatch.setattr(PostgresAccounts, "get", counted_get)
    monkeypatch.setattr(PostgresAccounts, "accounts_of_till", counted_of_till)
    monkeypatch.setattr(SecretBox, "decrypt", counted_decrypt)
    return counted


async def deliver(running: RunningService, address: str = "shop-1", pair: str = "hook:geheim") -> int:
    headers = {
        "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
        "Content-Type": "application/json",
        "Epos-Object": "Customer",
    }
    async with running.http.post(f"{running.http_url}/webhooks/eposnow/{address}", data=b"5", headers=headers) as response:
        await response.read()
        return response.status


@asynccontextmanager
async def shop(database: TestDatabase) -> AsyncIterator[RunningService]:
    async with running_service(database.dsn, works=False) as running:
        await running.add_account(webhook_key="hook", webhook_secret="geheim")
        yield running


async def test_anonymous_deliveries_share_queries_and_decryptions(database: TestDatabase, spent: Spent) -> None:
    addresses = ["shop-1", "till/shop-1", "nobody", "till/nobody"]
    loop = asyncio.get_running_loop()
    async with shop(database) as running:
        spent.queries, spent.decryptions, began = 0, 0, loop.time()
        sent = (deliver(running, address, f"hook:{number}") for number in range(DELIVERIES // 4) for address in addresses)
        assert set(await asyncio.gather(*sent)) == {401}
        cache_periods = 1 + (loop.time() - began) // webhook_openers.KNOWN_SECONDS
        assert spent.queries <= 4 * (cache_periods + 1), "those of one address share it"
        assert spent.decryptions <= 7 * 2 * (cache_periods + 1)


@contextmanager
def flood(running: RunningService) -> Iterator[list[int]]:
    """Forty callers send wrong secrets to the account's, the till's and unknown addresses. Each sends again after its answer."""
    sent: list[int] = []

    async def guess(caller: int) -> None:
        async with aiohttp.ClientSession() as http:
            while True:
                address = ("shop-1", "till/shop-1", f"nobody-{caller}-{len(sent)}")[len(sent) % 3]
                authorization = {"Authorization": "Basic aG9vazpndWVzcw==", "Epos-Object": "Customer"}
                async with http.post(f"{running.http_url}/webhooks/eposnow/{address}", data=b"5", headers=authorization) as response:
                    sent.append(response.status)

    callers = [asyncio.create_task(guess(caller)) for caller in range(40)]
    try:
        yield sent
    finally:
        for each in callers:
            each.cancel()


async def test_guesses_neither_delay_nor_lock_out_the_till(database: TestDatabase) -> None:
    loop, seconds = asyncio.get_running_loop(), []
    async with shop(database) as running:
        with flood(running) as guesses:
            await until(lambda: len(guesses) > 100)
            for _ in range(30):
                began = loop.time()
                assert await deliver(running) == 202
                assert await deliver(running, "till/shop-1") == 202
                seconds.append(loop.time() - began)
            assert set(guesses) == {401}
    assert sorted(seconds)[15] < 1, "no refusal's wait is the till's"


async def test_new_secret_and_new_account_apply_in_the_other_process(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """NOTIFY clears the cache of the other process. Its entries would outlast the test's time limit."""
    monkeypatch.setattr(webhook_openers, "KNOWN_SECONDS", NEVER_SECONDS)
    monkeypatch.setattr(webhook_openers, "UNKNOWN_SECONDS", NEVER_SECONDS)
    async with shop(database) as one, running_service(database.dsn, works=False) as other:
        await within(other.service.storage.notifications.listening.wait())
        assert await deliver(other) == 202
        assert await deliver(other, "shop-2") == 401
        epos = account_pb2.EposSettings(webhook_secret="anders")
        await one.client.accounts.update_account("shop-1", account_pb2.Account(epos=epos), ["epos.webhook_secret"])
        await one.add_account("shop-2", webhook_key="hook", webhook_secret="geheim")

        async def are_applied() -> bool:
            return (await deliver(other), await deliver(other, pair="hook:anders"), await deliver(other, "shop-2")) == (401, 202, 202)

        await until(are_applied, seconds=5)
