"""The cache of webhook credentials: its lifetime, invalidation and size. Unknown addresses delay no known one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from fakes.accounts import FakeAccounts
from fakes.clock import FakeClock
from support.waiting import within
from tillsync_server.adapters.http import webhook_openers
from tillsync_server.adapters.http.webhook_openers import KNOWN_SECONDS, UNKNOWN_SECONDS, Address, WebhookOpeners
from tillsync_server.domain.account import Account, EposSettings
from tillsync_server.domain.ids import AccountId, TillId

SHOP, TILL, UNKNOWN = Address(True, "shop-1"), Address(False, "t"), Address(True, "nobody")


class CountingAccounts:
    """FakeAccounts that records its reads and answers when ``go`` is set."""

    def __init__(self, accounts: FakeAccounts) -> None:
        self.accounts = accounts
        self.reads: list[str] = []
        self.go = asyncio.Event()
        self.go.set()

    async def get(self, account_id: AccountId) -> Account:
        self.reads.append(account_id)
        await self.go.wait()
        return await self.accounts.get(account_id)

    async def accounts_of_till(self, till_id: TillId) -> Sequence[Account]:
        self.reads.append(till_id)
        await self.go.wait()
        return await self.accounts.accounts_of_till(till_id)


class OpenersWorld:
    """The openers of one till with one account, on fakes."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.accounts = FakeAccounts(self.clock)
        self.account = self.accounts.add(
            Account(
                account_id=AccountId("shop-1"),
                till_id=TillId("t"),
                epos=EposSettings(api_key="k", api_secret="s", webhook_key="hook", webhook_secret="one"),
            )
        )
        self.store = CountingAccounts(self.accounts)
        self.openers = WebhookOpeners(self.store, self.accounts.wakeups, clock=self.clock)

    async def secrets(self, address: Address) -> list[str]:
        return [opener.epos.webhook_secret for opener in await self.openers.of(address)]

    def change_secret(self, secret: str) -> None:
        self.accounts.add(replace(self.account, epos=replace(self.account.epos, webhook_secret=secret)))

    def change_secret_without_notification(self, secret: str) -> None:
        self.accounts.accounts[self.account.account_id] = replace(self.account, epos=replace(self.account.epos, webhook_secret=secret))


@pytest.fixture
def world() -> OpenersWorld:
    return OpenersWorld()


@pytest.mark.catches("webhook-openers-are-kept")
@pytest.mark.parametrize(("address", "secrets"), [(SHOP, ["one"]), (TILL, ["one"]), (UNKNOWN, []), (Address(False, "nobody"), [])])
async def test_concurrent_deliveries_share_one_read_of_an_address(world: OpenersWorld, address: Address, secrets: list[str]) -> None:
    for _ in range(3):
        assert await asyncio.gather(*(world.secrets(address) for _ in range(50))) == [secrets] * 50
    assert world.store.reads == [address.name]


async def test_only_the_webhook_credentials_are_cached(world: OpenersWorld) -> None:
    [opener] = await world.openers.of(SHOP)
    assert opener.epos == EposSettings(webhook_key="hook", webhook_secret="one")


@pytest.mark.catches("webhook-openers-follow-changes")
async def test_notified_change_applies_at_once(world: OpenersWorld) -> None:
    assert await world.secrets(SHOP) == ["one"]
    assert await world.secrets(TILL) == ["one"]
    assert await world.secrets(UNKNOWN) == []
    world.change_secret("two")
    assert await world.secrets(SHOP) == ["two"]
    assert await world.secrets(TILL) == ["two"]
    world.accounts.add(replace(world.account, account_id=AccountId("nobody")))
    assert await world.secrets(UNKNOWN) == ["one"]


async def test_change_without_notification_applies_within_five_seconds(world: OpenersWorld) -> None:
    assert await world.secrets(SHOP) == ["one"]
    world.change_secret_without_notification("two")
    world.clock.advance(KNOWN_SECONDS - 0.1)
    assert await world.secrets(SHOP) == ["one"]
    world.clock.advance(0.2)
    assert await world.secrets(SHOP) == ["two"]
    assert KNOWN_SECONDS < 5


async def test_unknown_address_is_read_again_after_a_minute(world: OpenersWorld) -> None:
    for seconds, reads in ((0, 1), (UNKNOWN_SECONDS - 1, 1), (2, 2)):
        world.clock.advance(seconds)
        assert await world.secrets(UNKNOWN) == []
        assert len(world.store.reads) == reads


async def test_read_from_before_a_change_is_not_cached(world: OpenersWorld) -> None:
    world.store.go.clear()
    reading = asyncio.create_task(world.secrets(SHOP))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    world.accounts.wakeups.accounts_changed()
    world.store.go.set()
    assert await within(reading) == ["one"]
    await world.secrets(SHOP)
    assert len(world.store.reads) == 2


async def test_flood_of_invented_addresses_is_bounded_and_evicts_no_account(world: OpenersWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_openers, "MAX_ADDRESSES", 100)
    assert await world.secrets(SHOP) == ["one"]
    for number in range(1000):
        await world.secrets(Address(True, f"nobody-{number}"))
    assert await world.secrets(SHOP) == ["one"]
    assert world.store.reads.count("shop-1") == 1
    assert (len(world.openers._known), len(world.openers._unknown)) == (1, 100)


async def test_reads_of_unknown_addresses_delay_no_known_address(world: OpenersWorld) -> None:
    assert await world.secrets(SHOP) == ["one"]
    world.store.go.clear()
    unknown_reads = [asyncio.create_task(world.secrets(Address(True, f"nobody-{number}"))) for number in range(100)]
    await asyncio.sleep(0.01)
    assert len(world.store.reads) == 3, "two at a time"
    world.change_secret("two")
    known = asyncio.create_task(world.secrets(SHOP))
    await asyncio.sleep(0.01)
    assert world.store.reads[-1] == "shop-1"
    world.store.go.set()
    assert await within(known) == ["two"]
    await within(asyncio.gather(*unknown_reads))
    await world.openers.close()
