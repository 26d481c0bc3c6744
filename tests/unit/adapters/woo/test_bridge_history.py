"""What the bridge says that it stored since a time, on the sandbox shop."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from fakes.permit import FakePermit
from support.shop_client import ShopWorld, removal, shop_world, write
from tillsync_sandbox import SandboxShop
from tillsync_sandbox.shop.bridge_history import ORDERS_LIMIT
from tillsync_sandbox.shop.stored import ShopOrder as SandboxOrder
from tillsync_server.adapters.woo.bridge_history import BridgeHistory
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.enums import EntryState, Outcome
from tillsync_server.domain.errors import CredentialsRefused, Refused, Unreadable
from tillsync_server.domain.ids import AccountId, EposCustomerId, OrderId, TillId, WooCustomerId, new_entry_id
from tillsync_server.domain.restored import ShopOrder
from tillsync_server.ports.restores import ShopHistory

ENTRY = new_entry_id()
ANSWER: dict[str, object] = {
    "state": "ENTRY_STATE_PROCESSED",
    "outcome": "OUTCOME_CUSTOMER_CREATED",
    "notes": ["linked to shop customer 1"],
    "causes": [],
    "epos_customer_id": "101",
}


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[SandboxShop]:
    async with SandboxShop() as made:
        for number in range(1, 4):
            made.add_customer(number, email=f"user{number}@example.test")
        yield made


@pytest_asyncio.fixture
async def world() -> AsyncIterator[ShopWorld]:
    async with shop_world(read_attempts=1) as made:
        yield made


def account(shop: SandboxShop) -> Account:
    settings = ShopSettings(base_url=shop.origin, bridge_secret=shop.switches.bridge_secret)
    return Account(account_id=AccountId("shop-a"), till_id=TillId("till-a"), shop=settings)


@pytest.fixture
def history(world: ShopWorld, shop: SandboxShop) -> ShopHistory:
    return world.gateway.history(account(shop))


def stored(shop: SandboxShop, order_id: int, *, age: float = 0.0, **fields: Any) -> None:
    shop.store.orders[order_id] = replace(
        SandboxOrder(order_id=order_id, order_key="k" * 64, updated_at=time.time() - age, entry_id=str(ENTRY), answer=ANSWER), **fields
    )


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


async def test_orders_have_the_answer_and_the_person(shop: SandboxShop, history: ShopHistory) -> None:
    stored(shop, 1, age=100)
    stored(shop, 2, order_number="1002", user_id=1, account_email="ada@example.test", billing_email="a@example.test")
    stored(shop, 3, age=100, answer=None, entry_id="")
    page = await history.orders_since(ago(60), after=None)
    assert page.next_after is None
    decided, waiting = page.orders
    assert decided == ShopOrder(
        order_id=OrderId(2),
        order_key="k" * 64,
        order_number="1002",
        entry_id=ENTRY,
        state=EntryState.PROCESSED,
        outcome=Outcome.CUSTOMER_CREATED,
        notes=("linked to shop customer 1",),
        epos_customer_id=EposCustomerId(101),
        woo_customer_id=WooCustomerId(1),
        account_email="ada@example.test",
        billing_email="a@example.test",
    )
    assert (waiting.order_id, waiting.entry_id, waiting.is_decided) == (3, None, False)


async def test_pages_follow_the_order_id(shop: SandboxShop, history: ShopHistory) -> None:
    for order_id in range(1, ORDERS_LIMIT + 2):
        stored(shop, order_id)
    first = await history.orders_since(ago(60), after=None)
    assert (len(first.orders), first.next_after) == (ORDERS_LIMIT, ORDERS_LIMIT)
    second = await history.orders_since(ago(60), after=first.next_after)
    assert ([order.order_id for order in second.orders], second.next_after) == ([ORDERS_LIMIT + 1], None)


async def test_codes_of_a_later_release_decide_nothing(shop: SandboxShop, history: ShopHistory) -> None:
    stored(shop, 1, answer={**ANSWER, "state": "ENTRY_STATE_LATER", "outcome": "OUTCOME_LATER"})
    [order] = (await history.orders_since(ago(60), after=None)).orders
    assert (order.state, order.outcome, order.is_decided) == (None, None, False)


async def test_links_since_have_their_till_customer(shop: SandboxShop, world: ShopWorld, history: ShopHistory) -> None:
    client = world.with_bridge(shop)
    await client.status()
    writes = [replace(write(1), epos_customer_id=EposCustomerId(101)), replace(write(2), epos_customer_id=EposCustomerId(102)), write(3)]
    await client.write_customers(writes, FakePermit())
    await client.write_customers([removal(2, version=20)], FakePermit())
    shown, removed = (await history.links_since(ago(60), after=None)).links
    assert (shown.woo_customer_id, shown.epos_customer_id, shown.is_removed) == (1, 101, False)
    assert shown.registered_at == datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    assert (removed.woo_customer_id, removed.epos_customer_id, removed.is_removed) == (2, None, True)
    later = replace(write(1, version=30, points="11"), epos_customer_id=EposCustomerId(101))
    await client.write_customers([later], FakePermit())
    assert (await history.links_since(ago(60), after=None)).links[0].changed_at == shown.changed_at, "the same customer is no change"
    assert (await history.links_since(ago(-60), after=None)).links == ()


async def test_state_has_the_hash_of_the_token_and_the_settings(shop: SandboxShop, history: ShopHistory) -> None:
    shop.store.site_token = "tls_token"
    shop.store.site_settings = {"autoLink": True, "matchEmail": "MATCH_EMAIL_BILLING", "defaultEposCustomerId": "0", "later": 1}
    state = await history.state()
    assert state.token_hash == hashlib.sha256(b"tls_token").digest()
    assert state.settings == {"auto_link": "on", "match_email": "billing", "default_epos_customer_id": "0"}
    assert state.type_ids == ()


async def test_older_bridge_and_wrong_secret_say_what_to_do(shop: SandboxShop, world: ShopWorld) -> None:
    shop.switches.bridge_api = 2
    with pytest.raises(Refused, match="update it"):
        await world.gateway.history(account(shop)).state()
    shop.switches.bridge_secret = "another-secret-another-secret-another-secret"
    wrong = replace(account(shop), shop=ShopSettings(base_url=shop.origin, bridge_secret="x" * 43))
    with pytest.raises(CredentialsRefused):
        await world.gateway.history(wrong).state()


class Scripted:
    """Answers every read with one value, in place of the requests."""

    def __init__(self, value: object) -> None:
        self.value = value

    async def read(self, *_arguments: object, **_options: object) -> object:
        return self.value


@pytest.mark.parametrize(
    "rows",
    [
        {"orders": [{"order_id": 0}]},
        {"orders": [{"order_id": True}]},
        {"orders": ["1"]},
        {"orders": [{"order_id": 1, "order_key": 5}]},
        {"orders": [{"order_id": 1, "user_id": "x"}]},
        {"orders": [{"order_id": 1, "entry_id": str(ENTRY), "answer": {"epos_customer_id": "-1"}}]},
        {"orders": [], "next_after": 5},
        {"orders": [], "next_after": "6"},
        {"orders": {}},
        [],
    ],
)
async def test_unreadable_answers_are_refused(rows: object) -> None:
    history = BridgeHistory(Scripted(rows), None)  # type: ignore[arg-type]
    with pytest.raises(Unreadable):
        await history.orders_since(ago(60), after=OrderId(5))
