"""Two shops share a till, and the till sends its webhooks to one address. Both shops get the till's changes, also those of a sale."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio
from support.postgres import TestDatabase
from support.service import RunningService, running_service
from support.waiting import until
from tillsync.v1 import account_pb2, vocabulary_pb2
from tillsync_sandbox import SandboxShop, SandboxTill

TILL_ID, CUSTOMER, USER = "company", 501, 21
SECRET = "zwölf£"
NAMES = ("shop-a", "shop-b")


@dataclass
class SharedTill:
    running: RunningService
    till: SandboxTill
    shops: dict[str, SandboxShop]

    async def join(self, name: str, shop: SandboxShop, *, webhook_secret: str = "", linked: bool = True) -> None:
        switches = self.till.switches
        epos = account_pb2.EposSettings(
            base_url=self.till.origin,
            api_key=switches.api_key,
            api_secret=switches.api_secret,
            requests_per_minute=60_000,
            webhook_key="hook" if webhook_secret else "",
            webhook_secret=webhook_secret,
        )
        shop_settings = account_pb2.ShopSettings(base_url=shop.origin, bridge_secret=shop.switches.bridge_secret)
        account = account_pb2.Account(till_id=TILL_ID, shared_till=True, epos=epos, shop=shop_settings)
        await self.running.client.accounts.create_account(name, account)
        shop.add_customer(USER, email="ada@example.test")
        if linked:
            await self.running.client.links.create_link(name, CUSTOMER, USER)
        self.shops[name] = shop

    def send_webhooks_to(self, address: str, secret: str = SECRET) -> None:
        """Sets the address and the secret of the till's webhooks."""
        url = f"{self.running.http_url}/webhooks/eposnow/{address}"
        self.till.switches.update({"webhook_url": url, "webhook_key": "hook", "webhook_secret": secret})

    def points(self) -> dict[str, str]:
        """Points of the one customer, by shop."""
        rows = {name: shop.store.bridge_rows.get(USER) for name, shop in self.shops.items()}
        return {name: row.values.points for name, row in rows.items() if row is not None and row.values is not None}

    async def until_all_have(self, points: int) -> None:
        wanted = dict.fromkeys(self.shops, str(points))
        await until(lambda: self.points() == wanted, lambda: f"{self.points()}; deliveries {self.till.webhooks.deliveries[-3:]}")

    async def entries(self, account_id: str) -> list[tuple[str, int]]:
        queue = vocabulary_pb2.QUEUE_CUSTOMERS
        return [
            (vocabulary_pb2.EntryState.Name(entry.state).removeprefix("ENTRY_STATE_"), entry.epos_customer_id)
            async for entry in self.running.client.sync.list_queue(account_id, queue)
        ]

    async def until_done(self, account_id: str) -> list[tuple[str, int]]:
        """Waits until no entry of the account is PENDING, and returns its entries."""

        async def all_done() -> list[tuple[str, int]]:
            entries = await self.entries(account_id)
            return [] if any(state == "PENDING" for state, _ in entries) else entries

        return await until(all_done)


@pytest_asyncio.fixture
async def shared(database: TestDatabase) -> AsyncIterator[SharedTill]:
    async with running_service(database.dsn) as running, SandboxTill() as till, SandboxShop() as one, SandboxShop() as two:
        made = SharedTill(running, till, {})
        till.add_customer(CUSTOMER, email="ada@example.test", points=1)
        await made.join("shop-a", one, webhook_secret=SECRET)
        await made.join("shop-b", two)
        await made.until_all_have(1)
        yield made


@pytest.mark.parametrize("address", ["shop-a", f"till/{TILL_ID}"])
async def test_one_webhook_brings_the_points_to_both_shops(shared: SharedTill, address: str) -> None:
    shared.send_webhooks_to(address)
    for points in (25, 30, 7):
        shared.till.change_customer(CUSTOMER, points=points)
        await shared.until_all_have(points)
    assert [delivery.status for delivery in await shared.till.webhooks.wait_for(3)] == [202] * 3


async def test_shop_without_a_link_gets_no_entry_and_no_request(shared: SharedTill) -> None:
    async with SandboxShop() as third:
        await shared.join("shop-c", third, linked=False)
        del shared.shops["shop-c"]
        shared.send_webhooks_to(f"till/{TILL_ID}")
        shared.till.change_customer(CUSTOMER, points=40)
        await shared.until_all_have(40)
        assert await shared.entries("shop-c") == []
        assert third.store.bridge_rows == {}


async def test_shop_gets_the_points_when_its_sync_is_switched_on(shared: SharedTill) -> None:
    accounts = shared.running.client.accounts
    off = account_pb2.Account(customer_sync_enabled=False)
    await accounts.update_account("shop-b", off, ["customer_sync_enabled"])
    before = await shared.until_done("shop-b")
    shared.send_webhooks_to(f"till/{TILL_ID}")
    shared.till.change_customer(CUSTOMER, points=50)
    await until(lambda: shared.points() == {"shop-a": "50", "shop-b": "1"})
    assert await shared.entries("shop-b") == before
    await accounts.update_account("shop-b", account_pb2.Account(customer_sync_enabled=True), ["customer_sync_enabled"])
    await shared.until_all_have(50)


async def test_customer_types_reach_both_shops(shared: SharedTill) -> None:
    shared.send_webhooks_to(f"till/{TILL_ID}")

    def names() -> list[list[str]]:
        """A deleted type keeps its row, without a name."""
        return [[row.name for row in shop.store.customer_types.values() if row.name] for shop in shared.shops.values()]

    shared.till.add_type(4001, name="Gold")
    await until(lambda: names() == [["Gold"], ["Gold"]], names)
    shared.till.change_type(4001, name="Gold plus")
    await until(lambda: names() == [["Gold plus"], ["Gold plus"]], names)
    shared.till.delete_type(4001)
    await until(lambda: names() == [[], []], names)


async def test_webhook_address_accepts_only_secrets_of_the_tills_accounts(shared: SharedTill) -> None:
    async with SandboxShop() as elsewhere:
        account = account_pb2.Account(
            epos=account_pb2.EposSettings(base_url=shared.till.origin, webhook_key="hook", webhook_secret="of another till"),
            shop=account_pb2.ShopSettings(base_url=elsewhere.origin),
        )
        await shared.running.client.accounts.create_account("stranger", account)
    for secret in ("of another till", "wrong", ""):
        shared.send_webhooks_to(f"till/{TILL_ID}", secret)
        shared.till.change_customer(CUSTOMER, points=60)
    assert [delivery.status for delivery in await shared.till.webhooks.wait_for(3)] == [401] * 3
    shared.send_webhooks_to("till/stranger", SECRET)
    shared.till.change_customer(CUSTOMER, points=61)
    assert (await shared.till.webhooks.wait_for(4))[-1].status == 401
    assert shared.points() == {"shop-a": "1", "shop-b": "1"}
    async with shared.running.http.get(f"{shared.running.operations_url}/metrics") as response:
        counted = [line for line in (await response.text()).splitlines() if line.startswith("tillsync_webhooks_total")]
    assert counted == ['tillsync_webhooks_total{object="customer",reason="wrong_credentials",status="401"} 4.0']


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1"])
async def test_secret_with_a_pound_sign_is_accepted_in_both_encodings(shared: SharedTill, encoding: str) -> None:
    headers = {
        "Authorization": aiohttp.encode_basic_auth("hook", SECRET, encoding),
        "Content-Type": "application/json",
        "Epos-Object": "Customer",
        "Epos-Action": "Update",
    }
    for address in ("shop-a", f"till/{TILL_ID}"):
        url = f"{shared.running.http_url}/webhooks/eposnow/{address}"
        async with shared.running.http.post(url, data=b"501", headers=headers) as response:
            assert response.status == 202


SALES = {
    "Customer/Update only": {"sale_webhooks": "customer"},
    "both triggers": {"sale_webhooks": "both"},
    "the customer's id in the body": {"sale_webhooks": "transaction", "transaction_body": "customer-id"},
    "the customer in the body, V4": {"sale_webhooks": "transaction", "transaction_body": "customer", "webhook_version": "V4"},
    "the transaction alone": {"sale_webhooks": "transaction", "transaction_body": "transaction"},
    "a bare id": {"sale_webhooks": "transaction", "transaction_body": "id"},
    "a bare id, read in V4 only": {"sale_webhooks": "transaction", "transaction_body": "id", "transaction_api": "V4"},
}


@pytest.mark.parametrize("address", ["shop-a", f"till/{TILL_ID}"])
@pytest.mark.parametrize("switches", SALES.values(), ids=SALES.keys())
async def test_points_of_a_sale_arrive_with_every_kind_of_webhook(shared: SharedTill, switches: dict[str, object], address: str) -> None:
    shared.till.switches.update(switches)
    shared.send_webhooks_to(address)
    for points in (11, 21):
        shared.till.sell(CUSTOMER, points=points)
        await shared.until_all_have(points)
    shared.till.sell(None)
    sale_webhooks = [delivery for delivery in shared.till.webhooks if delivery.object == "Transaction"]
    await shared.till.webhooks.wait_for(len(shared.till.webhooks.deliveries))
    assert {delivery.status for delivery in shared.till.webhooks} <= {202, 204}
    assert bool(sale_webhooks) is (switches["sale_webhooks"] != "customer")


async def test_many_sales_do_not_delay_a_change_of_a_customer(shared: SharedTill) -> None:
    """The till sends a hundred sales with only the transaction's id. They leave enough of the allowance for a changed customer."""
    shared.till.switches.update({"sale_webhooks": "transaction", "transaction_body": "id"})
    accounts = shared.running.client.accounts
    slow = account_pb2.Account(epos=account_pb2.EposSettings(requests_per_minute=300))
    for name in NAMES:
        await accounts.update_account(name, slow, ["epos.requests_per_minute"])
    shared.send_webhooks_to(f"till/{TILL_ID}")
    stranger = shared.till.add_customer(email="stranger@example.test")
    for _ in range(100):
        shared.till.sell(stranger)
    await shared.till.webhooks.wait_for(101)
    before = shared.till.log.count(path="/api/*/transaction/*")
    shared.till.change_customer(CUSTOMER, points=80)
    await shared.until_all_have(80)
    assert shared.till.log.count(path="/api/*/transaction/*") - before < 20
