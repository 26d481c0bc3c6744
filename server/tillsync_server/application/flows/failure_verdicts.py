"""Decides whether an upstream error concerns one entry or the whole account (invariant 8).

Most errors do not tell. A 5xx, a page in place of data, a 404 or a refusal of one read may concern one customer or all requests. So the
side is probed before the account is paused. If the answer is about one resource, the list of that resource is read too, which is known to
work. All entries in flight share both checks, which are made at most once per few seconds.
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
    """Returns the cause in plain words, like ``not reached: DNS`` or ``refused field: phone``."""
    if isinstance(error, Refused) and error.field:
        if error.text.casefold().startswith("refused field"):
            return error.text
        return f"refused field: {error.field}" + (f" ({error.text})" if error.text else "")
    phrase = next((text for kind, text in _CAUSES if isinstance(error, kind)), "failed")
    if not error.text:
        return phrase if error.status is None else f"{phrase}: HTTP {error.status}"
    return error.text if error.text.casefold().startswith(phrase) else f"{phrase}: {error.text}"


def type_comment(error: UpstreamError) -> str:
    """Returns the comment of TYPE_REQUEST_FAILED: the text of the response, else its status, else the transport error."""
    if error.body_text:
        return error.body_text
    if isinstance(error, Refused) and error.status is None:
        return error.text  # refused by this service before a request was sent
    return f"HTTP {error.status} (no text)" if error.status is not None else cause_of(error)


def effect_unknown(error: UpstreamError) -> bool:
    """True if the request may have had its effect. Only then does a shop write clear the hash."""
    if isinstance(error, Blocked):  # a page with a success or a 5xx may replace the answer of the shop
        return error.status is None or not 300 <= error.status < 500
    return isinstance(error, Unanswered | Unreadable | ServerFailure)


class _Check(Enum):
    """The request that checks whether a side works."""

    PROBE = auto()
    CUSTOMERS = auto()
    """The list of customers; at the shop, a request that only valid credentials may make."""
    TYPES = auto()


@dataclass(slots=True)
class _CheckResult:
    checked_at: float
    error: UpstreamError | None


_CHECK_NAMES = {_Check.PROBE: "its status check", _Check.CUSTOMERS: "its list of customers", _Check.TYPES: "its list of customer types"}


class FailureClassifier:
    """One per lease and configuration."""

    def __init__(self, services: FlowServices, account: Account, till: Callable[[], TillClient], shop: Callable[[], ShopClient]) -> None:
        """``till``, ``shop``: return the client when a check needs it. They may raise UpstreamError if credentials are missing."""
        self._services = services
        self._account = account
        self._till = till
        self._shop = shop
        self._locks: dict[tuple[Side, _Check], asyncio.Lock] = {}
        self._results: dict[tuple[Side, _Check], _CheckResult] = {}

    async def classify_error(
        self, error: UpstreamError, outcome: Outcome, stage: str, *, comment: str | None = None, refusal_is_final: bool = False
    ) -> Verdict:
        """``stage``: the step that failed, with which the note begins ("reading the customer from Epos Now").

        ``refusal_is_final``: a refused write ends the entry at once. A refused read is retried while attempts remain.
        """
        note = f"{stage}: {cause_of(error)}"
        # invariant: a-spent-allowance-charges-nobody
        if isinstance(error, AllowanceSpent):
            return self._waits_for_allowance(error, outcome, note, comment)
        # invariant: account-problems-are-probed-first
        if _is_certainly_account_wide(error, is_write=refusal_is_final):
            return self._paused(_reason(error) or ProblemReason.UNREACHABLE, outcome, error, error, comment, note)
        error.forget_frames()  # the probe may take as long as the request did
        failed = await self._failing_check(error, _resource_of(outcome))
        if failed is not None and isinstance(failed[1], AllowanceSpent):  # the check was never sent, so it tells nothing about the side
            return self._waits_for_allowance(failed[1], outcome, note, comment)
        if failed is not None:
            also = f"{_SIDE_NAMES[error.side]}: {_CHECK_NAMES[failed[0]]} fails too"
            if cause_of(failed[1]) != cause_of(error):
                also += f" ({cause_of(failed[1])})"
            reason = _reason(failed[1]) or _reason(error) or ProblemReason.UNREACHABLE
            return self._paused(reason, outcome, error, failed[1], comment, note, also)
        if isinstance(error, Refused) and refusal_is_final:
            return _with_upstream(Verdict.failed(outcome, note, comment=comment), error)
        own_note = [f"{_SIDE_NAMES[error.side]} answers other requests: only this entry meets it"] if _reason(error) is not None else []
        answered = frozenset({error.side}) if _needs_probe(error) else frozenset[Side]()
        return replace(_with_upstream(Verdict.retry(outcome, note, *own_note, comment=comment), error), sides_answered=answered)

    def _waits_for_allowance(self, error: AllowanceSpent, outcome: Outcome, note: str, comment: str | None) -> Verdict:
        """Postpones this entry alone. Nothing was sent, and the account's other entries may need no request or go first."""
        again = self._services.now() + timedelta(seconds=error.retry_after_seconds or 0.0)
        verdict = Verdict.postponed(outcome, note, not_before=again, side=error.side)
        return verdict if comment is None else replace(verdict, comment=comment)

    async def is_account_wide(self, error: UpstreamError) -> bool:
        """True if every entry of the lane would get this error. Probes the side if the error alone does not tell."""
        return _is_certainly_account_wide(error, is_write=False) or await self._failing_check(error, _Check.CUSTOMERS) is not None

    async def _failing_check(self, error: UpstreamError, resource: _Check) -> tuple[_Check, UpstreamError] | None:
        """Checks the side if ``error`` alone does not tell whose failure it is. Returns the check that fails too, and its error. None: the
        failure is the entry's own."""
        if not _needs_probe(error):
            return None
        if (failed := await self.probe(error.side)) is not None:
            return _Check.PROBE, failed
        if isinstance(error, ServerFailure | Unanswered) or (error.side is Side.SHOP and self._account.shop.has_bridge):
            return None  # the probe of a bridge is signed like every request, and no other read exists
        listed = await self._run_check(error.side, resource)
        return None if listed is None else (resource, listed)

    async def probe(self, side: Side) -> UpstreamError | None:
        """Returns None if the side answers. Concurrent callers share one probe, whose result is reused for ``probe_reuse_seconds``."""
        return await self._run_check(side, _Check.PROBE)

    async def _run_check(self, side: Side, check: _Check) -> UpstreamError | None:
        key = side, check
        async with self._locks.setdefault(key, asyncio.Lock()):
            result = self._results.get(key)
            if result is not None and self._services.clock() - result.checked_at < self._services.settings.probe_reuse_seconds:
                return result.error
            failed: UpstreamError | None = None
            try:
                await (self._check_till(check) if side is Side.TILL else self._check_shop(check))
            except UpstreamError as error:
                error.forget_frames()
                failed = error
            self._results[key] = _CheckResult(self._services.clock(), failed)
            return failed

    async def _check_till(self, check: _Check) -> None:
        till = self._till()
        match check:
            case _Check.PROBE:
                await till.probe()
            case _Check.CUSTOMERS:
                (await till.list_customers(1)).check()
            case _Check.TYPES:
                await till.list_customer_types()

    async def _check_shop(self, check: _Check) -> None:
        shop = self._shop()
        await (shop.probe() if check is _Check.PROBE else shop.check_access())

    def missing_settings(self, side: Side, outcome: Outcome, *, comment: str | None = None) -> Verdict | None:
        """Returns the verdict with the account problem if a setting that the flow needs of ``side`` is missing, else None."""
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
        # the remedy of a block is the one that helps
        shown_error = cause if isinstance(cause, Blocked) and not isinstance(error, Blocked) else error
        text = f"{_SIDE_NAMES[error.side]}: {cause_of(shown_error)}"
        if reason is ProblemReason.BRIDGE_MISSING:
            text = f"the shop's tillsync plugin does not answer: {cause_of(error)}"
        problem = AccountProblem(reason=reason, side=error.side, text=text, retry_after_seconds=retry_after)
        return _with_upstream(Verdict.paused(outcome, problem, *notes, comment=comment), error)


def _is_certainly_account_wide(error: UpstreamError, *, is_write: bool) -> bool:
    """True if the error alone tells that every entry would get it.

    The shop refuses keys in WordPress' own words. A till may refuse one customer or one search, but the address of its creates names no
    customer.
    """
    match error:
        case AllowanceSpent():
            return False
        case Unreachable() | Throttled() | BridgeMissing():
            return True
        case CredentialsRefused():
            return error.side is Side.SHOP or is_write or error.status is None
        case Misaddressed() if error.status is None:
            return True  # nothing was sent, because the address itself cannot be used
        case Blocked():
            return error.is_of_whole_side
        case Misaddressed() | Missing() if error.side is Side.TILL and is_write:
            return True
        case _:
            return error.is_of_whole_side


def _needs_probe(error: UpstreamError) -> bool:
    """True if the error may concern the entry or the whole side."""
    match error:
        case Unreadable():
            return error.field is None  # else a value of one row is wrong
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


def _resource_of(outcome: Outcome) -> _Check:
    return _Check.TYPES if outcome is Outcome.TYPE_REQUEST_FAILED else _Check.CUSTOMERS


def _has_comment(outcome: Outcome) -> bool:
    return outcome is not Outcome.TYPE_REQUEST_FAILED


def _with_upstream(verdict: Verdict, error: UpstreamError) -> Verdict:
    return replace(verdict, side=error.side, upstream_status=error.status, retry_after_seconds=error.retry_after_seconds)
