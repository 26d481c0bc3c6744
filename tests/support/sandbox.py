"""A plain HTTP client of the sandboxes, for requests that the adapters never send, and short names for the till's API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp
from tillsync_sandbox import SandboxTill


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text, parse_float=Decimal)


class Caller:
    """One client of a sandbox."""

    def __init__(self, session: aiohttp.ClientSession, origin: str, auth: tuple[str, str] | None) -> None:
        self._session = session
        self._origin = origin
        self._auth = auth

    async def __call__(
        self, method: str, path: str, content: Any = None, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        """Sends ``content`` as JSON. Raises aiohttp's errors."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        if self._auth is not None and "Authorization" not in sent:
            sent["Authorization"] = aiohttp.encode_basic_auth(*self._auth)
        data = body if body is not None else None if content is None else json.dumps(content).encode()
        async with self._session.request(
            method, self._origin + path, data=data, headers={k: v for k, v in sent.items() if v}, allow_redirects=False
        ) as response:
            return Reply(response.status, dict(response.headers), await response.text())


@asynccontextmanager
async def caller(origin: str, auth: tuple[str, str] | None = None) -> AsyncIterator[Caller]:
    # Each request has its own connection, so that none uses one that a fault has closed.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, skip_auto_headers=("Content-Type",)) as session:
        yield Caller(session, origin, auth)


@asynccontextmanager
async def till_caller(till: SandboxTill) -> AsyncIterator[Caller]:
    """A caller with the till's own credentials."""
    async with caller(till.origin, (till.switches.api_key, till.switches.api_secret)) as call:
        yield call


NEW_V2: dict[str, Any] = {
    "Forename": "Ada",
    "Surname": "Byron",
    "EmailAddress": "ada@example.test",
    "MaxCredit": 0,
    "SignUpDate": "2026-01-02T03:04:05",
}
"""A new customer for V2, and for V4 inside an array."""
