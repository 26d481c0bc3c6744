"""Answers to webhook deliveries and their reasons. The reasons are labels of the metric."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from aiohttp import web


class WebhookReason(StrEnum):
    """Why a delivery got its answer. It is the metric's label ``reason``, and the sender never sees it."""

    QUEUED = "queued"
    NOBODY = "nobody"
    """202 at the till's address. No account of the till has a link to the changed subject, so nothing is enqueued."""
    OTHER_OBJECT = "other_object"
    """204. The object is no customer, customer type or sale."""
    NO_CUSTOMER = "no_customer"
    """204. The sale has no customer that the till knows."""
    NO_OBJECT = "no_object"
    """400. The header Epos-Object is missing."""
    BODY = "body"
    """400. The body is no JSON, or names no id."""
    CUT_SHORT = "cut_short"
    """400 for a body that ends early or does not have its declared encoding. 408 for a body that does not arrive in time."""
    TOO_LARGE = "too_large"
    CONTENT_TYPE = "content_type"
    UNKNOWN_ADDRESS = "unknown_address"
    """401. There is no such account, or no account has this till."""
    NOT_SET_UP = "not_set_up"
    """401. The account has no webhook credentials, or none of the till's accounts has any."""
    NO_CREDENTIALS = "no_credentials"
    """401. The request has no readable Basic credentials."""
    WRONG_CREDENTIALS = "wrong_credentials"
    LIMIT = "limit"
    """429. The account has too many waiting entries, or sends too fast."""
    BUSY = "busy"
    """503. The account's lane stays locked."""
    DATABASE = "database"
    """503. The database cannot be reached."""
    FAULT = "fault"
    """500. The service has a fault; its log has the details."""


class WebhookAnswer(Exception):
    """The answer to a delivery. It is raised where the delivery is refused or ignored."""

    def __init__(self, status: int, text: str, reason: WebhookReason, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.reason = status, reason
        self.response = web.Response(status=status, text=text + "\n" if text else None, headers=headers)


def unauthorised(reason: WebhookReason) -> WebhookAnswer:
    return WebhookAnswer(401, "unauthorised", reason, {"WWW-Authenticate": 'Basic realm="tillsync webhooks", charset="UTF-8"'})
