"""Customers and types as the till serves them, and the values that are written to the shop."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from tillsync_server.domain.account import Account
from tillsync_server.domain.ids import EposCustomerId, EposCustomerTypeId, WooCustomerId


class TillField(StrEnum):
    """A field of a till customer, by the name that people use."""

    POINTS = "points"
    CREDIT = "credit"
    TYPE = "customer type"
    FIRST_NAME = "first name"
    LAST_NAME = "last name"
    PHONE = "phone"
    BUSINESS_NAME = "company"
    CARD_NUMBER = "card number"
    SIGN_UP_DATE = "sign-up date"


@dataclass(frozen=True, slots=True, kw_only=True)
class TillCustomer:
    """A till customer, read tolerantly from V2 or V4. Texts are raw. ``balance`` keeps the served sign."""

    epos_customer_id: EposCustomerId
    forename: str = ""
    surname: str = ""
    business_name: str = ""
    email: str = ""
    phone: str = ""
    card_number: str = ""
    type_id: EposCustomerTypeId | None = None
    points: Decimal | None = Decimal(0)
    """None: the till's value is no number. The same holds for ``balance``."""
    balance: Decimal | None = Decimal(0)
    sign_up_date: str = ""
    """As served, without a zone (docs/epos-now.md#customers): never parsed."""
    unread: frozenset[TillField] = frozenset()
    """Fields whose served value cannot be read. They are empty or None here."""

    @property
    def display_name(self) -> str:
        return " ".join(part for part in (self.forename, self.surname) if part) or self.business_name


@dataclass(frozen=True, slots=True, kw_only=True)
class TillCustomerType:
    epos_customer_type_id: EposCustomerTypeId
    name: str = ""
    discount: Decimal = Decimal(0)
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTillCustomer:
    """The fields of a till customer to create. MaxCredit is always 0. There is no type, consent or address."""

    forename: str
    surname: str = ""
    email: str = ""
    phone: str = ""
    business_name: str = ""
    sign_up_date: str = ""
    """The order's creation time as ``YYYY-MM-DDTHH:MM:SS``, without a zone as the till stores it."""


def decimal_text(value: Decimal) -> str:
    """``Decimal('3.500')`` → ``"3.5"``, never with an exponent. Another scale of the same number must not look like a change."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def money_text(value: Decimal) -> str:
    """Credit as a decimal text with at least two places and the served sign: ``"3.50"``."""
    whole, _, fraction = decimal_text(value).partition(".")
    return f"{whole}.{fraction.ljust(2, '0')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerValues:
    """The values to write to one shop customer (made by ``domain.shop_values``). None: the shop keeps its value of the field."""

    points: str | None
    credit: str | None
    type_id: EposCustomerTypeId | None
    """None: the customer has no type, unless ``keeps_type``."""
    keeps_type: bool = False
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None

    @property
    def gaps(self) -> tuple[str, ...]:
        """The missing fields that a bridge of API 1 requires. It refuses an item without them."""
        left_out = {"points": self.points is None, "credit": self.credit is None, "type_id": self.keeps_type}
        return tuple(name for name, is_left_out in left_out.items() if is_left_out)

    def content_hash(self, woo_customer_id: WooCustomerId, account: Account) -> bytes:
        """16 bytes over the written fields, their target and the settings that select them. ``as_of`` is not part of it.

        The bridge's secret is part of it, because a bridge with another secret was connected again and may have lost earlier values.
        """
        target = [
            woo_customer_id,
            # invariant: content-hash-names-the-shop
            account.shop.base_url,
            account.shop.bridge_secret,
            account.sync_names,
            account.sync_phone,
        ]
        fields: list[object] = [self.points, self.credit, self.type_id, self.first_name, self.last_name, self.phone]
        if self.keeps_type:
            fields.append("keeps type")
        return hashlib.blake2b(json.dumps([target, fields]).encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerWrite:
    """One item of a shop write. ``values`` None removes our values from that shop customer."""

    woo_customer_id: WooCustomerId
    version: int
    values: CustomerValues | None
    as_of: datetime | None = None
    registered_at: datetime | None = None
    """The write is for the user who registered at this time. Another user with this id is ``not_found``. None: the time is unknown."""
    registered_before: datetime | None = None
    """Used in place of ``registered_at``: the write is for a user who registered by this time."""
    epos_customer_id: EposCustomerId | None = None
    """The till customer of the values. A bridge keeps it, so that a restored database gets the link back."""
