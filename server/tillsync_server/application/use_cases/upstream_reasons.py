"""Stable codes of the reasons why a side could not be used. Clients explain a code in their users' words, and never read the text for it.

The shop's codes are the ErrorInfo reasons of ConnectShop. The codes of both sides are the detail ``reason`` of a failed step of
CheckAccount.
"""

from __future__ import annotations

from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import (
    Blocked,
    BridgeMissing,
    CredentialsRefused,
    Misaddressed,
    Missing,
    ServerFailure,
    ShopCause,
    Throttled,
    Unanswered,
    Unreachable,
    Unreadable,
    UpstreamError,
)

SHOP_TOO_SLOW = "SHOP_TOO_SLOW"
TILL_TOO_SLOW = "TILL_TOO_SLOW"

_OF_CAUSES = {
    ShopCause.MAINTENANCE: "SHOP_IN_MAINTENANCE",
    ShopCause.REST_OFF: "SHOP_REST_OFF",
    ShopCause.FIREWALL: "SHOP_FIREWALL",
    ShopCause.PASSWORD: "SHOP_PASSWORD_PROTECTED",
    ShopCause.WEB_PAGE: "SHOP_WEB_PAGE",
    ShopCause.PHP_MESSAGE: "SHOP_PHP_MESSAGE",
}


def reason_of(error: UpstreamError) -> str:
    if error.side is Side.TILL:
        return _of_till(error)
    return _OF_CAUSES[error.cause] if error.cause is not None else _of_shop(error)


def _of_shop(error: UpstreamError) -> str:
    match error:
        case Unreachable():
            return "SHOP_UNREACHABLE"
        case Unanswered():
            return SHOP_TOO_SLOW
        case Throttled():
            return "SHOP_THROTTLES"
        case ServerFailure():
            return "SHOP_FAILED"
        case Unreadable():
            return "SHOP_ANSWER_UNREADABLE"
        case BridgeMissing():
            return "SHOP_BRIDGE_OFF"
        case Misaddressed() if error.status is not None and 300 <= error.status < 400:
            return "SHOP_MOVED"
        case Misaddressed() | Missing():
            return "SHOP_ADDRESS_WRONG"
        case CredentialsRefused():
            return "SHOP_SIGNATURE_REFUSED"
        case _:
            return "SHOP_REFUSED"


def _of_till(error: UpstreamError) -> str:
    match error:
        case Unreachable():
            return "TILL_UNREACHABLE"
        case Unanswered():
            return TILL_TOO_SLOW
        case Throttled():
            return "TILL_THROTTLES"
        case ServerFailure():
            return "TILL_FAILED"
        case Unreadable():
            return "TILL_ANSWER_UNREADABLE"
        case Blocked():
            return "TILL_BLOCKED"
        case Misaddressed() | Missing():
            return "TILL_ADDRESS_WRONG"
        case CredentialsRefused():
            return "TILL_CREDENTIALS_REFUSED"
        case _:
            return "TILL_REFUSED"
