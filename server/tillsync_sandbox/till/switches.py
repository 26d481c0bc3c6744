"""Switches of the till emulator: behaviour of the real Epos Now that is not certain, and failures of it.

Every switch may change while the till runs. The defaults are the most likely behaviour without failures.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

from tillsync_sandbox.switch_values import Range, parse_switch_values


class KeyCase(StrEnum):
    PASCAL = "pascal"
    CAMEL = "camel"


class V4TypeField(StrEnum):
    """The field name of a customer's type in V4."""

    TYPE_ID = "TypeId"
    CUSTOMER_TYPE_ID = "CustomerTypeId"
    TYPE = "Type"


class PostReply(StrEnum):
    ARRAY = "array"
    OBJECT = "object"


class PutMode(StrEnum):
    PARTIAL = "partial"
    REPLACE = "replace"
    """A field that a PUT omits becomes null."""


class EmailMiss(StrEnum):
    EMPTY = "empty"
    NOT_FOUND = "404"


class EmailMatch(StrEnum):
    """How V2 and V4 compare a searched email."""

    EXACT = "exact"
    CI = "ci"
    CONTAINS = "contains"
    """Case-insensitive."""
    IGNORED = "ignored"
    """The till ignores the filter, so a search lists all customers."""


class DeleteMode(StrEnum):
    HARD = "hard"
    SOFT = "soft"
    """Lists and searches omit the object. It is still served by id."""
    REFUSE_IF_USED = "refuse-if-used"
    """The till answers 400 for a customer with points or a balance, and for a type that customers have. Other deletes are hard."""


class LimitMode(StrEnum):
    NONE = "none"
    FORBIDDEN_TEXT = "403-text"
    TOO_MANY = "429"


class WebhookVersion(StrEnum):
    V2 = "V2"
    V4 = "V4"


class WebhookDeleteBody(StrEnum):
    FULL = "full"
    ID = "id"


class SaleWebhooks(StrEnum):
    """The webhook triggers of a sale to a customer. The real till's behaviour is unknown."""

    CUSTOMER = "customer"
    """Customer/Update."""
    TRANSACTION = "transaction"
    """Transaction/Complete."""
    BOTH = "both"


class TransactionBody(StrEnum):
    """The body of Transaction/Complete. The real till's body is unknown."""

    CUSTOMER_ID = "customer-id"
    """The transaction with its customer's id."""
    CUSTOMER = "customer"
    """The transaction with its customer as a nested object."""
    TRANSACTION = "transaction"
    """The transaction without its customer."""
    ID = "id"
    """Only the transaction's id."""


class TransactionApi(StrEnum):
    """The API versions that serve ``Transaction/{id}``. Other addresses of it answer an HTML 404."""

    BOTH = "both"
    V2 = "V2"
    V4 = "V4"
    NONE = "none"


@dataclass(slots=True, kw_only=True)
class TillSwitches:
    api_key: str = "sandbox-key"
    api_secret: str = "sandbox-secret"

    v4_case: KeyCase = KeyCase.PASCAL
    v4_type_field: V4TypeField = V4TypeField.TYPE_ID
    v4_post_reply: PostReply = PostReply.ARRAY
    v4_put: PutMode = PutMode.PARTIAL
    v4_customer_types: bool = True
    """Whether V4 has CustomerType. Without it the address answers an HTML 404."""
    getbyemail_miss: EmailMiss = EmailMiss.EMPTY
    """V4's GetByEmail answer to a miss. V2's filter answers an empty array."""
    email_match: EmailMatch = EmailMatch.CI
    search_blind_to: str = ""
    """An email search of V2 or V4 finds no customer whose email contains one of these characters."""
    search_blind_from: int = 0
    """An email search finds no customer whose email has this many characters or more. 0: no limit."""
    delete: DeleteMode = DeleteMode.HARD
    max_length: int = 50
    """Maximum characters of Forename, Surname, EmailAddress and CardNumber."""
    page_size: int = 200
    page_drift: int = 0
    """Page starts drift: each further page begins this many rows too early (rows repeat), or too late when negative (rows are missed)."""

    limit: LimitMode = LimitMode.NONE
    limit_requests: int = 60
    limit_window_seconds: float = 60.0
    limit_retry_after: bool = True
    """Whether the 429 has ``Retry-After``. The 403 never has it."""

    wrong_address: bool = False
    """Every address answers an HTML 404, as with a wrong base address."""
    latency_seconds: float = 0.0
    latency_jitter_seconds: float = 0.0
    """Maximum of an additional random latency."""
    error_500_percent: float = 0.0
    error_502_percent: float = 0.0
    error_503_percent: float = 0.0
    html_body_percent: float = 0.0
    """Answers with status 200 and an HTML page. As with the three errors above, the till does not execute the request."""
    lose_create_answer_percent: float = 0.0
    """The till stores the customer and closes the connection without an answer."""
    late_create_seconds: float | None = None
    """The till does not answer a create. It stores the customer this many seconds after the client has disconnected. None: off."""

    webhook_url: str = ""
    """Empty: no webhooks."""
    webhook_key: str = ""
    webhook_secret: str = ""
    """Both empty: no Authorization header."""
    webhook_version: WebhookVersion = WebhookVersion.V2
    webhook_delete_body: WebhookDeleteBody = WebhookDeleteBody.FULL
    webhook_echo: bool = False
    """Whether writes of API clients send webhooks too, in addition to changes at the till."""
    webhook_drop_percent: float = 0.0
    webhook_duplicate_percent: float = 0.0
    webhook_reorder_percent: float = 0.0
    """A reordered webhook is sent after the next webhook, or at the latest ``webhook_reorder_hold_seconds`` later."""
    webhook_reorder_hold_seconds: float = 1.0
    webhook_delay_seconds: float = 0.0

    sale_webhooks: SaleWebhooks = SaleWebhooks.BOTH
    transaction_body: TransactionBody = TransactionBody.CUSTOMER_ID
    transaction_api: TransactionApi = TransactionApi.BOTH

    def update(self, changes: dict[str, object]) -> None:
        """Sets switches from JSON values. Raises ValueError, which names the switch and its valid values; then it changes nothing."""
        for name, value in parse_switch_values(TillSwitches, changes, _RANGES).items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, object]:
        return dataclasses.asdict(self)


_RANGES = {
    "page_drift": Range(least=None),
    "page_size": Range(least=1),
    **{field.name: Range(most=100) for field in dataclasses.fields(TillSwitches) if field.name.endswith("_percent")},
}
