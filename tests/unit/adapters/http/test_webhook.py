"""The webhook receiver: accepted bodies, answers, and no queued hints for refused ones."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from support.waiting import within
from support.webhook_receiver import V2_CUSTOMER, DatabaseAway, Receiver, running_receiver
from tillsync_server.adapters.http import bodies
from tillsync_server.adapters.http.webhook_bodies import MAX_BODY_BYTES, MAX_IDS, subject_ids
from tillsync_server.domain.errors import NotFound, ResourceExhausted, Unavailable

CUSTOMER_KEYS, TYPE_KEYS = ("customerid", "id"), ("customertypeid", "id")


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as made:
        yield made


@pytest.mark.parametrize(
    "body",
    [
        V2_CUSTOMER,
        {"Id": 90001, "Forename": "A"},
        {"id": "90001"},
        {"customerid": 90001, "Id": 5},
        {"CUSTOMERID": 90001},
        90001,
        "90001",
        [V2_CUSTOMER],
        [90001],
    ],
)
@pytest.mark.parametrize("action", ["Create", "Update", "Delete", None])
async def test_customer_is_queued_with_any_field_names_of_the_till(receiver: Receiver, body: object, action: str | None) -> None:
    response = await receiver.post(body, action=action)
    assert response.status == 202
    assert receiver.hints.queued_customers == [("shop-1", 90001)]
    assert receiver.hints.queued_types == []
    assert receiver.observed == [("customer", 202, "queued")]


@pytest.mark.parametrize("body", [{"CustomerTypeID": 4001, "Name": "Basic"}, {"Id": 4001}, {"customertypeid": "4001"}, 4001])
async def test_a_customer_type_is_queued(receiver: Receiver, body: object) -> None:
    assert (await receiver.post(body, object_="customertype", action="Delete")).status == 202
    assert receiver.hints.queued_types == [("shop-1", 4001)]
    assert receiver.hints.queued_customers == []


async def test_type_id_of_a_customer_is_not_used_as_its_id(receiver: Receiver) -> None:
    assert (await receiver.post({"CustomerTypeID": 4001, "Forename": "A"})).status == 400
    assert receiver.nothing_queued


async def test_each_object_of_a_delivery_is_queued_once(receiver: Receiver) -> None:
    assert (await receiver.post([{"Id": 1}, {"Id": 2}, {"Id": 1}])).status == 202
    assert receiver.hints.queued_customers == [("shop-1", 1), ("shop-1", 2)]


async def test_answer_waits_for_the_commit(receiver: Receiver) -> None:
    receiver.hints.commit = asyncio.Event()
    delivery = asyncio.create_task(receiver.post())
    await within(receiver.hints.called.wait())
    assert (await receiver.post(object_="Product")).status == 204, "a later delivery is answered"
    assert not delivery.done()
    receiver.hints.commit.set()
    assert (await within(delivery)).status == 202


@pytest.mark.parametrize("kind", ["Product", "TransactionItem", "customers"])
async def test_other_objects_are_counted_and_not_queued(receiver: Receiver, kind: str) -> None:
    assert (await receiver.post(object_=kind)).status == 204
    assert receiver.nothing_queued
    assert receiver.observed == [("other", 204, "other_object")]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff\xfe", b"[" * 100_000, b"<Customer/>", b"CustomerID=1", b"NaN"),
        *(
            {},
            [],
            {"CustomerID": None},
            {"CustomerID": 0},
            {"Id": -1},
            {"Id": 1.5},
            {"Id": True},
            {"Id": "x"},
            {"Id": 2**63},
            {"Id": "9" * 30},
        ),
        *(None, True, 0, -5, 1.5, "", "abc", [[]], [{}], [1, 0], {"Id": {"Id": 1}}, list(range(1, MAX_IDS + 2))),
    ],
    ids=lambda body: repr(body)[:30],
)
async def test_bodies_without_an_id_are_refused(receiver: Receiver, body: object) -> None:
    assert (await receiver.post(body)).status == 400
    assert receiver.observed == [("customer", 400, "body")]
    assert receiver.nothing_queued


@pytest.mark.parametrize(
    "content_type", ["text/xml", "application/xml", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
)
async def test_other_webhook_content_types_are_refused(receiver: Receiver, content_type: str) -> None:
    assert (await receiver.post(content_type=content_type)).status == 415
    assert receiver.observed == [("customer", 415, "content_type")]
    assert receiver.nothing_queued


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", "text/json"])
async def test_webhook_json_content_type_is_accepted_in_any_spelling(receiver: Receiver, content_type: str) -> None:
    assert (await receiver.post(content_type=content_type)).status == 202


async def test_body_that_does_not_arrive_times_out(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.2)

    async def never_ending() -> AsyncIterator[bytes]:
        yield b'{"CustomerID": '
        await asyncio.Event().wait()

    headers = {"Authorization": "Basic " + base64.b64encode("hook:pa:ss£".encode()).decode(), "Epos-Object": "Customer"}
    sent = {**headers, "Content-Type": "application/json", "Content-Length": "100"}
    async with receiver.session.post(f"{receiver.url}/webhooks/eposnow/shop-1", data=never_ending(), headers=sent) as response:
        assert (response.status, await response.text()) == (408, "the body did not arrive in time; send it again\n")
    assert receiver.observed == [("customer", 408, "cut_short")]
    assert receiver.nothing_queued


async def test_missing_object_header_is_refused(receiver: Receiver) -> None:
    assert (await receiver.post(object_=None)).status == 400
    assert receiver.observed == [("other", 400, "no_object")]
    assert receiver.nothing_queued


async def test_too_large_bodies_are_refused_by_header_by_size_and_unpacked(receiver: Receiver) -> None:
    large = json.dumps({"CustomerID": 1, "Notes": "x" * MAX_BODY_BYTES}).encode()
    assert (await receiver.post(large)).status == 413
    bomb = gzip.compress(large)
    assert len(bomb) < MAX_BODY_BYTES
    assert (await receiver.post(bomb, headers={"Content-Encoding": "gzip"})).status == 413

    async def piecewise() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * (MAX_BODY_BYTES // 4)

    headers = {
        "Authorization": "Basic " + base64.b64encode("hook:pa:ss£".encode()).decode(),
        "Epos-Object": "Customer",
        "Content-Type": "application/json",
    }
    async with receiver.session.post(f"{receiver.url}/webhooks/eposnow/shop-1", data=piecewise(), headers=headers) as response:
        assert response.status == 413
    assert receiver.observed == [("customer", 413, "too_large")] * 3
    assert receiver.nothing_queued


async def test_wrongly_encoded_body_is_refused(receiver: Receiver) -> None:
    assert (await receiver.post(b"{}", headers={"Content-Encoding": "gzip"})).status == 400
    assert receiver.observed == [("customer", 400, "cut_short")]
    assert receiver.nothing_queued


@pytest.mark.parametrize(
    ("failure", "status", "reason"),
    [
        (ResourceExhausted("too many", retry_after_seconds=30), 429, "limit"),
        (Unavailable("busy"), 503, "busy"),
        (DatabaseAway(), 503, "database"),
        (NotFound("gone meanwhile"), 401, "unknown_address"),
        (KeyError("a fault of ours"), 500, "fault"),
    ],
)
async def test_failed_queueing_asks_for_a_redelivery(receiver: Receiver, failure: Exception, status: int, reason: str) -> None:
    receiver.hints.failure = failure
    response = await receiver.post()
    assert response.status == status
    assert receiver.observed == [("customer", status, reason)]
    assert response.headers.get("Retry-After") == {429: "30", 503: "5"}.get(status)


async def test_other_methods_are_refused(receiver: Receiver) -> None:
    async with receiver.session.get(f"{receiver.url}/webhooks/eposnow/shop-1") as response:
        assert response.status == 405
    assert web.HTTPMethodNotAllowed.status_code == 405


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_gives_ids_or_a_refusal(content: Any) -> None:
    try:
        found = subject_ids(json.dumps(content).encode(), CUSTOMER_KEYS)
    except ValueError:
        return
    assert found
    assert all(isinstance(identifier, int) and 0 < identifier < 2**63 for identifier in found)


@given(st.binary())
def test_any_bytes_give_ids_or_a_refusal(body: bytes) -> None:
    try:
        assert all(identifier > 0 for identifier in subject_ids(body, TYPE_KEYS))
    except ValueError:
        return
