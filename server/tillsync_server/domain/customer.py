"""Customers and types as the till serves them, and what of them travels to the shop."""

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
    """A field of a till customer, as people call it."""

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
    """A till customer, read tolerantly from V2 or V4. Texts are raw; ``balance`` keeps the sign as served."""

    epos_customer_id: EposCustomerId
    forename: str = ""
    surname: str = ""
    business_name: str = ""
    email: str = ""
    phone: str = ""
    card_number: str = ""
    type_id: EposCustomerTypeId | None = None
    points: Decimal | None = Decimal(0)
    """None: what the till serves is no number. The same for ``balance``."""
    balance: Decimal | None = Decimal(0)
    sign_up_date: str = ""
    """As served, without a zone (docs/epos-now.md#customers): never parsed."""
    unread: frozenset[TillField] = frozenset()
    """What the till serves and nobody can read: empty or None here."""

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
    """What a created till customer is made of. MaxCredit is always 0; no type, consent or address."""

    forename: str
    surname: str = ""
    email: str = ""
    phone: str = ""
    business_name: str = ""
    sign_up_date: str = ""
    """``YYYY-MM-DDTHH:MM:SS`` of the order's creation, zone-less as the till keeps it."""


def decimal_text(value: Decimal) -> str:
    """``Decimal('3.500')`` → ``"3.5"``; never an exponent. The scale the till happens to serve must not look like a change."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def money_text(value: Decimal) -> str:
    """Credit as a decimal string with at least two places: ``"3.50"``, sign as served."""
    whole, _, fraction = decimal_text(value).partition(".")
    return f"{whole}.{fraction.ljust(2, '0')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerValues:
    """What is written to one shop customer (``domain.shop_values`` makes it). None: not written, the shop keeps what it has."""

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
        """Fields that every write had before some could be left out: a bridge of API 1 refuses an item without them."""
        left_out = {"points": self.points is None, "credit": self.credit is None, "type_id": self.keeps_type}
        return tuple(name for name, is_left_out in left_out.items() if is_left_out)

    def content_hash(self, woo_customer_id: WooCustomerId, account: Account) -> bytes:
        """16 bytes over the written fields, their target and the settings that choose them. ``as_of`` is not part of it.

        A bridge with another secret has been connected anew: what it was told before, its tables may no longer hold.
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
    """The write is for the user who registered then; another one with this number is ``not_found``. None: not known."""
    registered_before: datetime | None = None
    """In place of ``registered_at``: for a user who registered by then."""
