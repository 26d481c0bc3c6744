"""How a webhook is answered, and why: the reasons are the labels of its metric."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from aiohttp import web


class WebhookReason(StrEnum):
    """Why a delivery got its answer. Label ``reason`` of the metric, never told to the sender."""

    QUEUED = "queued"
    NOBODY = "nobody"
    """202 at the till's address: no account of the till has a link to what changed, so nothing is queued."""
    OTHER_OBJECT = "other_object"
    """204: not a customer, not a customer type, not a sale."""
    NO_CUSTOMER = "no_customer"
    """204: a sale to nobody whom the till knows."""
    NO_OBJECT = "no_object"
    """400: without the header Epos-Object."""
    BODY = "body"
    """400: no JSON, or it names no id."""
    CUT_SHORT = "cut_short"
    """400: the body ends early, or is not encoded as it says. 408: it takes too long."""
    TOO_LARGE = "too_large"
    CONTENT_TYPE = "content_type"
    UNKNOWN_ADDRESS = "unknown_address"
    """401: there is no such account, or no account has this till."""
    NOT_SET_UP = "not_set_up"
    """401: the account has no webhook credentials, or none of the till's accounts has any."""
    NO_CREDENTIALS = "no_credentials"
    """401: without Basic credentials, or not readable as such."""
    WRONG_CREDENTIALS = "wrong_credentials"
    LIMIT = "limit"
    """429: the account has too many waiting entries, or sends too fast."""
    BUSY = "busy"
    """503: the account's lane is locked for long."""
    DATABASE = "database"
    """503: the database cannot be reached."""
    FAULT = "fault"
    """500: a fault of this service; its log says which."""


class Answered(Exception):
    """The delivery is answered with ``response`` for ``reason``."""

    def __init__(self, status: int, text: str, reason: WebhookReason, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.reason = status, reason
        self.response = web.Response(status=status, text=text + "\n" if text else None, headers=headers)


def unauthorised(reason: WebhookReason) -> Answered:
    return Answered(401, "unauthorised", reason, {"WWW-Authenticate": 'Basic realm="tillsync webhooks", charset="UTF-8"'})
