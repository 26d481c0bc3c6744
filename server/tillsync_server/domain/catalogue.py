"""The catalogue, where all comments live. It has each comment verbatim, with meaning, remedy, class and responsible party.

Text, meaning and remedy come from the public page "Customer sync error messages". Outcomes that the page does not have are our own.
A new outcome needs a member of enums.Outcome, a row here and a proto enum value. ListMessages and `tillsync messages` read this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from tillsync_server.domain.enums import EntryKind, EntryState, MessageClass, Outcome, Responsible

_PENDING, _PROCESSED, _SKIPPED = EntryState.PENDING, EntryState.PROCESSED, EntryState.SKIPPED
_HELD, _FAILED = EntryState.HELD, EntryState.FAILED
_CUSTOMER, _CUSTOMER_TYPE, _ORDER = EntryKind.CUSTOMER, EntryKind.CUSTOMER_TYPE, EntryKind.ORDER_CUSTOMER

RESPONSE_TEMPLATE = "{response from customer type update/delete}"
"""Shown in place of a text if the comment is the other side's response."""


@dataclass(frozen=True, slots=True)
class Message:
    """The catalogue's entry for an outcome. `make docs` writes docs/messages.md from these."""

    outcome: Outcome
    text: str
    """The comment, verbatim. Empty: the comment is the other side's response text (TYPE_REQUEST_FAILED)."""
    meaning: str
    what_to_do: str
    message_class: MessageClass
    responsible: Responsible
    kinds: tuple[EntryKind, ...]
    """The kinds of entries that can have the outcome. They decide the queue."""
    states: tuple[EntryState, ...]


CATALOGUE: dict[Outcome, Message] = {
    message.outcome: message
    for message in (
        Message(
            Outcome.UPDATED,
            "Successfully Updated",
            "The customer or customer type update synced successfully.",
            "No action needed.",
            MessageClass.DONE,
            Responsible.SERVICE,
            (_CUSTOMER, _CUSTOMER_TYPE),
            (_PROCESSED,),
        ),
        Message(
            Outcome.SYNC_DISABLED,
            "Customer sync is not enabled",
            "Customer sync is disabled on the account, so the update was not processed.",
            "Enable customer sync if you want customer and customer type updates to sync.",
            MessageClass.SKIPPED,
            Responsible.MERCHANT,
            (_CUSTOMER, _CUSTOMER_TYPE),
            (_SKIPPED,),
        ),
        Message(
            Outcome.CUSTOMER_NOT_LINKED,
            "Customer is not linked",
            "The Epos Now customer is not linked to a WooCommerce customer.",
            "Link the customer first if you expect loyalty/customer updates to sync to WooCommerce.",
            MessageClass.SKIPPED,
            Responsible.MERCHANT,
            (_CUSTOMER,),
            (_SKIPPED,),
        ),
        Message(
            Outcome.EPOS_FETCH_FAILED,
            "Customer Endpoint Point call api failed",
            "The worker tried to fetch the latest customer details from Epos Now and that API call failed.",
            "Wait while it is tried again by itself; when it has failed for good, read the first note and retry it.",
            MessageClass.WILL_RETRY,
            Responsible.TILL,
            (_CUSTOMER,),
            (_PENDING, _FAILED),
        ),
        Message(
            Outcome.WOO_NOT_UPDATED,
            "WooCommerce customer not updated",
            "The customer update reached WooCommerce, but WooCommerce did not accept the update; or it could not be reached.",
            "Check the website / WooCommerce API: the first note says which field or connection it was. Then retry.",
            MessageClass.WILL_RETRY,
            Responsible.SHOP_HOST,
            (_CUSTOMER,),
            (_PENDING, _FAILED),
        ),
        Message(
            Outcome.TYPE_REQUEST_FAILED,
            "",
            "The customer type add/update/delete request returned an error, and that response was written into the queue comment.",
            "Check the queue comment: it is the answer of the till or the shop itself. Then retry.",
            MessageClass.WILL_RETRY,
            Responsible.SHOP_HOST,
            (_CUSTOMER_TYPE,),
            (_PENDING, _FAILED),
        ),
        Message(
            Outcome.DUPLICATE_EMAIL,
            "We could not auto-link the customer as there is more than one customer in EposNow with the same email address.",
            "We found multiple Epos Now customers with the same email address, so we could not safely pick one during order sync.",
            "Choose the right customer for this order, or fix the duplicate Epos Now customer records and retry.",
            MessageClass.WAITING_FOR_PERSON,
            Responsible.MERCHANT,
            (_ORDER,),
            (_HELD,),
        ),
        Message(
            Outcome.CUSTOMER_NOT_MATCHED,
            "Customer Id Not Matched with EPOSNOW",
            "The order could not match or create the customer in Epos Now.",
            "Check the customer data on the order and the notes of the order's queue entry.",
            MessageClass.WILL_RETRY,
            Responsible.MERCHANT,
            (_ORDER,),
            (_PENDING, _HELD, _FAILED),
        ),
        Message(
            Outcome.PRODUCT_AND_CUSTOMER_NOT_MATCHED,
            "Product Id and Customer Id Not Matched with EPOSNOW",
            "The order has both customer-linking issues and product-linking issues.",
            "Check both the customer data and the product links.",
            MessageClass.WAITING_FOR_PERSON,
            Responsible.MERCHANT,
            (_ORDER,),
            (_PENDING, _HELD, _FAILED),
        ),
        Message(
            Outcome.PRODUCT_NOT_MATCHED,
            "Product Id Not Matched with EPOSNOW",
            "The order's customer is matched, but some of its products are not linked to Epos Now products.",
            "Link the products named in the notes, then match the order again.",
            MessageClass.WAITING_FOR_PERSON,
            Responsible.MERCHANT,
            (_ORDER,),
            (_HELD,),
        ),
        Message(
            Outcome.MATCHED_LINK,
            "Matched to the linked customer",
            "The shop customer of this order is linked to this Epos Now customer.",
            "No action needed.",
            MessageClass.DONE,
            Responsible.SERVICE,
            (_ORDER,),
            (_PROCESSED,),
        ),
        Message(
            Outcome.MATCHED_EMAIL,
            "Matched by email",
            "Exactly one Epos Now customer has the email of this order.",
            "No action needed. The notes say whether the customers are linked now.",
            MessageClass.DONE,
            Responsible.SERVICE,
            (_ORDER,),
            (_PROCESSED,),
        ),
        Message(
            Outcome.CUSTOMER_CREATED,
            "Customer created",
            "No Epos Now customer had the email of this order, so one was created.",
            "No action needed. The notes say whether the customers are linked now.",
            MessageClass.DONE,
            Responsible.SERVICE,
            (_ORDER,),
            (_PROCESSED,),
        ),
        Message(
            Outcome.DEFAULT_CUSTOMER,
            "Matched to the default customer",
            "The order goes to the account's default Epos Now customer.",
            "No action needed. The notes say why it is not a customer of its own.",
            MessageClass.DONE,
            Responsible.SERVICE,
            (_ORDER,),
            (_PROCESSED,),
        ),
    )
}


def comment_of(outcome: Outcome) -> str:
    """The verbatim comment of ``outcome``. Empty for TYPE_REQUEST_FAILED, whose comment is the response."""
    return CATALOGUE[outcome].text
