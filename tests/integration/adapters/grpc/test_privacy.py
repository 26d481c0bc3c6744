"""ExportPerson and ErasePerson over a real channel: everything about a person is handed out, then nothing of it is left in any table."""

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
"""What must be nowhere afterwards."""
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


async def intent(api: ApiHarness, email: str, *, state: int = 3, customer: int | None = None, settled_in: float = -60) -> None:
    settled = datetime.now(UTC) + timedelta(seconds=settled_in)
    await api.grpc.engine.fetch(
        "INSERT INTO intent (till_id, email, state, account_id, owner, epos_customer_id, settled_at, create_time) "
        "VALUES ('shop-a', $1, $2, 'shop-a', 'one', $3, $4, now()) RETURNING 1",
        email,
        state,
        customer,
        settled,
    )


async def fill(api: ApiHarness) -> dict[str, EntryId]:
    """Ada's past: ended, failed and held orders, as customer and as guest, a link, a sync, a mark, a removal, a create. And Grace."""
    engine = api.grpc.engine
    made: dict[str, EntryId] = {}
    made["processed"] = await put_order(engine, ada(1))
    await complete_all(engine, MATCHED)
    made["failed"] = await put_order(engine, ada(2))
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
    await intent(api, "ada@example.test", customer=90001)
    await intent(api, "grace@example.test", customer=90002)
    made["grace"] = await put_order(
        engine, replace(facts_of(51, woo_customer_id=13, account_email="grace@example.test", email="grace@example.test"))
    )
    made["held"] = await put_order(engine, ada(3))
    made["guest"] = await put_order(engine, ada(4, guest=True))
    await complete_all(engine, HELD_DUPLICATE)
    made["live sync"] = (await engine.hint("shop-a", 90001)).entry_id
    return made


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


async def removals_done(api: ApiHarness) -> None:
    """As the till customers' entries leave it: our values are out of the shop, and the entries have ended."""
    await api.grpc.engine.fetch("DELETE FROM shop_removal RETURNING 1")
    await complete_all(api.grpc.engine, UPDATED)


async def everything(api: ApiHarness) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    return {
        table: [row["text"] for row in await api.grpc.engine.fetch(f"SELECT row_to_json(t)::text AS text FROM {table} AS t ORDER BY 1")]
        for table in TABLES
    }


async def test_everything_about_a_person_is_handed_out_unmasked_and_nobody_elses(api: ApiHarness) -> None:
    made = await fill(api)
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
        str(entry_id) for name, entry_id in made.items() if name != "grace"
    }
    [guest] = [record for record in records if record.record_id == str(made["guest"])]
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
async def test_pages_are_the_whole_in_the_same_order(api: ApiHarness, size: int) -> None:
    await fill(api)
    assert await export(api, size, **ADA) == await export(api, 500, **ADA)


async def test_by_each_of_the_three_and_across_the_link(api: ApiHarness) -> None:
    await fill(api)
    by_email = Counter(record.category for record in await export(api, email=" ADA@Example.test "))
    assert by_email == {"queue_entry": 4, "order_match": 4, "event": 4, "create_intent": 1}  # addresses bring in no ids
    by_shop = Counter(record.category for record in await export(api, woo_customer_id=12))
    by_till = Counter(record.category for record in await export(api, epos_customer_id=90001))
    assert by_shop == by_till
    assert by_shop == {"link": 1, "link_mark": 1, "pending_removal": 1, "queue_entry": 5, "order_match": 3, "event": 3, "create_intent": 1}
    assert await export(api, email="nobody@example.test") == []


async def test_nothing_is_left_of_an_erased_person_in_any_table_and_all_of_everybody_else(api: ApiHarness) -> None:
    made = await fill(api)
    engine, before = api.grpc.engine, await everything(api)
    asked = await erase(api, validate_only=True, **ADA)
    unchanged = await everything(api)
    assert unchanged | {"till": []} == before | {"till": []}  # whose request allowance the question took
    answer = await erase(api, **ADA)
    erased = {"link": 1, "link_mark": 1, "order_match": 4, "event": 4, "create_intent": 1}
    assert counts(asked) == erased | {"queue_entry": 6, "shop_values": 1}
    assert counts(answer) == erased | {"queue_entry": 5}
    assert [(kept.category, kept.count) for kept in answer.retained] == [("pending_removal", 1)]
    await removals_done(api)
    rest = await erase(api, epos_customer_id=90001)  # the entry that removed the values from the shop
    assert (counts(rest), list(rest.retained)) == ({"queue_entry": 1}, [])
    after = await everything(api)
    for table, rows in after.items():
        for row in rows:
            assert not any(mark.lower() in row.lower() for mark in MARKS), (table, row)
    assert await export(api, **ADA) == []
    assert counts(await erase(api, **ADA)) == {}
    # Grace, and what is about nobody
    for table in ("entry", "entry_history", "order_match", "link", "link_mark", "intent"):
        assert {row for row in before[table] if "grace" in row or "90002" in row} <= set(after[table])
    assert await engine.live("shop-a", 51, EntryKind.ORDER_CUSTOMER) is not None
    # what the orders came to
    states = {order: (await match_of(engine, order)).state for order in (1, 2, 3, 4)}
    assert states == {1: EntryState.PROCESSED, 2: EntryState.DISMISSED, 3: EntryState.DISMISSED, 4: EntryState.DISMISSED}
    assert (await match_of(engine, 3)).notes == ("erased on request",)
    held = await engine.finished_entry(made["held"])
    assert (held["subject_label"], held["facts"], held["state"], held["notes"]) == ("order N3", None, 6, "erased on request")


async def test_what_the_shop_is_told_of_a_closed_order_goes_out_without_the_person_and_sequences_go_on(api: ApiHarness) -> None:
    await fill(api)
    engine = api.grpc.engine
    sequences = {row["order_id"]: row["sequence"] for row in await engine.fetch("SELECT order_id, sequence FROM order_event")}
    await erase(api, **ADA)
    rows = {row["order_id"]: row for row in await engine.fetch("SELECT * FROM order_event")}
    assert {order: rows[order]["sequence"] - sequences[order] for order in (1, 2, 3, 4)} == {1: 0, 2: 0, 3: 1, 4: 1}
    assert (rows[3]["type"], rows[3]["state"], rows[3]["entry_id"], rows[3]["outcome"]) == (1, int(EntryState.DISMISSED), None, None)


async def test_erased_entries_can_be_listed_shown_and_are_left_alone_by_a_retry(api: ApiHarness) -> None:
    made = await fill(api)
    await erase(api, **ADA)
    for name in ("processed", "failed", "held", "guest"):
        request = queue_service_pb2.GetQueueEntryRequest(account_id="shop-a", entry_id=str(made[name]))
        entry = (await api.call("QueueService/GetQueueEntry", request)).entry
        assert "•" not in str(entry)  # no masked address either
        assert list(entry.notes) == ["erased on request"]
        assert len(entry.attempts) == 1
    retry = queue_service_pb2.RetryQueueEntriesRequest(account_id="shop-a", entry_ids=[str(made["failed"]), str(made["held"])])
    await api.call("QueueService/RetryQueueEntries", retry)
    assert [row["subject_id"] for row in await api.grpc.engine.fetch("SELECT subject_id FROM entry WHERE kind = 3")] == [51]


async def test_the_same_order_asked_again_after_an_erasure_is_a_new_request(api: ApiHarness) -> None:
    await fill(api)
    await erase(api, **ADA)
    engine = api.grpc.engine
    await put_order(engine, ada(1))  # PROCESSED: answered, not run again
    assert await engine.live("shop-a", 1, EntryKind.ORDER_CUSTOMER) is None
    assert (await match_of(engine, 1)).epos_customer_id is None


@pytest.mark.parametrize("state", [1, 2, 3])
async def test_a_create_that_may_still_surprise_us_is_kept_with_what_leads_to_it(api: ApiHarness, state: int) -> None:
    made = await fill(api)
    engine = api.grpc.engine
    await engine.fetch(
        "UPDATE intent SET state = $1, epos_customer_id = $2, settled_at = now() + interval '90 seconds' "
        "WHERE email LIKE 'ada%' RETURNING 1",
        state,
        90001 if state == 3 else None,
    )
    asked = await erase(api, validate_only=True, woo_customer_id=12)
    answer = await erase(api, woo_customer_id=12)
    assert {kept.category: kept.count for kept in answer.retained} == {"create_intent": 1, "link": 1, "order_match": 3}
    assert asked.retained == answer.retained
    assert counts(asked) == {"queue_entry": 5}
    assert counts(answer) == {"queue_entry": 4}  # that which removes values from the shop goes on
    [kept] = [one for one in answer.retained if one.category == "create_intent"]
    assert "Epos Now may still store" in kept.reason
    assert timedelta(0) < kept.retry_time.ToDatetime(UTC) - datetime.now(UTC) <= timedelta(seconds=90)
    assert (await engine.finished_entry(made["held"]))["facts"] is None  # the rest went already
    await engine.fetch("UPDATE intent SET settled_at = now() - interval '1 second' WHERE email LIKE 'ada%' RETURNING 1")
    again = await erase(api, woo_customer_id=12)  # found by the shop customer alone, through what was kept
    assert [(kept.category, kept.count) for kept in again.retained] == [("pending_removal", 1)]
    assert counts(again) == {"create_intent": 1, "link": 1, "link_mark": 1, "order_match": 3, "event": 3}
    await removals_done(api)
    assert await export(api, woo_customer_id=12) == []


async def test_an_attempt_under_way_cannot_bring_anything_back(api: ApiHarness) -> None:
    engine = api.grpc.engine
    entry_id = await put_order(engine, ada(9))
    lease = await lease_of(engine)
    [entry] = await claim(engine, lease)
    answer = await erase(api, **ADA)
    assert [(kept.category, kept.count) for kept in answer.retained] == [("order_match", 1)]
    assert "under way" in answer.retained[0].reason
    await engine.lanes.complete([completion(lease, entry, MATCHED)])  # too late
    assert (await engine.finished_entry(entry_id))["state"] == EntryState.DISMISSED
    await engine.lanes.release([lease], clean=[True])
    assert not (await erase(api, **ADA)).retained
    assert await export(api, **ADA) == []


async def test_many_entries_go_in_chunks(api: ApiHarness) -> None:
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


async def test_guests_of_the_default_customer_are_not_the_default_customer(api: ApiHarness) -> None:
    refused = await api.refusal(ERASE, P.ErasePersonRequest(account_id="shop-a", person=P.Person(epos_customer_id=7)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "DEFAULT_CUSTOMER")
    engine = api.grpc.engine
    await put_order(engine, facts_of(1, email="guest@example.test"))
    await complete_all(engine, DEFAULT)
    await engine.fetch("UPDATE account SET default_epos_customer_id = 8 RETURNING 1")  # a former one
    assert await export(api, epos_customer_id=7) == []
    assert counts(await erase(api, epos_customer_id=7)) == {}


async def test_a_link_that_goes_is_seen_by_what_runs(api: ApiHarness) -> None:
    await fill(api)
    engine = api.grpc.engine
    [before] = await engine.fetch("SELECT config_version FROM lane")
    await erase(api, woo_customer_id=12)
    [after] = await engine.fetch("SELECT config_version FROM lane")
    assert after["config_version"] == before["config_version"] + 1
    assert await pending_removals(PostgresLinks(engine.database), 90001) == {90001: (12,)}


async def test_two_erasures_at_once(api: ApiHarness) -> None:
    await fill(api)
    answers = await asyncio.gather(erase(api, **ADA), erase(api, **ADA))
    assert sum(counts(answer).get("link", 0) for answer in answers) == 1
    assert {kept.category for answer in answers for kept in answer.retained} == {"pending_removal"}
    await removals_done(api)
    assert await export(api, **ADA) == []


async def test_bad_input(api: ApiHarness) -> None:
    for method, kind in ((EXPORT, P.ExportPersonRequest), (ERASE, P.ErasePersonRequest)):
        nobody = await api.refusal(method, kind(account_id="shop-a", person=P.Person()))
        assert (nobody.code, list(nobody.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["person"])
        assert (await api.refusal(method, kind(account_id="shop-a"))).fields == {"person": "is required"}
        negative = await api.refusal(method, kind(account_id="shop-a", person=P.Person(woo_customer_id=-1)))
        assert list(negative.fields) == ["person.woo_customer_id"]
        assert (await api.refusal(method, kind(account_id="nobody", person=P.Person(email="a@b.test")))).code is grpc.StatusCode.NOT_FOUND
    page = P.ExportPersonRequest(account_id="shop-a", person=P.Person(email="a@b.test"), page_token="made-up")
    assert list((await api.refusal(EXPORT, page)).fields) == ["page_token"]
    await fill(api)
    first = await api.call(EXPORT, P.ExportPersonRequest(account_id="shop-a", person=P.Person(**ADA), page_size=1))
    foreign = P.ExportPersonRequest(account_id="shop-a", person=P.Person(email="grace@example.test"), page_token=first.next_page_token)
    assert (await api.refusal(EXPORT, foreign)).reason == "PAGE_TOKEN_INVALID"


async def test_rights(api: ApiHarness) -> None:
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


async def test_another_account_of_the_same_till_keeps_its_own(api: ApiHarness) -> None:
    await fill(api)
    await api.grpc.engine.fetch("UPDATE account SET shared_till = true RETURNING 1")
    await api.add_account("shop-b", till_id="shop-a", shared_till=True)
    engine = api.grpc.engine
    await put_order(engine, ada(1), "shop-b")
    await erase(api, **ADA)
    assert await engine.live("shop-b", 1, EntryKind.ORDER_CUSTOMER) is not None
    assert (await match_of(engine, 1, "shop-b")).state is EntryState.PENDING
