"""Credentials of webhook senders at an account's address and at a till's: secrets, encodings, and equal refusals."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from aiohttp import ClientResponse
from support.webhook_receiver import Receiver, running_receiver
from tillsync_server.adapters.http.webhook_refusals import REFUSAL_SECONDS
from tillsync_server.application.use_cases.till_hints import Sender
from tillsync_server.domain.ids import AccountId, TillId


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as made:
        yield made


@pytest.mark.catches("webhook-secrets-in-each-encoding")
@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "cp1252"])
async def test_secret_is_accepted_in_each_possible_encoding(receiver: Receiver, encoding: str) -> None:
    """HTTP specifies no encoding of Basic credentials: "£" is C2 A3 or A3."""
    assert (await receiver.post(credentials="hook:pa:ss£".encode(encoding))).status == 202
    assert receiver.observed == [("customer", 202, "queued")]


@pytest.mark.parametrize(("encoding", "status"), [("utf-8", 202), ("cp1252", 202), ("iso-8859-15", 401)])
async def test_secret_outside_iso_8859_1_is_accepted_in_utf_8_only(receiver: Receiver, encoding: str, status: int) -> None:
    assert (await receiver.post(account="euro", credentials="hook:5€".encode(encoding))).status == status


@pytest.mark.parametrize("credentials", ["hook:5?", "hook:5", b"hook:5\xef\xbf\xbd", b"hook:pa:ss?", b"hook:pa:ss\xc2", b"hook:pa:ss\xff"])
@pytest.mark.parametrize("account", ["euro", "shop-1"])
async def test_bytes_that_no_encoding_makes_of_the_secret_are_refused(receiver: Receiver, account: str, credentials: str | bytes) -> None:
    assert (await receiver.post(account=account, credentials=credentials)).status == 401
    assert receiver.observed == [("customer", 401, "wrong_credentials")]


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        *((each, "no_credentials") for each in (None, "x" * 5000)),
        *((each, "wrong_credentials") for each in ("", ":", "hook:", "hook:wrong", "Hook:pa:ss£", "hook:pa:ss£x")),
    ],
)
async def test_wrong_credentials_are_refused(receiver: Receiver, credentials: str | None, reason: str) -> None:
    response = await receiver.post(credentials=credentials)
    assert response.status == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic ")
    assert receiver.observed == [("customer", 401, reason)]
    assert receiver.nothing_queued


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Bearer aG9vazpwYTpzc8Kj", "Basic " + "A" * 9])
async def test_malformed_basic_header_is_refused(receiver: Receiver, header: str) -> None:
    assert (await receiver.post(credentials=None, headers={"Authorization": header})).status == 401
    assert receiver.nothing_queued


@pytest.mark.parametrize("account", ["no-hooks", "half", "unknown", "%00", "a" * 3000, "till/bare", "till/unknown", "till/%00", "till/t!"])
@pytest.mark.parametrize("credentials", [None, "", ":", "hook:", "hook:pa:ss£"])
async def test_unknown_accounts_and_accounts_without_credentials_get_the_same_refusal(
    receiver: Receiver, account: str, credentials: str | None
) -> None:
    """Neither the text nor the time of the answer shows whether the account exists."""
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


async def test_delivery_at_the_account_address_addresses_the_account(receiver: Receiver) -> None:
    await receiver.post()
    assert receiver.hints.senders == [Sender(account_id=AccountId("shop-1"), till_id=TillId("t"), is_addressed=True)]


@pytest.mark.parametrize(("credentials", "sender"), [("hook:pa:ss£", "shop-1"), ("hook:5€", "euro")])
async def test_till_address_accepts_credentials_of_any_account_of_the_till(receiver: Receiver, credentials: str, sender: str) -> None:
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
async def test_till_address_refuses_other_credentials(receiver: Receiver, till: str, credentials: str) -> None:
    assert (await receiver.post(account=f"till/{till}", credentials=credentials)).status == 401
    assert receiver.nothing_queued


async def test_till_address_refuses_an_account_that_left_the_till(receiver: Receiver) -> None:
    account = receiver.accounts.accounts[AccountId("shop-1")]
    receiver.accounts.add(replace(account, till_id=TillId("other")))
    assert (await receiver.post(account="till/t")).status == 401
    assert (await receiver.post(account="till/other")).status == 202


async def test_delivery_without_linked_accounts_is_accepted_and_counted(receiver: Receiver) -> None:
    receiver.hints.woken = 0
    assert (await receiver.post(account="till/t")).status == 202
    assert receiver.observed == [("customer", 202, "nobody")]


async def test_account_may_be_named_till(receiver: Receiver) -> None:
    account = receiver.accounts.accounts[AccountId("shop-1")]
    receiver.accounts.add(replace(account, account_id=AccountId("till")))
    assert (await receiver.post(account="till")).status == 202
    assert receiver.hints.queued_customers == [("till", 90001)]
