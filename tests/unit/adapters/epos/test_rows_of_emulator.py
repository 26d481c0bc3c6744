"""A stored row of the emulator reads the same in V2 and in every shape of V4."""

from __future__ import annotations

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tillsync_sandbox.till import KeyCase, TillSwitches, V4TypeField
from tillsync_sandbox.till.rows import RowSchema, customer_json, type_json, v2, v4
from tillsync_sandbox.till.stored import StoredCustomer, StoredType
from tillsync_server.adapters.epos.customer_types import read_row as read_type
from tillsync_server.adapters.epos.customers import read_row as read_customer

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
AMOUNTS = st.decimals(min_value=-(10**9), max_value=10**9, places=2) | st.integers(-(10**6), 10**6).map(Decimal)
IDS = st.integers(1, 2**53)
SHAPES: list[RowSchema] = [v2()] + [v4(TillSwitches(v4_case=case, v4_type_field=name)) for case in KeyCase for name in V4TypeField]

CUSTOMERS = st.builds(
    StoredCustomer,
    customer_id=IDS,
    forename=TEXTS,
    surname=TEXTS,
    business_name=TEXTS,
    contact_number=TEXTS,
    email_address=TEXTS,
    card_number=TEXTS,
    type_id=st.none() | IDS,
    current_points=AMOUNTS,
    current_balance=AMOUNTS,
    sign_up_date=st.none() | st.just("2024-05-01T09:30:00"),
)


@given(CUSTOMERS)
def test_a_customer_reads_the_same_in_every_shape(stored: StoredCustomer) -> None:
    read = [read_customer(json.loads(customer_json(stored, schema), parse_float=Decimal)) for schema in SHAPES]
    assert all(customer == read[0] for customer in read)
    customer = read[0]
    assert customer.epos_customer_id == stored.customer_id
    assert (customer.forename, customer.surname) == (stored.forename or "", stored.surname or "")
    assert (customer.email, customer.phone, customer.card_number) == (
        stored.email_address or "",
        stored.contact_number or "",
        stored.card_number or "",
    )
    assert (customer.type_id, customer.points, customer.balance) == (stored.type_id, stored.current_points, stored.current_balance)


@given(st.builds(StoredType, type_id=IDS, name=TEXTS, discount=AMOUNTS, description=TEXTS))
def test_a_type_reads_the_same_in_every_shape(stored: StoredType) -> None:
    read = [read_type(json.loads(type_json(stored, schema), parse_float=Decimal)) for schema in SHAPES]
    assert all(found == read[0] for found in read)
    assert (read[0].epos_customer_type_id, read[0].name) == (stored.type_id, stored.name or "")
    assert (read[0].discount, read[0].description) == (stored.discount, stored.description or "")
