"""Processes requests to the till in this order: latency, address, credentials, the account's limit, random errors, resource."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import math
import random
import re
import time

from aiohttp import web

from tillsync_sandbox.serving import ConnectionDropped, Exchange
from tillsync_sandbox.till.answers import TillError, data, html, unknown_address
from tillsync_sandbox.till.customer_types import CustomerTypeResource
from tillsync_sandbox.till.customers import CustomerResource
from tillsync_sandbox.till.stored import TillStore
from tillsync_sandbox.till.switches import LimitMode, TillSwitches
from tillsync_sandbox.till.transactions import TransactionResource

_ADDRESS = re.compile(r"/api/(v2|v4)/(\w+)(?:/([^/]*))?/?", re.IGNORECASE)


class TillService:
    def __init__(self, store: TillStore, switches: TillSwitches, seed: int) -> None:
        self._switches = switches
        self._random = random.Random(seed)  # The seed makes random behaviour repeatable.
        self._limit = RequestLimit(switches)
        self._customers = CustomerResource(store, switches)
        self._types = CustomerTypeResource(store, switches)
        self._transactions = TransactionResource(store, switches)

    async def answer(self, exchange: Exchange) -> web.Response:
        """Answers a request. Raises ConnectionDropped."""
        seconds = self._switches.latency_seconds + self._switches.latency_jitter_seconds * self._random.random()
        if seconds:
            await asyncio.sleep(seconds)
        if self._switches.wrong_address:
            return unknown_address()
        address = _ADDRESS.fullmatch(exchange.request.path)
        if address is None:
            return unknown_address()
        try:
            self._check_credentials(exchange.request)
            self._limit.count()
            return self._random_failure() or await self._answer_resource(exchange, address)
        except TillError as error:
            return error.response()

    async def _answer_resource(self, exchange: Exchange, address: re.Match[str]) -> web.Response:
        version, resource, subpath = address[1].lower(), address[2].lower(), address[3] or ""
        loses_answer = exchange.request.method == "POST" and self._draw(self._switches.lose_create_answer_percent)
        match (version, resource):
            case ("v2", "customer"):
                response = await self._customers.v2(exchange, subpath)
            case ("v4", "customer"):
                response = await self._customers.v4(exchange, subpath)
            case ("v2", "customertype"):
                response = await self._types.v2(exchange, subpath)
            case ("v4", "customertype"):
                response = await self._types.v4(exchange, subpath)
            case ("v2", "transaction"):
                response = await self._transactions.v2(exchange, subpath)
            case ("v4", "transaction"):
                response = await self._transactions.v4(exchange, subpath)
            case ("v4", "tokeninfo") if exchange.request.method == "GET" and not subpath:
                token = {"AppName": "Sandbox", "AccountId": 4200, "BusinessName": "Sandbox till", "LocationId": 4200}
                response = data(exchange.request, json.dumps(token), "TokenInfo")
            case _:
                response = unknown_address()
        if loses_answer:
            raise ConnectionDropped(response.status)
        return response

    def _check_credentials(self, request: web.Request) -> None:
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True) if scheme.lower() == "basic" else b""
        except binascii.Error:
            given = b""
        if not hmac.compare_digest(given, f"{self._switches.api_key}:{self._switches.api_secret}".encode()):
            raise TillError(401, "Authorization has been denied for this request.")

    def _random_failure(self) -> web.Response | None:
        switches = self._switches
        for status, percent, title in (
            (500, switches.error_500_percent, "500 - Internal server error."),
            (502, switches.error_502_percent, "502 - Web server received an invalid response."),
            (503, switches.error_503_percent, "Service Unavailable"),
            (200, switches.html_body_percent, "Epos Now"),
        ):
            if self._draw(percent):
                return html(status, title)
        return None

    def _draw(self, percent: float) -> bool:
        return percent > 0 and self._random.random() * 100 < percent


class RequestLimit:
    """The account's allowance: a number of requests per fixed window."""

    def __init__(self, switches: TillSwitches) -> None:
        self._switches = switches
        self._window_began = -math.inf
        self._used = 0

    def count(self) -> None:
        """Counts a request. Raises TillError when the allowance is used up; a refused request does not count."""
        if self._switches.limit is LimitMode.NONE:
            return
        now = time.monotonic()
        if now - self._window_began >= self._switches.limit_window_seconds:
            self._window_began, self._used = now, 0
        if self._used < self._switches.limit_requests:
            self._used += 1
            return
        if self._switches.limit is LimitMode.FORBIDDEN_TEXT:
            raise TillError(403, "You have reached your maximum API limit.")
        left = math.ceil(self._window_began + self._switches.limit_window_seconds - now)
        raise TillError(429, "API Limit Exceeded", {"Retry-After": str(max(left, 1))} if self._switches.limit_retry_after else None)
