"""A person given by one key. The service finds the person at till, shop, links and records.

It names uncertain keys and touches no other person."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf import field_mask_pb2
from support.api_harness import ApiHarness, api_harness
from support.engine import EngineWorld
from support.links import complete_all, epos, facts_of, put_order, woo
from tillsync.v1 import account_pb2, account_service_pb2, privacy_service_pb2, vocabulary_pb2
from tillsync_sandbox.till.switches import EmailMatch
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome
from tillsync_server.domain.verdict import Verdict

pytestmark = pytest.mark.integration

P = privacy_service_pb2
EXPORT, ERASE = "PrivacyService/ExportPerson", "PrivacyService/ErasePerson"
ADA, GRACE = "ada@example.test", "grace@example.test"
TILL, SHOP = vocabulary_pb2.SIDE_TILL, vocabulary_pb2.SIDE_SHOP


@pytest_asyncio.fixture
async def api(world: EngineWorld) -> AsyncIterator[ApiHarness]:
    async with api_harness(world) as made:
        await made.add_account(default_epos_customer_id=7)
        made.till.add_customer(7, email="till@example.test", forename="Guests")
        yield made


async def set_consumer_keys(api: ApiHarness) -> None:
    """Adds consumer keys to the account, which has a bridge secret already."""
    shop = account_pb2.ShopSettings(consumer_key=api.shop.switches.consumer_key, consumer_secret=api.shop.switches.consumer_secret)
    request = account_service_pb2.UpdateAccountRequest(
        account_id="shop-a",
        account=account_pb2.Account(shop=shop),
        update_mask=field_mask_pb2.FieldMask(paths=["shop.consumer_key", "shop.consumer_secret"]),
    )
    await api.call("AccountService/UpdateAccount", request)


async def add_link(api: ApiHarness, till_customer: int, shop_customer: int, *, gone: bool = False) -> None:
    await api.grpc.engine.fetch(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin, woo_gone_at) "
        "VALUES ('shop-a', $1, $2, 3, CASE WHEN $3 THEN now() END) RETURNING 1",
        till_customer,
        shop_customer,
        gone,
    )


async def add_processed_sync(api: ApiHarness, till_customer: int, shop_customer: int, label: str) -> None:
    """Adds a processed entry of the till customer."""
    await api.grpc.engine.hint("shop-a", till_customer)
    verdict = replace(Verdict.finished(Outcome.UPDATED), epos_customer_id=epos(till_customer), subject_label=label)
    await complete_all(api.grpc.engine, replace(verdict, woo_customer_id=woo(shop_customer)))


async def add_matched_order(api: ApiHarness, order_id: int, till_customer: int, *, email: str, shop_customer: int | None = None) -> None:
    """Adds a processed order that matched the till customer."""
    account_email = "" if shop_customer is None else email
    await put_order(api.grpc.engine, facts_of(order_id, woo_customer_id=shop_customer, email=email, account_email=account_email))
    await complete_all(api.grpc.engine, replace(Verdict.finished(Outcome.MATCHED_EMAIL, "found"), epos_customer_id=epos(till_customer)))


async def export(api: ApiHarness, size: int = 0, **person: Any) -> privacy_service_pb2.ExportPersonResponse:
    page: privacy_service_pb2.ExportPersonResponse = await api.call(
        EXPORT, P.ExportPersonRequest(account_id="shop-a", person=P.Person(**person), page_size=size)
    )
    return page


async def erase(api: ApiHarness, **person: Any) -> privacy_service_pb2.ErasePersonResponse:
    answer: privacy_service_pb2.ErasePersonResponse = await api.call(
        ERASE, P.ErasePersonRequest(account_id="shop-a", person=P.Person(**person))
    )
    return answer


def category_counts(page: privacy_service_pb2.ExportPersonResponse) -> dict[str, int]:
    return dict(Counter(record.category for record in page.records))


def known_keys(answer: Any) -> set[tuple[str, str, bool]]:
    return {(one.kind, one.value, one.followed) for one in answer.also_known_as}


def sides_not_asked(answer: Any) -> dict[int, str]:
    return {one.side: one.reason for one in answer.sides_not_asked}


async def count(api: ApiHarness, table: str) -> int:
    [row] = await api.grpc.engine.fetch(f"SELECT count(*) FROM {table}")
    return int(row["count"])


async def test_email_known_only_to_the_till_finds_link_and_entries(api: ApiHarness) -> None:
    api.till.add_customer(90072, email="Ada@Example.test")
    await add_link(api, 90072, 49)
    for _ in range(3):
        await add_processed_sync(api, 90072, 49, "Ada B.")
    page = await export(api, email=ADA)
    assert category_counts(page) == {"link": 1, "queue_entry": 3}
    assert [(one.kind, one.value, one.followed, one.reason) for one in page.also_known_as] == [
        ("till_customer", "90072", True, "has this email at Epos Now"),
        ("shop_customer", "49", True, "linked to till customer 90072"),
    ]
    assert list(sides_not_asked(page)) == [SHOP]
    assert "privacy tools of WordPress" in sides_not_asked(page)[SHOP]
    answer = await erase(api, email=ADA)
    assert {one.category: one.count for one in answer.erased} == {"link": 1, "queue_entry": 3}
    assert known_keys(answer) == known_keys(page)
    assert await count(api, "link") == await count(api, "entry_history") == 0


@pytest.mark.parametrize("key", ["email", "woo_customer_id", "epos_customer_id"])
async def test_every_key_finds_the_same_records(api: ApiHarness, key: str) -> None:
    api.till.add_customer(90072, email=ADA)
    await add_link(api, 90072, 49)
    await add_processed_sync(api, 90072, 49, "Ada B.")
    await add_matched_order(api, 1, 90072, email=ADA, shop_customer=49)
    await add_matched_order(api, 2, 90072, email=ADA)  # as a guest
    keys: dict[str, Any] = {"email": ADA, "woo_customer_id": 49, "epos_customer_id": 90072}
    person = {key: keys[key]}
    page = await export(api, **person)
    assert category_counts(page) == {"link": 1, "queue_entry": 3, "order_match": 2, "event": 2}
    answer = await erase(api, **person)
    assert {one.category: one.count for one in answer.erased} == {"link": 1, "queue_entry": 3, "order_match": 2, "event": 2}
    assert ADA not in str(answer)


@pytest.mark.catches("erased-links-leave-no-values")
async def test_erasure_reports_values_in_the_shop_until_they_are_removed(api: ApiHarness) -> None:
    api.till.add_customer(90072, email=ADA)
    await add_link(api, 90072, 49)
    engine = api.grpc.engine
    for _ in range(2):  # a repeated erasure keeps the entry that removes the values
        answer = await erase(api, email=ADA)
        assert [(one.category, one.count) for one in answer.retained] == [("pending_removal", 1)]
        assert "still in the shop" in answer.retained[0].reason
        entry = await engine.live("shop-a", 90072)
        assert entry is not None
        assert entry["state"] == EntryState.PENDING
    rows = await engine.fetch("SELECT woo_customer_id, epos_customer_id FROM shop_removal")
    assert [tuple(row) for row in rows] == [(49, 90072)]
    await engine.fetch("UPDATE account SET customer_sync_enabled = false RETURNING 1")
    assert "switched off" in (await erase(api, email=ADA)).retained[0].reason
    await engine.fetch("DELETE FROM shop_removal RETURNING 1")
    await complete_all(engine, Verdict.finished(Outcome.UPDATED))
    assert not (await erase(api, email=ADA)).retained
    assert await count(api, "entry_history") == 0


async def test_deleted_shop_customer_needs_no_removal(api: ApiHarness) -> None:
    api.till.add_customer(90072, email=ADA)
    await add_link(api, 90072, 49, gone=True)
    answer = await erase(api, email=ADA)
    assert not answer.retained
    assert await count(api, "link") == await count(api, "shop_removal") == 0


async def test_id_of_a_deleted_shop_customer_is_not_followed(api: ApiHarness) -> None:
    api.till.add_customer(90072, email=ADA)
    await add_link(api, 90072, 49, gone=True)
    await add_matched_order(api, 5, 90073, email=GRACE, shop_customer=49)  # Grace's user has the id now
    answer = await erase(api, email=ADA)
    assert ("shop_customer", "49", False) in known_keys(answer)
    page = await export(api, email=GRACE)
    assert category_counts(page) == {"queue_entry": 1, "order_match": 1, "event": 1}


async def test_id_that_belongs_to_another_user_now_does_not_follow_its_link(api: ApiHarness) -> None:
    api.till.add_customer(90072, email=ADA)
    await add_link(api, 90072, 49)
    await add_matched_order(api, 1, 90072, email=ADA)
    await api.grpc.engine.fetch("UPDATE link SET woo_registered_at = '2019-03-01T10:00:00Z' RETURNING 1")
    api.shop.add_customer(49, email=GRACE)  # after a restored backup, another user has the id; no order has reported this yet
    answer = await erase(api, email=GRACE, woo_customer_id=49)
    assert known_keys(answer) == {("till_customer", "90072", False)}
    assert answer.also_known_as[0].reason == "a link names it, but the shop customer's number belongs to another user by now"
    page = await export(api, email=ADA)
    assert category_counts(page) == {"pending_removal": 1, "queue_entry": 2, "order_match": 1, "event": 1}
    assert known_keys(page) == {("till_customer", "90072", True)}


@pytest.mark.catches("records-prove-no-number")
async def test_email_reaches_only_its_present_owner(api: ApiHarness) -> None:
    api.till.add_customer(90001, email=ADA, forename="Ada")
    await add_link(api, 90001, 12)
    await add_processed_sync(api, 90001, 12, "Ada B.")
    await add_matched_order(api, 1, 90001, email=ADA, shop_customer=12)
    api.till.change_customer(90001, email="ada.new@example.test")
    api.till.add_customer(90002, email=ADA, forename="Bob")
    await add_link(api, 90002, 13)
    await add_processed_sync(api, 90002, 13, "Bob C.")
    answer = await erase(api, email=ADA, woo_customer_id=13)
    assert known_keys(answer) == {("till_customer", "90002", True), ("till_customer", "90001", False), ("shop_customer", "12", False)}
    reasons = {one.value: one.reason for one in answer.also_known_as}
    assert reasons["90001"] == "records with this email name it, but it has another email at Epos Now"
    links = await api.grpc.engine.fetch("SELECT epos_customer_id FROM link")
    assert [row["epos_customer_id"] for row in links] == [90001]
    labels = await api.grpc.engine.fetch("SELECT subject_label FROM entry_history WHERE kind = 1")
    assert [row["subject_label"] for row in labels] == ["Ada B."]


async def test_email_of_two_till_customers_is_not_followed_from_one_of_them(api: ApiHarness) -> None:
    for number in (90001, 90002):
        api.till.add_customer(number, email="family@example.test")
    await add_matched_order(api, 1, 90002, email="family@example.test")
    page = await export(api, epos_customer_id=90001)
    assert category_counts(page) == {}
    assert known_keys(page) == {("email", "f•••@e•••.test", False)}
    assert page.also_known_as[0].reason == "till customer 90001 has it, and so may till customer 90002"


async def test_email_in_another_customers_order_is_not_followed_from_a_till_customer(api: ApiHarness) -> None:
    api.till.add_customer(90001, email=ADA)
    await put_order(api.grpc.engine, facts_of(1, woo_customer_id=13, email=ADA, account_email=GRACE))
    answer = await erase(api, epos_customer_id=90001)
    assert known_keys(answer) == {("email", "a•••@e•••.test", False)}
    assert answer.also_known_as[0].reason == "till customer 90001 has it, and so may shop customer 13"
    assert await api.grpc.engine.live("shop-a", 1, EntryKind.ORDER_CUSTOMER) is not None


async def test_shop_is_searched_with_consumer_keys(api: ApiHarness) -> None:
    await set_consumer_keys(api)
    api.shop.add_customer(49, email="Ada@example.test", role="administrator")
    api.till.add_customer(90072, email="somewhere.else@example.test")
    await add_link(api, 90072, 49)
    page = await export(api, email=ADA)
    assert known_keys(page) == {
        ("shop_customer", "49", True),
        ("till_customer", "90072", True),
        ("email", "s•••@e•••.test", True),
    }
    assert not page.sides_not_asked
    assert category_counts(page) == {"link": 1}


async def test_default_customer_is_named_and_not_followed(api: ApiHarness) -> None:
    page = await export(api, email="till@example.test")
    assert known_keys(page) == {("till_customer", "7", False)}
    assert page.also_known_as[0].reason == "it is the account's default customer, which stands for many guests"


async def test_unavailable_till_is_named_and_records_that_lead_to_its_customers_stay(api: ApiHarness) -> None:
    await add_matched_order(api, 1, 90072, email=ADA)
    api.till.add_customer(90072, email=ADA)
    await add_link(api, 90072, 49)
    await add_processed_sync(api, 90072, 49, "Ada B.")
    await api.till.stop()
    answer = await erase(api, email=ADA, woo_customer_id=5)
    assert list(sides_not_asked(answer)) == [TILL]
    assert known_keys(answer) == {("till_customer", "90072", False)}
    assert [(one.category, one.count) for one in answer.retained] == [("order_match", 1)]
    assert "ask for that number by itself" in answer.retained[0].reason
    assert {one.category: one.count for one in answer.erased} == {"queue_entry": 1}
    by_id = await erase(api, epos_customer_id=90072)
    assert {one.category: one.count for one in by_id.erased} == {"link": 1, "queue_entry": 1, "order_match": 1, "event": 1}
    assert ADA not in str(await api.grpc.engine.fetch("SELECT * FROM order_match"))


async def test_till_whose_search_ignores_emails_is_read_by_id(api: ApiHarness) -> None:
    api.till.switches.email_match = EmailMatch.IGNORED
    api.till.add_customer(90072, email=ADA)
    await add_matched_order(api, 1, 90072, email=ADA)
    await add_link(api, 90072, 49)
    page = await export(api, email=ADA)
    assert known_keys(page) == {("till_customer", "90072", True), ("shop_customer", "49", True)}
    assert "search ignores the email" in sides_not_asked(page)[TILL]


@pytest.mark.parametrize("text", ["ada", "Ada <ada@example.test>", "ada@", "@example.test", "a@b.test, c@d.test"])
async def test_invalid_email_is_refused_with_field_and_remedy(api: ApiHarness, text: str) -> None:
    for method, kind in ((EXPORT, P.ExportPersonRequest), (ERASE, P.ErasePersonRequest)):
        refused = await api.refusal(method, kind(account_id="shop-a", person=P.Person(email=text)))
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert list(refused.fields) == ["person.email"]
        assert "give the address alone" in refused.fields["person.email"]


async def test_pages_share_one_resolution_and_their_tokens_show_nothing(api: ApiHarness) -> None:
    api.till.add_customer(90072, email=ADA)
    await add_link(api, 90072, 49)
    for order_id in range(1, 4):
        await add_matched_order(api, order_id, 90072, email=ADA, shop_customer=49)
    whole = await export(api, 500, email=ADA)
    request = P.ExportPersonRequest(account_id="shop-a", person=P.Person(email=ADA), page_size=2)
    page, records = await api.call(EXPORT, request), []
    requests = api.till.log.total
    api.till.change_customer(90072, email="ada.new@example.test")  # the next pages do not read the till again
    await api.till.stop()
    while True:
        records += page.records
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
        raw = base64.urlsafe_b64decode(page.next_page_token + "==")
        assert b"example" not in raw
        assert b"90072" not in raw
        page = await api.call(EXPORT, request)
        assert not page.also_known_as
    assert records == list(whole.records)
    assert api.till.log.total == requests
