"""ExportPerson and ErasePerson over a real channel. An export has all records of a person, and an erasure leaves none in any table."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict, Unpack

import grpc
import pytest
import pytest_asyncio
from support.api_harness import ApiHarness, api_harness
from support.engine import EngineWorld
from support.links import HELD_DUPLICATE, claim, complete_all, completion, epos, facts_of, lease_of, match_of, pending_removals, put_order
from tillsync.v1 import privacy_service_pb2, queue_service_pb2
from tillsync_server.adapters.postgres.links.link_reader import PostgresLinks
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome, Priority, Role
from tillsync_server.domain.ids import EntryId
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.verdict import Verdict

pytestmark = pytest.mark.integration


class PersonKeys(TypedDict, total=False):
    """The fields of ``Person``."""

    email: str
    woo_customer_id: int
    epos_customer_id: int


P = privacy_service_pb2
EXPORT, ERASE = "PrivacyService/ExportPerson", "PrivacyService/ErasePerson"
MATCHED = replace(Verdict.finished(Outcome.MATCHED_EMAIL, "linked"), epos_customer_id=epos(90001))
DEFAULT = replace(Verdict.finished(Outcome.DEFAULT_CUSTOMER, "guest"), epos_customer_id=epos(7))
FAILED = Verdict.failed(Outcome.CUSTOMER_NOT_MATCHED, "till refuses Lovelace, refused field: email")
UPDATED = Verdict.finished(Outcome.UPDATED)
ADA: PersonKeys = {"email": "ada@example.test", "woo_customer_id": 12}
MARKS = ("ada@example.test", "Lovelace", "Analytical Engines", "01200000042", "90001")
"""Texts that no row has after the erasure."""
TABLES = (
    *("account", "lane", "entry", "entry_history", "order_match", "link", "link_mark", "shop_version", "shop_removal", "requeue"),
    *("intent", "token", "order_event", "event_delivery", "till", "till_knowledge", "customer_type"),
)


@pytest_asyncio.fixture
async def api(world: EngineWorld) -> AsyncIterator[ApiHarness]:
    async with api_harness(world) as made:
        await made.add_account(default_epos_customer_id=7)
        yield made


def ada(order_id: int, *, guest: bool = False) -> OrderFacts:
    facts = facts_of(order_id, woo_customer_id=None if guest else 12, account_email="" if guest else "Ada@example.test")
    return replace(facts, last_name="Lovelace", company="Analytical Engines", phone="01200000042", order_number=f"N{order_id}")


async def add_intent(api: ApiHarness, email: str, *, state: int = 3, customer: int | None = None, settled_in: float = -60) -> None:
    settled_at = datetime.now(UTC) + timedelta(seconds=settled_in)
    await api.grpc.engine.fetch(
        "INSERT INTO intent (till_id, email, state, account_id, owner, epos_customer_id, settled_at, create_time) "
        "VALUES ('shop-a', $1, $2, 'shop-a', 'one', $3, $4, now()) RETURNING 1",
        email,
        state,
        customer,
        settled_at,
    )


async def fill(api: ApiHarness) -> dict[str, EntryId]:
    """Adds all kinds of records of Ada, as customer and as guest, and some of Grace. Returns the ids of named entries."""
    engine = api.grpc.engine
    entries: dict[str, EntryId] = {}
    entries["processed"] = await put_order(engine, ada(1))
    await complete_all(engine, MATCHED)
    entries["failed"] = await put_order(engine, ada(2))
    await complete_all(engine, FAILED)
    await engine.fetch(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) "
        "VALUES ('shop-a', 90001, 12, 2), ('shop-a', 90002, 13, 2) RETURNING 1"
    )
    await engine.hint("shop-a", 90001, priority=Priority.BULK)
    await engine.hint("shop-a", 90002, priority=Priority.BULK)
    await complete_all(engine, UPDATED)
    await engine.fetch("INSERT INTO link_mark (account_id, woo_customer_id) VALUES ('shop-a', 12), ('shop-a', 13) RETURNING 1")
    await engine.fetch("INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id) VALUES ('shop-a', 12, 90001) RETURNING 1")
    await engine.fetch("INSERT INTO till (till_id) VALUES ('shop-a') ON CONFLICT DO NOTHING")
    await add_intent(api, "ada@example.test", customer=90001)
    await add_intent(api, "grace@example.test", customer=90002)
    entries["grace"] = await put_order(
        engine, replace(facts_of(51, woo_customer_id=13, account_email="grace@example.test", email="grace@example.test"))
    )
    entries["held"] = await put_order(engine, ada(3))
    entries["guest"] = await put_order(engine, ada(4, guest=True))
    await complete_all(engine, HELD_DUPLICATE)
    entries["live sync"] = (await engine.hint("shop-a", 90001)).entry_id
    return entries


async def export(api: ApiHarness, page_size: int = 0, **person: Unpack[PersonKeys]) -> list[privacy_service_pb2.PersonRecord]:
    request, records = P.ExportPersonRequest(account_id="shop-a", person=P.Person(**person), page_size=page_size), []
    while True:
        page = await api.call(EXPORT, request)
        records += page.records
        assert not page_size or len(page.records) <= page_size
        if not page.next_page_token:
            return records
        request.page_token = page.next_page_token


async def erase(api: ApiHarness, *, validate_only: bool = False, **person: Unpack[PersonKeys]) -> Any:
    return await api.call(ERASE, P.ErasePersonRequest(account_id="shop-a", person=P.Person(**person), validate_only=validate_only))


def counts(answer: Any) -> dict[str, int]:
    return {one.category: one.count for one in answer.erased}


async def complete_removals(api: ApiHarness) -> None:
    """Stores that the values are removed from the shop, and completes the entries of the till customers."""
    await api.grpc.engine.fetch("DELETE FROM shop_removal RETURNING 1")
    await complete_all(api.grpc.engine, UPDATED)


async def all_rows(api: ApiHarness) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    return {
        table: [row["text"] for row in await api.grpc.engine.fetch(f"SELECT row_to_json(t)::text AS text FROM {table} AS t ORDER BY 1")]
        for table in TABLES
    }


async def test_export_has_all_records_of_the_person_unmasked_and_no_others(api: ApiHarness) -> None:
    entries = await fill(api)
    records = await export(api, **ADA)
    assert Counter(record.category for record in records) == {
        "link": 1,
        "link_mark": 1,
        "pending_removal": 1,
        "queue_entry": 6,
        "order_match": 4,
        "event": 4,
        "create_intent": 1,
    }
    assert {record.record_id for record in records if record.category == "queue_entry"} >= {
        str(entry_id) for name, entry_id in entries.items() if name != "grace"
    }
    [guest] = [record for record in records if record.record_id == str(entries["guest"])]
    fields = {one.label: one.value for one in guest.fields}
    assert (fields["Last name"], fields["Company"], fields["Phone"], fields["Billing email"]) == (
        "Lovelace",
        "Analytical Engines",
        "01200000042",
        "ada@example.test",
    )
    assert (fields["Order number"], fields["State"], fields["Outcome"]) == ("N4", "held", "DUPLICATE_EMAIL")
    assert "two customers" in fields["Attempt"]
    assert all(record.HasField("create_time") for record in records)
    text = "\n".join(str(record) for record in records)
    assert "grace" not in text
    assert "90002" not in text


@pytest.mark.parametrize("size", [1, 2, 5])
async def test_pages_have_all_records_in_the_same_order(api: ApiHarness, size: int) -> None:
    await fill(api)
    assert await export(api, size, **ADA) == await export(api, 500, **ADA)


async def test_either_customer_id_finds_records_across_the_link(api: ApiHarness) -> None:
    await fill(api)
    by_email = Counter(record.category for record in await export(api, email=" ADA@Example.test "))
    assert by_email == {"queue_entry": 4, "order_match": 4, "event": 4, "create_intent": 1}  # an email adds no customer ids
    by_shop = Counter(record.category for record in await export(api, woo_customer_id=12))
    by_till = Counter(record.category for record in await export(api, epos_customer_id=90001))
    assert by_shop == by_till
    assert by_shop == {"link": 1, "link_mark": 1, "pending_removal": 1, "queue_entry": 5, "order_match": 3, "event": 3, "create_intent": 1}
    assert await export(api, email="nobody@example.test") == []


async def test_erasure_leaves_no_row_of_the_person_and_keeps_other_persons(api: ApiHarness) -> None:
    entries = await fill(api)
    engine, before = api.grpc.engine, await all_rows(api)
    planned = await erase(api, validate_only=True, **ADA)
    unchanged = await all_rows(api)
    assert unchanged | {"till": []} == before | {"till": []}  # the validation takes requests of the till's allowance
    answer = await erase(api, **ADA)
    erased = {"link": 1, "link_mark": 1, "order_match": 4, "event": 4, "create_intent": 1}
    assert counts(planned) == erased | {"queue_entry": 6, "shop_values": 1}
    assert counts(answer) == erased | {"queue_entry": 5}
    assert [(kept.category, kept.count) for kept in answer.retained] == [("pending_removal", 1)]
    await complete_removals(api)
    rest = await erase(api, epos_customer_id=90001)  # the entry that removed the values from the shop
    assert (counts(rest), list(rest.retained)) == ({"queue_entry": 1}, [])
    after = await all_rows(api)
    for table, rows in after.items():
        for row in rows:
            assert not any(mark.lower() in row.lower() for mark in MARKS), (table, row)
    assert await export(api, **ADA) == []
    assert counts(await erase(api, **ADA)) == {}
    for table in ("entry", "entry_history", "order_match", "link", "link_mark", "intent"):
        assert {row for row in before[table] if "grace" in row or "90002" in row} <= set(after[table])
    assert await engine.live("shop-a", 51, EntryKind.ORDER_CUSTOMER) is not None
    states = {order: (await match_of(engine, order)).state for order in (1, 2, 3, 4)}
    assert states == {1: EntryState.PROCESSED, 2: EntryState.DISMISSED, 3: EntryState.DISMISSED, 4: EntryState.DISMISSED}
    assert (await match_of(engine, 3)).notes == ("erased on request",)
    held = await engine.finished_entry(entries["held"])
    assert (held["subject_label"], held["facts"], held["state"], held["notes"]) == ("order N3", None, 6, "erased on request")


async def test_events_of_erased_orders_name_no_person_and_raise_the_sequence(api: ApiHarness) -> None:
    await fill(api)
    engine = api.grpc.engine
    sequences = {row["order_id"]: row["sequence"] for row in await engine.fetch("SELECT order_id, sequence FROM order_event")}
    await erase(api, **ADA)
    rows = {row["order_id"]: row for row in await engine.fetch("SELECT * FROM order_event")}
    assert {order: rows[order]["sequence"] - sequences[order] for order in (1, 2, 3, 4)} == {1: 0, 2: 0, 3: 1, 4: 1}
    assert (rows[3]["type"], rows[3]["state"], rows[3]["entry_id"], rows[3]["outcome"]) == (1, int(EntryState.DISMISSED), None, None)


async def test_erased_entries_can_be_read_and_are_not_retried(api: ApiHarness) -> None:
    entries = await fill(api)
    await erase(api, **ADA)
    for name in ("processed", "failed", "held", "guest"):
        request = queue_service_pb2.GetQueueEntryRequest(account_id="shop-a", entry_id=str(entries[name]))
        entry = (await api.call("QueueService/GetQueueEntry", request)).entry
        assert "•" not in str(entry)  # no masked email either
        assert list(entry.notes) == ["erased on request"]
        assert len(entry.attempts) == 1
    retry = queue_service_pb2.RetryQueueEntriesRequest(account_id="shop-a", entry_ids=[str(entries["failed"]), str(entries["held"])])
    await api.call("QueueService/RetryQueueEntries", retry)
    assert [row["subject_id"] for row in await api.grpc.engine.fetch("SELECT subject_id FROM entry WHERE kind = 3")] == [51]


async def test_erased_processed_order_is_not_enqueued_again_by_the_same_facts(api: ApiHarness) -> None:
    await fill(api)
    await erase(api, **ADA)
    engine = api.grpc.engine
    await put_order(engine, ada(1))  # the order's answer is PROCESSED, so it gets no new entry
    assert await engine.live("shop-a", 1, EntryKind.ORDER_CUSTOMER) is None
    assert (await match_of(engine, 1)).epos_customer_id is None


@pytest.mark.parametrize("state", [1, 2, 3])
async def test_erasure_retains_an_unsettled_intent_and_the_records_that_lead_to_it(api: ApiHarness, state: int) -> None:
    entries = await fill(api)
    engine = api.grpc.engine
    await engine.fetch(
        "UPDATE intent SET state = $1, epos_customer_id = $2, settled_at = now() + interval '90 seconds' "
        "WHERE email LIKE 'ada%' RETURNING 1",
        state,
        90001 if state == 3 else None,
    )
    planned = await erase(api, validate_only=True, woo_customer_id=12)
    answer = await erase(api, woo_customer_id=12)
    assert {kept.category: kept.count for kept in answer.retained} == {"create_intent": 1, "link": 1, "order_match": 3}
    assert planned.retained == answer.retained
    assert counts(planned) == {"queue_entry": 5}
    assert counts(answer) == {"queue_entry": 4}  # the entry that removes values from the shop stays
    [kept] = [one for one in answer.retained if one.category == "create_intent"]
    assert "Epos Now may still store" in kept.reason
    assert timedelta(0) < kept.retry_time.ToDatetime(UTC) - datetime.now(UTC) <= timedelta(seconds=90)
    assert (await engine.finished_entry(entries["held"]))["facts"] is None  # the other records are erased already
    await engine.fetch("UPDATE intent SET settled_at = now() - interval '1 second' WHERE email LIKE 'ada%' RETURNING 1")
    second = await erase(api, woo_customer_id=12)  # the retained records lead from the shop customer to the others
    assert [(kept.category, kept.count) for kept in second.retained] == [("pending_removal", 1)]
    assert counts(second) == {"create_intent": 1, "link": 1, "link_mark": 1, "order_match": 3, "event": 3}
    await complete_removals(api)
    assert await export(api, woo_customer_id=12) == []


async def test_completion_of_an_erased_entry_is_dropped(api: ApiHarness) -> None:
    engine = api.grpc.engine
    entry_id = await put_order(engine, ada(9))
    lease = await lease_of(engine)
    [entry] = await claim(engine, lease)
    answer = await erase(api, **ADA)
    assert [(kept.category, kept.count) for kept in answer.retained] == [("order_match", 1)]
    assert "under way" in answer.retained[0].reason
    await engine.lanes.complete([completion(lease, entry, MATCHED)])  # after the erasure
    assert (await engine.finished_entry(entry_id))["state"] == EntryState.DISMISSED
    await engine.lanes.release([lease], clean=[True])
    assert not (await erase(api, **ADA)).retained
    assert await export(api, **ADA) == []


async def test_erasure_of_many_entries_runs_in_chunks(api: ApiHarness) -> None:
    engine = api.grpc.engine
    await engine.fetch(
        "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, state, account_email, facts, create_time, "
        "update_time) SELECT 'shop-a', gen_random_uuid(), 2, 3, n, 1, now(), 4, 'ada@example.test', '{}', now(), now() "
        "FROM generate_series(1, 1100) AS n RETURNING 1"
    )
    await engine.fetch(
        "INSERT INTO order_match (account_id, order_id, order_key, facts_hash, entry_id, state, account_email, create_time, update_time) "
        "SELECT account_id, subject_id, 'k', '', entry_id, 4, account_email, now(), now() FROM entry RETURNING 1"
    )
    answer = await erase(api, email="ada@example.test")
    assert counts(answer) == {"queue_entry": 1100, "order_match": 1100, "event": 1100}
    assert await engine.fetch("SELECT 1 FROM entry_history WHERE account_email IS NOT NULL OR facts IS NOT NULL") == []


async def test_key_of_a_default_customer_finds_no_orders_of_guests(api: ApiHarness) -> None:
    refused = await api.refusal(ERASE, P.ErasePersonRequest(account_id="shop-a", person=P.Person(epos_customer_id=7)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "DEFAULT_CUSTOMER")
    engine = api.grpc.engine
    await put_order(engine, facts_of(1, email="guest@example.test"))
    await complete_all(engine, DEFAULT)
    await engine.fetch("UPDATE account SET default_epos_customer_id = 8 RETURNING 1")  # customer 7 is now a former default customer
    assert await export(api, epos_customer_id=7) == []
    assert counts(await erase(api, epos_customer_id=7)) == {}


async def test_erasure_of_a_link_raises_the_config_version_and_queues_its_removal(api: ApiHarness) -> None:
    await fill(api)
    engine = api.grpc.engine
    [before] = await engine.fetch("SELECT config_version FROM lane")
    await erase(api, woo_customer_id=12)
    [after] = await engine.fetch("SELECT config_version FROM lane")
    assert after["config_version"] == before["config_version"] + 1
    assert await pending_removals(PostgresLinks(engine.database), 90001) == {90001: (12,)}


async def test_concurrent_erasures_count_each_record_once(api: ApiHarness) -> None:
    await fill(api)
    answers = await asyncio.gather(erase(api, **ADA), erase(api, **ADA))
    assert sum(counts(answer).get("link", 0) for answer in answers) == 1
    assert {kept.category for answer in answers for kept in answer.retained} == {"pending_removal"}
    await complete_removals(api)
    assert await export(api, **ADA) == []


async def test_bad_input_names_its_field(api: ApiHarness) -> None:
    for method, kind in ((EXPORT, P.ExportPersonRequest), (ERASE, P.ErasePersonRequest)):
        empty = await api.refusal(method, kind(account_id="shop-a", person=P.Person()))
        assert (empty.code, list(empty.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["person"])
        assert (await api.refusal(method, kind(account_id="shop-a"))).fields == {"person": "is required"}
        negative = await api.refusal(method, kind(account_id="shop-a", person=P.Person(woo_customer_id=-1)))
        assert list(negative.fields) == ["person.woo_customer_id"]
        assert (await api.refusal(method, kind(account_id="nobody", person=P.Person(email="a@b.test")))).code is grpc.StatusCode.NOT_FOUND
    page = P.ExportPersonRequest(account_id="shop-a", person=P.Person(email="a@b.test"), page_token="made-up")
    assert list((await api.refusal(EXPORT, page)).fields) == ["page_token"]
    await fill(api)
    first = await api.call(EXPORT, P.ExportPersonRequest(account_id="shop-a", person=P.Person(**ADA), page_size=1))
    other_person = P.ExportPersonRequest(account_id="shop-a", person=P.Person(email="grace@example.test"), page_token=first.next_page_token)
    assert (await api.refusal(EXPORT, other_person)).reason == "PAGE_TOKEN_INVALID"


async def test_site_of_another_account_and_support_are_denied(api: ApiHarness) -> None:
    await api.add_account("shop-b", till_id="b")
    person = P.Person(email="ada@example.test")
    requests: Sequence[tuple[str, Any]] = (
        (EXPORT, P.ExportPersonRequest(account_id="shop-a", person=person)),
        (ERASE, P.ErasePersonRequest(account_id="shop-a", person=person)),
    )
    for method, request in requests:
        for metadata in (await api.grpc.token(Role.SITE, "shop-b"), await api.grpc.token(Role.SUPPORT)):
            assert (await api.refusal(method, request, metadata)).code is grpc.StatusCode.PERMISSION_DENIED
        for role, account in ((Role.SITE, "shop-a"), (Role.SERVICE, None)):
            await api.call(method, request, await api.grpc.token(role, account))


async def test_erasure_keeps_orders_of_another_account_of_the_till(api: ApiHarness) -> None:
    await fill(api)
    await api.grpc.engine.fetch("UPDATE account SET shared_till = true RETURNING 1")
    await api.add_account("shop-b", till_id="shop-a", shared_till=True)
    engine = api.grpc.engine
    await put_order(engine, ada(1), "shop-b")
    await erase(api, **ADA)
    assert await engine.live("shop-b", 1, EntryKind.ORDER_CUSTOMER) is not None
    assert (await match_of(engine, 1, "shop-b")).state is EntryState.PENDING
