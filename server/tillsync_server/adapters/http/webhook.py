"""``POST /webhooks/eposnow/{account_id}``: Epos Now says that something changed. Only a hint: the worker reads it again.

A delivery has no signature, event id or time (eposnow-api section 4): assume loss, repetition, reordering and echo. It is answered 202
after the hint is committed, and the hint coalesces.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from aiohttp import web

from tillsync_server.adapters.http.webhook_bodies import MAX_BODY_BYTES, read_at_most, subject_ids
from tillsync_server.adapters.http.webhook_credentials import basic_pair, opens
from tillsync_server.application.use_cases.account_fields import is_slug
from tillsync_server.domain.account import Account, EposSettings
from tillsync_server.domain.errors import NotFound, RequestError, ResourceExhausted
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.vocabulary import Priority
from tillsync_server.ports.lanes import EnqueueResult

REFUSAL_SECONDS = 0.1
"""Every 401 is answered so long after its arrival: whether the account exists cannot be told by the time it takes."""
_ID_KEYS = {"customer": ("customerid", "id"), "customertype": ("customertypeid", "id")}
_CONTENT_TYPES = frozenset({"application/json", "text/json"})


class WebhookReason(StrEnum):
    """Why a delivery got its answer. Label ``reason`` of the metric, never told to the sender."""

    QUEUED = "queued"
    OTHER_OBJECT = "other_object"
    """204: not a customer, not a customer type."""
    NO_OBJECT = "no_object"
    """400: without the header Epos-Object."""
    BODY = "body"
    """400: no JSON, or it names no id."""
    CUT_SHORT = "cut_short"
    """400: the body ends early, or is not encoded as it says."""
    TOO_LARGE = "too_large"
    CONTENT_TYPE = "content_type"
    UNKNOWN_ADDRESS = "unknown_address"
    """401: there is no such account."""
    NOT_SET_UP = "not_set_up"
    """401: the account has no webhook credentials."""
    NO_CREDENTIALS = "no_credentials"
    """401: without Basic credentials, or not readable as such."""
    WRONG_CREDENTIALS = "wrong_credentials"
    LIMIT = "limit"
    """429: the account has too many waiting entries, or sends too fast."""
    BUSY = "busy"
    """503: the account's lane is locked for long."""
    DATABASE = "database"
    """503: the database cannot be reached."""
    FAULT = "fault"
    """500: a fault of this service; its log says which."""


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


WebhookObserver = Callable[[str, int, WebhookReason], None]
"""Told of every delivery the object (``customer``, ``customertype``, ``other``), the status, and why."""


class _Answered(Exception):
    """The delivery is answered with ``response`` for ``reason``."""

    def __init__(self, status: int, text: str, reason: WebhookReason, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.reason = status, reason
        self.response = web.Response(status=status, text=text + "\n" if text else None, headers=headers)


class WebhookReceiver:
    """``database_gone``: exceptions that mean the database cannot be asked now; they are answered 503."""

    def __init__(
        self,
        accounts: AccountLookup,
        hints: SyncHints,
        *,
        database_gone: tuple[type[Exception], ...] = (),
        observe: WebhookObserver = lambda _object, _status, _reason: None,
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
        given_kind = request.headers.get("Epos-Object", "").strip().lower()
        kind = given_kind if given_kind in _ID_KEYS else "other"
        try:
            answered = await self._answer(request, given_kind)
        except Exception:
            self._observe(kind, 500, WebhookReason.FAULT)
            raise
        self._observe(kind, answered.status, answered.reason)
        return answered.response

    async def _answer(self, request: web.Request, kind: str) -> _Answered:
        arrived = self._clock()
        try:
            await self._receive(request, kind)
        except _Answered as answered:
            if answered.status == 401:
                await asyncio.sleep(max(REFUSAL_SECONDS - (self._clock() - arrived), 0))
            return answered
        except ResourceExhausted as error:
            again = str(max(round(error.retry_after_seconds or 1), 1))
            return _Answered(429, error.message, WebhookReason.LIMIT, {"Retry-After": again})
        except self._database_gone:
            text = "the database cannot be reached; send it again"
            return _Answered(503, text, WebhookReason.DATABASE, {"Retry-After": "5"})
        except NotFound:  # the account went between the check and the hint
            return _unauthorised(WebhookReason.UNKNOWN_ADDRESS)
        except RequestError as error:
            return _Answered(503, error.message, WebhookReason.BUSY, {"Retry-After": "5"})
        return _Answered(202, "", WebhookReason.QUEUED)

    async def _receive(self, request: web.Request, kind: str) -> None:
        """Returns when what the delivery says is committed. Raises _Answered for every other answer that is decided here."""
        account_id = AccountId(request.match_info["account_id"])
        await self._require_credentials(account_id, request.headers.get("Authorization", ""))
        if not kind:
            raise _Answered(400, "the Epos-Object header is missing", WebhookReason.NO_OBJECT)
        if kind not in _ID_KEYS:
            raise _Answered(204, "", WebhookReason.OTHER_OBJECT)
        body = await _body_of(request)
        try:
            ids = subject_ids(body, _ID_KEYS[kind])
        except ValueError as error:
            raise _Answered(400, str(error), WebhookReason.BODY) from error
        await self._queue(account_id, kind, ids)

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

    async def _require_credentials(self, account_id: AccountId, header: str) -> None:
        """The same steps for an unknown account, one without webhook credentials, and a wrong pair."""
        known = True
        try:
            epos = (await self._accounts.get(account_id)).epos if is_slug(account_id) else EposSettings()
        except NotFound:
            epos, known = EposSettings(), False
        given = basic_pair(header)
        if opens(given, epos):
            return
        if not known or not is_slug(account_id):
            raise _unauthorised(WebhookReason.UNKNOWN_ADDRESS)
        if not epos.webhook_key or not epos.webhook_secret:
            raise _unauthorised(WebhookReason.NOT_SET_UP)
        raise _unauthorised(WebhookReason.NO_CREDENTIALS if given is None else WebhookReason.WRONG_CREDENTIALS)


async def _body_of(request: web.Request) -> bytes:
    """Raises _Answered for a body that is not read."""
    if request.content_type not in _CONTENT_TYPES:
        raise _Answered(415, "the trigger's MIME type must be application/json", WebhookReason.CONTENT_TYPE)
    body = None
    if (request.content_length or 0) <= MAX_BODY_BYTES:
        try:
            # read piecewise: the limit of the application is the Connect side's
            body = await read_at_most(request, MAX_BODY_BYTES)
        except (web.RequestPayloadError, asyncio.IncompleteReadError) as error:
            raise _Answered(400, "the body is cut short or not encoded as it says", WebhookReason.CUT_SHORT) from error
    if body is None:
        raise _Answered(413, f"the body is larger than {MAX_BODY_BYTES} bytes", WebhookReason.TOO_LARGE)
    return body


def _unauthorised(reason: WebhookReason) -> _Answered:
    return _Answered(401, "unauthorised", reason, {"WWW-Authenticate": 'Basic realm="tillsync webhooks", charset="UTF-8"'})
