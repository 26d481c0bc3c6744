"""The till's adapter for tests, with an unlimited allowance and without real waits."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fakes.budget import FakeTillBudget
from support.raw_http import http_answer
from tillsync_server.adapters.epos import EposAdapterSettings, EposGateway
from tillsync_server.adapters.http_client import AllowedHosts, HttpClient, HttpClientSettings
from tillsync_server.domain.account import Account, EposSettings
from tillsync_server.domain.enums import TillApiVersion
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.till import TillClient

V2_ROW: dict[str, Any] = {
    "CustomerID": 90001,
    "Title": 1,
    "Forename": "Ada",
    "Surname": "Byron",
    "BusinessName": None,
    "ContactNumber": "01200000000",
    "EmailAddress": "ada@example.test",
    "Type": 4001,
    "MaxCredit": 100.00,
    "CurrentBalance": 0.00,
    "CardNumber": None,
    "CurrentPoints": 0,
    "SignUpDate": "2024-05-01T09:30:00",
}


@dataclass
class TillWorld:
    gateway: EposGateway
    budget: FakeTillBudget
    waited: list[float]

    def client(
        self,
        base_url: str,
        version: TillApiVersion = TillApiVersion.V2,
        *,
        key: str = "key-1234",
        secret: str = "secret-5678",
        request_class: RequestClass = RequestClass.ORDER,
    ) -> TillClient:
        epos = EposSettings(
            base_url=base_url,
            api_key=key,
            api_secret=secret,
            customer_api_version=version,
            customer_type_api_version=version,
            requests_per_minute=77,
        )
        return self.gateway.client(Account(account_id=AccountId("shop-a"), till_id=TillId("till-a"), epos=epos), request_class)


@asynccontextmanager
async def till_world(**settings: Any) -> AsyncIterator[TillWorld]:
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    budget = FakeTillBudget()
    http = HttpClient(HttpClientSettings(allowed_hosts=AllowedHosts(allow_loopback=True)))
    gateway = EposGateway(http, budget, EposAdapterSettings(**settings), sleep=note)
    try:
        yield TillWorld(gateway, budget, waited)
    finally:
        await http.close()


def json_answer(value: Any, status: int = 200, *headers: str) -> bytes:
    return http_answer(status, json.dumps(value).encode(), headers=["Content-Type: application/json; charset=utf-8", *headers])


def text_answer(text: str, status: int, *headers: str) -> bytes:
    return http_answer(status, text.encode(), headers=["Content-Type: text/plain; charset=utf-8", *headers])


def html_answer(title: str, status: int, *headers: str) -> bytes:
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return http_answer(status, page.encode(), headers=["Content-Type: text/html", *headers])
