"""From an upstream error to what it means: for this entry, or for the whole account (invariant 8).

Most errors do not say which. A 5xx, a page in place of data, a 404 or a refusal of one read may be about one customer, or about everything.
So the side is probed before the account is paused; and where the answer names a resource, the list of that resource is read, which is known
to be good. Both are asked at most once per few seconds, and shared by all entries in flight.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto

from tillsync_server.application.flows.flow_services import FlowServices
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import Outcome, ProblemReason, Side
from tillsync_server.domain.errors import (
    AllowanceSpent,
    Blocked,
    BridgeMissing,
    CredentialsRefused,
    Misaddressed,
    Missing,
    Refused,
    ServerFailure,
    Throttled,
    Unanswered,
    Unreachable,
    Unreadable,
    UpstreamError,
)
from tillsync_server.domain.verdict import AccountProblem, Verdict
from tillsync_server.ports.shop import ShopClient
from tillsync_server.ports.till import TillClient

_SIDE_NAMES = {Side.TILL: "Epos Now", Side.SHOP: "the shop"}
_CAUSES: tuple[tuple[type[UpstreamError], str], ...] = (
    (Unreachable, "not reached"),
    (Unanswered, "no answer"),
    (Throttled, "request limit"),
    (CredentialsRefused, "credentials refused"),
    (ServerFailure, "server error"),
    (Unreadable, "unreadable answer"),
    (Missing, "not found"),
    (Blocked, "blocked"),
    (Misaddressed, "address or version wrong"),
    (Refused, "refused"),
)


def cause_of(error: UpstreamError) -> str:
    """The cause in plain words: ``not reached: DNS``, ``refused field: phone``."""
    if isinstance(error, Refused) and error.field:
        if error.text.casefold().startswith("refused field"):
            return error.text
        return f"refused field: {error.field}" + (f" ({error.text})" if error.text else "")
    phrase = next((text for kind, text in _CAUSES if isinstance(error, kind)), "failed")
    if not error.text:
        return phrase if error.status is None else f"{phrase}: HTTP {error.status}"
    return error.text if error.text.casefold().startswith(phrase) else f"{phrase}: {error.text}"


def type_comment(error: UpstreamError) -> str:
    """The comment of TYPE_REQUEST_FAILED: the response's own text, else its status, else the transport error."""
    if error.body_text:
        return error.body_text
    if isinstance(error, Refused) and error.status is None:
        return error.text  # refused on this side, before anything was sent
    return f"HTTP {error.status} (no text)" if error.status is not None else cause_of(error)


def effect_unknown(error: UpstreamError) -> bool:
    """The request may have had its effect: only then does a shop write clear the hash."""
    if isinstance(error, Blocked):  # a page with a success or a 5xx may stand in the place of the shop's own answer
        return error.status is None or not 300 <= error.status < 500
    return isinstance(error, Unanswered | Unreadable | ServerFailure)


class _Asked(Enum):
    """What is asked of a side to see whether it answers."""

    PROBE = auto()
    CUSTOMERS = auto()
    """The resource whose list is read; of the shop, what only valid credentials get."""
    TYPES = auto()


@dataclass(slots=True)
class _Probe:
    asked_at: float
    error: UpstreamError | None


_ASKED_NAMES = {_Asked.PROBE: "its status check", _Asked.CUSTOMERS: "its list of customers", _Asked.TYPES: "its list of customer types"}


class FailureClassifier:
    """One per lease and configuration."""

    def __init__(self, services: FlowServices, account: Account, till: Callable[[], TillClient], shop: Callable[[], ShopClient]) -> None:
        """``till``, ``shop``: make or find the client when a probe needs it; may raise UpstreamError where credentials are missing."""
        self._services = services
        self._account = account
        self._till = till
        self._shop = shop
        self._locks: dict[tuple[Side, _Asked], asyncio.Lock] = {}
        self._probes: dict[tuple[Side, _Asked], _Probe] = {}

    async def classify_error(
        self, error: UpstreamError, outcome: Outcome, stage: str, *, comment: str | None = None, refusal_is_final: bool = False
    ) -> Verdict:
        """``stage``: what was being done, as the note begins ("reading the customer from Epos Now").

        ``refusal_is_final``: a refused write ends the entry at once; a refused read is tried again while attempts remain.
        """
        note = f"{stage}: {cause_of(error)}"
        # invariant: a-spent-allowance-charges-nobody
        if isinstance(error, AllowanceSpent):
            return self._waits_for_allowance(error, outcome, note, comment)
        # invariant: account-problems-are-probed-first
        if _is_certain(error, is_write=refusal_is_final):
            return self._paused(_reason(error) or ProblemReason.UNREACHABLE, outcome, error, error, comment, note)
        error.forget_frames()  # the probe may take as long as the request did
        failed = await self._also_failed(error, _resource_of(outcome))
        if failed is not None and isinstance(failed[1], AllowanceSpent):  # it was never sent, so nothing is known of the side
            return self._waits_for_allowance(failed[1], outcome, note, comment)
        if failed is not None:
            also = f"{_SIDE_NAMES[error.side]}: {_ASKED_NAMES[failed[0]]} fails too"
            if cause_of(failed[1]) != cause_of(error):
                also += f" ({cause_of(failed[1])})"
            reason = _reason(failed[1]) or _reason(error) or ProblemReason.UNREACHABLE
            return self._paused(reason, outcome, error, failed[1], comment, note, also)
        if isinstance(error, Refused) and refusal_is_final:
            return _with_upstream(Verdict.failed(outcome, note, comment=comment), error)
        alone = [f"{_SIDE_NAMES[error.side]} answers other requests: only this entry meets it"] if _reason(error) is not None else []
        answered = frozenset({error.side}) if _needs_probe(error) else frozenset[Side]()
        return replace(_with_upstream(Verdict.retry(outcome, note, *alone, comment=comment), error), sides_answered=answered)

    def _waits_for_allowance(self, error: AllowanceSpent, outcome: Outcome, note: str, comment: str | None) -> Verdict:
        """Nothing was sent, and others of the account need no request, or go first: only this entry comes again."""
        again = self._services.now() + timedelta(seconds=error.retry_after_seconds or 0.0)
        verdict = Verdict.postponed(outcome, note, not_before=again, side=error.side)
        return verdict if comment is None else replace(verdict, comment=comment)

    async def is_account_wide(self, error: UpstreamError) -> bool:
        """Everybody in the lane would meet it. Probes the side where the error does not say so by itself."""
        return _is_certain(error, is_write=False) or await self._also_failed(error, _Asked.CUSTOMERS) is not None

    async def _also_failed(self, error: UpstreamError, resource: _Asked) -> tuple[_Asked, UpstreamError] | None:
        """What else fails of the side, where ``error`` leaves it open whose failure it is. None: it is the entry's own."""
        if not _needs_probe(error):
            return None
        if (failed := await self.probe(error.side)) is not None:
            return _Asked.PROBE, failed
        if isinstance(error, ServerFailure | Unanswered) or (error.side is Side.SHOP and self._account.shop.has_bridge):
            return None  # a bridge's probe is signed as everything else, and the only read there is
        listed = await self._ask(error.side, resource)
        return None if listed is None else (resource, listed)

    async def probe(self, side: Side) -> UpstreamError | None:
        """None: the side answers. Single-flight, and reused for ``probe_reuse_seconds``."""
        return await self._ask(side, _Asked.PROBE)

    async def _ask(self, side: Side, asked: _Asked) -> UpstreamError | None:
        key = side, asked
        async with self._locks.setdefault(key, asyncio.Lock()):
            known = self._probes.get(key)
            if known is not None and self._services.clock() - known.asked_at < self._services.settings.probe_reuse_seconds:
                return known.error
            failed: UpstreamError | None = None
            try:
                await (self._ask_till(asked) if side is Side.TILL else self._ask_shop(asked))
            except UpstreamError as error:
                error.forget_frames()
                failed = error
            self._probes[key] = _Probe(self._services.clock(), failed)
            return failed

    async def _ask_till(self, asked: _Asked) -> None:
        till = self._till()
        match asked:
            case _Asked.PROBE:
                await till.probe()
            case _Asked.CUSTOMERS:
                (await till.list_customers(1)).check()
            case _Asked.TYPES:
                await till.list_customer_types()

    async def _ask_shop(self, asked: _Asked) -> None:
        shop = self._shop()
        await (shop.probe() if asked is _Asked.PROBE else shop.check_access())

    def missing_settings(self, side: Side, outcome: Outcome, *, comment: str | None = None) -> Verdict | None:
        """The account problem when what the flow needs of ``side`` is not set; None when it is all there."""
        epos, shop = self._account.epos, self._account.shop
        if side is Side.TILL:
            needed = [("epos.base_url", epos.base_url), ("epos.api_key", epos.api_key), ("epos.api_secret", epos.api_secret)]
        else:
            needed = [("shop.base_url", shop.base_url)]
            if not shop.has_bridge:
                needed += [("shop.consumer_key", shop.consumer_key), ("shop.consumer_secret", shop.consumer_secret)]
        missing = [name for name, value in needed if not value]
        if not missing:
            return None
        text = f"settings incomplete: set {', '.join(missing)} of the account"
        problem = AccountProblem(reason=ProblemReason.SETTINGS_INCOMPLETE, side=side, text=text)
        return Verdict.paused(outcome, problem, text, comment=text if comment is None and not _has_comment(outcome) else comment)

    def _paused(
        self, reason: ProblemReason, outcome: Outcome, error: UpstreamError, cause: UpstreamError, comment: str | None, *notes: str
    ) -> Verdict:
        retry_after = max(error.retry_after_seconds or 0.0, cause.retry_after_seconds or 0.0) or None
        told = cause if isinstance(cause, Blocked) and not isinstance(error, Blocked) else error  # its remedy is the one that helps
        text = f"{_SIDE_NAMES[error.side]}: {cause_of(told)}"
        if reason is ProblemReason.BRIDGE_MISSING:
            text = f"the shop's tillsync plugin does not answer: {cause_of(error)}"
        problem = AccountProblem(reason=reason, side=error.side, text=text, retry_after_seconds=retry_after)
        return _with_upstream(Verdict.paused(outcome, problem, *notes, comment=comment), error)


def _is_certain(error: UpstreamError, *, is_write: bool) -> bool:
    """The error says by itself that everybody meets it. The shop refuses keys in WordPress' own words. A till may refuse one customer or
    one search; the address of its creates names nobody."""
    match error:
        case AllowanceSpent():
            return False
        case Unreachable() | Throttled() | BridgeMissing():
            return True
        case CredentialsRefused():
            return error.side is Side.SHOP or is_write or error.status is None
        case Misaddressed() if error.status is None:
            return True  # nothing was sent: the address itself cannot be used
        case Blocked():
            return error.is_of_whole_side
        case Misaddressed() | Missing() if error.side is Side.TILL and is_write:
            return True
        case _:
            return error.is_of_whole_side


def _needs_probe(error: UpstreamError) -> bool:
    """The error may be the entry's or everybody's."""
    match error:
        case Unreadable():
            return error.field is None  # else one row has something wrong in it
        case ServerFailure() | Unanswered() | Misaddressed() | Missing() | CredentialsRefused():
            return True
        case _:
            return False


def _reason(error: UpstreamError) -> ProblemReason | None:
    match error:
        case Unreachable() | Blocked():
            return ProblemReason.UNREACHABLE
        case CredentialsRefused():
            return ProblemReason.CREDENTIALS_REFUSED
        case AllowanceSpent():
            return None
        case Throttled():
            return ProblemReason.THROTTLED
        case BridgeMissing():
            return ProblemReason.BRIDGE_MISSING
        case Misaddressed() | Missing():
            return ProblemReason.WRONG_ADDRESS
        case _:
            return None


def _resource_of(outcome: Outcome) -> _Asked:
    return _Asked.TYPES if outcome is Outcome.TYPE_REQUEST_FAILED else _Asked.CUSTOMERS


def _has_comment(outcome: Outcome) -> bool:
    return outcome is not Outcome.TYPE_REQUEST_FAILED


def _with_upstream(verdict: Verdict, error: UpstreamError) -> Verdict:
    return replace(verdict, side=error.side, upstream_status=error.status, retry_after_seconds=error.retry_after_seconds)
