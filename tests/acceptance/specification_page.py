"""The rows of the public page "Customer sync error messages": which queue, which text. The specification, as data."""

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
"""And a third row: the response from the customer type update or delete request itself."""
ORDER_SYNC = (
    "We could not auto-link the customer as there is more than one customer in EposNow with the same email address.",
    "Customer Id Not Matched with EPOSNOW",
    "Product Id and Customer Id Not Matched with EPOSNOW",
)
