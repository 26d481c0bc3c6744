"""What of a till customer travels to the shop. One field's fault stays that field's: it is left out, a note says so, the others travel.

Amounts are rounded, because a till computes with floats: 19.989999999999998 and 5.55e-17 are what it serves for 19.99 and 0.
Texts are sent as WooCommerce stores them; what it would refuse, or alter beyond recognition, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

from tillsync_server.domain.account import Account
from tillsync_server.domain.customer import CustomerValues, TillCustomer, TillField, decimal_text, money_text

MAX_TEXT_LENGTH = 100
"""Of names and phone. WordPress has no limit of its own; a longer one is no name, and breaks order screens and printed labels."""
_POINT_PLACES = 6
"""Decimal places that a bridge takes."""
_NOISE = Decimal("0.000001")
_MOST_DIGITS = 15
_WIDE = Context(prec=40, rounding=ROUND_HALF_UP)

_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Zero-width characters, and marks and overrides of direction: address books put them around numbers. In a name they may mean something."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_TAG = re.compile(r"<[A-Za-z/!?][^<>]*>")
_OCTET = re.compile(r"%[a-f0-9]{2}", re.IGNORECASE)
"""``sanitize_text_field`` takes tags and percent-octets out of a text."""
PHONE = re.compile(r"[\s#0-9_\-+/().]*", re.ASCII)
"""What WooCommerce's own forms take as a phone number (``WC_Validation::is_phone``)."""
_PHONE_SCHEME = re.compile(r"(tel|phone|mobile|mob|ph)\s*[:.]\s*(?=[\s(+]*\d)", re.IGNORECASE)
_EXTENSION = re.compile(r"\s*(?:ext(?:ension)?|x)\.?\s*(\d{1,6})$", re.IGNORECASE)
_REMARK = re.compile(r"\s*\([^()\d]*\)\s*$")


@dataclass(frozen=True, slots=True)
class ShopValues:
    values: CustomerValues
    notes: tuple[str, ...]


def shop_values_of(customer: TillCustomer, account: Account) -> ShopValues:
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
    """Of what the shop took and does not have: tables whose characters have three bytes store no emoji, and say nothing of it."""
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
    """One line: control characters and runs of white space are one space, none at the ends; lone surrogates go."""
    return " ".join(_CONTROL.sub(" ", text).encode("utf-8", "ignore").decode().split())


def as_wordpress_stores(text: str) -> str | None:
    """What ``sanitize_text_field`` makes of a plain text. None: a "<" that begins no tag, of which it makes an entity."""
    without_tags = _TAG.sub("", text)
    if "<" in without_tags:
        return None
    while (found := _OCTET.search(without_tags)) is not None:
        without_tags = without_tags.replace(found[0], "")
    return " ".join(without_tags.split())


def phone_number(text: str) -> str | None:
    """As WooCommerce takes it: "tel:", a remark in brackets and the word before an extension are taken off. None: no phone number."""
    written = _REMARK.sub("", _PHONE_SCHEME.sub("", plain(_INVISIBLE.sub("", text)), count=1))
    written = _EXTENSION.sub(r" #\1", written)
    is_number = PHONE.fullmatch(written) is not None and (not written or any(character.isdigit() for character in written))
    return written if is_number and len(written) <= MAX_TEXT_LENGTH else None
