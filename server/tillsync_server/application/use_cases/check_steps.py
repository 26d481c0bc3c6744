"""Collects the steps and warnings of CheckAccount, with one SideRun for each side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import UnionType

from tillsync_server.application.use_cases.upstream_reasons import SHOP_TOO_SLOW, TILL_TOO_SLOW, reason_of
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import (
    AllowanceSpent,
    BridgeMissing,
    CredentialsRefused,
    Misaddressed,
    Missing,
    Refused,
    Throttled,
    Unanswered,
    Unreachable,
    UpstreamError,
)


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One step. ``side`` is None for the settings. ``text`` and ``remedy`` are one sentence each; ``remedy`` is empty if the step passed.
    The detail ``reason`` of a failed step is a stable code."""

    side: Side | None
    name: str
    ok: bool
    text: str
    remedy: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckWarning:
    side: Side | None
    name: str
    text: str
    remedy: str


class StepFailed(Exception):
    """Ends the steps of a side. The failed step is recorded already."""


class SideRun:
    def __init__(self, side: Side | None) -> None:
        self._side = side
        self._current = ""
        self.steps: list[CheckStep] = []
        self.warnings: list[CheckWarning] = []

    def passed(self, name: str, text: str, **details: object) -> None:
        self.steps.append(CheckStep(self._side, name, True, text, details={key: str(value) for key, value in details.items()}))

    def failed(self, name: str, text: str, remedy: str, **details: object) -> None:
        self.steps.append(CheckStep(self._side, name, False, text, remedy, {key: str(value) for key, value in details.items()}))

    def warn(self, name: str, text: str, remedy: str) -> None:
        self.warnings.append(CheckWarning(self._side, name, text, remedy))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Context of the step ``name``. An UpstreamError inside fails the step and ends this side's steps by StepFailed."""
        self._current = name
        try:
            yield
        except UpstreamError as error:
            details: dict[str, object] = {"reason": reason_of(error)}
            if error.status is not None:
                details["http_status"] = error.status
            if error.retry_after_seconds:
                details["retry_after_seconds"] = round(error.retry_after_seconds)
            self.failed(
                name, _sentence(error.finding) or "It failed without a text.", _sentence(error.remedy) or remedy_of(error), **details
            )
            raise StepFailed from error

    @asynccontextmanager
    async def limited_to(self, seconds: float) -> AsyncIterator[None]:
        """Context that limits all steps of this side to ``seconds``. The first failed step ends it without an error. At the limit the
        present step fails."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except StepFailed:
            return
        except TimeoutError:
            text = f"No answer within {seconds:.0f} seconds for all steps of this side."
            reason = TILL_TOO_SLOW if self._side is Side.TILL else SHOP_TOO_SLOW
            self.failed(self._current, text, "Try again; when it stays slow, ask its host or vendor why.", reason=reason)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""


def remedy_of(error: UpstreamError) -> str:
    """Returns the remedy of an error whose text has none."""
    remedy = next((remedy for kind, remedy in _REMEDIES if isinstance(error, kind)), _LAST_REMEDY)
    return remedy[error.side]


def _of_both(text: str) -> Mapping[Side, str]:
    return {Side.TILL: text, Side.SHOP: text}


_REMEDIES: Sequence[tuple[type[UpstreamError] | UnionType, Mapping[Side, str]]] = (
    # each class is before its base class
    (BridgeMissing, _of_both("Activate or update the tillsync bridge plugin in the shop, or disconnect the shop.")),
    (
        Misaddressed | Missing,
        {Side.TILL: "Correct epos.base_url and the API version of the account.", Side.SHOP: "Correct shop.base_url of the account."},
    ),
    (
        CredentialsRefused,
        {
            Side.TILL: "Copy API key and secret again from the API device in the Epos Now Back Office.",
            Side.SHOP: "Connect the bridge plugin again, or make a new consumer key with read and write rights in WooCommerce.",
        },
    ),
    (AllowanceSpent, _of_both("Try again in a minute: other requests of this company go first.")),
    (
        Throttled,
        {
            Side.TILL: "Wait some minutes; if it happens often, lower requests_per_minute.",
            Side.SHOP: "Ask the shop's host to allow more.",
        },
    ),
    (
        Unreachable,
        {
            Side.TILL: "Check that epos.base_url is right and that this service may reach it.",
            Side.SHOP: "Check that shop.base_url is right and that this service may reach it.",
        },
    ),
    (Unanswered, _of_both("Try again; when it stays slow, ask its host or vendor why.")),
    (Refused, _of_both("The text names what is refused: correct it there.")),
)
_LAST_REMEDY = {
    Side.TILL: "Try again later; if it stays, report the text to Epos Now.",
    Side.SHOP: "See the PHP error log and WooCommerce's status logs of the shop.",
}
