"""Sends requests to the till: waits for the allowance, adds credentials, classifies errors and retries reads."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any
from urllib.parse import quote

import tenacity
from yarl import URL

from tillsync_server.adapters.epos.refusals import error_of
from tillsync_server.adapters.epos.settings import EposAdapterSettings
from tillsync_server.adapters.epos.till_gate import Sleep, TillGate
from tillsync_server.adapters.http_client import Answer, HttpClient
from tillsync_server.domain.account import EposSettings
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import CredentialsRefused, Misaddressed, ServerFailure, Throttled, Unanswered, Unreachable
from tillsync_server.domain.ids import TillId
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.request_gate import RequestGate
from tillsync_server.ports.till import WritePermit
from tillsync_server.ports.tills import TillBudget


def _is_worth_retrying(error: BaseException) -> bool:
    # A Retry-After is longer than the retry time of this adapter, so the entry is postponed instead.
    return isinstance(error, Unreachable | Unanswered | ServerFailure) and not error.retry_after_seconds


class TillRequests:
    def __init__(
        self,
        http: HttpClient,
        budget: TillBudget,
        till_gate: TillGate,
        settings: EposAdapterSettings,
        till_id: TillId,
        epos: EposSettings,
        request_class: RequestClass,
        gate: RequestGate | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._http = http
        self._budget = budget
        self._till_gate = till_gate
        self._settings = settings
        self._till_id = till_id
        self._epos = epos
        self._request_class = request_class
        self._gate = gate
        self._sleep = sleep

    async def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Answer:
        """Sends a GET, with retries. Returns a 2xx answer. Raises UpstreamError."""
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_is_worth_retrying),
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self._settings.read_attempts),
                tenacity.stop_before_delay(self._settings.read_retry_seconds),
            ),
            wait=tenacity.wait_exponential_jitter(
                multiplier=self._settings.read_retry_first_wait_seconds, jitter=self._settings.read_retry_first_wait_seconds
            ),
            sleep=self._sleep,
            reraise=True,
        )
        return await retrying(self._send, "GET", path, query)

    async def create(self, path: str, content: Any, permit: WritePermit) -> Answer:
        """Sends a POST once, on a connection of its own, because a second POST would create a twin. Returns a 2xx answer.

        Raises UpstreamError, and what the permit raises.
        """
        # invariant: creates-are-sent-once
        return await self._send("POST", path, None, body=json.dumps(content).encode(), permit=permit)

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None,
        *,
        body: bytes | None = None,
        permit: WritePermit | None = None,
    ) -> Answer:
        url = self._url(path, query or {})
        key, secret = self._epos.api_key, self._epos.api_secret
        if not key or not secret:
            raise CredentialsRefused(Side.TILL, "no Epos Now API key and secret are set: enter both in the account")
        pair = f"{key}:{secret}"
        # Wait for the till's turn first, so that a waiting request takes no slot of the side's request gate.
        turn = self._till_gate.request(self._request_class, self._epos.requests_per_minute)
        async with turn, self._gate.request() if self._gate is not None else nullcontext():
            answer = await self._http.request(
                Side.TILL,
                method,
                url,
                headers={
                    "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
                    "Accept": "application/json",
                    # The till chooses the format of its answer by Content-Type, also for a GET.
                    "Content-Type": "application/json",
                },
                body=body,
                timeout_seconds=self._settings.timeout_seconds,
                # invariant: till-creates-need-a-permit
                permit=permit,
                fresh_connection=permit is not None,
                secrets=(pair, key, secret),
            )
        error = error_of(answer, throttle_pause_seconds=self._settings.throttle_pause_seconds)
        if isinstance(error, Throttled):
            await self._budget.note_refusal(self._till_id, per_minute=self._epos.requests_per_minute)
            await self._budget.pause(self._till_id, error.retry_after_seconds or 0.0)
        if error is not None:
            raise error
        return answer

    def _url(self, path: str, query: Mapping[str, str | int]) -> URL:
        try:
            base = URL(self._epos.base_url.strip()).with_query(None).with_fragment(None)
        except ValueError as error:
            raise Misaddressed(Side.TILL, "the base address of Epos Now is not a URL: correct it in the account") from error
        # quote() encodes "+", which the till would decode as a space.
        text = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
        return URL(f"{str(base).rstrip('/')}{path}{'?' if text else ''}{text}", encoded=True)
