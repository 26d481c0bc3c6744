"""The call that makes a bridge drain its outbox, on the sandbox shop."""

from __future__ import annotations

import pytest
from fakes.permit import FakePermit
from support.shop_client import shop_world
from tillsync_sandbox import SandboxShop
from tillsync_server.adapters.woo.bridge_outbox import BridgeOutbox
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.errors import CredentialsRefused, UpstreamError
from tillsync_server.domain.ids import AccountId, TillId


def account(shop: SandboxShop, secret: str) -> Account:
    settings = ShopSettings(base_url=shop.origin, bridge_secret=secret)
    return Account(account_id=AccountId("shop-a"), till_id=TillId("till-a"), shop=settings)


@pytest.mark.parametrize(("waits", "seconds"), [(None, None), (0, 0.0), (12, 12.0), (-3, 0.0)])
async def test_bridge_says_when_its_next_order_is_due(waits: int | None, seconds: float | None) -> None:
    async with SandboxShop() as shop, shop_world(read_attempts=1) as world:
        shop.switches.outbox_next_due_in = waits
        assert await world.gateway.outbox(account(shop, shop.switches.bridge_secret)).drain(FakePermit()) == seconds
        assert shop.store.drains == 1


async def test_wrong_secret_is_refused() -> None:
    async with SandboxShop() as shop, shop_world(read_attempts=1) as world:
        with pytest.raises(CredentialsRefused):
            await world.gateway.outbox(account(shop, "x" * 43)).drain(FakePermit())
        assert shop.store.drains == 0


class Scripted:
    """Answers every write with one value, in place of the requests."""

    def __init__(self, value: object) -> None:
        self.value = value

    async def write(self, *_arguments: object, **_options: object) -> object:
        return self.value


@pytest.mark.parametrize("value", [None, [], {}, {"next_due_in": "12"}, {"next_due_in": True}, {"next_due_in": 1.5}])
async def test_unreadable_answer_is_an_error_of_the_shop(value: object) -> None:
    with pytest.raises(UpstreamError):
        await BridgeOutbox(Scripted(value)).drain(FakePermit())  # type: ignore[arg-type]
