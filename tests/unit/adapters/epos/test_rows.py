"""Reading the till's rows: both vocabularies, any case, three names of the type field. Errors name the unreadable field."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from support.till_client import V2_ROW
from tillsync_server.adapters.epos.customer_types import read_row as read_type
from tillsync_server.adapters.epos.customers import new_row, read_row
from tillsync_server.adapters.epos.refusals import refused_field
from tillsync_server.domain.customer import NewTillCustomer, TillCustomer, TillCustomerType, TillField
from tillsync_server.domain.errors import Refused, Unreadable
from tillsync_server.domain.ids import EposCustomerId, EposCustomerTypeId

ADA = TillCustomer(
    epos_customer_id=EposCustomerId(90001),
    forename="Ada",
    surname="Byron",
    email="ada@example.test",
    phone="01200000000",
    type_id=EposCustomerTypeId(4001),
    sign_up_date="2024-05-01T09:30:00",
)


def served(row: dict[str, Any]) -> Any:
    return json.loads(json.dumps(row), parse_float=Decimal)


ROW: dict[str, Any] = served(V2_ROW)


def test_recorded_v2_row_is_read() -> None:
    assert read_row(served(V2_ROW)) == ADA


@pytest.mark.parametrize("fold", [str, str.lower, str.upper, lambda name: name[0].lower() + name[1:]])
@pytest.mark.parametrize("type_field", ["Type", "TypeId", "CustomerTypeId"])
def test_v4_names_are_read_in_any_case(fold: Any, type_field: str) -> None:
    renamed = {"CustomerID": "Id", "Type": type_field}
    row = {fold(renamed.get(name, name)): value for name, value in V2_ROW.items()}
    assert read_row(served(row)) == ADA


def test_last_of_keys_that_differ_in_case_is_read() -> None:
    assert read_row(served(V2_ROW) | {"EMAILADDRESS": "other@example.test"}).email == "other@example.test"


@pytest.mark.parametrize(
    ("value", "type_id"),
    [
        (None, None),
        (0, None),
        (4001, 4001),
        ("4001", 4001),
        ({"Id": 7}, 7),
        ({"CustomerTypeID": 8, "Name": "VIP"}, 8),
        ({"Id": None}, None),
    ],
)
def test_type_is_read_from_null_text_or_object(value: Any, type_id: int | None) -> None:
    assert read_row({**ROW, "Type": value}).type_id == type_id


def test_null_texts_are_empty_and_raw_texts_are_kept() -> None:
    customer = read_row({**ROW, "Surname": None, "EmailAddress": None, "Forename": "  Ada ", "ContactNumber": 1200})
    assert (customer.surname, customer.email, customer.forename, customer.phone) == ("", "", "  Ada ", "1200")


def test_characters_that_postgresql_cannot_store_are_removed() -> None:
    customer = read_row({**ROW, "Forename": "A\x00da", "Surname": "B\ud800"})
    assert (customer.forename, customer.surname) == ("Ada", "B?")


@pytest.mark.parametrize(
    ("value", "points"), [(0, "0"), (None, "0"), (Decimal("0.00"), "0"), (Decimal("12.50"), "12.5"), ("7.0", "7"), (-3, "-3")]
)
def test_numbers_are_decimals(value: Any, points: str) -> None:
    assert read_row({**ROW, "CurrentPoints": value}).points == Decimal(points)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("CustomerID", None),
        ("CustomerID", 0),
        ("CustomerID", -1),
        ("CustomerID", True),
        ("CustomerID", "abc"),
        ("CustomerID", Decimal("1.5")),
        ("CustomerID", 2**63),
        ("EmailAddress", {"a": "b"}),
    ],
)
def test_invalid_field_is_named_without_its_content(field: str, value: Any) -> None:
    with pytest.raises(Unreadable) as caught:
        read_row({**ROW, field: value})
    assert caught.value.field == field
    assert f"field {field} of a customer" in caught.value.text
    assert str(value) not in caught.value.text


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("CurrentPoints", "many", TillField.POINTS),
        ("CurrentPoints", True, TillField.POINTS),
        ("CurrentPoints", [], TillField.POINTS),
        ("CurrentBalance", Decimal("1e999999"), TillField.CREDIT),
        ("CurrentBalance", "NaN", TillField.CREDIT),
        ("CurrentBalance", {"amount": 1}, TillField.CREDIT),
        ("Forename", ["Ada"], TillField.FIRST_NAME),
        ("Surname", {"name": "Byron"}, TillField.LAST_NAME),
        ("ContactNumber", [1], TillField.PHONE),
        ("CardNumber", {}, TillField.CARD_NUMBER),
        ("SignUpDate", True, TillField.SIGN_UP_DATE),
        ("Type", "gold", TillField.TYPE),
        ("Type", [], TillField.TYPE),
        ("Type", -1, TillField.TYPE),
    ],
)
def test_invalid_field_leaves_the_other_fields_readable(field: str, value: Any, named: TillField) -> None:
    """This holds for every field except the id and the email."""
    whole, read = read_row(ROW), read_row({**ROW, field: value})
    assert read.unread == {named}
    assert (read.email, read.epos_customer_id) == (whole.email, whole.epos_customer_id)
    if named is not TillField.POINTS:
        assert read.points == whole.points
    if named is not TillField.CREDIT:
        assert read.balance == whole.balance


@pytest.mark.parametrize("value", [Decimal("5.55e-17"), Decimal("1e-999"), "5.551115123125783e-17", Decimal("-2.2e-308")])
def test_nearly_zero_float_is_a_number(value: Any) -> None:
    row = read_row({**ROW, "CurrentPoints": value, "CurrentBalance": value})
    assert (row.unread, row.points is not None and abs(row.points) < Decimal("1e-15")) == (frozenset(), True)


@pytest.mark.parametrize("field", ["CurrentPoints", "CurrentBalance"])
def test_row_without_points_is_unreadable(field: str) -> None:
    row = {name: value for name, value in ROW.items() if name != field}
    with pytest.raises(Unreadable, match="another API version may serve it"):
        read_row(row)
    assert read_row(row, with_ledgers=False).epos_customer_id == 90001


@pytest.mark.parametrize("value", [None, 1, "x", [], [V2_ROW, V2_ROW], True])
def test_row_that_is_no_object_is_unreadable(value: Any) -> None:
    with pytest.raises(Unreadable, match="not an object"):
        read_row(value)


def test_a_recorded_type_is_read() -> None:
    row = {"CustomerTypeID": 4001, "Name": "Basic", "Discount": 2.5, "Description": None, "DefaultExpiryLength": 0, "DefaultMaxCredit": 0.0}
    expected = TillCustomerType(epos_customer_type_id=EposCustomerTypeId(4001), name="Basic", discount=Decimal("2.5"))
    assert read_type(served(row)) == expected
    assert read_type(served({"id": 4001, "name": "Basic", "discount": 2.5})) == expected


def test_new_row_has_required_fields_and_no_empty_ones() -> None:
    assert new_row(NewTillCustomer(forename="Web customer", sign_up_date="2026-01-02T03:04:05")) == {
        "Forename": "Web customer",
        "MaxCredit": 0,
        "SignUpDate": "2026-01-02T03:04:05",
    }
    full = NewTillCustomer(
        forename="Ada", surname="Byron", email="ada@example.test", phone="1", business_name="B", sign_up_date="2026-01-02T03:04:05"
    )
    assert new_row(full) == {
        "Forename": "Ada",
        "Surname": "Byron",
        "EmailAddress": "ada@example.test",
        "ContactNumber": "1",
        "BusinessName": "B",
        "MaxCredit": 0,
        "SignUpDate": "2026-01-02T03:04:05",
    }


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"forename": ""}, "Forename"),
        ({"forename": "x" * 51}, "Forename"),
        ({"surname": "x" * 51}, "Surname"),
        ({"email": "x" * 40 + "@example.test"}, "EmailAddress"),
        ({"sign_up_date": ""}, "SignUpDate"),
    ],
)
def test_field_that_the_till_cannot_store_is_refused_before_sending(changes: dict[str, str], field: str) -> None:
    with pytest.raises(Refused) as caught:
        new_row(NewTillCustomer(**{"forename": "Ada", "sign_up_date": "2026-01-02T03:04:05", **changes}))
    assert caught.value.field == field
    assert caught.value.text.startswith(f"refused field: {field}")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("Invalid field value for CustomerType: CustomerTypeID", "CustomerTypeID"),
        ("Forename - must not be empty\r\nSurname - too long\r\n", "Forename"),
        ("Validation failed\r\nEmailAddress - is not valid", "EmailAddress"),
        ("Something - else", "Something"),
        ("no field here", None),
        ("", None),
    ],
)
def test_refused_field_is_found_in_the_text(text: str, field: str | None) -> None:
    assert refused_field(text) == field


@pytest.mark.parametrize("text", ["\n" * 65_536, "\n \t" * 21_000, "\r\n" * 32_000])
def test_error_page_of_empty_lines_is_parsed_quickly(text: str) -> None:
    began = time.process_time()
    assert refused_field(text) is None
    assert time.process_time() - began < 2
