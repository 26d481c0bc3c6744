"""Values of a till customer for the shop: rounded amounts, and texts as WooCommerce stores them. An invalid field drops only itself."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tillsync_server.adapters.woo.customer_fields import invalid_result
from tillsync_server.domain.account import Account
from tillsync_server.domain.customer import CustomerWrite, TillCustomer, TillField
from tillsync_server.domain.ids import AccountId, EposCustomerId, EposCustomerTypeId, TillId, WooCustomerId
from tillsync_server.domain.shop_values import ShopValues, as_wordpress_stores, phone_number, shop_values_of

ACCOUNT = Account(account_id=AccountId("shop-a"), till_id=TillId("till-a"), sync_names=True, sync_phone=True)
ADA = TillCustomer(
    epos_customer_id=EposCustomerId(1),
    forename="Ada",
    surname="Byron",
    phone="01234 567890",
    type_id=EposCustomerTypeId(7),
    points=Decimal(120),
    balance=Decimal("3.5"),
)


def sent(**fields: object) -> ShopValues:
    return shop_values_of(replace(ADA, **fields), ACCOUNT)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("served", "points", "note"),
    [
        ("10.000000000000002", "10", "points rounded to a whole number"),
        ("9.999999999999998", "10", "points rounded to a whole number"),
        ("5.55e-17", "0", "points rounded to a whole number"),
        ("-1e-9", "0", "points rounded to a whole number"),
        ("12.3456789", "12.345679", "points rounded to 6 decimals"),
        ("12.5", "12.5", None),
        ("120.00", "120", None),
        ("-3", "-3", None),
        ("999999999999999", "999999999999999", None),
    ],
)
def test_nearly_whole_points_are_rounded(served: str, points: str, note: str | None) -> None:
    assert (sent(points=Decimal(served)).values.points, sent(points=Decimal(served)).notes) == (points, () if note is None else (note,))


@pytest.mark.parametrize(
    ("served", "credit", "is_rounded"),
    [
        ("0.30000000000000004", "0.30", True),
        ("19.989999999999998", "19.99", True),
        ("1.005", "1.01", True),
        ("-1.005", "-1.01", True),
        ("5.55e-17", "0.00", True),
        ("-0.001", "0.00", True),
        ("3.5", "3.50", False),
        ("3.500", "3.50", False),
        ("-3.1", "-3.10", False),
    ],
)
def test_credit_is_rounded_to_two_decimals(served: str, credit: str, is_rounded: bool) -> None:
    found = sent(balance=Decimal(served))
    assert (found.values.credit, found.notes) == (credit, ("credit rounded to 2 decimals, as the shop's prices are",) if is_rounded else ())


@pytest.mark.parametrize(("places", "credit"), [(0, "20.00"), (2, "19.99"), (3, "19.988"), (6, "19.988")])
def test_credit_has_the_decimals_of_the_shop_prices(places: int, credit: str) -> None:
    account = replace(ACCOUNT, shop=replace(ACCOUNT.shop, price_decimals=places))
    assert shop_values_of(replace(ADA, balance=Decimal("19.988")), account).values.credit == credit


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15) + 1, max_value=10**15 - 1))
def test_every_amount_is_valid_for_bridge_and_keys(amount: Decimal) -> None:
    values = sent(points=amount, balance=amount).values
    assert values.gaps == ()
    assert invalid_result(CustomerWrite(woo_customer_id=WooCustomerId(1), version=1, values=values)) is None


def test_invalid_number_is_omitted_and_other_values_are_sent() -> None:
    found = sent(points=None, unread=frozenset({TillField.POINTS}))
    assert (found.values.points, found.values.credit, found.values.type_id, found.values.first_name) == (None, "3.50", 7, "Ada")
    assert found.notes == ("points not written: what Epos Now serves is no number, correct it in Epos Now",)
    found = sent(type_id=None, unread=frozenset({TillField.TYPE}))
    assert (found.values.gaps, found.values.points) == (("type_id",), "120")
    found = sent(balance=Decimal("1e15"))
    assert (found.values.credit, found.notes) == (None, ("credit not written: more than 15 digits, correct it in Epos Now",))


def test_no_type_and_unknown_type_have_different_content_hashes() -> None:
    none, unknown = sent(type_id=None).values, sent(type_id=None, unread=frozenset({TillField.TYPE})).values
    assert none.content_hash(WooCustomerId(1), ACCOUNT) != unknown.content_hash(WooCustomerId(1), ACCOUNT)


@pytest.mark.parametrize(
    ("served", "written"),
    [
        ("01234 567890", "01234 567890"),
        ("+44 (0)1234-567.890", "+44 (0)1234-567.890"),
        ("01234 567890 ext 12", "01234 567890 #12"),
        ("01234 567890 x12", "01234 567890 #12"),
        ("07700 900123 (mum)", "07700 900123"),
        ("tel:+441234567890", "+441234567890"),
        ("Tel: 01234 567890", "01234 567890"),
        ("\u202a+44 7700 900123\u202c", "+44 7700 900123"),
        ("\ufeff07700\u200b900123\t", "07700900123"),
        ("07700\u00a0900123", "07700 900123"),
        ("", ""),
        ("   ", ""),
        ("n/a", None),
        ("-", None),
        ("none", None),
        ("ask Ada", None),
        ("٠١٢٣٤٥", None),
        ("1" * 101, None),
    ],
)
def test_phone_is_written_in_woocommerce_form_or_omitted(served: str, written: str | None) -> None:
    assert phone_number(served) == written
    found = sent(phone=served)
    assert (found.values.phone, found.values.points) == (written, "120"), "points always travel"
    assert bool(found.notes) == (written is None)


@pytest.mark.parametrize(
    ("served", "written"),
    [
        ("Ada", "Ada"),
        ("  Ada \t Augusta\n", "Ada Augusta"),
        ("Ada <b>", "Ada"),
        ("Ada <b>King</b>", "Ada King"),
        ("100%ab", "100"),
        ("%%abab", ""),
        ("O'Brien & Søn", "O'Brien & Søn"),
        ("Zoë \U0001f98a", "Zoë \U0001f98a"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("A\x1b[2J", "A [2J"),
        ("5 < 7", None),
        ("<script", None),
    ],
)
def test_name_is_written_as_wordpress_stores_it_or_omitted(served: str, written: str | None) -> None:
    found = sent(forename=served)
    assert found.values.first_name == (written or (None if served else ""))
    assert found.values.points == "120"
    if written:
        assert invalid_result(CustomerWrite(woo_customer_id=WooCustomerId(1), version=1, values=found.values)) is None


@given(st.text(max_size=40))
def test_any_name_or_phone_still_sends_the_points(text: str) -> None:
    values = sent(forename=text, surname=text, phone=text).values
    assert values.points == "120"
    assert invalid_result(CustomerWrite(woo_customer_id=WooCustomerId(1), version=1, values=values)) is None


def test_names_and_phone_are_sent_only_if_enabled() -> None:
    values = shop_values_of(replace(ADA, phone="n/a"), replace(ACCOUNT, sync_names=False, sync_phone=False))
    assert (values.values.first_name, values.values.last_name, values.values.phone, values.notes) == (None, None, None, ())


def test_percent_octets_are_removed_repeatedly_as_in_wordpress() -> None:
    assert as_wordpress_stores("a%2%62b") == "a"
