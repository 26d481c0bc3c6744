"""Texts for notes, comments and account problems quote no response body of the till or the shop."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio
from fakes.permit import FakePermit
from support.raw_http import RawServer, http_answer, raw_server
from support.shop_client import write
from support.till_client import V2_ROW, text_answer, till_world
from tillsync_server.adapters.http_client import AllowedHosts, HttpClient, HttpClientSettings
from tillsync_server.adapters.http_client.describing import describe_body, error_sentence, name_of
from tillsync_server.adapters.woo import WooGateway
from tillsync_server.application.flows.failure_verdicts import cause_of
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.customer import NewTillCustomer
from tillsync_server.domain.errors import UpstreamError
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId

PERSONAL = ("Leonora", "Quimby", "01632", "960555", "leonora.quimby", "Kirby Road")
ROW = json.dumps(V2_ROW | {"Forename": "Leonora", "Surname": "Quimby", "ContactNumber": "01632 960555", "Notes": "Kirby Road"})
PAGE = "<!DOCTYPE html><html><head><title>Hello Leonora Quimby</title></head><body>01632 960555, Kirby Road</body></html>"
BODIES = {
    "a row cut off": ROW[:-3],
    "a row among others": f"{ROW}{ROW}",
    "a greeting page": PAGE,
    "XML": "<Customer><Forename>Leonora</Forename><Surname>Quimby</Surname></Customer>",
    "a plain text": "Leonora Quimby, 01632 960555, leonora.quimby@example.test",
    "an object by email": json.dumps({"leonora.quimby@example.test": {"Forename": "Leonora"}, "Quimby 01632960555": 1}),
}
SENTENCES = {
    "a value in quotes": "Surname - the value 'Quimby' is too long",
    "a phone and an email": 'ContactNumber - "01632 960555" of leonora.quimby@example.test is no number: 01632-960-555',
    "a message": json.dumps({"Message": "The request is invalid: `Leonora`.", "Row": json.loads(ROW)}),
    "a row": ROW,
}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RawServer]:
    async with raw_server() as running:
        yield running


@pytest_asyncio.fixture
async def http() -> AsyncIterator[HttpClient]:
    http = HttpClient(HttpClientSettings(allowed_hosts=AllowedHosts(allow_loopback=True)))
    yield http
    await http.close()


async def till_errors(server: RawServer) -> list[UpstreamError]:
    new = NewTillCustomer(forename="Leonora", surname="Quimby", email="leonora.quimby@example.test", sign_up_date="2026-01-02T03:04:05")
    errors = []
    async with till_world(read_attempts=1) as world:
        client = world.client(server.url)
        for ask in (
            lambda: client.read_customer(EposCustomerId(1)),
            lambda: client.list_customers(1),
            lambda: client.search_by_email("leonora.quimby@example.test"),
            lambda: client.create_customer(new, FakePermit()),
            client.probe,
        ):
            try:
                await ask()
            except UpstreamError as error:
                errors.append(error)
    return errors


async def shop_errors(server: RawServer, http: HttpClient) -> list[UpstreamError]:
    gateway = WooGateway(http)
    errors = []
    settings = (
        ShopSettings(base_url=server.url, bridge_secret="a-secret-of-the-bridge"),
        ShopSettings(base_url=server.url, consumer_key="ck_0123456789", consumer_secret="cs_0123456789"),
    )
    for shop in settings:
        client = gateway.client(Account(account_id=AccountId("shop-a"), till_id=TillId("till-a"), shop=shop))
        for ask in (partial(client.write_customers, [write(1)], FakePermit()), client.check_access, client.probe):
            try:
                await ask()
            except UpstreamError as error:
                errors.append(error)
    return errors


def quoted(errors: list[UpstreamError]) -> list[str]:
    texts = [text for error in errors for text in (error.text, error.remedy, str(error), cause_of(error), error.field or "")]
    return [text for text in texts if any(value.casefold() in text.casefold() for value in PERSONAL)]


@pytest.mark.parametrize("status", [200, 201, 400, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("body", [body for name, body in BODIES.items() if name != "a plain text"])
async def test_errors_quote_no_body(server: RawServer, http: HttpClient, body: str, status: int) -> None:
    kind = "application/json" if body.startswith("{") else "text/html" if body.startswith("<!") else "application/xml"
    server.answers(http_answer(status, body.encode(), headers=[f"Content-Type: {kind}"]))
    errors = [*await till_errors(server), *await shop_errors(server, http)]
    assert errors
    assert quoted(errors) == []


@pytest.mark.parametrize("status", [200, 500, 503])
async def test_plain_text_is_kept_only_from_a_till_refusal(server: RawServer, status: int) -> None:
    server.answers(text_answer(BODIES["a plain text"], status))
    errors = await till_errors(server)
    assert errors
    assert quoted(errors) == []


@pytest.mark.parametrize("body", SENTENCES.values())
async def test_refusal_sentence_is_kept_without_its_values(server: RawServer, body: str) -> None:
    server.answers(text_answer(body, 400))
    assert quoted(await till_errors(server)) == []


@pytest.mark.parametrize(
    ("sentence", "kept_text"),
    [
        ("Invalid field value for CustomerType: CustomerTypeID", "Invalid field value for CustomerType: CustomerTypeID"),
        ("Surname - the value 'Quimby' isn't short", "Surname - the value … isn't short"),
        ("ContactNumber - 01632 960555 is known, at most 50 characters", "ContactNumber - … is known, at most 50 characters"),
        ('{"Forename":"Leonora"}', ""),
        ("x" * 201, ""),
    ],
)
def test_error_sentence_loses_values_and_identifiers(sentence: str, kept_text: str) -> None:
    assert error_sentence(sentence) == kept_text


@pytest.mark.parametrize(
    ("body", "description"),
    [
        (ROW, "JSON object with CustomerID, Title, Forename, Surname, BusinessName and 9 more keys"),
        ("[1,2]", "JSON array of 2"),
        ('"Leonora"', "JSON value"),
        ("{}", "JSON object without keys"),
        ("<Customer><Forename>Leonora", "text of 27 characters that begins with the tag Customer"),
        ("Leonora", "text of 7 characters"),
        (" \ufeff\n", "no text"),
    ],
)
def test_body_is_described_by_kind_and_length(body: str, description: str) -> None:
    assert describe_body(body, is_page=False).startswith(description)
    assert describe_body("<html>", is_page=True) == "HTML page of 6 characters"


def test_only_identifiers_are_names() -> None:
    assert [name_of(each) for each in ("EmailAddress", "billing.phone", "leonora@example.test", "Leonora Quimby", "tel01632960555", 7)] == [
        "EmailAddress", "billing.phone", "…", "…", "…", "…",
    ]  # fmt: skip
