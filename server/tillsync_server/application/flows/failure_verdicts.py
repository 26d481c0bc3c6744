"""From an upstream error to what it means: for this entry, or for the whole account (invariant 8).

A 5xx alone does not say which: a probe decides. It is asked at most once per few seconds and side, and shared by all entries in flight.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from tillsync_server.application.flows.flow_services import FlowServices
from tillsync_server.domain.account import Account
from tillsync_server.domain.errors import (
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
from tillsync_server.domain.vocabulary import Outcome, ProblemReason, Side
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
    return isinstance(error, Unanswered | Unreadable | ServerFailure)


@dataclass(slots=True)
class _Probe:
    asked_at: float
    error: UpstreamError | None


class FailureJudge:
    """One per lease and configuration."""

    def __init__(self, services: FlowServices, account: Account, till: TillClient, shop: Callable[[], ShopClient]) -> None:
        """``shop``: makes or finds the client when a probe needs it; may raise UpstreamError where credentials are missing."""
        self._services = services
        self._account = account
        self._till = till
        self._shop = shop
        self._locks = {side: asyncio.Lock() for side in Side}
        self._probes: dict[Side, _Probe] = {}

    async def judge(
        self, error: UpstreamError, outcome: Outcome, stage: str, *, comment: str | None = None, refusal_is_final: bool = False
    ) -> Verdict:
        """``stage``: what was being done, as the note begins ("reading the customer from Epos Now").

        ``refusal_is_final``: a refused write ends the entry at once; a refused read is tried again while attempts remain.
        """
        note = f"{stage}: {cause_of(error)}"
        if isinstance(error, ServerFailure) and (probe := await self.probe(error.side)) is not None:
            also = f"{_SIDE_NAMES[error.side]} does not answer its status check either ({cause_of(probe)})"
            return self._paused(self._reason(probe) or ProblemReason.UNREACHABLE, outcome, error, probe, comment, note, also)
        reason = self._reason(error)
        if reason is not None:
            return self._paused(reason, outcome, error, error, comment, note)
        if isinstance(error, Refused) and refusal_is_final:
            verdict = Verdict.failed(outcome, note, comment=comment)
            return _with_upstream(verdict, error)
        return Verdict.retry(
            outcome,
            note,
            comment=comment,
            side=error.side,
            upstream_status=error.status,
            retry_after_seconds=error.retry_after_seconds,
        )

    def is_account_wide(self, error: UpstreamError) -> bool:
        """Everybody in the lane would meet it. A 5xx is not: the probe has to say so first."""
        return self._reason(error) is not None

    async def probe(self, side: Side) -> UpstreamError | None:
        """None: the side answers. Single-flight, and reused for ``probe_reuse_seconds``."""
        async with self._locks[side]:
            known = self._probes.get(side)
            if known is not None and self._services.clock() - known.asked_at < self._services.settings.probe_reuse_seconds:
                return known.error
            failed: UpstreamError | None = None
            try:
                await (self._till.probe() if side is Side.TILL else self._shop().probe())
            except UpstreamError as error:
                failed = error
            self._probes[side] = _Probe(self._services.clock(), failed)
            return failed

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

    def _reason(self, error: UpstreamError) -> ProblemReason | None:
        match error:
            case Unreachable():
                return ProblemReason.UNREACHABLE
            case CredentialsRefused():
                return ProblemReason.CREDENTIALS_REFUSED
            case Throttled():
                return ProblemReason.THROTTLED
            case BridgeMissing():
                return ProblemReason.BRIDGE_MISSING
            case Misaddressed() | Missing():
                return ProblemReason.WRONG_ADDRESS
            case _:
                return None

    def _paused(
        self, reason: ProblemReason, outcome: Outcome, error: UpstreamError, cause: UpstreamError, comment: str | None, *notes: str
    ) -> Verdict:
        retry_after = max(error.retry_after_seconds or 0.0, cause.retry_after_seconds or 0.0) or None
        text = f"{_SIDE_NAMES[error.side]}: {cause_of(error)}"
        if reason is ProblemReason.BRIDGE_MISSING:
            text = f"the shop's tillsync plugin does not answer: {cause_of(error)}"
        problem = AccountProblem(reason=reason, side=error.side, text=text, retry_after_seconds=retry_after)
        return _with_upstream(Verdict.paused(outcome, problem, *notes, comment=comment), error)


def _has_comment(outcome: Outcome) -> bool:
    return outcome is not Outcome.TYPE_REQUEST_FAILED


def _with_upstream(verdict: Verdict, error: UpstreamError) -> Verdict:
    return replace(verdict, side=error.side, upstream_status=error.status, retry_after_seconds=error.retry_after_seconds)
