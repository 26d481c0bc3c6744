"""``AccountCache`` reads settings once per version for all callers, and returns none older than requested."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tillsync_server.adapters.postgres.accounts.account_cache import AccountCache
from tillsync_server.domain.account import Account
from tillsync_server.domain.errors import RunInterrupted
from tillsync_server.domain.ids import AccountId, TillId

SHOP = AccountId("shop-a")


class Store:
    def __init__(self) -> None:
        self.account = Account(account_id=SHOP, till_id=TillId("shop-a"))
        self.reads = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, account_id: AccountId) -> Account:
        self.reads += 1
        seen = self.account
        await self.gate.wait()
        return seen


async def test_one_read_serves_concurrent_and_later_callers() -> None:
    store = Store()
    store.gate.clear()
    cache = AccountCache(store.read)
    asking = [asyncio.create_task(cache.at_version(SHOP, 1)) for _ in range(20)]
    await asyncio.sleep(0)
    store.gate.set()
    assert {account.config_version for account in await asyncio.gather(*asking)} == {1}
    await cache.at_version(SHOP, 1)
    assert store.reads == 1


async def test_newer_version_is_read_and_also_serves_older_requests() -> None:
    store = Store()
    cache = AccountCache(store.read)
    await cache.at_version(SHOP, 1)
    store.account = replace(store.account, config_version=3)
    assert (await cache.at_version(SHOP, 2)).config_version == 3
    assert (await cache.at_version(SHOP, 1)).config_version == 3
    assert store.reads == 2


async def test_read_that_began_before_the_change_is_repeated() -> None:
    store = Store()
    store.gate.clear()
    cache = AccountCache(store.read)
    early = asyncio.create_task(cache.at_version(SHOP, 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    store.account = replace(store.account, config_version=2)
    late = asyncio.create_task(cache.at_version(SHOP, 2))
    await asyncio.sleep(0)
    store.gate.set()
    assert (await early).config_version == 1
    assert (await late).config_version == 2
    assert (await cache.at_version(SHOP, 2)).config_version == 2
    assert store.reads == 2


async def test_cancelled_caller_does_not_cancel_the_shared_read() -> None:
    store = Store()
    store.gate.clear()
    cache = AccountCache(store.read)
    first, second = (asyncio.create_task(cache.at_version(SHOP, 1)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    store.gate.set()
    assert (await second).config_version == 1
    assert store.reads == 1


async def test_older_version_in_the_database_interrupts_the_run() -> None:
    with pytest.raises(RunInterrupted, match="version 1, asked for 5"):
        await AccountCache(Store().read).at_version(SHOP, 5)


async def test_failed_read_is_raised_to_all_callers_and_not_cached() -> None:
    calls = 0

    async def read(account_id: AccountId) -> Account:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ConnectionError("away")
        return Account(account_id=account_id, till_id=TillId("shop-a"))

    cache = AccountCache(read)
    failed = await asyncio.gather(*(cache.at_version(SHOP, 1) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [ConnectionError] * 3
    assert (await cache.at_version(SHOP, 1)).config_version == 1
    assert calls == 2
