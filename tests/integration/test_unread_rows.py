"""Unreadable rows of the till's customer list. Searches by email skip them, and a warning of the account names them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from support.grpc_server import an_order
from support.postgres import TestDatabase
from support.service import RunningService, running_service
from tillsync.v1 import account_pb2, order_pb2, vocabulary_pb2
from tillsync_sandbox import SandboxTill

pytestmark = pytest.mark.integration

ACCOUNT = "shop-1"
NEW_SHOPPERS = 20
UNREADABLE: dict[str, dict[str, object] | None] = {
    "email is an object": {"EmailAddress": {"Value": "carl@example.test"}},
    "email is true": {"EmailAddress": True},
    "no points": {"CurrentPoints": None, "EmailAddress": "carl@example.test"},
    "row is null": None,
}


@dataclass
class Shop:
    service: RunningService
    till: SandboxTill

    def make_unreadable(self, customer_id: int, kind: str) -> None:
        changed = UNREADABLE[kind]
        customer = self.till.store.customers[customer_id]
        row = {"CustomerID": customer_id, "Forename": "Carl", "CurrentPoints": 3, "CurrentBalance": 0, **(changed or {})}
        served = {name: value for name, value in row.items() if value is not None}
        customer.served["V2"] = "null" if changed is None else json.dumps(served)

    async def match_new_shoppers(self) -> list[str]:
        outcomes = []
        for number in range(NEW_SHOPPERS):
            email = f"new{number}@example.test"
            outcomes.append(await self.match(an_order(5000 + number, woo_customer_id=0, account_email="", billing_email=email)))
        return outcomes

    async def match(self, order: order_pb2.Order) -> str:
        return vocabulary_pb2.Outcome.Name((await self.service.client.sync.match_order(ACCOUNT, order)).outcome)


@pytest_asyncio.fixture
async def shop(database: TestDatabase) -> AsyncIterator[Shop]:
    async with SandboxTill() as till, running_service(database.dsn) as service:
        default = till.add_customer(forename="Web", surname="Orders", email="")
        for number in range(30):
            till.add_customer(90100 + number, forename="Ada", surname="Byron", email=f"known{number}@example.test")
        epos = account_pb2.EposSettings(base_url=till.origin, api_key=till.switches.api_key, api_secret=till.switches.api_secret)
        epos.requests_per_minute = 100_000
        account = account_pb2.Account(
            customer_sync_enabled=True,
            default_epos_customer_id=default,
            guest_policy=account_pb2.GUEST_POLICY_MATCH_OR_CREATE,
            epos=epos,
        )
        await service.client.accounts.create_account(ACCOUNT, account)
        yield Shop(service, till)


@pytest.mark.parametrize("email_match", ["ci", "ignored"])
@pytest.mark.parametrize("kind", UNREADABLE)
async def test_unreadable_row_fails_no_order_of_other_shoppers(shop: Shop, kind: str, email_match: str) -> None:
    shop.till.switches.update({"email_match": email_match})
    shop.make_unreadable(90107, kind)
    outcomes = await shop.match_new_shoppers()
    assert outcomes == ["OUTCOME_CUSTOMER_CREATED"] * NEW_SHOPPERS


@pytest.mark.parametrize("email_match", ["ci", "ignored"])
async def test_order_waits_if_its_customer_may_be_in_an_unreadable_row(shop: Shop, email_match: str) -> None:
    shop.till.switches.update({"email_match": email_match})
    shop.till.change_customer(90107, email="carl@example.test")
    shop.make_unreadable(90107, "email is an object")
    order = an_order(6000, woo_customer_id=0, account_email="", billing_email="Carl@example.test")
    answer = await shop.service.client.sync.match_order(ACCOUNT, order)
    assert (answer.outcome, answer.entry.state) == (vocabulary_pb2.OUTCOME_CUSTOMER_NOT_MATCHED, vocabulary_pb2.ENTRY_STATE_PENDING)
    assert any("90107" in note and "field EmailAddress of a customer is an object, not a text" in note for note in answer.notes)
    assert len(shop.till.customers_by_email("carl@example.test")) == 1


async def test_warning_names_unreadable_rows_until_they_are_readable(shop: Shop) -> None:
    for customer_id in (90107, 90109):
        shop.make_unreadable(customer_id, "email is true")
    await shop.match_new_shoppers()
    accounts = shop.service.client.accounts
    [warning] = (await accounts.get_account(ACCOUNT)).warnings
    assert (warning.reason, warning.side, warning.count) == (account_pb2.WARNING_REASON_ROWS_UNREADABLE, vocabulary_pb2.SIDE_TILL, 2)
    assert warning.text == (
        "2 rows of Epos Now's customer list cannot be read (customers 90107, 90109). They hinder no order of other people; an order of "
        "whoever may stand in such a row waits."
    )
    checked = await accounts.check_account(ACCOUNT)
    assert "rows_unreadable" in [each.name for each in checked.warnings]
    assert {step.name: step.ok for step in checked.steps}["list_customers"]
    shop.till.change_customer(90107, forename="Carl")  # the till serves a readable row again
    await accounts.check_account(ACCOUNT)
    [warning] = (await accounts.get_account(ACCOUNT)).warnings
    assert warning.count == 1
    assert "(customer 90109)" in warning.text
    shop.till.change_customer(90109, forename="Cora")
    await accounts.check_account(ACCOUNT)
    assert not (await accounts.get_account(ACCOUNT)).warnings
