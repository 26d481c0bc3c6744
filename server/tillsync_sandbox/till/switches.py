"""What differs between the worlds in which the real Epos Now may live, and what may be wrong with it today. Every switch may be flipped
while the till runs. The defaults are the likeliest world, on a good day."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

from tillsync_sandbox.switch_values import Range, switch_values


class KeyCase(StrEnum):
    PASCAL = "pascal"
    CAMEL = "camel"


class V4TypeField(StrEnum):
    """The name of a customer's type in V4."""

    TYPE_ID = "TypeId"
    CUSTOMER_TYPE_ID = "CustomerTypeId"
    TYPE = "Type"


class PostReply(StrEnum):
    ARRAY = "array"
    OBJECT = "object"


class PutMode(StrEnum):
    PARTIAL = "partial"
    REPLACE = "replace"
    """What a PUT leaves out becomes null."""


class EmailMiss(StrEnum):
    EMPTY = "empty"
    NOT_FOUND = "404"


class EmailMatch(StrEnum):
    """How both versions compare a searched email."""

    EXACT = "exact"
    CI = "ci"
    CONTAINS = "contains"
    """Case-insensitive."""
    IGNORED = "ignored"
    """The filter is not applied: a search lists everybody."""


class DeleteMode(StrEnum):
    HARD = "hard"
    SOFT = "soft"
    """Gone from lists and searches, still served by id."""
    REFUSE_IF_USED = "refuse-if-used"
    """400 for a customer with points or a balance, and for a type that customers have; otherwise hard."""


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
    """Which triggers a sale to a customer sets off. Not known of the real till."""

    CUSTOMER = "customer"
    """Customer/Update."""
    TRANSACTION = "transaction"
    """Transaction/Complete."""
    BOTH = "both"


class TransactionBody(StrEnum):
    """What Transaction/Complete says. Not known of the real till."""

    CUSTOMER_ID = "customer-id"
    """The transaction, with its customer's id."""
    CUSTOMER = "customer"
    """The transaction, with its customer as an object in it."""
    TRANSACTION = "transaction"
    """The transaction, without a word of its customer."""
    ID = "id"
    """Nothing but the transaction's id."""


class TransactionApi(StrEnum):
    """Which version serves ``Transaction/{id}``; any other address of it is an HTML 404."""

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
    """False: V4 has no CustomerType, its address is an HTML 404."""
    getbyemail_miss: EmailMiss = EmailMiss.EMPTY
    """Of V4's GetByEmail; V2's filter answers an empty array."""
    email_match: EmailMatch = EmailMatch.CI
    search_blind_to: str = ""
    """An email search of either version finds nobody whose email has one of these characters."""
    search_blind_from: int = 0
    """Nor anybody whose email has so many characters or more. 0: no such limit."""
    delete: DeleteMode = DeleteMode.HARD
    max_length: int = 50
    """Of Forename, Surname, EmailAddress and CardNumber."""
    page_size: int = 200
    page_drift: int = 0
    """Every page begins so many rows earlier than it should (rows repeat), or later where negative (rows are missed)."""

    limit: LimitMode = LimitMode.NONE
    limit_requests: int = 60
    limit_window_seconds: float = 60.0
    limit_retry_after: bool = True
    """Does the 429 say ``Retry-After``? The 403 never does."""

    wrong_address: bool = False
    """Every address is an HTML 404, as when the base address leads elsewhere."""
    latency_seconds: float = 0.0
    latency_jitter_seconds: float = 0.0
    """Up to so much more, by chance."""
    error_500_percent: float = 0.0
    error_502_percent: float = 0.0
    error_503_percent: float = 0.0
    html_body_percent: float = 0.0
    """200 with an HTML page. Like the errors before it: nothing is carried out."""
    lose_create_answer_percent: float = 0.0
    """The customer is stored, and the connection closed without an answer."""
    late_create_seconds: float | None = None
    """A create is not answered; so many seconds after its client has left the customer is stored all the same. None: no such thing."""

    webhook_url: str = ""
    """Empty: no webhooks."""
    webhook_key: str = ""
    webhook_secret: str = ""
    """Both empty: no Authorization header."""
    webhook_version: WebhookVersion = WebhookVersion.V2
    webhook_delete_body: WebhookDeleteBody = WebhookDeleteBody.FULL
    webhook_echo: bool = False
    """API writes send webhooks too, not only what is done at the till."""
    webhook_drop_percent: float = 0.0
    webhook_duplicate_percent: float = 0.0
    webhook_reorder_percent: float = 0.0
    """A reordered one is sent after its successor, or at the latest ``webhook_reorder_hold_seconds`` later."""
    webhook_reorder_hold_seconds: float = 1.0
    webhook_delay_seconds: float = 0.0

    sale_webhooks: SaleWebhooks = SaleWebhooks.BOTH
    transaction_body: TransactionBody = TransactionBody.CUSTOMER_ID
    transaction_api: TransactionApi = TransactionApi.BOTH

    def update(self, changes: dict[str, object]) -> None:
        """Set switches from JSON values. Raises ValueError naming the switch and what it takes; then nothing is changed."""
        for name, value in switch_values(TillSwitches, changes, _RANGES).items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, object]:
        return dataclasses.asdict(self)


_RANGES = {
    "page_drift": Range(least=None),
    "page_size": Range(least=1),
    **{field.name: Range(most=100) for field in dataclasses.fields(TillSwitches) if field.name.endswith("_percent")},
}
