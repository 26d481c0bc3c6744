"""Limits of request fields as the contract's comments give them (generated code drops comments; a test compares the two).

A string without a limit of its own is cut off at GENERAL_LENGTH: tokens, etags and ids, which are opaque to callers.
"""

from __future__ import annotations

import re

GENERAL_LENGTH = 2048

LENGTHS: dict[str, int] = {
    "Account.account_id": 64,
    "Account.name": 100,
    "Account.till_id": 64,
    "EposSettings.base_url": 2048,
    "EposSettings.api_key": 512,
    "EposSettings.api_secret": 512,
    "EposSettings.webhook_key": 512,
    "EposSettings.webhook_secret": 512,
    "ShopSettings.base_url": 2048,
    "ShopSettings.consumer_key": 512,
    "ShopSettings.consumer_secret": 512,
    "CreateTokenRequest.name": 100,
    "ConnectShopRequest.base_url": 2048,
    "ConnectShopRequest.bridge_version": 50,
    "ConnectShopRequest.rest_url": 2048,
    "DismissQueueEntriesRequest.reason": 200,
    "ExplainCustomerRequest.email": 254,
    "ExportPersonRequest.page_token": 8192,
    "ListQueueRequest.email": 254,
    "ListQueueRequest.text": 100,
    "Order.order_number": 100,
    "Order.account_email": 254,
    "Order.billing_email": 254,
    "Order.first_name": 255,
    "Order.last_name": 255,
    "Order.company": 255,
    "Order.phone": 100,
    "Person.email": 254,
    "QueueFilter.email": 254,
    "QueueFilter.text": 100,
    "SearchEposCustomersRequest.query": 254,
    "UnlinkedProduct.sku": 100,
    "UnlinkedProduct.name": 255,
}
"""Characters at most, by message and field."""

TIDIED = frozenset(
    {
        *(f"Order.{name}" for name in ("order_number", "account_email", "billing_email", "first_name", "last_name", "company", "phone")),
        *(f"UnlinkedProduct.{name}" for name in ("sku", "name")),
    }
)
"""Texts of orders, as people typed them: control characters are taken out of them, and those but the emails are cut to their length, so
that neither refuses an order."""

ACCOUNT_ID_LENGTH = 64
"""Of every field named account_id."""

SIZES: dict[str, int] = {
    "BatchGetOrderMatchesRequest.order_ids": 500,
    "BatchMatchOrderCustomersRequest.orders": 100,
    "BatchSyncCustomersRequest.epos_customer_ids": 500,
    "DismissQueueEntriesRequest.entry_ids": 500,
    "ExplainOrderRequest.unlinked_products": 200,
    "ListQueueRequest.states": 6,
    "ListQueueRequest.outcomes": 14,
    "MatchOrderCustomerRequest.unlinked_products": 200,
    "OrderToMatch.unlinked_products": 200,
    "QueueFilter.states": 6,
    "QueueFilter.outcomes": 14,
    "ReportShopUsersRequest.changes": 100,
    "RetryQueueEntriesRequest.entry_ids": 500,
}
"""Items at most, by message and repeated field."""

PATTERNS: dict[str, tuple[re.Pattern[str], str]] = {
    "Order.order_key": (
        re.compile("[0-9A-Fa-f]{64}"),
        "must be 64 hex digits: the sha256 of the order key, or of the creation time where that is empty",
    ),
    "ShopUserChange.email_hash": (
        re.compile("[0-9A-Fa-f]{64}"),
        "must be 64 hex digits: HMAC-SHA256 of the email under the bridge's secret",
    ),
}
"""What a field must match as a whole, and the remedy."""

ITEM_BY_ITEM = frozenset({"BatchMatchOrderCustomersRequest.orders"})
"""Repeated messages whose items are answered by position: one bad item must not fail the batch, so the servicer checks each."""
