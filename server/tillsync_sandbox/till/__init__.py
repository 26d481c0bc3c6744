"""An Epos Now emulator: Customer, CustomerType and Transaction in V2 and V4, TokenInfo, and webhooks.

Each uncertain behaviour of the real service has a switch.

The control API (JSON; fields by their V2 names, any case; ``requests`` and ``faults``: :mod:`tillsync_sandbox.control`)::

    GET    /sandbox/customers?email=ada@example.test
    POST   /sandbox/customers                 {"Forename":"Ada","EmailAddress":"ada@example.test","CurrentPoints":10}
    GET    /sandbox/customers/{id}
    PATCH  /sandbox/customers/{id}            {"CurrentPoints":25,"CurrentBalance":"-3.50"}: sends the webhook, as a till does
    DELETE /sandbox/customers/{id}
    GET, POST /sandbox/customer-types · GET, PATCH, DELETE /sandbox/customer-types/{id}
    POST   /sandbox/sales                     {"CustomerID":90001,"CurrentPoints":30}: a sale, with the customer's values after it
    GET    /sandbox/webhooks                  deliveries in order, each with the status of its answer
    GET    /sandbox/switches
    PATCH  /sandbox/switches                  {"email_match":"contains"}: fields of TillSwitches
"""

from tillsync_sandbox.till.sandbox import SandboxTill
from tillsync_sandbox.till.switches import (
    DeleteMode,
    EmailMatch,
    EmailMiss,
    KeyCase,
    LimitMode,
    PostReply,
    PutMode,
    SaleWebhooks,
    TillSwitches,
    TransactionApi,
    TransactionBody,
    V4TypeField,
    WebhookDeleteBody,
    WebhookVersion,
)

__all__ = [
    "SandboxTill",
    "TillSwitches",
    "KeyCase",
    "V4TypeField",
    "PostReply",
    "PutMode",
    "EmailMiss",
    "EmailMatch",
    "DeleteMode",
    "LimitMode",
    "WebhookVersion",
    "WebhookDeleteBody",
    "SaleWebhooks",
    "TransactionBody",
    "TransactionApi",
]
