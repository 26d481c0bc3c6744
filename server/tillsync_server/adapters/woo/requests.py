"""One request to the shop: address form found, method let through, signed, errors sorted; reads tried again when seconds can help."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NoReturn

import tenacity

from tillsync_server.adapters.http_client import Answer, HttpClient, intermediary_of
from tillsync_server.adapters.woo.pages import login_in_place_of
from tillsync_server.adapters.woo.refusals import error_of, is_method_refused, is_no_route, is_rest_absent
from tillsync_server.adapters.woo.rest_address import RestForm, rest_url
from tillsync_server.adapters.woo.rest_answers import IsOurs, data_of, error_object, json_of
from tillsync_server.adapters.woo.settings import WooAdapterSettings
from tillsync_server.adapters.woo.signing import RequestSigner
from tillsync_server.adapters.woo.site_knowledge import SiteKnowledge
from tillsync_server.domain.account_warnings import StrayOutput
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import (
    Blocked,
    BridgeMissing,
    CredentialsRefused,
    Misaddressed,
    Refused,
    RunInterrupted,
    ServerFailure,
    Throttled,
    Unanswered,
    Unreachable,
    Unreadable,
    UpstreamError,
)
from tillsync_server.ports.request_gate import RequestGate
from tillsync_server.ports.till import WritePermit

Sleep = Callable[[float], Awaitable[None]]
Heard = Callable[[str, StrayOutput | None], Awaitable[None]]
_ID_AT_END = re.compile(r"/\d+\Z")

INDEX_QUERY = "_fields=namespaces"
"""The whole index of a site with many plugins is megabytes."""
_OFTEN_REFUSED = ("PUT", "DELETE")


def is_index(value: Any) -> bool:
    """WordPress's own index of its REST API."""
    return isinstance(value, dict) and "namespaces" in value


def _plain_permalinks() -> Misaddressed:
    remedy = "choose another kind under Settings → Permalinks, or connect the tillsync bridge plugin"
    finding = "the permalinks of the shop are plain, and with these WooCommerce knows no consumer keys"
    return Misaddressed(Side.SHOP, f"{finding}: {remedy}", remedy=remedy)


def _worth_another_try(error: BaseException) -> bool:
    # A Retry-After is longer than the seconds that are spent here: the queue waits for it instead.
    return isinstance(error, Unreachable | Unanswered | ServerFailure) and not error.retry_after_seconds


@dataclass(frozen=True, slots=True)
class Harmless:
    """A write that changes nothing, and that a shop answers whatever is in it: it shows whether a failure is one content's or everybody's.
    ``ours``: knows its answer's envelope."""

    route: str
    content: Any
    ours: IsOurs


class ShopRequests:
    """One shop, as one account may speak to it."""

    def __init__(
        self,
        http: HttpClient,
        settings: WooAdapterSettings,
        base_url: str,
        signer: RequestSigner,
        knowledge: SiteKnowledge,
        sleep: Sleep = asyncio.sleep,
        heard: Heard | None = None,
        gate: RequestGate | None = None,
    ) -> None:
        """``heard``: told of every success, with the route asked and what stood around its data."""
        self._http = http
        self._settings = settings
        self._base_url = base_url
        self._signer = signer
        self._knowledge = knowledge
        self._sleep = sleep
        self._heard = heard
        self._gate = gate

    async def read(self, route: str, query: str = "", *, ours: IsOurs) -> Any:
        """The JSON of a GET, with retries. ``ours``: knows the answer's envelope among stray output. Raises UpstreamError."""
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_worth_another_try),
            stop=tenacity.stop_after_attempt(self._settings.read_attempts),
            wait=tenacity.wait_exponential_jitter(
                multiplier=self._settings.read_retry_first_wait_seconds, jitter=self._settings.read_retry_first_wait_seconds
            ),
            sleep=self._sleep,
            reraise=True,
        )
        return await retrying(self._read_once, route, query, ours)

    async def write(
        self, method: str, route: str, content: Any, permit: WritePermit, *, ours: IsOurs, harmless: Harmless | None = None
    ) -> Any:
        """The JSON of a success. Sent again only where the first answer proves that it did not reach WordPress. Raises UpstreamError.

        ``harmless``: sent where the answer does not come from the shop. It decides whose failure that is, so that one customer's odd name
        does not stop the shop, and a firewall before the shop is not met customer by customer.
        """
        try:
            return await self._write(method, route, content, permit, ours)
        except (Blocked, Unreadable, Misaddressed) as error:
            if harmless is None or isinstance(error, BridgeMissing):
                raise
            await self._blame(error, harmless, permit)

    async def _write(self, method: str, route: str, content: Any, permit: WritePermit, ours: IsOurs) -> Any:
        body = json.dumps(content, separators=(",", ":")).encode()
        answer = await self._by_a_method_that_passes(method, route, body, permit)
        return await self._data(answer, route, ours)

    async def _blame(self, error: UpstreamError, harmless: Harmless, permit: WritePermit) -> NoReturn:
        """Raises ``error``, marked where the harmless write fails too. Where that one passes, the content is at fault: Refused, or
        Unreadable where the write may have had its effect."""
        had_no_effect = error.status is not None and 300 <= error.status < 500
        try:
            await self._write("POST", harmless.route, harmless.content, permit, harmless.ours)
        except Refused:
            pass  # in WordPress' own words: it gets through
        except RunInterrupted:
            raise error from None  # what the write did is as unknown as before
        except UpstreamError as second:
            if had_no_effect and isinstance(second, CredentialsRefused | BridgeMissing | Throttled):
                raise  # it says more
            error.is_of_whole_side = True
            raise error from None
        if isinstance(error, Unreadable):
            raise error
        kind = Refused if had_no_effect else Unreadable
        text = f"something before the shop refuses the content of this request, others pass: {error.text}"[:500]
        raise kind(Side.SHOP, text, status=error.status, body_text=error.body_text) from error

    async def _read_once(self, route: str, query: str, ours: IsOurs) -> Any:
        return await self._data(await self._at_an_address_that_answers("GET", "GET", route, query, None, None), route, ours)

    async def _data(self, answer: Answer, route: str, ours: IsOurs) -> Any:
        error = error_of(answer, self._signer.surface, throttle_pause_seconds=self._settings.throttle_pause_seconds)
        if error is not None:
            raise error
        found = data_of(answer, ours)
        if self._heard is not None:
            await self._heard(_ID_AT_END.sub("", route), found.stray)
        return found.value

    async def _by_a_method_that_passes(self, method: str, route: str, body: bytes, permit: WritePermit) -> Answer:
        async def send(sent_method: str) -> Answer:
            return await self._at_an_address_that_answers(sent_method, method, route, "", body, permit)

        if method not in _OFTEN_REFUSED:
            return await send(method)
        if self._signer.is_single_use:
            return await send("POST")
        if self._knowledge.tunnels_methods:
            answer = await send("POST")
            if not is_no_route(answer):
                return answer
            self._knowledge.tunnels_methods = False  # the override no longer gets through, if the route is there at all
        answer = await send(method)
        if is_method_refused(answer):
            tunnelled = await send("POST")
            # No route for a POST: the override was dropped on the way, and the first answer is the one that names the cause.
            if not is_method_refused(tunnelled) and not is_no_route(tunnelled):
                self._knowledge.tunnels_methods = True
                return tunnelled
        return answer

    async def _at_an_address_that_answers(
        self, sent_method: str, method: str, route: str, query: str, body: bytes | None, permit: WritePermit | None
    ) -> Answer:
        tried = self._knowledge.form
        redirect: Misaddressed | None = None
        answer: Answer | None = None
        try:
            answer = await self._send(tried, sent_method, method, route, query, body, permit)
        except Misaddressed as error:
            # With plain permalinks WordPress itself redirects what it takes for the address of a page: the request was not carried out.
            if error.status is None:
                raise
            redirect = error
        if answer is None or (self._is_no_rest(answer, is_read=permit is None) and intermediary_of(answer) is None):
            for form in self._signer.forms:
                if form is not tried and await self._has_rest(form):
                    self._knowledge.form = form
                    return await self._send(form, sent_method, method, route, query, body, permit)
            if RestForm.QUERY not in self._signer.forms and await self._has_rest(RestForm.QUERY):
                raise _plain_permalinks()
        if answer is None:
            assert redirect is not None
            raise redirect
        return answer

    @staticmethod
    def _is_no_rest(answer: Answer, *, is_read: bool) -> bool:
        return is_rest_absent(answer) or (is_read and answer.is_success and answer.is_html)

    async def _has_rest(self, form: RestForm) -> bool:
        """By a read of the index, so that no write goes to an address where a REST API is only suspected. A refusal in WordPress's
        words is proof as well."""
        try:
            answer = await self._send(form, "GET", "GET", "/", INDEX_QUERY, None, None)
        except (Misaddressed, Unreadable):  # a redirect, an endless page: not here
            return False
        if not answer.is_success:
            return error_object(answer) is not None
        return is_index(json_of(answer, is_index))

    async def _send(
        self, form: RestForm, sent_method: str, method: str, route: str, query: str, body: bytes | None, permit: WritePermit | None
    ) -> Answer:
        url, headers = self._signer.sign(
            rest_url(self._base_url, form, route, query), sent_method=sent_method, method=method, route=route, body=body or b""
        )
        headers["Accept"] = "application/json"
        if body is not None:
            headers["Content-Type"] = "application/json"
        if sent_method != method:
            headers["X-HTTP-Method-Override"] = method
        try:
            async with self._gate.request() if self._gate is not None else nullcontext():
                return await self._http.request(
                    Side.SHOP,
                    sent_method,
                    url,
                    headers=headers,
                    body=body,
                    timeout_seconds=self._settings.timeout_seconds,
                    # invariant: shop-writes-need-a-permit
                    permit=permit,
                    # A write on a connection that the web server is just closing would count as unanswered.
                    fresh_connection=permit is not None,
                    secrets=self._signer.secrets,
                )
        except Misaddressed as error:
            # The right address without our route behind it is what has to be entered in the account.
            error.text = error.text.replace(form.suffix(route), "")
            error.args = (error.text,)
            if (blocked := login_in_place_of(error)) is not None:
                raise blocked from error
            raise
