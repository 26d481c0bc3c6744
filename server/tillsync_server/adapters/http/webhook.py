"""``POST /webhooks/eposnow/{account_id}``: Epos Now says that something changed. Only a hint: the worker reads it again.

A delivery has no signature, event id or time (eposnow-api section 4): assume loss, repetition, reordering and echo. It is answered 202
after the hint is committed, and the hint coalesces.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from aiohttp import web

from tillsync_server.application.use_cases.account_fields import is_slug
from tillsync_server.domain.account import Account, EposSettings
from tillsync_server.domain.errors import NotFound, RequestError, ResourceExhausted
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.vocabulary import Priority
from tillsync_server.ports.lanes import EnqueueResult

MAX_BODY_BYTES = 256 * 1024
MAX_IDS = 500
REFUSAL_SECONDS = 0.1
"""Every 401 is answered so long after its arrival: whether the account exists cannot be told by the time it takes."""
_ID_KEYS = {"customer": ("customerid", "id"), "customertype": ("customertypeid", "id")}
_CONTENT_TYPES = frozenset({"application/json", "text/json"})
_LARGEST_ID = 2**63 - 1


class AccountLookup(Protocol):
    async def get(self, account_id: AccountId) -> Account:
        """With credentials. NotFound."""
        ...


class SyncHints(Protocol):
    """``application.use_cases.sync_requests.SyncRequests``: committed when a method returns, RequestError otherwise."""

    async def sync_customer(self, account_id: AccountId, epos_customer_id: int) -> EnqueueResult: ...

    async def sync_customers(
        self, account_id: AccountId, epos_customer_ids: Sequence[int], priority: Priority
    ) -> list[EnqueueResult | RequestError]: ...

    async def sync_customer_type(self, account_id: AccountId, epos_customer_type_id: int) -> EnqueueResult: ...


WebhookObserver = Callable[[str, int], None]
"""Told the object (``customer``, ``customertype``, ``other``) and the status of every delivery."""


class WebhookReceiver:
    """``database_gone``: exceptions that mean the database cannot be asked now; they are answered 503."""

    def __init__(
        self,
        accounts: AccountLookup,
        hints: SyncHints,
        *,
        database_gone: tuple[type[Exception], ...] = (),
        observe: WebhookObserver = lambda _object, _status: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._hints = hints
        self._database_gone = database_gone
        self._observe = observe
        self._clock = clock

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/webhooks/eposnow/{account_id}", self.handle)

    async def handle(self, request: web.Request) -> web.Response:
        kind = request.headers.get("Epos-Object", "").strip().lower()
        try:
            response = await self._receive(request, kind)
        except ResourceExhausted as error:
            response = _answer(429, error.message, {"Retry-After": str(max(round(error.retry_after_seconds or 1), 1))})
        except self._database_gone:
            response = _answer(503, "the database cannot be reached; send it again", {"Retry-After": "5"})
        except NotFound:  # the account went between the check and the hint
            response = _answer(401, "unauthorised")
        except RequestError as error:
            response = _answer(503, error.message, {"Retry-After": "5"})
        self._observe(kind if kind in _ID_KEYS else "other", response.status)
        return response

    async def _receive(self, request: web.Request, kind: str) -> web.Response:
        arrived = self._clock()
        account_id = AccountId(request.match_info["account_id"])
        if not await self._is_authorised(account_id, request.headers.get("Authorization", "")):
            await asyncio.sleep(max(REFUSAL_SECONDS - (self._clock() - arrived), 0))
            return _answer(401, "unauthorised", {"WWW-Authenticate": 'Basic realm="tillsync webhooks", charset="UTF-8"'})
        if not kind:
            return _answer(400, "the Epos-Object header is missing")
        if kind not in _ID_KEYS:
            return web.Response(status=204)
        if request.content_type not in _CONTENT_TYPES:
            return _answer(415, "the trigger's MIME type must be application/json")
        if (request.content_length or 0) > MAX_BODY_BYTES:
            return _too_large()
        try:
            # read piecewise: the limit of the application is the Connect side's
            body = await _read_at_most(request, MAX_BODY_BYTES)
        except (web.RequestPayloadError, asyncio.IncompleteReadError):
            return _answer(400, "the body is cut short or not encoded as it says")
        if body is None:
            return _too_large()
        try:
            ids = subject_ids(body, _ID_KEYS[kind])
        except ValueError as error:
            return _answer(400, str(error))
        await self._queue(account_id, kind, ids)
        return web.Response(status=202)

    async def _queue(self, account_id: AccountId, kind: str, ids: list[int]) -> None:
        """Epos-Action does not matter: the worker reads the customer or type again and does what it finds."""
        if kind == "customertype":
            for type_id in ids:
                await self._hints.sync_customer_type(account_id, type_id)
        elif len(ids) == 1:
            await self._hints.sync_customer(account_id, ids[0])
        else:
            for result in await self._hints.sync_customers(account_id, ids, Priority.LIVE):
                if isinstance(result, RequestError):
                    raise result  # some may be queued already: sent again, they coalesce

    async def _is_authorised(self, account_id: AccountId, header: str) -> bool:
        """The same steps for an unknown account, one without webhook credentials, and a wrong pair."""
        try:
            epos = (await self._accounts.get(account_id)).epos if is_slug(account_id) else EposSettings()
        except NotFound:
            epos = EposSettings()
        key, secret = epos.webhook_key, epos.webhook_secret
        given = _basic_pair(header)
        expected = f"{key}:{secret}".encode()
        equal = hmac.compare_digest(_digest(expected if given is not None else b""), _digest(given or b"\0"))
        return equal and bool(key) and bool(secret)


def _digest(value: bytes) -> bytes:
    """Of equal length whatever is compared, so that the length of the credentials does not show either."""
    return hmac.digest(b"webhook", value, "sha256")


def _basic_pair(header: str) -> bytes | None:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic" or len(value) > 4096:
        return None
    try:
        return base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None


def subject_ids(body: bytes, keys: tuple[str, ...]) -> list[int]:
    """The ids a body names: an object (V2 or V4 names, any case), a bare id (deletes), or a list of either. ValueError says why not."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("the body is no JSON") from error
    items = content if isinstance(content, list) else [content]
    if not items or len(items) > MAX_IDS:
        raise ValueError(f"the body must name 1 to {MAX_IDS} objects")
    return list(dict.fromkeys(_subject_id(item, keys) for item in items))


def _subject_id(item: Any, keys: tuple[str, ...]) -> int:
    if isinstance(item, Mapping):
        by_name = {str(name).lower(): value for name, value in item.items()}
        found = next((by_name[key] for key in keys if by_name.get(key) is not None), None)
        if found is None:
            raise ValueError(f"the body has none of the keys {', '.join(keys)}")
    else:
        found = item
    if isinstance(found, str) and found.strip().isascii() and found.strip().isdigit() and len(found) <= 20:
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 < found <= _LARGEST_ID:
        raise ValueError("the id must be a whole number greater than 0")
    return found


async def _read_at_most(request: web.Request, limit: int) -> bytes | None:
    """None when there is more, counted after decompression."""
    read = bytearray()
    while chunk := await request.content.readany():
        read += chunk
        if len(read) > limit:
            return None
    return bytes(read)


def _too_large() -> web.Response:
    return _answer(413, f"the body is larger than {MAX_BODY_BYTES} bytes")


def _answer(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=text + "\n", headers=headers)
