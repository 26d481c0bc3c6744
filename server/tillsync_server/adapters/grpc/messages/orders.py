"""Requests to match orders, and their answers as messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tillsync.v1 import customer_sync_service_pb2, order_pb2

from tillsync_server.adapters.grpc.messages.entries import (
    ENTRIES_AT_A_TIME,
    MAX_LINE,
    candidate_messages,
    fill_entry,
    set_time,
    shown_lines,
    time_of,
)
from tillsync_server.adapters.grpc.request_checks import check_of
from tillsync_server.adapters.grpc.status import status_of
from tillsync_server.application.concurrency.in_slices import in_slices
from tillsync_server.application.use_cases.order_matching import OrderAnswer
from tillsync_server.domain.enums import EmailConfirmation, EntryKind, EntryState, Queue
from tillsync_server.domain.errors import InvalidArgument, RequestError
from tillsync_server.domain.ids import AccountId, OrderId, WooCustomerId
from tillsync_server.domain.order import OrderFacts, UnlinkedProduct
from tillsync_server.domain.order_texts import cleaned_email, cleaned_text
from tillsync_server.domain.shop_users import whole_seconds
from tillsync_server.domain.shown_text import shown
from tillsync_server.ports.orders import NewOrder, OrderMatch

TEXT_LENGTHS = {
    "Order.order_number": 100,
    "Order.first_name": 255,
    "Order.last_name": 255,
    "Order.company": 255,
    "Order.phone": 100,
    "UnlinkedProduct.sku": 100,
    "UnlinkedProduct.name": 255,
}
"""Characters that are kept of texts that people typed. They are no limits of a request: a longer text is cut, and the order is accepted."""

_ITEM_CHECK = check_of(customer_sync_service_pb2.OrderToMatch.DESCRIPTOR)


def new_order(
    account_id: str, item: customer_sync_service_pb2.MatchOrderCustomerRequest | customer_sync_service_pb2.OrderToMatch
) -> NewOrder:
    """Converts a message whose fields have been checked."""
    return NewOrder(account_id=AccountId(account_id), facts=_facts(item.order, item.unlinked_products), rerun=item.rerun)


async def new_orders(
    account_id: str, items: Sequence[customer_sync_service_pb2.OrderToMatch], within: str = "orders"
) -> list[NewOrder | RequestError]:
    """Checks and converts each item. An invalid item becomes an InvalidArgument at its position. ``within``: path of the items."""
    given: list[NewOrder | RequestError] = []
    async for position, item in in_slices(enumerate(items), ENTRIES_AT_A_TIME):
        violations = _ITEM_CHECK.violations(item, f"{within}[{position}].")
        given.append(InvalidArgument(violations) if violations else new_order(account_id, item))
    return given


def _facts(order: order_pb2.Order, unlinked: Iterable[order_pb2.UnlinkedProduct]) -> OrderFacts:
    def text(message: order_pb2.Order | order_pb2.UnlinkedProduct, name: str) -> str:
        return cleaned_text(getattr(message, name), TEXT_LENGTHS[f"{message.DESCRIPTOR.name}.{name}"])

    return OrderFacts(
        order_id=OrderId(order.order_id),
        order_key=order.order_key.lower(),
        order_number=text(order, "order_number"),
        create_time=time_of(order.create_time),
        woo_customer_id=WooCustomerId(order.woo_customer_id) if order.woo_customer_id else None,
        woo_registered_at=whole_seconds(time_of(order.woo_registered_time)) if order.HasField("woo_registered_time") else None,
        account_email=cleaned_email(order.account_email),
        billing_email=cleaned_email(order.billing_email),
        first_name=text(order, "first_name"),
        last_name=text(order, "last_name"),
        company=text(order, "company"),
        phone=text(order, "phone"),
        email_confirmation=_confirmation(order.email_confirmation),
        unlinked_products=tuple(
            UnlinkedProduct(
                product_id=product.product_id, variation_id=product.variation_id, sku=text(product, "sku"), name=text(product, "name")
            )
            for product in unlinked
        ),
    )


def _confirmation(number: int) -> EmailConfirmation | None:
    """Returns None for UNSPECIFIED and for a number of a later release, which confirms no email here."""
    try:
        return EmailConfirmation(number)
    except ValueError:
        return None


def fill_answer(message: customer_sync_service_pb2.MatchOrderCustomerResponse, answer: OrderAnswer) -> None:
    """Writes the answer of an order into an empty message."""
    m: Any = message
    if answer.entry is not None:
        fill_entry(message.entry, answer.entry)
        candidates = answer.entry.candidate_ids if answer.entry.state is EntryState.HELD else ()
    elif answer.match is not None:
        _fill_entry_from_match(m.entry, answer.match)
        candidates = answer.match.candidate_ids if answer.match.state is EntryState.HELD else ()
    else:
        return
    m.outcome = m.entry.outcome
    m.comment = m.entry.comment
    m.notes.extend(m.entry.notes)
    m.epos_customer_id = m.entry.epos_customer_id
    m.candidates.extend(candidate_messages(candidates))


async def batch_response(answers: Sequence[OrderAnswer | RequestError]) -> customer_sync_service_pb2.BatchMatchOrderCustomersResponse:
    response = customer_sync_service_pb2.BatchMatchOrderCustomersResponse()
    async for answer in in_slices(answers, ENTRIES_AT_A_TIME):
        result = response.results.add()
        if isinstance(answer, RequestError):
            result.error.CopyFrom(status_of(answer))
        else:
            fill_answer(result.ok, answer)
    return response


async def matches_response(matches: Sequence[OrderMatch | RequestError]) -> customer_sync_service_pb2.BatchGetOrderMatchesResponse:
    response = customer_sync_service_pb2.BatchGetOrderMatchesResponse()
    async for match in in_slices(matches, ENTRIES_AT_A_TIME):
        result = response.results.add()
        if isinstance(match, RequestError):
            result.error.CopyFrom(status_of(match))
        else:
            _fill_match(result.ok, match)
    return response


def _fill_match(message: order_pb2.OrderMatch, match: OrderMatch) -> None:
    m: Any = message
    m.order_id = match.order_id
    _fill_shared_fields(m, match)
    if match.state is EntryState.HELD:
        m.candidates.extend(candidate_messages(match.candidate_ids))


def _fill_entry_from_match(m: Any, match: OrderMatch) -> None:
    """Writes an entry whose history has been dropped, from its order match."""
    m.account_id = match.account_id
    m.queue = Queue.ORDERS
    m.kind = EntryKind.ORDER_CUSTOMER
    m.order_id = match.order_id
    _fill_shared_fields(m, match)


def _fill_shared_fields(m: Any, match: OrderMatch) -> None:
    """Writes the fields that OrderMatch and QueueEntry share by name."""
    m.entry_id = str(match.entry_id)
    m.state = match.state
    if match.outcome is not None:
        m.outcome = match.outcome
        m.comment = shown(match.comment, most=MAX_LINE)
        if match.cause is not None:
            m.causes.append(match.cause)
    m.notes.extend(shown_lines(match.notes))
    if match.epos_customer_id is not None:
        m.epos_customer_id = match.epos_customer_id
    if match.woo_customer_id is not None:
        m.woo_customer_id = match.woo_customer_id
    set_time(m.update_time, match.update_time)
