"""Links as messages, and till customers with the fields by which a person tells them apart."""

from __future__ import annotations

from typing import Any

from tillsync.v1 import link_pb2, link_service_pb2

from tillsync_server.adapters.grpc.messages.entries import time_of
from tillsync_server.application.use_cases.link_decisions import LinkKey
from tillsync_server.application.use_cases.shop_users import ReportedChange
from tillsync_server.application.use_cases.till_lookup import CustomerAtTill
from tillsync_server.domain.customer import decimal_text, money_text
from tillsync_server.domain.emails import mask_email
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.link import Link
from tillsync_server.domain.shop_users import whole_seconds
from tillsync_server.domain.shown_text import shown


def link_key(request: link_service_pb2.GetLinkRequest | link_service_pb2.DeleteLinkRequest) -> LinkKey:
    return LinkKey(
        account_id=AccountId(request.account_id),
        epos_customer_id=request.epos_customer_id if request.HasField("epos_customer_id") else None,
        woo_customer_id=request.woo_customer_id if request.HasField("woo_customer_id") else None,
    )


def fill_link(message: link_pb2.Link, link: Link) -> None:
    """Writes ``link`` into an empty message."""
    m: Any = message
    m.account_id = link.account_id
    m.epos_customer_id = link.epos_customer_id
    m.woo_customer_id = link.woo_customer_id
    m.origin = link.origin
    m.ground = link.ground
    m.create_time.FromDatetime(link.create_time)
    m.usable = link.is_usable
    times = {
        "as_of": link.as_of,
        "epos_gone_time": link.epos_gone_at,
        "woo_gone_time": link.woo_gone_at,
        "woo_registered_time": link.woo_registered_at,
    }
    for field, time in times.items():
        if time is not None:
            getattr(m, field).FromDatetime(time)


def reported_changes(request: link_service_pb2.ReportShopUsersRequest) -> list[ReportedChange]:
    return [
        ReportedChange(
            woo_customer_id=change.woo_customer_id,
            deleted=change.deleted if change.HasField("deleted") else None,
            email_hash=change.email_hash if change.HasField("email_hash") else None,
            registered_at=whole_seconds(time_of(change.woo_registered_time)) if change.HasField("woo_registered_time") else None,
            changed_at=time_of(change.change_time) if change.HasField("change_time") else None,
        )
        for change in request.changes
    ]


def fill_customer(message: link_pb2.EposCustomer, found: CustomerAtTill) -> None:
    customer = found.customer
    message.epos_customer_id = customer.epos_customer_id
    message.name = shown(customer.display_name)
    message.masked_email = mask_email(customer.email)
    message.card_number = shown(customer.card_number)
    message.points = "" if customer.points is None else decimal_text(customer.points)
    message.balance = "" if customer.balance is None else money_text(customer.balance)
    message.sign_up_date = shown(customer.sign_up_date)
    message.linked_woo_customer_id = found.linked_woo_customer_id or 0
