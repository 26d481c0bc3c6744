"""The webhook receiver: who may deliver, what is read, what is answered, and that nothing is queued otherwise."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientResponse, ClientSession, web
from fakes.accounts import FakeAccounts
from hypothesis import given
from hypothesis import strategies as st
from support.waiting import within
from tillsync_server.adapters.http.app import HttpSide
from tillsync_server.adapters.http.webhook import REFUSAL_SECONDS, WebhookReceiver
from tillsync_server.adapters.http.webhook_bodies import MAX_BODY_BYTES, MAX_IDS, subject_ids
from tillsync_server.application.use_cases.till_hints import Sender
from tillsync_server.domain.account import Account, EposSettings
from tillsync_server.domain.errors import NotFound, ResourceExhausted, Unavailable
from tillsync_server.domain.ids import AccountId, TillId

CUSTOMER_KEYS, TYPE_KEYS = ("customerid", "id"), ("customertypeid", "id")
V2_CUSTOMER = {"CustomerID": 90001, "Title": 1, "Forename": "Ada", "EmailAddress": "ada@example.test", "Type": 4001}


@dataclass
class Hints:
    """Records who sent what is to be queued; ``failure`` is raised instead. ``woken``: how many accounts a hint is said to concern."""

    queued_customers: list[tuple[str, int]] = field(default_factory=list)
    queued_types: list[tuple[str, int]] = field(default_factory=list)
    queued_sales: list[tuple[str, int]] = field(default_factory=list)
    senders: list[Sender] = field(default_factory=list)
    failure: Exception | None = None
    commit: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    woken: int = 1

    async def _queued(self, queue: list[tuple[str, int]], sender: Sender, ids: Sequence[int]) -> int:
        self.asked.set()
        if self.commit is not None:
            await self.commit.wait()
        if self.failure is not None:
            raise self.failure
        self.senders.append(sender)
        queue += [(sender.account_id, each) for each in ids]
        return self.woken

    async def customers(self, sender: Sender, customer_ids: Sequence[int]) -> int:
        return await self._queued(self.queued_customers, sender, customer_ids)

    async def customer_types(self, sender: Sender, type_ids: Sequence[int]) -> int:
        return await self._queued(self.queued_types, sender, type_ids)

    async def sales(self, sender: Sender, transaction_ids: Sequence[int]) -> None:
        await self._queued(self.queued_sales, sender, transaction_ids)


def accounts_with_hooks() -> FakeAccounts:
    accounts = FakeAccounts()
    for name, epos in (
        ("shop-1", EposSettings(webhook_key="hook", webhook_secret="pa:ss£")),
        ("no-hooks", EposSettings()),
        ("half", EposSettings(webhook_key="hook")),
        ("euro", EposSettings(webhook_key="hook", webhook_secret="5€")),
    ):
        accounts.add(Account(account_id=AccountId(name), till_id=TillId("t"), epos=epos))
    for name, till, epos in (
        ("at-other", "other", EposSettings(webhook_key="other", webhook_secret="word")),
        ("at-bare", "bare", EposSettings()),
    ):
        accounts.add(Account(account_id=AccountId(name), till_id=TillId(till), epos=epos))
    return accounts


class DatabaseAway(Exception):
    pass


@dataclass
class Receiver:
    url: str
    session: ClientSession
    accounts: FakeAccounts
    hints: Hints
    observed: list[tuple[str, int, str]]

    async def post(
        self,
        body: object = V2_CUSTOMER,
        *,
        account: str = "shop-1",
        credentials: str | bytes | None = "hook:pa:ss£",
        object_: str | None = "Customer",
        action: str | None = "Update",
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> ClientResponse:
        sent = {"Content-Type": content_type, **(headers or {})}
        if credentials is not None:
            pair = credentials if isinstance(credentials, bytes) else credentials.encode()
            sent["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        if object_ is not None:
            sent["Epos-Object"] = object_
        if action is not None:
            sent["Epos-Action"] = action
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.post(f"{self.url}/webhooks/eposnow/{account}", data=data, headers=sent) as response:
            await response.read()
            return response

    @property
    def nothing_queued(self) -> bool:
        return not self.hints.queued_customers and not self.hints.queued_types and not self.hints.queued_sales


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    accounts, hints = accounts_with_hooks(), Hints()
    observed: list[tuple[str, int, str]] = []
    routes = WebhookReceiver(
        accounts,
        hints,
        database_gone=(DatabaseAway,),
        observe=lambda kind, status, reason: observed.append((kind, status, reason)),
    )
    side = HttpSide("127.0.0.1", 0, routes, grace_seconds=1)
    await side.start()
    async with ClientSession() as session:
        yield Receiver(f"http://127.0.0.1:{side.port}", session, accounts, hints, observed)
    await side.stop()


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
async def test_a_customer_is_queued_whatever_names_the_till_uses(receiver: Receiver, body: object, action: str | None) -> None:
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
async def test_a_sale_that_says_nothing_of_its_customer_is_to_be_read(receiver: Receiver, body: object) -> None:
    assert (await receiver.post(body, object_="Transaction", action="Complete")).status == 202
    assert receiver.hints.queued_sales == [("shop-1", 7)]
    assert receiver.hints.queued_customers == []
    assert receiver.observed == [("transaction", 202, "queued")]


@pytest.mark.parametrize(
    "body", [{"Id": 7, "CustomerId": None}, {"Id": 7, "CustomerID": 0}, {"Id": 7, "Customer": None}, {"CustomerId": ""}]
)
async def test_a_sale_to_nobody_queues_nothing(receiver: Receiver, body: object) -> None:
    assert (await receiver.post(body, object_="Transaction", action="Complete")).status == 204
    assert receiver.nothing_queued
    assert receiver.observed == [("transaction", 204, "no_customer")]


async def test_sales_of_all_kinds_in_one_delivery(receiver: Receiver) -> None:
    body = [{"Id": 7, "CustomerId": 90001}, 8, {"Id": 9, "CustomerId": None}, {"Id": 10, "CustomerId": 90001}]
    assert (await receiver.post(body, object_="Transaction", action="Complete")).status == 202
    assert receiver.hints.queued_customers == [("shop-1", 90001)]
    assert receiver.hints.queued_sales == [("shop-1", 8)]


@pytest.mark.parametrize(
    "body", [{}, {"TotalAmount": 1}, {"Id": 7, "CustomerId": "x"}, {"Id": 7, "Customer": {"Forename": "A"}}, [], "abc"]
)
async def test_sales_that_name_nothing_are_refused(receiver: Receiver, body: object) -> None:
    assert (await receiver.post(body, object_="Transaction", action="Complete")).status == 400
    assert receiver.nothing_queued


async def test_the_type_of_a_customer_is_not_taken_for_its_id(receiver: Receiver) -> None:
    assert (await receiver.post({"CustomerTypeID": 4001, "Forename": "A"})).status == 400
    assert receiver.nothing_queued


async def test_several_objects_in_one_delivery(receiver: Receiver) -> None:
    assert (await receiver.post([{"Id": 1}, {"Id": 2}, {"Id": 1}])).status == 202
    assert receiver.hints.queued_customers == [("shop-1", 1), ("shop-1", 2)]


async def test_the_answer_waits_for_the_commit(receiver: Receiver) -> None:
    receiver.hints.commit = asyncio.Event()
    delivery = asyncio.create_task(receiver.post())
    await within(receiver.hints.asked.wait())
    assert (await receiver.post(object_="Product")).status == 204, "a later delivery is answered"
    assert not delivery.done()
    receiver.hints.commit.set()
    assert (await within(delivery)).status == 202


@pytest.mark.parametrize("kind", ["Product", "TransactionItem", "customers"])
async def test_other_objects_are_taken_note_of_and_nothing_more(receiver: Receiver, kind: str) -> None:
    assert (await receiver.post(object_=kind)).status == 204
    assert receiver.nothing_queued
    assert receiver.observed == [("other", 204, "other_object")]


@pytest.mark.catches("webhook-secrets-in-each-encoding")
@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "cp1252"])
async def test_a_secret_opens_in_each_encoding_in_which_it_may_come(receiver: Receiver, encoding: str) -> None:
    """HTTP names none: "£" is C2 A3 or A3."""
    assert (await receiver.post(credentials="hook:pa:ss£".encode(encoding))).status == 202
    assert receiver.observed == [("customer", 202, "queued")]


@pytest.mark.parametrize(("encoding", "status"), [("utf-8", 202), ("cp1252", 202), ("iso-8859-15", 401)])
async def test_a_secret_that_iso_8859_1_cannot_hold(receiver: Receiver, encoding: str, status: int) -> None:
    assert (await receiver.post(account="euro", credentials="hook:5€".encode(encoding))).status == status


@pytest.mark.parametrize("credentials", ["hook:5?", "hook:5", b"hook:5\xef\xbf\xbd", b"hook:pa:ss?", b"hook:pa:ss\xc2", b"hook:pa:ss\xff"])
@pytest.mark.parametrize("account", ["euro", "shop-1"])
async def test_what_no_encoding_makes_of_a_secret_opens_nothing(receiver: Receiver, account: str, credentials: str | bytes) -> None:
    assert (await receiver.post(account=account, credentials=credentials)).status == 401
    assert receiver.observed == [("customer", 401, "wrong_credentials")]


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        *((each, "no_credentials") for each in (None, "x" * 5000)),
        *((each, "wrong_credentials") for each in ("", ":", "hook:", "hook:wrong", "Hook:pa:ss£", "hook:pa:ss£x")),
    ],
)
async def test_wrong_credentials(receiver: Receiver, credentials: str | None, reason: str) -> None:
    response = await receiver.post(credentials=credentials)
    assert response.status == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic ")
    assert receiver.observed == [("customer", 401, reason)]
    assert receiver.nothing_queued


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Bearer aG9vazpwYTpzc8Kj", "Basic " + "A" * 9])
async def test_what_is_no_basic_pair(receiver: Receiver, header: str) -> None:
    assert (await receiver.post(credentials=None, headers={"Authorization": header})).status == 401
    assert receiver.nothing_queued


@pytest.mark.parametrize("account", ["no-hooks", "half", "unknown", "%00", "a" * 3000, "till/bare", "till/unknown", "till/%00", "till/t!"])
@pytest.mark.parametrize("credentials", [None, "", ":", "hook:", "hook:pa:ss£"])
async def test_unknown_accounts_and_those_without_credentials_look_the_same(
    receiver: Receiver, account: str, credentials: str | None
) -> None:
    """The same answer, and no sooner: neither text nor time says whether the account exists."""
    started = time.monotonic()
    wrong = await receiver.post(credentials="hook:wrong")
    refused = await receiver.post(account=account, credentials=credentials)
    assert time.monotonic() - started >= 2 * REFUSAL_SECONDS
    assert refused.status == 401

    def visible(response: ClientResponse) -> dict[str, str]:
        return {name: value for name, value in response.headers.items() if name != "Date"}

    assert visible(refused) == visible(wrong)
    reason = "not_set_up" if account in ("no-hooks", "half", "till/bare") else "unknown_address"
    assert receiver.observed == [("customer", 401, "wrong_credentials"), ("customer", 401, reason)]
    assert receiver.nothing_queued


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
async def test_bodies_that_name_no_object(receiver: Receiver, body: object) -> None:
    assert (await receiver.post(body)).status == 400
    assert receiver.observed == [("customer", 400, "body")]
    assert receiver.nothing_queued


@pytest.mark.parametrize(
    "content_type", ["text/xml", "application/xml", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
)
async def test_other_content_types(receiver: Receiver, content_type: str) -> None:
    assert (await receiver.post(content_type=content_type)).status == 415
    assert receiver.observed == [("customer", 415, "content_type")]
    assert receiver.nothing_queued


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", "text/json"])
async def test_spellings_of_json(receiver: Receiver, content_type: str) -> None:
    assert (await receiver.post(content_type=content_type)).status == 202


async def test_a_missing_object_header(receiver: Receiver) -> None:
    assert (await receiver.post(object_=None)).status == 400
    assert receiver.observed == [("other", 400, "no_object")]
    assert receiver.nothing_queued


async def test_too_large_by_its_own_word_by_what_comes_and_when_unpacked(receiver: Receiver) -> None:
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


async def test_a_body_not_encoded_as_it_says(receiver: Receiver) -> None:
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
async def test_what_cannot_be_queued_now_is_to_be_sent_again(receiver: Receiver, failure: Exception, status: int, reason: str) -> None:
    receiver.hints.failure = failure
    response = await receiver.post()
    assert response.status == status
    assert receiver.observed == [("customer", status, reason)]
    assert response.headers.get("Retry-After") == {429: "30", 503: "5"}.get(status)


async def test_an_account_is_addressed_by_its_own_address(receiver: Receiver) -> None:
    await receiver.post()
    assert receiver.hints.senders == [Sender(account_id=AccountId("shop-1"), till_id=TillId("t"), is_addressed=True)]


@pytest.mark.parametrize(("credentials", "sender"), [("hook:pa:ss£", "shop-1"), ("hook:5€", "euro")])
async def test_any_account_of_the_till_opens_the_tills_address(receiver: Receiver, credentials: str, sender: str) -> None:
    assert (await receiver.post(account="till/t", credentials=credentials)).status == 202
    assert receiver.hints.senders == [Sender(account_id=AccountId(sender), till_id=TillId("t"), is_addressed=False)]
    assert receiver.hints.queued_customers == [(sender, 90001)]


@pytest.mark.parametrize(
    ("till", "credentials"),
    [
        ("t", "other:word"),
        ("other", "hook:pa:ss£"),
        ("other", "other:"),
        ("t", "hook:"),
        ("t", "hook:pa:ss"),
        ("t", ":"),
        ("bare", ":"),
        ("bare", "hook:pa:ss£"),
    ],
)
async def test_no_other_secret_opens_the_tills_address(receiver: Receiver, till: str, credentials: str) -> None:
    assert (await receiver.post(account=f"till/{till}", credentials=credentials)).status == 401
    assert receiver.nothing_queued


async def test_an_account_that_left_the_till_opens_its_address_no_more(receiver: Receiver) -> None:
    account = receiver.accounts.accounts[AccountId("shop-1")]
    receiver.accounts.add(replace(account, till_id=TillId("other")))
    assert (await receiver.post(account="till/t")).status == 401
    assert (await receiver.post(account="till/other")).status == 202


async def test_a_change_that_concerns_nobody_is_taken_and_counted_as_such(receiver: Receiver) -> None:
    receiver.hints.woken = 0
    assert (await receiver.post(account="till/t")).status == 202
    assert receiver.observed == [("customer", 202, "nobody")]


async def test_an_account_may_be_called_till(receiver: Receiver) -> None:
    account = receiver.accounts.accounts[AccountId("shop-1")]
    receiver.accounts.add(replace(account, account_id=AccountId("till")))
    assert (await receiver.post(account="till")).status == 202
    assert receiver.hints.queued_customers == [("till", 90001)]


async def test_other_methods(receiver: Receiver) -> None:
    async with receiver.session.get(f"{receiver.url}/webhooks/eposnow/shop-1") as response:
        assert response.status == 405
    assert web.HTTPMethodNotAllowed.status_code == 405


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_ids_or_a_plain_refusal(content: Any) -> None:
    try:
        found = subject_ids(json.dumps(content).encode(), CUSTOMER_KEYS)
    except ValueError:
        return
    assert found
    assert all(isinstance(identifier, int) and 0 < identifier < 2**63 for identifier in found)


@given(st.binary())
def test_any_bytes_are_ids_or_a_plain_refusal(body: bytes) -> None:
    try:
        assert all(identifier > 0 for identifier in subject_ids(body, TYPE_KEYS))
    except ValueError:
        return
