"""Sends requests to the shop: finds an address form and method that pass, signs, classifies errors and retries reads."""

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
from tillsync_server.adapters.woo.pages import login_redirect_error
from tillsync_server.adapters.woo.refusals import error_of, has_no_rest, is_method_refused, is_no_route
from tillsync_server.adapters.woo.rest_address import RestForm, rest_url
from tillsync_server.adapters.woo.rest_answers import AnswerCheck, json_or_none, read_data, wp_error_in
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
AnswerListener = Callable[[str, StrayOutput | None], Awaitable[None]]
_IDS_AT_END = re.compile(r"(/\d+)+\Z")

INDEX_QUERY = "_fields=namespaces"
"""Limits the index to its namespaces. The whole index of a site with many plugins has megabytes."""
_OFTEN_REFUSED_METHODS = ("PUT", "DELETE")


def is_index(value: Any) -> bool:
    """Whether a value is the index of WordPress's REST API."""
    return isinstance(value, dict) and "namespaces" in value


def _plain_permalinks_error() -> Misaddressed:
    remedy = "choose another kind under Settings → Permalinks, or connect the tillsync bridge plugin"
    finding = "the permalinks of the shop are plain, and with these WooCommerce knows no consumer keys"
    return Misaddressed(Side.SHOP, f"{finding}: {remedy}", remedy=remedy)


def _is_worth_retrying(error: BaseException) -> bool:
    # A Retry-After is longer than the retry time of this adapter, so the entry is postponed instead.
    return isinstance(error, Unreachable | Unanswered | ServerFailure) and not error.retry_after_seconds


@dataclass(frozen=True, slots=True)
class NoOpWrite:
    """A write that changes nothing and that a shop always answers. It shows whether a failure concerns one content or all requests.

    ``is_expected`` recognises the envelope of its answer.
    """

    route: str
    content: Any
    is_expected: AnswerCheck


class ShopRequests:
    """Requests to the shop of one account, with the account's credentials."""

    def __init__(
        self,
        http: HttpClient,
        settings: WooAdapterSettings,
        base_url: str,
        signer: RequestSigner,
        knowledge: SiteKnowledge,
        sleep: Sleep = asyncio.sleep,
        on_answer: AnswerListener | None = None,
        gate: RequestGate | None = None,
    ) -> None:
        """``on_answer`` is called for every success, with the route and the stray output around its data."""
        self._http = http
        self._settings = settings
        self._base_url = base_url
        self._signer = signer
        self._knowledge = knowledge
        self._sleep = sleep
        self._on_answer = on_answer
        self._gate = gate

    async def read(self, route: str, query: str = "", *, is_expected: AnswerCheck) -> Any:
        """Sends a GET, with retries, and returns its JSON. ``is_expected`` recognises it among stray output. Raises UpstreamError."""
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_is_worth_retrying),
            stop=tenacity.stop_after_attempt(self._settings.read_attempts),
            wait=tenacity.wait_exponential_jitter(
                multiplier=self._settings.read_retry_first_wait_seconds, jitter=self._settings.read_retry_first_wait_seconds
            ),
            sleep=self._sleep,
            reraise=True,
        )
        return await retrying(self._read_once, route, query, is_expected)

    async def write(
        self, method: str, route: str, content: Any, permit: WritePermit, *, is_expected: AnswerCheck, no_op: NoOpWrite | None = None
    ) -> Any:
        """Sends a write and returns the JSON of its success. It resends only when the first answer proves that WordPress did not get it.

        ``no_op`` is sent when an answer does not come from the shop. It shows whether the content or the whole shop is affected. So
        one customer's odd name does not stop the shop, and a firewall stops the shop at once instead of failing customer by customer.
        Raises UpstreamError, and what the permit raises.
        """
        try:
            return await self._write(method, route, content, permit, is_expected)
        except (Blocked, Unreadable, Misaddressed) as error:
            if no_op is None or isinstance(error, BridgeMissing):
                raise
            await self._attribute_failure(error, no_op, permit)

    async def _write(self, method: str, route: str, content: Any, permit: WritePermit, is_expected: AnswerCheck) -> Any:
        body = json.dumps(content, separators=(",", ":")).encode()
        answer = await self._send_with_passing_method(method, route, body, permit)
        return await self._read_answer(answer, route, is_expected)

    async def _attribute_failure(self, error: UpstreamError, no_op: NoOpWrite, permit: WritePermit) -> NoReturn:
        """Raises the error of a write after it has sent the no-op write.

        When the no-op write fails too, it raises ``error``, marked as one of the whole side. When it succeeds, the content is the cause:
        it raises Refused, or Unreadable when the first write may have had its effect.
        """
        had_no_effect = error.status is not None and 300 <= error.status < 500
        try:
            await self._write("POST", no_op.route, no_op.content, permit, no_op.is_expected)
        except Refused:
            pass  # WordPress itself answered, so requests reach it.
        except RunInterrupted:
            raise error from None  # The effect of the write is still unknown.
        except UpstreamError as second:
            if had_no_effect and isinstance(second, CredentialsRefused | BridgeMissing | Throttled):
                raise  # The second error is more specific.
            error.is_of_whole_side = True
            raise error from None
        if isinstance(error, Unreadable):
            raise error
        kind = Refused if had_no_effect else Unreadable
        text = f"something before the shop refuses the content of this request, others pass: {error.text}"[:500]
        raise kind(Side.SHOP, text, status=error.status, body_text=error.body_text) from error

    async def _read_once(self, route: str, query: str, is_expected: AnswerCheck) -> Any:
        return await self._read_answer(await self._send_to_working_form("GET", "GET", route, query, None, None), route, is_expected)

    async def _read_answer(self, answer: Answer, route: str, is_expected: AnswerCheck) -> Any:
        error = error_of(answer, self._signer.surface, throttle_pause_seconds=self._settings.throttle_pause_seconds)
        if error is not None:
            raise error
        found = read_data(answer, is_expected)
        if self._on_answer is not None:
            await self._on_answer(_IDS_AT_END.sub("", route), found.stray)
        return found.value

    async def _send_with_passing_method(self, method: str, route: str, body: bytes, permit: WritePermit) -> Answer:
        async def send(sent_method: str) -> Answer:
            return await self._send_to_working_form(sent_method, method, route, "", body, permit)

        if method not in _OFTEN_REFUSED_METHODS:
            return await send(method)
        if self._signer.is_single_use:
            return await send("POST")
        if self._knowledge.tunnels_methods:
            answer = await send("POST")
            if not is_no_route(answer):
                return answer
            self._knowledge.tunnels_methods = False  # An intermediary drops the override now, or the route does not exist.
        answer = await send(method)
        if is_method_refused(answer):
            tunnelled = await send("POST")
            # "No route" for the POST means that an intermediary dropped the override. The first answer then names the cause.
            if not is_method_refused(tunnelled) and not is_no_route(tunnelled):
                self._knowledge.tunnels_methods = True
                return tunnelled
        return answer

    async def _send_to_working_form(
        self, sent_method: str, method: str, route: str, query: str, body: bytes | None, permit: WritePermit | None
    ) -> Answer:
        tried_form = self._knowledge.form
        redirect: Misaddressed | None = None
        answer: Answer | None = None
        try:
            answer = await self._send(tried_form, sent_method, method, route, query, body, permit)
        except Misaddressed as error:
            # With plain permalinks WordPress redirects an address that it takes for a page. It has not executed the request.
            if error.status is None:
                raise
            redirect = error
        if answer is None or (self._lacks_rest(answer, is_read=permit is None) and intermediary_of(answer) is None):
            for form in self._signer.forms:
                if form is not tried_form and await self._has_rest(form):
                    self._knowledge.form = form
                    return await self._send(form, sent_method, method, route, query, body, permit)
            if RestForm.QUERY not in self._signer.forms and await self._has_rest(RestForm.QUERY):
                raise _plain_permalinks_error()
        if answer is None:
            assert redirect is not None
            raise redirect
        return answer

    @staticmethod
    def _lacks_rest(answer: Answer, *, is_read: bool) -> bool:
        return has_no_rest(answer) or (is_read and answer.is_success and answer.is_html)

    async def _has_rest(self, form: RestForm) -> bool:
        """Whether a form of address leads to a REST API. It reads the index, so that no write goes to an unproven address.

        An error object of WordPress is proof as well.
        """
        try:
            answer = await self._send(form, "GET", "GET", "/", INDEX_QUERY, None, None)
        except (Misaddressed, Unreadable):  # A redirect or an oversized page: no REST API here.
            return False
        if not answer.is_success:
            return wp_error_in(answer) is not None
        return is_index(json_or_none(answer, is_index))

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
                    # The web server may be closing a pooled connection, and a write on it would count as unanswered.
                    fresh_connection=permit is not None,
                    secrets=self._signer.secrets,
                )
        except Misaddressed as error:
            # The account needs the address without the route, so the route is removed from the error's text.
            error.text = error.text.replace(form.suffix(route), "")
            error.args = (error.text,)
            if (blocked := login_redirect_error(error)) is not None:
                raise blocked from error
            raise
