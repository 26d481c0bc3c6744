"""The till emulator over plain HTTP. Recorded answers of Epos Now are served byte for byte, and every switch has its effect."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from support.sandbox import NEW_V2, Caller, caller, till_caller
from tillsync_sandbox import SandboxTill
from tillsync_sandbox.till import DeleteMode, EmailMatch, EmailMiss, KeyCase, PostReply, PutMode, V4TypeField

CUSTOMER, V4_CUSTOMER = "/api/V2/Customer", "/api/v4/Customer"


@pytest_asyncio.fixture
async def till() -> AsyncIterator[SandboxTill]:
    async with SandboxTill() as running:
        yield running


@pytest_asyncio.fixture
async def call(till: SandboxTill) -> AsyncIterator[Caller]:
    async with till_caller(till) as made:
        yield made


# -- the recorded forms


async def test_v2_serves_the_recorded_row_byte_for_byte(till: SandboxTill, call: Caller) -> None:
    till.add_type(4001)
    till.add_customer(
        90001,
        title=1,
        date_of_birth="1980-12-10T00:00:00",
        phone="01200000000",
        email="ada@example.test",
        type_id=4001,
        max_credit="100.00",
    )
    reply = await call("GET", f"{CUSTOMER}/90001")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    assert reply.text == (
        '{"CustomerID":90001,"Title":1,"Forename":"Ada","Surname":"Byron","BusinessName":null,'
        '"DateOfBirth":"1980-12-10T00:00:00","ContactNumber":"01200000000","ContactNumber2":null,'
        '"EmailAddress":"ada@example.test","Type":4001,"MaxCredit":100.00,"CurrentBalance":0.00,'
        '"ExpiryDate":null,"CardNumber":null,"CurrentPoints":0,"SignUpDate":"2024-05-01T09:30:00",'
        '"Notes":null,"SignUpLocationID":4200,"MainAddressID":null}'
    )


async def test_v2_types_equal_the_recorded_ones(till: SandboxTill, call: Caller) -> None:
    till.add_type(4001)
    assert (await call("GET", "/api/V2/CustomerType")).text == (
        '[{"CustomerTypeID":4001,"Name":"Basic","Discount":0.0,"Description":"Basic customer",'
        '"DefaultExpiryLength":0,"DefaultMaxCredit":0.0}]'
    )


@pytest.mark.parametrize("path", ["/API/v2/CUSTOMER/90001", "/api/V2/customer/90001/", "/Api/V4/Customer/90001"])
async def test_paths_are_case_insensitive(till: SandboxTill, call: Caller, path: str) -> None:
    till.add_customer(90001)
    assert (await call("GET", path)).status == 200


async def test_request_content_type_selects_the_answer_content_type(till: SandboxTill, call: Caller) -> None:
    till.add_customer(90001, email="a&b@example.test")
    for headers in ({"Content-Type": "application/xml"}, {"Content-Type": "", "Accept": "*/*"}):
        reply = await call("GET", f"{CUSTOMER}/90001", headers=headers)
        assert reply.headers["Content-Type"] == "application/xml; charset=utf-8"
        assert "<CustomerID>90001</CustomerID>" in reply.text
        assert "<EmailAddress>a&amp;b@example.test</EmailAddress>" in reply.text
    assert (await call("GET", f"{CUSTOMER}/90001", headers={"Content-Type": "", "Accept": "application/json"})).json["CustomerID"] == 90001


async def test_create_with_an_unknown_type_is_refused_with_the_recorded_text(call: Caller, till: SandboxTill) -> None:
    reply = await call("POST", f"{CUSTOMER}/", {**NEW_V2, "Type": 99})
    assert (reply.status, reply.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert reply.text == "Invalid field value for CustomerType: CustomerTypeID"
    assert till.store.customer_count == 0


async def test_create_answers_with_location_and_the_object(till: SandboxTill, call: Caller) -> None:
    reply = await call("POST", f"{CUSTOMER}/", {**NEW_V2, "MainAddressID": 7, "CurrentPoints": 900, "CurrentBalance": 5})
    assert reply.status == 201
    customer_id = reply.json["CustomerID"]
    assert reply.headers["Location"] == f"{till.origin}/api/V2/Customer/{customer_id}"
    assert reply.json["MainAddressID"] is None
    assert reply.json["CurrentPoints"] == reply.json["CurrentBalance"] == 0


async def test_a_repeated_create_makes_a_twin(till: SandboxTill, call: Caller) -> None:
    ids = {(await call("POST", CUSTOMER, NEW_V2)).json["CustomerID"] for _ in range(2)}
    assert set(till.customers_by_email("ADA@example.test")) == ids
    assert len(ids) == 2


@pytest.mark.parametrize("missing", ["Forename", "MaxCredit", "SignUpDate"])
async def test_create_without_a_required_field_names_it(call: Caller, missing: str) -> None:
    reply = await call("POST", CUSTOMER, {name: value for name, value in NEW_V2.items() if name != missing})
    assert (reply.status, reply.text) == (400, f"{missing} - The {missing} field is required.")


async def test_several_bad_fields_are_listed_in_lines(call: Caller) -> None:
    reply = await call("POST", CUSTOMER, {**NEW_V2, "Forename": "x" * 51, "EmailAddress": "y" * 51})
    assert [line.partition(" - ")[0] for line in reply.text.split("\r\n")] == ["Forename", "EmailAddress"]


async def test_v2_put_is_partial_and_keeps_the_ledgers(till: SandboxTill, call: Caller) -> None:
    till.add_customer(90001, email="ada@example.test", points=10)
    reply = await call("PUT", f"{CUSTOMER}/90001", {"surname": "Lovelace", "CurrentPoints": 0})
    assert reply.status == 200
    assert (reply.json["Surname"], reply.json["EmailAddress"], reply.json["CurrentPoints"]) == ("Lovelace", "ada@example.test", 10)


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("GET", f"{CUSTOMER}/5", None),
        ("PUT", f"{CUSTOMER}/5", {}),
        ("DELETE", f"{CUSTOMER}/5", None),
        ("GET", f"{V4_CUSTOMER}/5", None),
        ("PUT", V4_CUSTOMER, [{"Id": 5}]),
        ("DELETE", V4_CUSTOMER, [{"Id": 5}]),
        ("GET", "/api/V2/CustomerType/5", None),
    ],
)
async def test_an_unknown_id_is_a_plain_404(call: Caller, method: str, path: str, content: Any) -> None:
    reply = await call(method, path, content)
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/plain; charset=utf-8")


@pytest.mark.parametrize("path", ["/", "/api/V3/Customer", "/api/V2/Nonsense", "/api/V2/Customer/x", "/api/V2/Customer/1/2"])
async def test_an_unknown_address_is_an_html_404(call: Caller, path: str) -> None:
    reply = await call("GET", path)
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize("authorization", ["", "Basic !", "Bearer x", aiohttp.encode_basic_auth("sandbox-key", "wrong")])
async def test_bad_credentials_are_401(till: SandboxTill, authorization: str) -> None:
    async with caller(till.origin) as anonymous:
        headers = {"Authorization": authorization} if authorization else {}
        assert (await anonymous("GET", "/api/v4/TokenInfo", headers=headers)).status == 401
        assert (await anonymous("POST", CUSTOMER, NEW_V2, headers=headers)).status == 401
    assert till.store.customer_count == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'[{"Forename":"Ada"}]'])
async def test_a_bad_body_is_refused(call: Caller, body: bytes) -> None:
    assert (await call("POST", CUSTOMER, body=body)).status == 400


# -- V4


@pytest.mark.parametrize("case", list(KeyCase))
@pytest.mark.parametrize("type_field", list(V4TypeField))
async def test_v4_field_names_follow_the_switches(till: SandboxTill, call: Caller, case: KeyCase, type_field: V4TypeField) -> None:
    till.switches.v4_case, till.switches.v4_type_field = case, type_field
    till.add_type(4001)
    till.add_customer(90001, type_id=4001)
    row = (await call("GET", f"{V4_CUSTOMER}/90001")).json
    first = str.lower if case is KeyCase.CAMEL else str.upper
    assert all(name[0] == first(name[0]) for name in row)
    by_lower = {name.lower(): value for name, value in row.items()}
    assert (by_lower["id"], by_lower[type_field.value.lower()]) == (90001, 4001)
    assert len(row) == 20
    assert (await call("GET", f"{V4_CUSTOMER}?page=1")).json == [row]


@pytest.mark.parametrize(("reply_form", "kind"), [(PostReply.ARRAY, list), (PostReply.OBJECT, dict)])
async def test_v4_post_takes_an_array_and_answers_as_switched(till: SandboxTill, call: Caller, reply_form: PostReply, kind: type) -> None:
    till.switches.v4_post_reply = reply_form
    reply = await call("POST", V4_CUSTOMER, [NEW_V2])
    assert reply.status == 201
    assert isinstance(reply.json, kind)
    assert (await call("POST", V4_CUSTOMER, NEW_V2)).status == 400
    assert till.store.customer_count == 1


async def test_v4_creates_all_of_an_array_or_none(till: SandboxTill, call: Caller) -> None:
    assert (await call("POST", V4_CUSTOMER, [NEW_V2, {"Forename": "x"}])).status == 400
    assert till.store.customer_count == 0
    assert len((await call("POST", V4_CUSTOMER, [NEW_V2, NEW_V2])).json) == 2


@pytest.mark.parametrize(("mode", "email"), [(PutMode.PARTIAL, "ada@example.test"), (PutMode.REPLACE, None)])
async def test_v4_put_merges_or_replaces_as_switched(till: SandboxTill, call: Caller, mode: PutMode, email: str | None) -> None:
    till.switches.v4_put = mode
    till.add_customer(90001, email="ada@example.test", points=7)
    (row,) = (await call("PUT", V4_CUSTOMER, [{"Id": 90001, "Surname": "Lovelace"}])).json
    assert (row["Surname"], row["EmailAddress"], row["CurrentPoints"]) == ("Lovelace", email, 7)


# -- searching


@pytest.mark.parametrize(
    ("match", "text", "found"),
    [
        (EmailMatch.EXACT, "ada@example.test", [1]),
        (EmailMatch.EXACT, "ADA@example.test", [2]),
        (EmailMatch.CI, "aDa@example.test", [1, 2]),
        (EmailMatch.CONTAINS, "da@example", [1, 2, 3]),
        (EmailMatch.CONTAINS, "nobody", []),
        (EmailMatch.IGNORED, "nobody", [1, 2, 3, 4, 5]),
    ],
)
async def test_email_search_follows_its_switch(till: SandboxTill, call: Caller, match: EmailMatch, text: str, found: list[int]) -> None:
    till.switches.email_match = match
    for customer_id, email in enumerate(("ada@example.test", "ADA@example.test", "magda@example.test", None, ""), start=1):
        till.add_customer(customer_id, email=email)
    reply = await call("GET", f"{CUSTOMER}?EmailAddress={text}")
    assert [row["CustomerID"] for row in reply.json] == found
    assert [row["Id"] for row in (await call("GET", f"{V4_CUSTOMER}/GetByEmail?email={text}")).json] == found


async def test_search_finds_a_changed_email(till: SandboxTill, call: Caller) -> None:
    till.add_customer(1, email="old@example.test")
    till.change_customer(1, email="new@example.test")
    assert (await call("GET", f"{CUSTOMER}?EmailAddress=old@example.test")).json == []
    assert [row["CustomerID"] for row in (await call("GET", f"{CUSTOMER}?emailaddress=new@example.test&Surname=byron")).json] == [1]


@pytest.mark.parametrize(("miss", "status"), [(EmailMiss.EMPTY, 200), (EmailMiss.NOT_FOUND, 404)])
async def test_getbyemail_miss_follows_the_switch(till: SandboxTill, call: Caller, miss: EmailMiss, status: int) -> None:
    till.switches.getbyemail_miss = miss
    assert (await call("GET", f"{V4_CUSTOMER}/GetByEmail?email=nobody@example.test")).status == status
    assert (await call("GET", f"{CUSTOMER}?EmailAddress=nobody@example.test")).json == []


# -- pages


async def _ids(call: Caller, pages: int, query: str = "") -> list[list[int]]:
    replies = [await call("GET", f"{CUSTOMER}?page={number}{query}") for number in range(1, pages + 1)]
    return [[row["CustomerID"] for row in reply.json] for reply in replies]


async def test_pages_are_ordered_and_end_with_an_empty_one(till: SandboxTill, call: Caller) -> None:
    till.switches.page_size = 2
    for customer_id in (3, 1, 2):
        till.add_customer(customer_id, email="same@example.test")
    assert await _ids(call, 3) == [[1, 2], [3], []]
    assert await _ids(call, 3, "&EmailAddress=same@example.test") == [[1, 2], [3], []]


async def test_page_drift_shifts_rows_both_ways(till: SandboxTill, call: Caller) -> None:
    till.switches.page_size = 3
    for customer_id in range(1, 8):
        till.add_customer(customer_id)
    till.switches.page_drift = 1
    assert await _ids(call, 5) == [[1, 2, 3], [3, 4, 5], [5, 6, 7], [7], []]
    till.switches.page_drift = -1
    assert await _ids(call, 3) == [[1, 2, 3], [5, 6, 7], []]


async def test_fifty_thousand_customers_are_listed_quickly(till: SandboxTill, call: Caller) -> None:
    for number in range(50_000):
        till.add_customer(email=f"c{number}@example.test")
    first = await call("GET", f"{CUSTOMER}?page=250")
    assert first.json[-1]["EmailAddress"] == "c49999@example.test"
    began = time.perf_counter()
    for number in range(1, 251):
        await call("GET", f"{CUSTOMER}?page={number}")
    assert time.perf_counter() - began < 20  # 2 s on an idle machine


# -- deletes


@pytest.mark.parametrize("path_of", [lambda i: (f"{CUSTOMER}/{i}", None), lambda i: (V4_CUSTOMER, [{"Id": i}])])
async def test_customer_delete_follows_the_switch(till: SandboxTill, call: Caller, path_of: Any) -> None:
    till.add_customer(1, points=3)
    till.add_customer(2)
    till.add_customer(3)
    till.switches.delete = DeleteMode.REFUSE_IF_USED
    assert (await call("DELETE", *path_of(1))).status == 400
    assert (await call("DELETE", *path_of(2))).status == 200
    assert (await call("GET", f"{CUSTOMER}/2")).status == 404
    till.switches.delete = DeleteMode.SOFT
    assert (await call("DELETE", *path_of(3))).status == 200
    assert (await call("GET", f"{CUSTOMER}/3")).status == 200
    assert await _ids(call, 1) == [[1]]
    till.switches.delete = DeleteMode.HARD
    assert (await call("DELETE", *path_of(1))).status == 200
    assert await _ids(call, 1) == [[]]


async def test_type_delete_follows_the_switch(till: SandboxTill, call: Caller) -> None:
    used, unused = till.add_type(), till.add_type()
    till.add_customer(1, type_id=used)
    till.switches.delete = DeleteMode.REFUSE_IF_USED
    assert (await call("DELETE", f"/api/V2/CustomerType/{used}")).status == 400
    assert (await call("DELETE", f"/api/V2/CustomerType/{unused}")).status == 200
    till.switches.delete = DeleteMode.HARD
    assert (await call("DELETE", f"/api/V2/CustomerType/{used}")).status == 200
    assert (await call("GET", f"{CUSTOMER}/1")).json["Type"] is None


async def test_types_are_created_updated_and_deleted(till: SandboxTill, call: Caller) -> None:
    made = await call("POST", "/api/V2/CustomerType", {"Name": "Gold", "Discount": 12.50})
    assert (made.status, made.json["Discount"]) == (201, 12.50)
    type_id = made.json["CustomerTypeID"]
    assert (await call("PUT", f"/api/V2/CustomerType/{type_id}", {"Name": "Silver"})).json["Name"] == "Silver"
    assert (await call("GET", f"/api/v4/CustomerType/{type_id}")).json["Id"] == type_id
    till.switches.v4_customer_types = False
    assert (await call("GET", f"/api/v4/CustomerType/{type_id}")).headers["Content-Type"].startswith("text/html")
    assert (await call("GET", "/api/V2/CustomerType?page=2")).json == []


async def test_switches_refuse_what_they_do_not_know(till: SandboxTill) -> None:
    before = till.switches.as_json()
    for changes in (
        {"nonsense": 1},
        {"email_match": "fuzzy"},
        {"page_size": 0},
        {"page_size": 1.5},
        {"wrong_address": 1},
        {"error_500_percent": 101},
        {"latency_seconds": -1},
        {"latency_seconds": True},
        {"api_key": None},
    ):
        with pytest.raises(ValueError, match=next(iter(changes))):
            till.switches.update({"delete": "soft", **changes})
    assert till.switches.as_json() == before
    till.switches.update({"late_create_seconds": 1, "page_drift": -2})
    till.switches.update({"late_create_seconds": None})
