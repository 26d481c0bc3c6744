"""Webhooks of sales: a named customer is queued, an unnamed one is read from the transaction, and anonymous sales are ignored."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from support.webhook_receiver import V2_CUSTOMER, Receiver, running_receiver


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as made:
        yield made


@pytest.mark.parametrize(
    "body",
    [
        {"TransactionID": 7, "CustomerID": 90001},
        {"Id": 7, "CustomerId": 90001, "TransactionItems": [{"Id": 1}]},
        {"id": 7, "customerId": "90001"},
        {"Id": 7, "CustomerId": None, "Customer": {"Id": 90001, "Forename": "A"}},
        {"TransactionID": 7, "Customer": V2_CUSTOMER},
        {"Id": 7, "Customer": 90001},
        [{"Id": 7, "CustomerId": 90001}],
    ],
)
@pytest.mark.parametrize("action", ["Complete", "complete", "Update", None])
async def test_the_customer_of_a_sale_is_queued(receiver: Receiver, body: object, action: str | None) -> None:
    assert (await receiver.post(body, object_="Transaction", action=action)).status == 202
    assert receiver.hints.queued_customers == [("shop-1", 90001)]
    assert receiver.hints.queued_sales == []
    assert receiver.observed == [("transaction", 202, "queued")]


@pytest.mark.parametrize("body", [7, "7", {"Id": 7}, {"TransactionID": 7, "TotalAmount": 12.5}, {"id": "7"}, [7], [{"Id": 7}, 7]])
async def test_sale_without_customer_field_is_queued_for_reading(receiver: Receiver, body: object) -> None:
    assert (await receiver.post(body, object_="Transaction", action="Complete")).status == 202
    assert receiver.hints.queued_sales == [("shop-1", 7)]
    assert receiver.hints.queued_customers == []
    assert receiver.observed == [("transaction", 202, "queued")]


@pytest.mark.parametrize(
    "body", [{"Id": 7, "CustomerId": None}, {"Id": 7, "CustomerID": 0}, {"Id": 7, "Customer": None}, {"CustomerId": ""}]
)
async def test_sale_without_customer_queues_nothing(receiver: Receiver, body: object) -> None:
    assert (await receiver.post(body, object_="Transaction", action="Complete")).status == 204
    assert receiver.nothing_queued
    assert receiver.observed == [("transaction", 204, "no_customer")]


async def test_delivery_of_mixed_sales_queues_each_kind(receiver: Receiver) -> None:
    body = [{"Id": 7, "CustomerId": 90001}, 8, {"Id": 9, "CustomerId": None}, {"Id": 10, "CustomerId": 90001}]
    assert (await receiver.post(body, object_="Transaction", action="Complete")).status == 202
    assert receiver.hints.queued_customers == [("shop-1", 90001)]
    assert receiver.hints.queued_sales == [("shop-1", 8)]


@pytest.mark.parametrize(
    "body", [{}, {"TotalAmount": 1}, {"Id": 7, "CustomerId": "x"}, {"Id": 7, "Customer": {"Forename": "A"}}, [], "abc"]
)
async def test_sales_without_ids_are_refused(receiver: Receiver, body: object) -> None:
    assert (await receiver.post(body, object_="Transaction", action="Complete")).status == 400
    assert receiver.nothing_queued
