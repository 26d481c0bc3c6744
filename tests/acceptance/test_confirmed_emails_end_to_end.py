"""Confirmed and unconfirmed emails, tested through the public API: which shoppers are linked, what the shop gets, which links the merchant
can list.
"""

from __future__ import annotations

import pytest
from support.create_race_environment import BY_EMAIL, BY_LINK, order
from support.postgres import TestDatabase
from support.service import running_service
from support.waiting import until
from tillsync.v1 import account_pb2, link_pb2, order_pb2
from tillsync_client import TillsyncClient
from tillsync_sandbox import SandboxShop, SandboxTill

ACCOUNT, WOO = "shop-1", 12
UNCONFIRMED, CONFIRMED = order_pb2.EMAIL_CONFIRMATION_UNCONFIRMED, order_pb2.EMAIL_CONFIRMATION_CONFIRMED


async def make_account(client: TillsyncClient, till: SandboxTill, shop: SandboxShop, *, bridge: bool, **settings: object) -> None:
    site = account_pb2.ShopSettings(base_url=shop.origin)
    if bridge:
        site.bridge_secret = shop.switches.bridge_secret
    else:
        site.consumer_key, site.consumer_secret = shop.switches.consumer_key, shop.switches.consumer_secret
    epos = account_pb2.EposSettings(base_url=till.origin, api_key=till.switches.api_key, api_secret=till.switches.api_secret)
    await client.accounts.create_account(ACCOUNT, account_pb2.Account(epos=epos, shop=site, **settings))  # type: ignore[arg-type]


async def links(client: TillsyncClient, *, unconfirmed_only: bool = False) -> list[tuple[int, int, int]]:
    found = client.links.list_links(ACCOUNT, unconfirmed_only=unconfirmed_only)
    return [(one.epos_customer_id, one.woo_customer_id, one.ground) async for one in found]


async def match(client: TillsyncClient, facts: order_pb2.Order, *, rerun: bool = False) -> order_pb2.OrderMatch:
    """Returns the order's answer after its run has ended."""
    submitted = await client.sync.match_order(ACCOUNT, facts, rerun=rerun)
    assert submitted.entry.entry_id
    answer = order_pb2.OrderMatch()

    async def ended() -> bool:
        nonlocal answer
        [found] = await client.sync.get_order_matches(ACCOUNT, [facts.order_id])
        assert isinstance(found, order_pb2.OrderMatch)
        answer = found
        return answer.state > 1 and answer.entry_id == submitted.entry.entry_id

    await until(ended, lambda: str(answer))
    return answer


@pytest.mark.parametrize("bridge", [True, False], ids=["bridge", "keys"])
async def test_new_account_links_only_by_confirmed_emails(database: TestDatabase, bridge: bool) -> None:
    async with SandboxTill() as till, SandboxShop() as shop, running_service(database.dsn) as service:
        client = service.client
        shop.add_customer(WOO, email="ada@example.test")
        await make_account(client, till, shop, bridge=bridge)
        made = await client.accounts.get_account(ACCOUNT)
        assert made.trusted_accounts == account_pb2.TRUSTED_ACCOUNTS_CONFIRMED_ONLY
        ada = till.add_customer(forename="Ada", email="ada@example.test", points=120)
        # from a caller that sends no confirmation, and from one that says that the email is unconfirmed
        for number, confirmation in enumerate((0, UNCONFIRMED), 1):
            answer = await match(client, order("ada@example.test", number, woo_customer_id=WOO, email_confirmation=confirmation))
            assert (answer.outcome, answer.epos_customer_id) == (BY_EMAIL, ada)
            assert "is not confirmed" in answer.notes[0]
        assert await links(client) == []
        answer = await match(client, order("ada@example.test", 2, woo_customer_id=WOO, email_confirmation=CONFIRMED), rerun=True)
        assert (answer.outcome, answer.epos_customer_id) == (BY_EMAIL, ada)
        assert await links(client) == [(ada, WOO, link_pb2.LINK_GROUND_CONFIRMED_EMAIL)]
        answer = await match(client, order("moved@example.test", 3, woo_customer_id=WOO, email_confirmation=UNCONFIRMED))
        assert (answer.outcome, answer.epos_customer_id) == (BY_LINK, ada), "a changed email moves no link and creates no customer"
        assert await links(client, unconfirmed_only=True) == []


async def test_link_made_by_hand_is_not_listed_as_unconfirmed(database: TestDatabase) -> None:
    async with SandboxTill() as till, SandboxShop() as shop, running_service(database.dsn) as service:
        shop.add_customer(WOO, email="ada@example.test")
        await make_account(service.client, till, shop, bridge=False)
        ada = till.add_customer(forename="Ada", email="ada@example.test", points=120)
        await match(service.client, order("ada@example.test", woo_customer_id=WOO))
        made = await service.client.links.create_link(ACCOUNT, ada, WOO)
        assert made.link.ground == link_pb2.LINK_GROUND_BY_HAND

        async def is_written() -> bool:
            [link] = [one async for one in service.client.links.list_links(ACCOUNT)]
            return link.HasField("as_of")

        await until(is_written)
        assert await links(service.client, unconfirmed_only=True) == []


async def test_trusting_account_links_unconfirmed_emails_and_lists_them(database: TestDatabase) -> None:
    async with SandboxTill() as till, SandboxShop() as shop, running_service(database.dsn) as service:
        shop.add_customer(WOO, email="ada@example.test")
        await make_account(service.client, till, shop, bridge=True, trusted_accounts=account_pb2.TRUSTED_ACCOUNTS_ALL)
        ada = till.add_customer(forename="Ada", email="ada@example.test", points=120)
        await match(service.client, order("ada@example.test", woo_customer_id=WOO))
        trusted = [(ada, WOO, link_pb2.LINK_GROUND_TRUSTED_ACCOUNT)]
        assert (await links(service.client), await links(service.client, unconfirmed_only=True)) == (trusted, trusted)
        # The merchant confirms the link by creating it by hand.
        await service.client.links.create_link(ACCOUNT, ada, WOO)
        assert await links(service.client) == [(ada, WOO, link_pb2.LINK_GROUND_BY_HAND)]
        assert await links(service.client, unconfirmed_only=True) == []
