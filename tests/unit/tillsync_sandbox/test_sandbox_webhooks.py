"""Webhooks of the till emulator: their recorded form, and each switchable disorder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import encode_basic_auth, web
from support.sandbox import NEW_V2, till_caller
from tillsync_sandbox import SandboxTill


@dataclass
class Receiver:
    """The server that receives the webhooks."""

    url: str = ""
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    status: int = 202

    async def take(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        self.bodies.append(json.loads(await request.read(), parse_float=Decimal))
        return web.Response(status=self.status)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/webhooks/eposnow/shop-a", made.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/eposnow/shop-a"
    yield made
    await runner.cleanup()


@pytest_asyncio.fixture
async def till(receiver: Receiver) -> AsyncIterator[SandboxTill]:
    async with SandboxTill() as running:
        running.switches.update({"webhook_url": receiver.url, "webhook_key": "hook-key", "webhook_secret": "hook-secret"})
        yield running


async def test_till_change_sends_a_webhook_in_the_recorded_form(till: SandboxTill, receiver: Receiver) -> None:
    customer_id = till.add_customer(email="ada@example.test", points=10)
    till.change_customer(customer_id, points=25, balance="-3.50")
    till.add_type(4001)
    await till.webhooks.wait_for(3)
    sent = [(headers["Epos-Object"], headers["Epos-Action"]) for headers in receiver.headers]
    assert sent == [("Customer", "Create"), ("Customer", "Update"), ("CustomerType", "Create")]
    assert receiver.headers[0]["Authorization"] == encode_basic_auth("hook-key", "hook-secret")
    assert receiver.headers[0]["Content-Type"] == "application/json"
    assert len(receiver.bodies[0]) == 18
    assert "MainAddressID" not in receiver.bodies[0]
    assert (receiver.bodies[0]["CurrentPoints"], receiver.bodies[1]["CurrentPoints"]) == (10, 25)
    assert receiver.bodies[1]["CurrentBalance"] == Decimal("-3.50")
    assert [delivery.status for delivery in till.webhooks] == [202] * 3


async def test_webhook_uses_v4_names_and_no_credentials_as_switched(till: SandboxTill, receiver: Receiver) -> None:
    till.switches.update({"webhook_version": "V4", "webhook_key": "", "webhook_secret": ""})
    customer_id = till.add_customer()
    await till.webhooks.wait_for(1)
    assert receiver.bodies[0]["Id"] == customer_id
    assert "Authorization" not in receiver.headers[0]


@pytest.mark.parametrize("form", ["full", "id"])
async def test_delete_webhook_body_follows_the_switch(till: SandboxTill, receiver: Receiver, form: str) -> None:
    till.switches.update({"webhook_delete_body": form})
    customer_id = till.add_customer()
    till.delete_customer(customer_id)
    await till.webhooks.wait_for(2)
    assert receiver.headers[1]["Epos-Action"] == "Delete"
    assert receiver.bodies[1] == customer_id if form == "id" else receiver.bodies[1]["CustomerID"] == customer_id


@pytest.mark.parametrize(
    ("which", "sent"), [("customer", ["Customer"]), ("transaction", ["Transaction"]), ("both", ["Customer", "Transaction"])]
)
async def test_sale_sends_the_switched_on_webhooks(till: SandboxTill, receiver: Receiver, which: str, sent: list[str]) -> None:
    customer_id = till.add_customer(points=1)
    till.switches.update({"sale_webhooks": which})
    sale = till.sell(customer_id, points=5)
    await till.webhooks.wait_for(1 + len(sent))
    assert [headers["Epos-Object"] for headers in receiver.headers[1:]] == sent
    for headers, body in zip(receiver.headers[1:], receiver.bodies[1:], strict=True):
        if headers["Epos-Object"] == "Customer":
            assert (headers["Epos-Action"], body["CurrentPoints"]) == ("Update", 5)
        else:
            assert (headers["Epos-Action"], body["TransactionID"], body["CustomerID"]) == ("Complete", sale, customer_id)


@pytest.mark.parametrize(
    ("switches", "named"),
    [
        ({"transaction_body": "customer-id", "webhook_version": "V4"}, {"Id": "sale", "CustomerId": "customer"}),
        ({"transaction_body": "customer-id", "webhook_version": "V4", "v4_case": "camel"}, {"id": "sale", "customerId": "customer"}),
        ({"transaction_body": "transaction"}, {"TransactionID": "sale"}),
    ],
)
async def test_sale_webhook_body_follows_switches(
    till: SandboxTill, receiver: Receiver, switches: dict[str, object], named: dict[str, str]
) -> None:
    customer_id = till.add_customer()
    till.switches.update({"sale_webhooks": "transaction", **switches})
    ids = {"sale": till.sell(customer_id), "customer": customer_id}
    await till.webhooks.wait_for(2)
    assert {name: value for name, value in receiver.bodies[1].items() if name.lower().endswith("id")} == {
        name: ids[what] for name, what in named.items()
    }


async def test_sale_webhook_contains_its_customer_or_only_its_id(till: SandboxTill, receiver: Receiver) -> None:
    customer_id = till.add_customer(forename="Ada")
    till.switches.update({"sale_webhooks": "transaction", "transaction_body": "customer"})
    till.sell(customer_id)
    till.sell(None)
    till.switches.update({"transaction_body": "id"})
    bare = till.sell(customer_id)
    await till.webhooks.wait_for(4)
    _, full, guest, last = receiver.bodies
    assert (full["Customer"]["CustomerID"], full["Customer"]["Forename"]) == (customer_id, "Ada")
    assert guest["Customer"] is None
    assert last == bare


@pytest.mark.parametrize(("served", "versions"), [("both", ["V2", "v4"]), ("V2", ["V2"]), ("V4", ["v4"]), ("none", [])])
async def test_transactions_are_served_in_the_switched_on_versions(till: SandboxTill, served: str, versions: list[str]) -> None:
    customer_id = till.add_customer()
    sale = till.sell(customer_id)
    till.switches.update({"transaction_api": served})
    async with till_caller(till) as call:
        for version, name in (("V2", "CustomerID"), ("v4", "CustomerId")):
            reply = await call("GET", f"/api/{version}/Transaction/{sale}")
            assert reply.status == (200 if version in versions else 404)
            if version in versions:
                assert reply.json[name] == customer_id
                assert (await call("GET", f"/api/{version}/Transaction/{sale + 1}")).status == 404


async def test_control_api_creates_a_sale(till: SandboxTill) -> None:
    customer_id = till.add_customer(points=1)
    async with till_caller(till) as call:
        made = await call("POST", "/sandbox/sales", {"CustomerID": customer_id, "CurrentPoints": 9})
        assert made.status == 201
        assert till.store.transactions[made.json["TransactionID"]].customer is till.store.customers[customer_id]
        assert till.store.customers[customer_id].current_points == 9
        assert (await call("POST", "/sandbox/sales", {})).status == 201
        assert (await call("POST", "/sandbox/sales", {"CustomerID": 5})).status == 404
        assert (await call("POST", "/sandbox/sales", {"Nonsense": 5})).status == 400


@pytest.mark.parametrize("echo", [True, False])
async def test_api_writes_send_webhooks_only_with_echo(till: SandboxTill, receiver: Receiver, echo: bool) -> None:
    till.switches.webhook_echo = echo
    async with till_caller(till) as call:
        await call("POST", "/api/V2/Customer", NEW_V2)
        await call("POST", "/sandbox/customers", {"Forename": "Bea"})
    await till.webhooks.wait_for(2 if echo else 1)
    assert [body["Forename"] for body in receiver.bodies] == (["Ada", "Bea"] if echo else ["Bea"])


async def test_webhooks_are_dropped_and_duplicated_as_switched(till: SandboxTill, receiver: Receiver) -> None:
    till.switches.webhook_drop_percent = 100
    till.add_customer()
    till.switches.update({"webhook_drop_percent": 0, "webhook_duplicate_percent": 100})
    last = till.add_customer()
    till.switches.webhook_duplicate_percent = 0
    till.add_customer()
    await till.webhooks.wait_for(3)
    assert [delivery.dropped for delivery in till.webhooks] == [True, False, False]
    assert [body["CustomerID"] for body in receiver.bodies] == [last, last, last + 1]


async def test_webhooks_are_reordered_and_the_last_one_is_sent(till: SandboxTill, receiver: Receiver) -> None:
    till.switches.webhook_reorder_percent = 100
    first = till.add_customer()
    till.switches.webhook_reorder_percent = 0
    till.add_customer()
    await till.webhooks.wait_for(2)
    assert [body["CustomerID"] for body in receiver.bodies] == [first + 1, first]
    till.switches.update({"webhook_reorder_percent": 100, "webhook_reorder_hold_seconds": 0.01})
    till.add_customer()
    await till.webhooks.wait_for(3)
    assert len(receiver.bodies) == 3


async def test_refusing_or_missing_receiver_is_recorded(till: SandboxTill, receiver: Receiver) -> None:
    receiver.status = 401
    till.add_customer()
    await till.webhooks.wait_for(1)
    till.switches.webhook_url = "http://127.0.0.1:1/"
    till.add_customer()
    await till.webhooks.wait_for(2)
    refused, away = till.webhooks
    assert refused.status == 401
    assert away.status is None
    assert "ClientConnectorError" in away.error


async def test_no_webhook_is_sent_without_an_address(till: SandboxTill) -> None:
    till.switches.webhook_url = ""
    till.add_customer()
    assert till.webhooks.deliveries == []


async def test_control_api_creates_updates_and_deletes_till_customers(till: SandboxTill) -> None:
    async with till_caller(till) as call:
        made = await call("POST", "/sandbox/customers", body=b'{"forename":"Bea","CurrentBalance":3.50,"CustomerID":7}')
        assert (made.status, made.json["CustomerID"], made.text.count("3.50")) == (201, 7, 1)
        assert (await call("PATCH", "/sandbox/customers/7", {"CurrentPoints": 5, "EmailAddress": "bea@example.test"})).json[
            "CurrentPoints"
        ] == 5
        assert len((await call("GET", "/sandbox/customers?email=BEA@example.test")).json["customers"]) == 1
        for content in ({"Nonsense": 1}, {"CurrentPoints": "many"}, {"CustomerID": 7}, {"CustomerID": -1}):
            reply = await call("POST", "/sandbox/customers", content)
            assert reply.status == 400
            assert reply.json["error"].lower().startswith(("nonsense", "currentpoints", "customer_id"))
        assert (await call("DELETE", "/sandbox/customers/7")).status == 200
        assert (await call("GET", "/sandbox/customers/7")).status == 404
        assert (await call("PATCH", "/sandbox/customers/7", {})).status == 404
        type_id = (await call("POST", "/sandbox/customer-types", {"Name": "Gold", "Discount": 12.5})).json["CustomerTypeID"]
        assert (await call("PATCH", f"/sandbox/customer-types/{type_id}", {"Name": "Silver"})).json["Name"] == "Silver"
        assert [row["Name"] for row in (await call("GET", "/sandbox/customer-types")).json["customer_types"]] == ["Silver"]
        assert (await call("DELETE", f"/sandbox/customer-types/{type_id}")).status == 200
        assert (await call("GET", f"/sandbox/customer-types/{type_id}")).status == 404
        assert (await call("PATCH", "/sandbox/switches", {"page_size": 7})).json["page_size"] == 7
        assert (await call("PATCH", "/sandbox/switches", {"page_size": -7})).status == 400
        assert (await call("GET", "/sandbox/switches")).json["page_size"] == 7
        await till.webhooks.wait_for(6)
        shown = (await call("GET", "/sandbox/webhooks")).json["webhooks"]
        assert [each["action"] for each in shown] == ["Create", "Update", "Delete", "Create", "Update", "Delete"]


async def test_webhook_delay_applies_to_each_delivery(till: SandboxTill, receiver: Receiver) -> None:
    till.switches.webhook_delay_seconds = 0.05
    began = asyncio.get_running_loop().time()
    till.add_customer()
    till.add_customer()
    await till.webhooks.wait_for(2)
    assert asyncio.get_running_loop().time() - began >= 0.1
