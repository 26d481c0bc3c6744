"""Errors with a remedy for answers that an intermediary sends instead of the shop."""

from __future__ import annotations

from tillsync_server.adapters.http_client import Answer, Intermediary, IntermediaryKind, refusal_of
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Blocked, Misaddressed, ShopCause

_MAX_TEXT = 500
_LOGIN_PAGE = "/wp-login.php"
_LOGIN_REMEDY = "except /wp-json/ from the plugin or the password that asks for a login"


def blocked_error(answer: Answer, intermediary: Intermediary | None) -> Blocked:
    """Returns the error of an answer from an intermediary. ``intermediary`` is None when it is unknown; mostly it is a firewall then."""
    detail = answer.status_text
    if (refusal := refusal_of(answer)) is not None and refusal:
        detail = f"HTTP {answer.status}: {refusal}"
    if intermediary is not None and intermediary.name:
        detail = f"{intermediary.name}; {detail}"
    finding, remedy, cause = _texts(intermediary)
    return Blocked(
        Side.SHOP,
        f"{f'{finding} ({detail})'[: _MAX_TEXT - len(remedy) - 2]}: {remedy}",
        status=answer.status,
        retry_after_seconds=answer.retry_after_seconds,
        body_text=answer.text,
        cause=cause,
        remedy=remedy,
    )


def _texts(intermediary: Intermediary | None) -> tuple[str, str, ShopCause]:
    match None if intermediary is None else intermediary.kind:
        case IntermediaryKind.BOT_CHECK:
            return "a bot check stands before the shop", "except /wp-json/ from it, or allow this service's address", ShopCause.FIREWALL
        case IntermediaryKind.FIREWALL if intermediary is not None and intermediary.name:
            remedy = f"allow this service's requests to /wp-json/ in {intermediary.name}"
            return "a firewall before the shop refuses the request", remedy, ShopCause.FIREWALL
        case IntermediaryKind.HOST:
            remedy = "ask the host why it has switched the site off"
            return "the host answers in place of the shop", remedy, ShopCause.FIREWALL
        case IntermediaryKind.LOGIN:
            return "a login page answers in place of the shop", _LOGIN_REMEDY, ShopCause.PASSWORD
        case IntermediaryKind.MAINTENANCE:
            return "the shop is in maintenance", "wait until it is done", ShopCause.MAINTENANCE
        case _:
            remedy = "have its host allow this service's requests to /wp-json/"
            return "a firewall before the shop refuses the request", remedy, ShopCause.FIREWALL


def login_redirect_error(redirect: Misaddressed) -> Blocked | None:
    """Returns Blocked for a redirect to WordPress's login page, else None. The address is right, but the site requires a login for REST."""
    if redirect.status is None or _LOGIN_PAGE not in redirect.text:
        return None
    finding = f"the shop asks for a login before its REST API (HTTP {redirect.status}, a redirect to {_LOGIN_PAGE})"
    return Blocked(Side.SHOP, f"{finding}: {_LOGIN_REMEDY}", status=redirect.status, cause=ShopCause.PASSWORD, remedy=_LOGIN_REMEDY)
