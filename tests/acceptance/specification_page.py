"""Comments of the public page "Customer sync error messages", by queue. The tests use them as the specification."""

from __future__ import annotations

CUSTOMERS_QUEUE = (
    "Customer sync is not enabled",
    "Customer is not linked",
    "Customer Endpoint Point call api failed",
    "WooCommerce customer not updated",
    "Successfully Updated",
)
CUSTOMER_TYPE_SYNC = (
    "Customer sync is not enabled",
    "Successfully Updated",
)
"""The page has a third row: the response of the customer type's update or delete request."""
ORDER_SYNC = (
    "We could not auto-link the customer as there is more than one customer in EposNow with the same email address.",
    "Customer Id Not Matched with EPOSNOW",
    "Product Id and Customer Id Not Matched with EPOSNOW",
)
