"""Receives Epos Now's webhooks: ``POST /webhooks/eposnow/{account_id}`` and ``/webhooks/eposnow/till/{till_id}``.

A delivery is only a hint that something changed at the till: the worker reads it again. A delivery has no signature, event id or time
(docs/epos-now.md#webhooks), so deliveries may be lost, repeated, reordered or echoed. The answer is 202 after the hints are committed, and
hints coalesce.

The till sends to one address for each API device. Each address hints every account of the till that the change concerns. An account's
address accepts the account's credentials. The till's address accepts those of any account that has the till now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from aiohttp import web

from tillsync_server.adapters.http.app import mark_caller_known
from tillsync_server.adapters.http.bodies import BodyTooLarge, BodyTooSlow, BodyUnreadable, UnknownEncoding, read_body
from tillsync_server.adapters.http.webhook_answers import WebhookAnswer, WebhookReason, unauthorised
from tillsync_server.adapters.http.webhook_bodies import MAX_BODY_BYTES, sale_subjects, subject_ids
from tillsync_server.adapters.http.webhook_openers import AccountLookup, Address, WebhookOpeners
from tillsync_server.adapters.http.webhook_refusals import WebhookRefusals
from tillsync_server.adapters.http.webhook_senders import WebhookSenders, address_of
from tillsync_server.application.use_cases.till_hints import Sender
from tillsync_server.domain.errors import NotFound, RequestError, ResourceExhausted
from tillsync_server.ports.wakeups import WakeUps

_ID_KEYS = {"customer": ("customerid", "id"), "customertype": ("customertypeid", "id")}
_SALE = "transaction"
_CONTENT_TYPES = frozenset({"application/json", "text/json"})


class Hints(Protocol):
    """``application.use_cases.till_hints.TillHints``. A method returns the number of accounts after its hints are committed. Raises
    RequestError."""

    async def customers(self, sender: Sender, customer_ids: Sequence[int]) -> int: ...

    async def customer_types(self, sender: Sender, type_ids: Sequence[int]) -> int: ...

    async def sales(self, sender: Sender, transaction_ids: Sequence[int]) -> None: ...


WebhookObserver = Callable[[str, int, WebhookReason], None]
"""Called for every delivery with the object (``customer``, ``customertype``, ``transaction``, ``other``), the status and its reason."""


class WebhookReceiver:
    """Serves the webhook routes. ``database_gone``: exceptions that mean the database does not answer now; the answer is then 503."""

    def __init__(
        self,
        accounts: AccountLookup,
        hints: Hints,
        wakeups: WakeUps,
        *,
        database_gone: tuple[type[Exception], ...] = (),
        observe: WebhookObserver = lambda _object, _status, _reason: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._openers = WebhookOpeners(accounts, wakeups, clock=clock)
        self._senders = WebhookSenders(self._openers)
        self._refusals = WebhookRefusals(clock)
        self._hints = hints
        self._database_gone = database_gone
        self._observe = observe
        self._clock = clock

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/webhooks/eposnow/{account_id}", self.handle)
        router.add_post("/webhooks/eposnow/till/{till_id}", self.handle)

    async def close(self) -> None:
        """Ends its own lookups under way. No delivery may arrive afterwards."""
        await self._openers.close()

    async def handle(self, request: web.Request) -> web.Response:
        given_kind = request.headers.get("Epos-Object", "").strip().lower()
        kind = given_kind if given_kind in _ID_KEYS or given_kind == _SALE else "other"
        try:
            answered = await self._answer(request, given_kind)
        except Exception:
            self._observe(kind, 500, WebhookReason.FAULT)
            raise
        self._observe(kind, answered.status, answered.reason)
        return answered.response

    async def _answer(self, request: web.Request, kind: str) -> WebhookAnswer:
        arrived, address = self._clock(), address_of(request)
        try:
            return await self._receive(address, request, kind)
        except WebhookAnswer as answered:
            if answered.status == 401:
                await self._refusals.wait(address, arrived)
            return answered
        except ResourceExhausted as error:
            retry_after = str(max(round(error.retry_after_seconds or 1), 1))
            return WebhookAnswer(429, "more than can be taken now; send it again", WebhookReason.LIMIT, {"Retry-After": retry_after})
        except self._database_gone:
            text = "the database cannot be reached; send it again"
            return WebhookAnswer(503, text, WebhookReason.DATABASE, {"Retry-After": "5"})
        except NotFound:  # the account was removed between the check and the hint
            return unauthorised(WebhookReason.UNKNOWN_ADDRESS)
        except RequestError:
            return WebhookAnswer(503, "busy; send it again", WebhookReason.BUSY, {"Retry-After": "5"})

    async def _receive(self, address: Address | None, request: web.Request, kind: str) -> WebhookAnswer:
        """Returns after the delivery's hints are committed. Raises WebhookAnswer for every other answer."""
        sender = await self._senders.sender(address, request)
        mark_caller_known(request)
        if not kind:
            raise WebhookAnswer(400, "the Epos-Object header is missing", WebhookReason.NO_OBJECT)
        if kind not in _ID_KEYS and kind != _SALE:
            raise WebhookAnswer(204, "", WebhookReason.OTHER_OBJECT)
        body = await _body_of(request)
        try:
            # Epos-Action is not read: the worker reads the customer or type again and follows its present state
            return await (self._enqueue_sale(sender, body) if kind == _SALE else self._enqueue_subjects(sender, kind, body))
        except ValueError as error:
            raise WebhookAnswer(400, str(error), WebhookReason.BODY) from error

    async def _enqueue_subjects(self, sender: Sender, kind: str, body: bytes) -> WebhookAnswer:
        ids = subject_ids(body, _ID_KEYS[kind])
        woken = await (self._hints.customers if kind == "customer" else self._hints.customer_types)(sender, ids)
        return WebhookAnswer(202, "", WebhookReason.QUEUED if woken else WebhookReason.NOBODY)

    async def _enqueue_sale(self, sender: Sender, body: bytes) -> WebhookAnswer:
        """Hints the sale's customers, whose points and credit may have changed. It is not known whether a sale also sends
        Customer/Update."""
        sold = sale_subjects(body)
        if sold.transaction_ids:
            await self._hints.sales(sender, sold.transaction_ids)
        woken = await self._hints.customers(sender, sold.customer_ids) if sold.customer_ids else 0
        if sold.transaction_ids or woken:
            return WebhookAnswer(202, "", WebhookReason.QUEUED)
        return WebhookAnswer(202, "", WebhookReason.NOBODY) if sold.customer_ids else WebhookAnswer(204, "", WebhookReason.NO_CUSTOMER)


async def _body_of(request: web.Request) -> bytes:
    """Returns the inflated body. Raises WebhookAnswer if it cannot be read."""
    if request.content_type not in _CONTENT_TYPES:
        raise WebhookAnswer(415, "the trigger's MIME type must be application/json", WebhookReason.CONTENT_TYPE)
    try:
        return await read_body(request, MAX_BODY_BYTES)
    except UnknownEncoding as error:
        raise WebhookAnswer(415, "Content-Encoding may be gzip, deflate or identity", WebhookReason.CONTENT_TYPE) from error
    except BodyTooLarge as error:
        raise WebhookAnswer(413, f"the body is larger than {MAX_BODY_BYTES} bytes", WebhookReason.TOO_LARGE) from error
    except BodyTooSlow as error:
        raise WebhookAnswer(408, "the body did not arrive in time; send it again", WebhookReason.CUT_SHORT) from error
    except BodyUnreadable as error:
        raise WebhookAnswer(400, "the body is cut short or not encoded as it says", WebhookReason.CUT_SHORT) from error
