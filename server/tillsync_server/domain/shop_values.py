"""Converts a till customer to the values that the shop gets. A faulty field is left out with a note, and the other fields are written.

Amounts are rounded, because tills compute with floats: a till serves 19.989999999999998 for 19.99 and 5.55e-17 for 0.
Texts are sent in the form that WooCommerce stores. A text that WooCommerce would refuse or alter is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

from tillsync_server.domain.account import Account
from tillsync_server.domain.customer import CustomerValues, TillCustomer, TillField, decimal_text, money_text

MAX_TEXT_LENGTH = 100
"""Limit of names and of the phone number. WordPress has no limit. A longer text is no name, and breaks order screens and printed labels."""
_POINT_PLACES = 6
"""Decimal places that a bridge accepts."""
_NOISE = Decimal("0.000001")
_MOST_DIGITS = 15
_WIDE = Context(prec=40, rounding=ROUND_HALF_UP)

_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Zero-width characters, direction marks and overrides. Address books put them around numbers. In a name they may have a meaning."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_TAG = re.compile(r"<[A-Za-z/!?][^<>]*>")
_OCTET = re.compile(r"%[a-f0-9]{2}", re.IGNORECASE)
"""``sanitize_text_field`` removes tags and percent-octets."""
PHONE = re.compile(r"[\s#0-9_\-+/().]*", re.ASCII)
"""A phone number that WooCommerce's forms accept (``WC_Validation::is_phone``)."""
_PHONE_SCHEME = re.compile(r"(tel|phone|mobile|mob|ph)\s*[:.]\s*(?=[\s(+]*\d)", re.IGNORECASE)
_EXTENSION = re.compile(r"\s*(?:ext(?:ension)?|x)\.?\s*(\d{1,6})$", re.IGNORECASE)
_REMARK = re.compile(r"\s*\([^()\d]*\)\s*$")


@dataclass(frozen=True, slots=True)
class ShopValues:
    """``notes``: one for each field that is rounded or left out."""

    values: CustomerValues
    notes: tuple[str, ...]


def shop_values_of(customer: TillCustomer, account: Account) -> ShopValues:
    """The values of ``customer`` for the shop of ``account``. Never raises."""
    notes: list[str] = []
    for field in (TillField.POINTS, TillField.CREDIT, TillField.TYPE):
        if field in customer.unread:
            kind = "id" if field is TillField.TYPE else "number"
            notes.append(_left_out(field, f"what Epos Now serves is no {kind}, correct it in Epos Now"))
    names = (
        (_name(customer, TillField.FIRST_NAME, notes), _name(customer, TillField.LAST_NAME, notes)) if account.sync_names else (None, None)
    )
    values = CustomerValues(
        points=_points(customer.points, notes),
        credit=_credit(customer.balance, account.shop.price_decimals, notes),
        type_id=customer.type_id,
        keeps_type=TillField.TYPE in customer.unread,
        first_name=names[0],
        last_name=names[1],
        phone=_phone(customer, notes) if account.sync_phone else None,
    )
    return ShopValues(values, tuple(notes))


_READ_BACK = {"first_name": TillField.FIRST_NAME, "last_name": TillField.LAST_NAME, "phone": TillField.PHONE}


def not_kept_notes(names: Sequence[str]) -> tuple[str, ...]:
    """Notes for the fields that the shop accepted but did not store. Tables with three-byte characters drop emoji without an error."""
    reason = "the shop does not keep it as it is, as where its tables store no emoji, or a plugin alters names"
    return tuple(_left_out(_READ_BACK[name], reason) for name in names)


def _points(served: Decimal | None, notes: list[str]) -> str | None:
    if served is None or _is_too_long(served, TillField.POINTS, notes):
        return None
    whole = served.to_integral_value(rounding=ROUND_HALF_UP)
    rounded = whole if abs(served - whole) <= _NOISE else served.quantize(Decimal(1).scaleb(-_POINT_PLACES), context=_WIDE)
    if rounded != served:
        notes.append(f"points rounded to {'a whole number' if rounded == whole else f'{_POINT_PLACES} decimals'}")
    return decimal_text(rounded)


def _credit(served: Decimal | None, places: int, notes: list[str]) -> str | None:
    if served is None or _is_too_long(served, TillField.CREDIT, notes):
        return None
    rounded = served.quantize(Decimal(1).scaleb(-places), context=_WIDE)
    if rounded != served:
        notes.append(f"credit rounded to {places} decimals, as the shop's prices are")
    return money_text(rounded)


def _is_too_long(served: Decimal, field: TillField, notes: list[str]) -> bool:
    if served.adjusted() < _MOST_DIGITS:
        return False
    notes.append(_left_out(field, f"more than {_MOST_DIGITS} digits, correct it in Epos Now"))
    return True


def _name(customer: TillCustomer, field: TillField, notes: list[str]) -> str | None:
    if field in customer.unread:
        notes.append(_left_out(field, "what Epos Now serves is no text"))
        return None
    text = plain(customer.forename if field is TillField.FIRST_NAME else customer.surname)
    stored = as_wordpress_stores(text)
    if stored is None or (text and not stored):
        notes.append(_left_out(field, "WordPress would alter it"))
        return None
    if len(stored) > MAX_TEXT_LENGTH:
        notes.append(_left_out(field, f"longer than {MAX_TEXT_LENGTH} characters"))
        return None
    return stored


def _phone(customer: TillCustomer, notes: list[str]) -> str | None:
    if TillField.PHONE in customer.unread:
        notes.append(_left_out(TillField.PHONE, "what Epos Now serves is no text"))
        return None
    number = phone_number(customer.phone)
    if number is None:
        notes.append(_left_out(TillField.PHONE, "WooCommerce takes digits, spaces and # _ - + / ( ) . only"))
    return number


def _left_out(field: TillField, reason: str) -> str:
    return f"{field} not written: {reason}"


def plain(text: str) -> str:
    """One line of text. Control characters and runs of white space become one space, none at the ends. Lone surrogates are removed."""
    return " ".join(_CONTROL.sub(" ", text).encode("utf-8", "ignore").decode().split())


def as_wordpress_stores(text: str) -> str | None:
    """The result of ``sanitize_text_field`` for a plain text. None: the text has a "<" that begins no tag, which becomes an entity."""
    without_tags = _TAG.sub("", text)
    if "<" in without_tags:
        return None
    while (found := _OCTET.search(without_tags)) is not None:
        without_tags = without_tags.replace(found[0], "")
    return " ".join(without_tags.split())


def phone_number(text: str) -> str | None:
    """The phone number in a form that WooCommerce accepts. It has no "tel:", no remark in brackets, and "#" in place of the word before an
    extension. None: the text is no phone number."""
    written = _REMARK.sub("", _PHONE_SCHEME.sub("", plain(_INVISIBLE.sub("", text)), count=1))
    written = _EXTENSION.sub(r" #\1", written)
    is_number = PHONE.fullmatch(written) is not None and (not written or any(character.isdigit() for character in written))
    return written if is_number and len(written) <= MAX_TEXT_LENGTH else None
