"""Classifies error answers of the shop as upstream errors, by status and by WordPress's error code, never by texts.

An answer without WordPress's error object comes from an intermediary: web server, firewall, cache, maintenance page. :func:`blocked_error`
names the intermediary.
"""

from __future__ import annotations

from dataclasses import dataclass

from tillsync_server.adapters.http_client import Answer, Intermediary, IntermediaryKind, intermediary_of
from tillsync_server.adapters.woo.pages import blocked_error
from tillsync_server.adapters.woo.rest_answers import WpError, wp_error_in
from tillsync_server.adapters.woo.signing import Surface
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import (
    BridgeMissing,
    CredentialsRefused,
    Misaddressed,
    Missing,
    Refused,
    ServerFailure,
    ShopCause,
    Throttled,
    Unanswered,
    UpstreamError,
)

NO_ROUTE = "rest_no_route"
NO_SUCH_USER = frozenset({"wc_user_invalid_id", "woocommerce_rest_invalid_id", "rest_user_invalid_id"})
"""Error codes of wc/v3 for a customer that does not exist. They differ by version, and occur in single requests and in batches."""
_MAX_TEXT = 500
_CANNOT_BATCH = "woocommerce_rest_cannot_batch"
_CANNOT_EDIT = "woocommerce_rest_cannot_edit"
_CREDENTIALS_CODE_PREFIXES = ("rest_forbidden", "woocommerce_rest_", "tillsync_")
"""Prefixes of the codes with which WordPress, WooCommerce and the bridge refuse a caller. A plugin that disables REST uses other codes."""
_BLOCKING_AT_ANY_STATUS = (IntermediaryKind.BOT_CHECK, IntermediaryKind.FIREWALL, IntermediaryKind.LOGIN)
"""Intermediaries that also answer 503. Their 503 does not mean that the shop failed."""


@dataclass(frozen=True, slots=True)
class _Classification:
    """The class and texts of an upstream error. ``finding`` and ``remedy`` together are the error's text."""

    kind: type[UpstreamError]
    finding: str
    remedy: str
    cause: ShopCause | None = None
    retry_after_seconds: float | None = None
    field: str | None = None

    def error(self, answer: Answer) -> UpstreamError:
        return self.kind(
            Side.SHOP,
            f"{self.finding[: _MAX_TEXT - len(self.remedy) - 2]}: {self.remedy}",
            status=answer.status,
            retry_after_seconds=self.retry_after_seconds,
            body_text=answer.text,
            field=self.field,
            cause=self.cause,
            remedy=self.remedy,
        )


class BatchRefused(Refused):
    """The shop refuses the whole batch and writes no item: too many items or bytes (413), or no permission to batch."""


def has_no_rest(answer: Answer) -> bool:
    """Whether the address has no REST API: a 404 without WordPress's error object."""
    return answer.status == 404 and wp_error_in(answer) is None


def is_method_refused(answer: Answer) -> bool:
    """Whether an intermediary refuses the method. Some firewalls accept only GET and POST."""
    return answer.status in (403, 405, 501) and wp_error_in(answer) is None


def is_no_route(answer: Answer) -> bool:
    return answer.status == 404 and (error := wp_error_in(answer)) is not None and error.code == NO_ROUTE


def error_of(answer: Answer, surface: Surface, *, throttle_pause_seconds: float) -> UpstreamError | None:
    """Returns the error of an answer, or None for 2xx. Throttled always has ``retry_after_seconds``."""
    if answer.is_success:
        return None
    error = wp_error_in(answer)
    status = answer.status
    detail = f"HTTP {status}: {error.summary}" if error else answer.status_text
    intermediary = intermediary_of(answer) if error is None else None
    if intermediary is not None and status != 429 and (status < 500 or intermediary.kind in _BLOCKING_AT_ANY_STATUS):
        return blocked_error(answer, intermediary)
    found = _classify_common_status(answer, detail, throttle_pause_seconds)
    if found is None:
        found = (
            _classify_without_wordpress(answer, detail, intermediary)
            if error is None
            else _classify_wordpress_error(answer, detail, error, surface)
        )
    return blocked_error(answer, None) if found is None else found.error(answer)


def _classify_common_status(answer: Answer, detail: str, throttle_pause_seconds: float) -> _Classification | None:
    """Classifies statuses that mean the same from any server. Returns None for other statuses."""
    match answer.status:
        case 429:
            wait = answer.retry_after_seconds
            pause = throttle_pause_seconds if wait is None else max(wait, 1.0)
            finding = f"the shop's host limits requests ({detail})"
            return _Classification(Throttled, finding, "ask it to allow this service more", retry_after_seconds=pause)
        case 408:
            return _Classification(Unanswered, f"the shop gave up waiting ({detail})", "its host should look at its load")
        case 413:
            return _Classification(
                BatchRefused, f"the request is too large for the shop ({detail})", "raise its limit of the size of requests"
            )
        case _:
            return None


def _classify_without_wordpress(answer: Answer, detail: str, intermediary: Intermediary | None) -> _Classification | None:
    """Classifies an answer without WordPress's error object. Returns None when an unknown intermediary blocks the request."""
    status, wait = answer.status, answer.retry_after_seconds
    if status == 503:
        # Maintenance affects the whole site. So the probe that follows a 5xx fails too, and the account waits.
        finding = f"the shop is in maintenance or overloaded ({detail})"
        return _Classification(ServerFailure, finding, "wait until it is done", ShopCause.MAINTENANCE, retry_after_seconds=wait)
    if intermediary is not None and intermediary.kind is IntermediaryKind.GATEWAY:
        finding = f"{intermediary.name} does not reach the shop's server ({detail})"
        return _Classification(ServerFailure, finding, "ask the shop's host whether its server runs", retry_after_seconds=wait)
    if status >= 500:
        finding = f"the shop's site failed before its REST API could answer ({detail})"
        return _Classification(ServerFailure, finding, "see its PHP error log and database, or ask its host", retry_after_seconds=wait)
    if status == 401:
        finding = f"the web server asks for a password before the shop ({detail})"
        return _Classification(CredentialsRefused, finding, "except /wp-json/ from the site's password protection", ShopCause.PASSWORD)
    if status == 404:
        finding = f"there is no WordPress REST API at the shop's address ({detail})"
        return _Classification(Misaddressed, finding, "correct the base address, or show the hidden REST API")
    return None


def _classify_wordpress_error(answer: Answer, detail: str, error: WpError, surface: Surface) -> _Classification:
    status = answer.status
    if status >= 500:
        remedy = "see the PHP error log and WooCommerce's status logs"
        return _Classification(ServerFailure, f"the shop failed ({detail})", remedy, retry_after_seconds=answer.retry_after_seconds)
    if status == 404:
        return _classify_not_found(error, detail, surface)
    if status in (401, 403):
        return _classify_not_allowed(error, detail, surface, status)
    named = f"refused field: {error.field}" if error.field else "the shop refuses the request"
    return _Classification(
        Refused, f"{named} ({detail})", "correct the value, or see which plugin of the shop refuses it", field=error.field
    )


def _classify_not_found(error: WpError, detail: str, surface: Surface) -> _Classification:
    if error.code == NO_ROUTE and surface is Surface.BRIDGE:
        finding = f"the tillsync bridge plugin is not active in the shop ({detail})"
        return _Classification(BridgeMissing, finding, "activate or update it, or disconnect the shop")
    if error.code == NO_ROUTE:
        return _Classification(
            Misaddressed, f"WooCommerce is not active at the shop's address ({detail})", "activate it, or correct the base address"
        )
    if error.code in NO_SUCH_USER:
        return _Classification(Missing, f"the customer is not found in the shop ({detail})", "it was deleted there")
    return _rest_off_error(Misaddressed, detail)


def _classify_not_allowed(error: WpError, detail: str, surface: Surface, status: int) -> _Classification:
    if not error.code.startswith(_CREDENTIALS_CODE_PREFIXES):
        return _rest_off_error(CredentialsRefused, detail)
    if surface is Surface.BRIDGE:
        remedy = "connect the plugin again so that both sides hold the same secret, and compare the clocks"
        return _Classification(CredentialsRefused, f"the bridge does not accept our signature ({detail})", remedy)
    as_administrator = "make the key as an administrator"
    if status == 403 and error.code == _CANNOT_BATCH:
        return _Classification(BatchRefused, f"the owner of the consumer key may not batch customers ({detail})", as_administrator)
    if status == 403 and error.code == _CANNOT_EDIT:
        return _Classification(Refused, f"the owner of the consumer key may not change this customer ({detail})", as_administrator)
    remedy = (
        "check key, secret and its owner, its read/write permission, that the web server passes the Authorization header, "
        "and that WordPress knows its https and home address"
    )
    return _Classification(CredentialsRefused, f"the shop does not accept the consumer key ({detail})", remedy)


def _rest_off_error(kind: type[UpstreamError], detail: str) -> _Classification:
    remedy = "allow /wp-json/ in the security plugin that does it"
    return _Classification(kind, f"the shop's REST API is switched off ({detail})", remedy, ShopCause.REST_OFF)
