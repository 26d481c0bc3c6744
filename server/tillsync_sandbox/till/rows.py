"""The till's rows on the wire: fields, names and order in V2 and V4, as JSON and as XML."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring
from typing import Any
from xml.sax.saxutils import escape

from tillsync_sandbox.till.stored import StoredCustomer, StoredType
from tillsync_sandbox.till.switches import KeyCase, TillSwitches

_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)


class InvalidValueError(Exception):
    """An invalid value. ``reason`` is the till's text about ``field``."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} - {reason}")
        self.field = field
        self.reason = reason


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError("must be a string")
    return value


def _date(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or _DATE.fullmatch(value) is None):
        raise ValueError("must be a date")
    return value


def _integer(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    return value


def _count(value: Any) -> int:
    return _integer(value) or 0


def _decimal(value: Any) -> Decimal:
    if value is None:
        return Decimal("0.00")
    try:
        number = Decimal(value) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or abs(number.adjusted()) > 12:
        raise ValueError("must be a number")
    return number


@dataclass(frozen=True, slots=True)
class Field:
    attribute: str
    v2: str
    v4: str
    read: Callable[[Any], Any]
    """Raises ValueError."""
    by_api: bool = True
    """Whether API clients may write the field. The till ignores a write of a ledger or an id without an error."""
    limited: bool = False


CUSTOMER_FIELDS = (
    Field("customer_id", "CustomerID", "Id", _integer, by_api=False),
    Field("title", "Title", "Title", _integer),
    Field("forename", "Forename", "Forename", _text, limited=True),
    Field("surname", "Surname", "Surname", _text, limited=True),
    Field("business_name", "BusinessName", "BusinessName", _text),
    Field("date_of_birth", "DateOfBirth", "DateOfBirth", _date),
    Field("contact_number", "ContactNumber", "ContactNumber", _text),
    Field("contact_number2", "ContactNumber2", "ContactNumber2", _text),
    Field("email_address", "EmailAddress", "EmailAddress", _text, limited=True),
    Field("type_id", "Type", "", _integer),
    Field("max_credit", "MaxCredit", "MaxCredit", _decimal),
    Field("current_balance", "CurrentBalance", "CurrentBalance", _decimal, by_api=False),
    Field("expiry_date", "ExpiryDate", "ExpiryDate", _date),
    Field("card_number", "CardNumber", "CardNumber", _text, limited=True),
    Field("current_points", "CurrentPoints", "CurrentPoints", _decimal, by_api=False),
    Field("sign_up_date", "SignUpDate", "SignUpDate", _date),
    Field("notes", "Notes", "Notes", _text),
    Field("sign_up_location_id", "SignUpLocationID", "SignUpLocationId", _integer),
    Field("main_address_id", "MainAddressID", "MainAddressId", _integer, by_api=False),
)
"""Fields in the order of V2. The sandbox has no addresses, so MainAddressID is stored as null for any sent value."""

TYPE_FIELDS = (
    Field("type_id", "CustomerTypeID", "Id", _integer, by_api=False),
    Field("name", "Name", "Name", _text),
    Field("discount", "Discount", "Discount", _decimal),
    Field("description", "Description", "Description", _text),
    Field("default_expiry_length", "DefaultExpiryLength", "DefaultExpiryLength", _count),
    Field("default_max_credit", "DefaultMaxCredit", "DefaultMaxCredit", _decimal),
)


@dataclass(frozen=True, slots=True)
class RowSchema:
    """The field names of one API version."""

    name: str
    customer: tuple[tuple[str, str], ...]
    """Attributes and their names on the wire, in order."""
    type: tuple[tuple[str, str], ...]
    consent: str = ""
    """Name of V4's MarketingConsent. Empty: the version does not serve it."""
    id_name: str = "Id"


_V2 = RowSchema(
    "V2", tuple((each.attribute, each.v2) for each in CUSTOMER_FIELDS), tuple((each.attribute, each.v2) for each in TYPE_FIELDS)
)


def v2() -> RowSchema:
    return _V2


def v4(switches: TillSwitches) -> RowSchema:
    def cased(name: str) -> str:
        return name[0].lower() + name[1:] if switches.v4_case is KeyCase.CAMEL else name

    return RowSchema(
        f"V4 {switches.v4_case} {switches.v4_type_field}",
        tuple((each.attribute, cased(each.v4 or switches.v4_type_field.value)) for each in CUSTOMER_FIELDS),
        tuple((each.attribute, cased(each.v4)) for each in TYPE_FIELDS),
        cased("MarketingConsent"),
        cased("Id"),
    )


def customer_json(customer: StoredCustomer, schema: RowSchema) -> str:
    """Returns the row as JSON. The customer caches it, so that a list of 50,000 customers costs only the joining of rows."""
    text = customer.served.get(schema.name)
    if text is None:
        pairs = [f'"{name}":{_json(getattr(customer, attribute))}' for attribute, name in schema.customer]
        if schema.consent:
            consent = customer.marketing_consent
            if schema.consent[0].islower():
                consent = {name.lower(): value for name, value in consent.items()}
            pairs.append(f'"{schema.consent}":{json.dumps(consent, separators=(",", ":"))}')
        text = customer.served[schema.name] = "{" + ",".join(pairs) + "}"
    return text


def type_json(stored: StoredType, schema: RowSchema) -> str:
    return "{" + ",".join(f'"{name}":{_json(getattr(stored, attribute))}' for attribute, name in schema.type) + "}"


def webhook_json(stored: StoredCustomer | StoredType, schema: RowSchema) -> str:
    """Returns the bare full object. A customer's body has no MainAddressID (a recorded body had 18 fields)."""
    if isinstance(stored, StoredType):
        return type_json(stored, schema)
    pairs = [(attribute, name) for attribute, name in schema.customer if attribute != "main_address_id"]
    return "{" + ",".join(f'"{name}":{_json(getattr(stored, attribute))}' for attribute, name in pairs) + "}"


def _json(value: object) -> str:
    match value:
        case None:
            return "null"
        case str():
            return encode_basestring(value)
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)


def as_xml(text: str, element: str) -> str:
    """Converts a JSON answer to XML for a client that did not request JSON."""
    value = json.loads(text, parse_float=Decimal)
    if isinstance(value, list):
        inside = "".join(_xml(element, item) for item in value)
        return f'<?xml version="1.0" encoding="utf-8"?><ArrayOf{element}>{inside}</ArrayOf{element}>'
    return f'<?xml version="1.0" encoding="utf-8"?>{_xml(element, value)}'


def _xml(name: str, value: Any) -> str:
    match value:
        case None:
            return f"<{name} />"
        case dict():
            return f"<{name}>{''.join(_xml(key, item) for key, item in value.items())}</{name}>"
        case bool():
            return f"<{name}>{str(value).lower()}</{name}>"
        case _:
            return f"<{name}>{escape(str(value))}</{name}>"


def read_fields(
    body: Mapping[str, Any], fields: Iterable[Field], names: Iterable[tuple[str, str]], *, by_api: bool, max_length: int
) -> tuple[dict[str, Any], list[InvalidValueError]]:
    """Returns the values by attribute, and the problems. It accepts names in any case and ignores unknown names."""
    given = {name.lower(): value for name, value in body.items()}
    read: dict[str, Any] = {}
    problems: list[InvalidValueError] = []
    for each, (_, name) in zip(fields, names, strict=True):
        if name.lower() not in given or (by_api and not each.by_api):
            continue
        try:
            value = each.read(given[name.lower()])
            if each.limited and isinstance(value, str) and len(value) > max_length:
                raise ValueError(f"The field {name} must be a string with a maximum length of {max_length}.")
        except ValueError as error:
            problems.append(InvalidValueError(name, str(error)))
        else:
            read[each.attribute] = value
    return read, problems
